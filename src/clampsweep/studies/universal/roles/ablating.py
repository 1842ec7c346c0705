"""Prediction and suppression neurons: held at their mean where they are largest.

A prediction neuron should raise the tokens that its output weights raise most, so that these lose
probability without it; a suppression neuron the opposite, with the tokens that it lowers most. A
position at a time is changed only in what it does there and later; positions are few (0.5 % of the
text), so that changes of one sequence hardly meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.model import Model
from clampsweep.studies.universal.roles.holding import Held
from clampsweep.studies.universal.roles.own_tokens import OwnTokens
from clampsweep.studies.universal.roles.readouts import log_probability
from clampsweep.studies.universal.roles.rows import Text, Trial, Tried, block_rows, table
from clampsweep.studies.universal.roles.tables import MEAN, OWN_TOKENS, SUPPRESSION

SHARE = 0.005  # of positions, those where the activation is largest in size

MOST = 32  # positions of a neuron


def ablate(model: Model, text: Text, neurons: Sequence[Tried], role: str) -> pd.DataFrame:
    """Rows of `INTERVENTIONS`: log-probability of a neuron's own tokens, with and without it.

    Args:
        model: Loaded model.
        text: What it is tried in.
        neurons: Candidates and controls.
        role: Prediction or suppression.
    """
    if not neurons or not text.sequences:
        return table([])
    held = Held(model, text.sequences, [one.neuron for one in neurons])
    own, side = OwnTokens(model), -1 if role == SUPPRESSION else 1
    rows: list[dict[str, Any]] = []
    for one in tqdm(neurons, unit="neuron", mininterval=1):
        tokens = own.most(one.neuron, side * one.sign)
        post = held.post(one.neuron)
        mean = float(post[:, text.skip :].mean())
        places = largest(post, text.skip)
        found = [
            _pair(held, one, row, positions, mean, tokens) for row, positions in places.items()
        ]
        natural, ablated = (np.concatenate(part) for part in zip(*found, strict=True))
        blocks = np.repeat(text.blocks[list(places)], [len(some) for some in places.values()])
        trial = Trial(role, one, MEAN, mean)
        rows += block_rows(trial, OWN_TOKENS, blocks, natural, ablated)
    return table(rows)


def largest(post: Float[Tensor, "row pos"], skip: int) -> dict[int, list[int]]:
    """Positions of each row where an activation is largest in size, 0.5 % of all, at most 32.

    Args:
        post: Activations.
        skip: First positions of a row that do not count.
    """
    sizes = post[:, skip:].abs()
    few = min(MOST, max(1, round(SHARE * sizes.numel())))
    width = sizes.shape[1]
    found: dict[int, list[int]] = {}
    for at in sorted(sizes.flatten().topk(few).indices.tolist()):
        found.setdefault(at // width, []).append(skip + at % width)
    return found


def _pair(
    held: Held,
    one: Tried,
    row: int,
    positions: list[int],
    mean: float,
    tokens: Int[Tensor, " token"],
) -> tuple[Float[np.ndarray, " place"], Float[np.ndarray, " place"]]:
    """Log-probability of tokens at some positions of a sequence, natural and ablated there."""
    values = torch.full_like(held.post(one.neuron)[[row, row]], torch.nan)
    values[1, positions] = mean
    seen = held.run(one.neuron, [row, row], values, positions)  # both read the weights once
    natural, ablated = (
        log_probability(logits.float(), tokens).double().cpu().numpy() for logits in seen.logits
    )
    return natural, ablated
