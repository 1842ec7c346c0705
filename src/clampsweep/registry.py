"""The studies that there are: a line each. An explicit tuple, so that a missing one is loud."""

from __future__ import annotations

from importlib import import_module

from clampsweep.config.contract import Study

NAMES = (
    "bcr",
    "srm",
    "scrubbing",
    "universal",
    "backtracking",
)
STUDIES: tuple[Study, ...] = tuple(
    import_module(f"clampsweep.studies.{name}.study").STUDY for name in NAMES
)
