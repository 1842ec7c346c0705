"""The config: read, checked against the schema and across fields, turned into frozen dataclasses.

Every fault is one line: file, key, value got, values allowed. No torch here; it runs at parse time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clampsweep.config.checker import Checker, Key
from clampsweep.models.spec import ModelSpec, folder_digest
from clampsweep.provenance import file_digest
from clampsweep.studies.bcr.config import ImportedSweep, Sweep
from clampsweep.texts.request import PromptsetSpec


@dataclass(frozen=True)
class Compute:
    """Resources; they change no result."""

    threads: int
    device: str
    rows_per_forward: int
    combinations_per_batch: int


@dataclass(frozen=True)
class Config:
    """A checked config; `sweeps` holds the derived ones too (`<sweep>/controls`)."""

    run: tuple[str, ...]
    models: Mapping[str, ModelSpec]
    promptsets: Mapping[str, PromptsetSpec]
    sweeps: Mapping[str, Sweep | ImportedSweep]
    compute: Compute


def _model(checker: Checker, name: str, entry: Mapping[str, Any]) -> ModelSpec:
    key: Key = ("models", name)
    if entry.get("source") not in ("pypi", "hub", "path"):
        raise checker.fault(
            (*key, "source"), f"got {entry.get('source')!r}; allowed: pypi, hub, path"
        )
    checker.check(entry, f"model_{entry['source']}", key)
    spec = ModelSpec(where=checker.where(key), name=name, **entry)
    if spec.path is not None and not (Path(spec.path) / "config.json").is_file():
        raise checker.fault(
            (*key, "path"), f"got {spec.path!r}; it must be a folder with a config.json"
        )
    if spec.path is not None and spec.sha256 not in (None, folder_digest(Path(spec.path))):
        raise checker.fault(
            (*key, "sha256"),
            f"got {spec.sha256!r}, but {spec.path} has digest {folder_digest(Path(spec.path))}",
        )
    return spec


def _promptset(checker: Checker, name: str, entry: Mapping[str, Any]) -> PromptsetSpec:
    key: Key = ("promptsets", name)
    checker.check(entry, "promptset", key)
    if ("path" in entry) == ("url" in entry):
        raise checker.fault(key, "give either path (a local file) or url with sha256")
    if "url" in entry and "sha256" not in entry:
        raise checker.fault(key, "lacks the key 'sha256', which a url needs")
    if "path" in entry and not Path(entry["path"]).is_file():
        raise checker.fault(
            (*key, "path"),
            f"got {entry['path']!r}; no such file; correct the path or make the file",
        )
    if "path" in entry and entry.get("sha256") not in (None, got := file_digest(entry["path"])):
        raise checker.fault((*key, "sha256"), f"got {entry['sha256']!r}, but the file has {got}")
    return PromptsetSpec(where=checker.where(key), name=name, **entry)
