"""One entry of `models`: where a model comes from, how it is loaded, its identity. No torch."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from clampsweep.errors import UserError
from clampsweep.provenance import file_digest, json_digest


class Wheel(NamedTuple):
    """A wheel of the package index, with its version, and a file in it."""

    package: str
    file: str


@dataclass(frozen=True)
class ModelSpec:
    """One entry of `models`: where the model comes from and how it is loaded."""

    where: str
    name: str
    source: str
    licence: str
    n_layers: int
    d_mlp: int
    dtype: str
    prepend_bos: bool
    weight_processing: str
    package: str | None = None
    file: str | None = None
    sha256: str | None = None
    repo: str | None = None
    revision: str | None = None
    path: str | None = None
    parts: Sequence[Mapping[str, str]] | None = None  # in place of package and file
    terms: str | None = None
    accept_terms: bool | None = None
    by: str | None = None
    recipe: Mapping[str, Any] | None = None

    @property
    def wheels(self) -> tuple[Wheel, ...]:
        """The wheels of source `pypi`; their files join to one, in this order."""
        if self.parts:
            return tuple(Wheel(**part) for part in self.parts)
        return (Wheel(self.package or "", self.file or ""),)

    @property
    def made(self) -> str:
        """Name of the folder in `resources/made/` that a rule of the study `by` makes."""
        return f"{self.by}-{json_digest(self.recipe)[:16]}"

    @property
    def origin(self) -> str:
        """What is fetched, in words."""
        if self.parts:
            return " + ".join(wheel.package for wheel in self.wheels)
        if self.source == "pypi":
            return f"{self.package}/{self.file}"
        if self.source == "made":
            return f"resources/made/{self.made}"
        return f"{self.repo}@{self.revision}" if self.source == "hub" else str(self.path)

    @property
    def identity(self) -> str:
        """Digest of all that decides the model's outputs, known before it is fetched.

        A hub revision, a file digest and a recipe pin the content; a local folder is pinned by its
        files.
        """
        content = self.sha256 if self.source == "pypi" else self.origin
        if self.source == "path":
            content = folder_digest(Path(self.path or ""))
        loading = [self.dtype, self.prepend_bos, self.weight_processing]
        return json_digest([self.source, content, *loading])[:32]

    def check_fetched(self, folder: Path) -> None:
        """Refuse a model's folder that was fetched for another model.

        Args:
            folder: `resources/models/<name>`.

        Raises:
            UserError: Its `model.json` is missing, damaged or of another model.
        """
        manifest = folder / "model.json"
        try:
            found = json.loads(manifest.read_text(encoding="utf-8"))["identity"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{manifest}: missing or damaged; delete {folder} and run again"
            ) from error
        if found != self.identity:
            raise UserError(
                f"{manifest}: of another model than {self.where} names; delete {folder} and run "
                "again"
            )

    def fetching(self) -> dict[str, Any]:
        """Fields as a rule's parameters, without the config file's name."""
        return {**asdict(self), "where": f"models.{self.name}"}

    def loading(self) -> dict[str, Any]:
        """Fields that matter once the model is fetched, the others blank."""
        origin = ("package", "file", "parts", "sha256", "repo", "revision", "path", "by", "recipe")
        blank = dict.fromkeys((*origin, "terms", "accept_terms"))
        return {**self.fetching(), **blank, "licence": "", "name": "", "where": "model"}


@functools.cache
def folder_digest(folder: Path) -> str:
    """Digest of the files of a local model folder, by name and content."""
    return json_digest(
        {path.name: file_digest(path) for path in sorted(folder.iterdir()) if path.is_file()}
    )
