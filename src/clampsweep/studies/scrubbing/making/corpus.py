"""A corpus of English that every machine has: docstrings of the packages that are pinned.

A document is the docstrings of one source file, in their order. A paragraph that occurred before,
here or in another file, is left out, so that a model cannot have learned a held-out text by heart.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import re
import warnings
from collections.abc import Iterator, Sequence
from importlib import metadata

import pandas as pd

from clampsweep.errors import UserError
from clampsweep.provenance import json_digest, text_digest

HELD_OUT = 0.42  # share of documents, by the digests of their names

SHORTEST = 400  # characters of a document

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

_BUILT = ("__config__.py", "version.py", "_version.py")  # written when a wheel is built


def collect(packages: Sequence[str], where: str) -> pd.DataFrame:
    """The table `CORPUS` of some packages that are installed, in the order of their names.

    Args:
        packages: Their names.
        where: Place in the config, for messages.

    Raises:
        UserError: One is not installed, or one of its files is not whole.
    """
    seen: set[str] = set()
    rows = []
    for package in sorted(packages):
        for file, source in _sources(package, where):
            text = _new_paragraphs(_docstrings(source), seen)
            if len(text) >= SHORTEST:
                held_out = _place(f"{package}/{file}") < HELD_OUT
                rows.append({"package": package, "file": file, "held_out": held_out, "text": text})
    return pd.DataFrame(rows, columns=["package", "file", "held_out", "text"])


def corpus_digest(corpus: pd.DataFrame) -> str:
    """Digest of what a corpus says, 64 hex digits.

    Args:
        corpus: A `CORPUS` table.
    """
    columns = ["package", "file", "held_out", "text"]
    return json_digest(corpus[columns].to_numpy().tolist())


def check_digest(corpus: pd.DataFrame, sha256: str, where: str) -> None:
    """Refuse a corpus that is another than the recipe's.

    Args:
        corpus: A `CORPUS` table.
        sha256: Its digest in the recipe.
        where: Place in the config, for messages.

    Raises:
        UserError: It is, with the versions that are installed.
    """
    if (found := corpus_digest(corpus)) != sha256:
        versions = [f"{name} {metadata.version(name)}" for name in sorted(set(corpus["package"]))]
        raise UserError(
            f"{where}.sha256: got {sha256}, but the corpus of what is installed "
            f"({', '.join(versions)}) has digest {found}; install the versions of "
            "constraints.txt, or write this digest for a model of these"
        )


def _sources(package: str, where: str) -> Iterator[tuple[str, bytes]]:
    """Python files of a package, in the order of their names, with their bytes.

    Held against the digests that the package lists, so that a file that is cut is named.
    """
    try:
        listed = metadata.files(package) or []
    except metadata.PackageNotFoundError as error:
        raise UserError(
            f"{where}.packages: {package} is not installed; install it, or take it out of the list"
        ) from error
    for file in sorted(listed, key=str):
        if file.suffix != ".py" or file.parts[0] == ".." or file.name in _BUILT:
            continue
        path = file.locate()
        try:
            source = path.read_bytes()  # type: ignore[attr-defined]
        except OSError as error:
            raise UserError(
                f"{path}: cannot be read ({error.strerror}); install {package} again"
            ) from error
        digest = base64.urlsafe_b64encode(hashlib.sha256(source).digest()).decode().rstrip("=")
        if file.hash and file.hash.mode == "sha256" and file.hash.value != digest:
            raise UserError(f"{path}: not as {package} lists it, cut or edited; install it again")
        yield file.as_posix(), source


def _docstrings(source: bytes) -> Iterator[str]:
    """Docstrings of a source file, in their order; none if it is no Python of this version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes that Python does not know
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):  # files that tests of a package shall fail on
            return
    nodes = [node for node in ast.walk(tree) if isinstance(node, _DOCUMENTED)]
    for node in sorted(nodes, key=lambda node: getattr(node, "lineno", 0)):
        yield ast.get_docstring(node, clean=False) or ""


def _new_paragraphs(docstrings: Iterator[str], seen: set[str]) -> str:
    """What of some docstrings is words and did not occur before; `seen` is added to."""
    kept = []
    for docstring in docstrings:
        for paragraph in re.split(r"\n\s*\n", docstring):
            text = "\n".join(filter(None, map(str.strip, paragraph.splitlines())))
            if _is_prose(text) and text not in seen:
                seen.add(text)
                kept.append(text)
    return "\n\n".join(kept)


def _is_prose(text: str) -> bool:
    """Whether a paragraph is mostly words: no table, drawing or list of numbers."""
    words = sum(char.isalpha() or char == " " for char in text)
    return words >= 0.8 * len(text) > 0 and text.isascii()


def _place(name: str) -> float:
    """A number in [0, 1) that follows from a name and from nothing else."""
    return int(text_digest(name)[:8], 16) / 2**32
