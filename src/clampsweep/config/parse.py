"""The whole config, checked: what all studies share here, each study's entries by the study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clampsweep.config.checker import Checker
from clampsweep.config.entries import Compute, Config, _model, _promptset
from clampsweep.strict_yaml import read_yaml
from clampsweep.studies.bcr.config import Sweep, _sweep

_RESERVED = frozenset({"batches", "plans", "generations", "vectors", "detectors"})


def parse(
    merged: Mapping[str, Any], files: Mapping[str, dict[str, Any]], schema_file: Path | str
) -> Config:
    """The checked config.

    Args:
        merged: All config files laid over each other, as Snakemake does it.
        files: Each file's own content by its name, in the order of laying over: for messages.
        schema_file: `workflow/schemas/config.schema.yaml`.

    Raises:
        UserError: The first fault, one line.
    """
    checker = Checker(files, read_yaml(schema_file))
    checker.check(dict(merged), None, ())
    models = {name: _model(checker, name, entry) for name, entry in dict(merged["models"]).items()}
    promptsets = {
        name: _promptset(checker, name, entry) for name, entry in merged["promptsets"].items()
    }
    sweeps = {
        name: _sweep(checker, name, entry, models, promptsets)
        for name, entry in merged["sweeps"].items()
    }
    for name in _RESERVED & set(sweeps):
        raise checker.fault(("sweeps", name), f"{name!r} is a folder of results/; rename the sweep")
    for at, name in enumerate(merged["run"]):
        checker.choose(("run", at), name, sweeps, "sweep")
    defaults = {
        key: part["default"]
        for key, part in checker.schema["properties"]["compute"]["properties"].items()
    }
    compute = Compute(**{**defaults, **merged.get("compute", {})})
    for sweep in list(sweeps.values()):
        sweeps |= sweep.derived if isinstance(sweep, Sweep) else {}
    return Config(tuple(merged["run"]), models, promptsets, sweeps, compute)
