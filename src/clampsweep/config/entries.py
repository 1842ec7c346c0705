"""The checked config as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clampsweep.config.contract import Study
from clampsweep.models.spec import ModelSpec
from clampsweep.shards.work import Work
from clampsweep.texts.found import Found
from clampsweep.texts.request import PromptsetSpec, TextRequest


@dataclass(frozen=True)
class Compute:
    """Resources; they change no result."""

    threads: int
    device: str
    rows_per_forward: int
    combinations_per_batch: int


@dataclass(frozen=True)
class Config:
    """A checked config.

    Attributes:
        run: Names of the entries to make.
        models: By name.
        promptsets: By name.
        entries: Every configured entry, by study and name.
        compute: Resources.
        studies: Those that the entries are of.
        direction_files: Files of directions that entries name, each once.
    """

    run: tuple[str, ...]
    models: Mapping[str, ModelSpec]
    promptsets: Mapping[str, PromptsetSpec]
    entries: Mapping[str, Mapping[str, Any]]
    compute: Compute
    studies: tuple[Study, ...]
    direction_files: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all entries, each once."""
        return tuple(dict.fromkeys(name for found in self.entries.values() for name in found))

    def of(self, study: str) -> dict[str, Any]:
        """A study's entries that are run, by name."""
        entries = self.entries[study]
        return {name: entries[name] for name in self.run if name in entries}

    def requests(self, names: Iterable[str] | None = None) -> dict[str, TextRequest]:
        """The texts that entries want, by the name of the request.

        Args:
            names: Of the entries; those of the run if None.
        """
        found: dict[str, TextRequest] = {}
        for name in self.run if names is None else names:
            for study in self.studies:
                if name in self.entries[study.name]:
                    found |= study.requests(self.entries[study.name][name])
        return found

    @property
    def works(self) -> dict[str, Work]:
        """The sharded work that the run's entries want, by the name of its table."""
        return {
            work.name: work
            for study in self.studies
            for entry in self.of(study.name).values()
            for work in study.works(entry)
        }

    @property
    def files(self) -> dict[str, str]:
        """Every file that the run keeps, relative to `results/`, and what it is."""
        found: dict[str, str] = {}
        for study in self.studies:
            for entry in self.of(study.name).values():
                found |= study.files(entry)
        return found

    def described(self, name: str) -> dict[str, str]:
        """What is kept in an entry's folder, and what each file is; the figures in one line."""
        own = {
            file.removeprefix(f"{name}/"): what
            for file, what in self.files.items()
            if file.startswith(f"{name}/") and not file.startswith(f"{name}/figures/")
        }
        return {**own, "figures/": "the figures, as SVG and PNG"}

    @property
    def inputs(self) -> list[str]:
        """Local files that the run's entries read, promptsets and models apart."""
        return [
            file
            for study in self.studies
            for entry in self.of(study.name).values()
            for file in study.inputs(entry)
        ]

    @property
    def role_tables(self) -> list[str]:
        """Tables that name neurons of the run's entries."""
        targets = [request.targets for request in self.requests().values()]
        return [one.file for one in targets if isinstance(one, Found)]
