"""From a combination to what the decoder changes, and what that takes from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from clampsweep.decoder.interventions import edit
from clampsweep.decoder.steering import Change, Steer
from clampsweep.errors import UserError
from clampsweep.generation.donors import Lenders, lenders
from clampsweep.models.directions import random_direction
from clampsweep.models.model import Model
from clampsweep.names import OWN, Neuron, neurons_in, parse_direction
from clampsweep.texts.combination import Combination
from clampsweep.texts.directions import read_pinned


class Supplies(NamedTuple):
    """What interventions take from elsewhere.

    Attributes:
        lent: For `resample`: values that donors lend.
        directions: For `steer`: the directions, by digest.
    """

    lent: Lenders
    directions: Mapping[str, Float64[np.ndarray, " d_model"]]


NONE = Supplies({}, {})


def supplies(
    model: Model,
    combinations: Sequence[Combination],
    tokens: Mapping[str, Sequence[int]],
    rows_per_forward: int,
    results: Path,
) -> Supplies:
    """What the combinations take from elsewhere.

    Args:
        model: The model.
        combinations: The combinations.
        tokens: Token ids of each prompt, by its text, donors' too.
        rows_per_forward: Most rows in one forward pass.
        results: The results folder, where directions are pinned.

    Raises:
        UserError: A direction's file is damaged, or it is of another width than the model.
    """
    wanted = {one.direction: one.target for one in combinations if one.direction is not None}
    directions = {digest: read_pinned(results, digest) for digest in wanted}
    for digest, vector in directions.items():
        check_width(wanted[digest], vector, model)
    return Supplies(lenders(model, combinations, tokens, rows_per_forward), directions)


def check_width(target: str | None, vector: Float64[np.ndarray, " d_model"], model: Model) -> None:
    """Refuse a direction of another width than the model's residual stream.

    Args:
        target: Its name as a target.
        vector: The direction.
        model: The model.

    Raises:
        UserError: It is.
    """
    if len(vector) != model.d_model:
        raise UserError(
            f"direction {target} has {len(vector)} coordinates, but the model's residual stream "
            f"has {model.d_model}; use one that was made with this model"
        )


def changes(one: Combination, given: Supplies) -> list[Change]:
    """What a combination changes: edits of its neurons, or a step along its direction.

    Args:
        one: The combination.
        given: What it takes from elsewhere.
    """
    if one.direction is not None:
        return [steer(one.target or "", given.directions[one.direction], one.value or 0.0)]
    lent: Mapping[Neuron, tuple[float, ...]] = given.lent[one.donor] if one.donor else {}
    return [
        edit(
            neuron,
            one.operation,
            one.value if neuron.value is None else neuron.value,
            lent.get(neuron, ()),
        )
        for neuron in neurons_in(one.target)
    ]


def steer(target: str, vector: Float64[np.ndarray, " d_model"], multiple: float) -> Steer:
    """A step along a direction, or along a random one of the same length (a control).

    Args:
        target: Name of the direction as a target, such as `L15@refusal` or `L15R4@refusal`.
        vector: The direction that a file has by that name.
        multiple: How many times it is added.
    """
    place = parse_direction(target)
    if place.random != OWN:
        unit = random_direction(place.layer, place.random, len(vector))
        vector = float(np.linalg.norm(vector)) * unit
    return Steer(place.layer, vector, multiple)
