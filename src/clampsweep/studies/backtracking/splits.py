"""The parts of the problems: neurons are ranked on one, chosen on another, tested on the last."""

from __future__ import annotations

from clampsweep.provenance import json_digest

SPLITS = DISCOVER, SELECT, TEST = "discover", "select", "test"


def split_of(problem_id: str) -> str:
    """Split of a problem that names none: half discover, a quarter select, a quarter test."""
    lot = int(json_digest(["split", problem_id])[:8], 16) % 4
    return (DISCOVER, DISCOVER, SELECT, TEST)[lot]
