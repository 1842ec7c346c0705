"""Roles of heads: which are previous-token, self-attending, first-token and induction heads.

No head's number is written into a hypothesis that names roles: they follow from scores and
thresholds, and what they were resolved to stands in the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64

from clampsweep.tables import Column, Schema

LAYER_OF = {"prev": 0, "self": 0, "first": 0, "induction": 1}
"""Role -> the layer whose heads play it."""

SCORES = ("previous", "induction", "duplicate", "self", "first")

_SCORE_OF = {"prev": "previous", "self": "self", "first": "first", "induction": "induction"}

THRESHOLDS = {"prev": 0.5, "self": 0.5, "first": 0.5, "induction": 0.3}

HEADS = Schema(
    "scrubbing heads",
    {
        "layer": Column("int", "layer, from 0"),
        "head": Column("int", "head of the layer, from 0"),
        "previous": Column("float", "mean attention to the token before, 0..1"),
        "induction": Column("float", "the same to the token after an earlier occurrence"),
        "duplicate": Column("float", "the same to an earlier occurrence"),
        "self": Column("float", "the same to the token itself"),
        "first": Column("float", "the same to the first token"),
        "roles": Column("str", "roles with ranks by score, such as prev1; empty if it has none"),
    },
    key=("layer", "head"),
)


class Roles(NamedTuple):
    """Which heads play which role.

    Attributes:
        n_heads: Heads of a layer.
        heads: Role -> heads of its layer, the one with the highest score first.
        why_none: Role that no head has -> why, for messages.
    """

    n_heads: int
    heads: Mapping[str, tuple[int, ...]]
    why_none: Mapping[str, str]


def resolve(
    scores: Float64[np.ndarray, "layer head score"], thresholds: Mapping[str, float]
) -> Roles:
    """Roles of the heads whose score reaches the role's threshold.

    Args:
        scores: Of each head, in the order of `SCORES`.
        thresholds: Role -> lowest score.
    """
    heads: dict[str, tuple[int, ...]] = {}
    why_none: dict[str, str] = {}
    for role, layer in LAYER_OF.items():
        own = scores[layer, :, SCORES.index(_SCORE_OF[role])]
        order = np.argsort(-own, kind="stable").tolist()
        heads[role] = tuple(head for head in order if own[head] >= thresholds[role])
        if not heads[role]:
            why_none[role] = (
                f"head {layer}.{order[0]} has the highest score, {own[order[0]]:.3f}, and the "
                f"threshold is {thresholds[role]}; lower it, or name heads in quotes"
            )
    return Roles(scores.shape[1], heads, why_none)


def heads_table(scores: Float64[np.ndarray, "layer head score"], roles: Roles) -> pd.DataFrame:
    """The table `HEADS`: scores, and what roles were resolved to.

    Args:
        scores: Of each head, in the order of `SCORES`.
        roles: Of these heads.
    """
    rows = []
    for layer, head in np.ndindex(scores.shape[:2]):
        own = [
            f"{role}{1 + heads.index(head)}"
            for role, heads in roles.heads.items()
            if LAYER_OF[role] == layer and head in heads
        ]
        values = dict(zip(SCORES, scores[layer, head].tolist(), strict=True))
        rows.append({"layer": layer, "head": head, **values, "roles": " ".join(own)})
    return pd.DataFrame(rows)


def scores_of(heads: pd.DataFrame) -> Float64[np.ndarray, "layer head score"]:
    """Scores of a `HEADS` table, in the order of `SCORES`.

    Args:
        heads: The table.
    """
    ordered = heads.sort_values(["layer", "head"])
    n_layers = ordered["layer"].nunique()
    return ordered[list(SCORES)].to_numpy(float).reshape(n_layers, -1, len(SCORES))
