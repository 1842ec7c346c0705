"""Entropy neurons: held at values at all positions, and what becomes of the next token.

The paper's experiment (Gurnee et al. 2024, section 5.3): scale of the final norm, entropy, rank and
loss of the token that follows. The lowest and the highest value are tried of all controls, the
others of candidates and of plain controls only, for the curves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.model import Model
from clampsweep.studies.universal.roles.holding import Held
from clampsweep.studies.universal.roles.readouts import readout
from clampsweep.studies.universal.roles.rows import Text, Trial, Tried, block_rows, table
from clampsweep.studies.universal.roles.tables import (
    CLAMP,
    ENTROPY,
    ENTROPY_OF,
    LOSS,
    MATCHED,
    MEAN,
    RANK,
    SCALE,
)
from clampsweep.studies.universal.roles.tail import Seen

POSITIONS = 256  # most that the logits are computed at


class _Grid(NamedTuple):
    """Positions of all rows where something is measured, and the tokens that follow."""

    keep: list[int]
    following: Tensor
    blocks: np.ndarray


def hold(
    model: Model, text: Text, neurons: Sequence[Tried], values: Sequence[float], stride: int
) -> pd.DataFrame:
    """Rows of `INTERVENTIONS` of the role entropy.

    Args:
        model: Loaded model.
        text: What it is tried in.
        neurons: Candidates and controls.
        values: What they are held at, activation units.
        stride: Every so many positions of a sequence are measured.
    """
    if not neurons or not text.sequences:
        return table([])
    keep = list(range(text.skip, text.length - 1, stride))
    text = text.some(max(1, POSITIONS // len(keep)))
    held = Held(model, text.sequences, [one.neuron for one in neurons])
    following = held.ids[:, [at + 1 for at in keep]].flatten()
    grid = _Grid(keep, following, np.repeat(text.blocks, len(keep)))
    every = range(len(text.sequences))
    natural = _measures(held.natural(neurons[0].neuron.layer, every, keep), grid)
    rows: list[dict[str, Any]] = []
    for trial in tqdm(list(_trials(held, text, neurons, values)), unit="trial", mininterval=1):
        own = held.post(trial.tried.neuron)
        seen = held.run(trial.tried.neuron, every, torch.full_like(own, trial.value), keep)
        for measure, found in _measures(seen, grid).items():
            rows += block_rows(trial, measure, grid.blocks, natural[measure], found)
    return table(rows)


def _trials(
    held: Held, text: Text, neurons: Sequence[Tried], values: Sequence[float]
) -> Iterator[Trial]:
    """Which neuron is held at what."""
    ends = {min(values), max(values)}
    for one in neurons:
        mean = float(held.post(one.neuron)[:, text.skip :].mean())
        yield Trial(ENTROPY, one, MEAN, mean)
        for value in sorted(ends if one.kind == MATCHED else values):
            yield Trial(ENTROPY, one, CLAMP, float(value))


def _measures(seen: Seen, grid: _Grid) -> dict[str, Float64[np.ndarray, " place"]]:
    """Each measure at each position."""
    found = readout(seen.logits.flatten(0, 1).float(), grid.following)
    measures = {
        SCALE: seen.log_scale.flatten(),
        ENTROPY_OF: found.entropy,
        RANK: found.reciprocal_rank,
        LOSS: found.loss,
    }
    return {name: values.double().cpu().numpy() for name, values in measures.items()}
