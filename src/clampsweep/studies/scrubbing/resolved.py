"""Hypotheses as they were resolved: what each keeps, by the numbers of heads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.cells import Experiment, upstream_name
from clampsweep.studies.scrubbing.faithfulness import sizes
from clampsweep.studies.scrubbing.hypotheses import CHANNELS, Listed
from clampsweep.studies.scrubbing.roles import Roles
from clampsweep.studies.scrubbing.variants import experiments


def resolved(listed: Listed, roles: Roles, where: str) -> dict[str, Any]:
    """What a file's experiments keep, as JSON values, and the roles that they were resolved by.

    Args:
        listed: The hypotheses.
        roles: Of the model's heads.
        where: The file, for messages.

    Raises:
        UserError: A word stands for no head, groups overlap, or the curve does not keep more and
            more.
    """
    found = experiments(listed.hypotheses, roles)
    by_name = {one.name: one for one in found}
    curve: dict[str, float] = {}
    if listed.curve:
        x = sizes(listed.curve, by_name, f"{where}: curve")
        curve = dict(zip(listed.curve, x, strict=True))
    return {
        "roles": {role: [int(head) for head in heads] for role, heads in roles.heads.items()},
        "experiments": {one.name: _of(one) for one in found},
        "curve": curve,
    }


def read_resolved(path: Path | str) -> dict[str, Any]:
    """What was resolved, as it was written.

    Raises:
        UserError: The file is missing or damaged.
    """
    try:
        found: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: missing or damaged; delete it and run again") from error
    return found


def _of(experiment: Experiment) -> dict[str, Any]:
    """What an experiment keeps; heads of layer 1 that keep all are left out."""
    kept = {
        f"1.{head}": {channel: _names(row) for channel, row in zip(CHANNELS, own, strict=True)}
        for head, own in enumerate(experiment.cells)
        if own.any()
    }
    found: dict[str, Any] = {"sampler": ":".join(experiment.sampler).rstrip(":"), "keeps": kept}
    if experiment.skip.any():
        found["skip keeps"] = _names(experiment.skip)
    parts = [source._asdict() for source in experiment.sources[1:]]
    return {**found, "draws": len(experiment.draws), "sources": parts}


def _names(row: Int[np.ndarray, " upstream"]) -> list[str]:
    """Upstream parts that are the example's own."""
    return [upstream_name(u) for u in np.flatnonzero(row == 0).tolist()]
