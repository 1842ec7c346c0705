"""Digests of files, texts and code, and the record of what made a table."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

_PACKAGE = "clampsweep"

_SOURCE = Path(__file__).parent

_LIBRARIES = (
    "torch",
    "transformers",
    "transformer-lens",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "matplotlib",
)


def text_digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def json_digest(value: object) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no spaces), 64 hex digits."""
    return text_digest(json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False))


def file_digest(path: Path | str) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _module_file(module: str) -> Path | None:
    path = _SOURCE.joinpath(*module.split(".")[1:])
    if path.is_dir():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").exists() else None


@functools.cache
def _imported(source: str) -> frozenset[str]:
    """Names that a module's text imports; cached, because a workflow asks for the same 20 times."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def _imports(path: Path) -> set[str]:
    names = _imported(path.read_text(encoding="utf-8"))
    return {name for name in names if name.startswith(f"{_PACKAGE}.") and _module_file(name)}


def import_closure(module: str) -> list[str]:
    """Modules of this package that a module imports, directly or not, itself included, sorted."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _module_file(name)
        if name in seen or path is None:
            continue
        seen.add(name)
        if name.count(".") > 1:  # Python runs a subpackage's __init__.py too
            waiting.append(name.rpartition(".")[0])
        waiting.extend(_imports(path))
    return sorted(seen)


@functools.cache
def code_digest(*modules: str) -> str:
    """Digest of some modules and of all that they import from this package, 16 hex digits.

    A Snakemake rule carries that of its script's imports as its `code` parameter, because Snakemake
    itself watches only the script's own file.

    Raises:
        ValueError: There is no such module.
    """
    unknown = [module for module in modules if _module_file(f"{_PACKAGE}.{module}") is None]
    if unknown:
        raise ValueError(f"no module {unknown[0]!r} in {_PACKAGE}")
    names = sorted({name for module in modules for name in import_closure(f"{_PACKAGE}.{module}")})
    files = {name: path for name in names if (path := _module_file(name))}
    return json_digest({name: file_digest(path) for name, path in files.items()})[:16]


def script_digest(script: Path | str) -> str:
    """`code_digest` of all modules that a workflow script imports, wherever in it.

    Args:
        script: Its file.
    """
    prefix = len(_PACKAGE) + 1
    return code_digest(*sorted(name[prefix:] for name in _imports(Path(script))))


@functools.cache
def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in _LIBRARIES}


def record(**facts: object) -> Mapping[str, object]:
    """What made a table: the given facts (digests, decoding, code) and library versions."""
    return {**facts, "libraries": _versions()}
