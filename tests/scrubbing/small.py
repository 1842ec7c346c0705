"""Examples, lists and heads of the small model, and items of all kinds of work on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from clampsweep.shards.shard import Item, Keyed
from clampsweep.studies.scrubbing.data import Data
from clampsweep.studies.scrubbing.hypotheses import Listed
from clampsweep.studies.scrubbing.masks import Lists
from clampsweep.studies.scrubbing.reading import parse
from clampsweep.studies.scrubbing.roles import SCORES, THRESHOLDS, heads_table, resolve
from scrubbing.models import D_VOCAB, N_HEADS, ROLES, examples

PARAMETERS = {"data": "d", "seed": 5, "thresholds": THRESHOLDS}
WHOLE = {"q": "all", "k": "all", "v": "all"}


def heads() -> pd.DataFrame:
    """Scores that make the roles of `ROLES`."""
    scores = np.zeros((2, N_HEADS, len(SCORES)))
    scores[0, [0, 2], SCORES.index("previous")] = 0.9, 0.8
    scores[0, 1, SCORES.index("self")] = 0.7
    scores[1, [3, 1], SCORES.index("induction")] = 0.6, 0.4
    roles = resolve(scores, THRESHOLDS)
    assert {role: list(own) for role, own in roles.heads.items()} == {
        role: list(own) for role, own in ROLES.heads.items()
    }
    return heads_table(scores, roles)


def data(n: int = 12) -> Data:
    """Some examples; every third token is a candidate."""
    tokens = np.arange(D_VOCAB)
    lists = Lists(tokens % 3 == 0, tokens < 20, tokens // 2)
    return Data(examples(n), lists, heads())


def listed(*more: dict[str, Any], curve: Iterable[str] = ()) -> Listed:
    """A baseline, and more."""
    baseline = {"name": "baseline", "heads": "induction", "groups": [WHOLE]}
    return parse({"hypotheses": [baseline, *more], "curve": list(curve)}, "h.yaml")


def keyed(items: Iterable[Item]) -> list[Keyed]:
    """Items as they stand in a shard, each with its name for a key."""
    return [Keyed(item.name, item.content) for item in items]
