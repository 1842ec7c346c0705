"""The slices of the study that an entry has, in the order of the summary."""

from __future__ import annotations

from clampsweep.studies.universal.entry import UniversalEntry

ALWAYS = ("texts", "agreement", "data", "weights", "heads")

JUDGED = ("agreement", "data", "heads", "features", "weights", "reference", "roles")
"""Those that conclude something, in the order of the summary."""


def slices_of(entry: UniversalEntry) -> tuple[str, ...]:
    """Names of an entry's slices."""
    asked = ("features", "reference", "roles")
    return (*ALWAYS, *(name for name in asked if getattr(entry, name) is not None))


def judged(entry: UniversalEntry) -> tuple[str, ...]:
    """Those of them that conclude something, in the order of the summary."""
    own = slices_of(entry)
    return tuple(name for name in JUDGED if name in own)
