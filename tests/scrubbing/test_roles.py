from __future__ import annotations

import numpy as np

from clampsweep.studies.scrubbing.roles import (
    HEADS,
    THRESHOLDS,
    heads_table,
    resolve,
    scores_of,
)
from clampsweep.tables import read, write

# Of the published kind: previous, induction, duplicate, self, first of each head.
LAYER_0 = [[0.8, 0, 0, 0.1, 0], [0.1, 0, 0, 0.7, 0.1], [0.9, 0, 0, 0, 0], [0, 0.9, 0, 0.2, 0.4]]
LAYER_1 = [[0.9, 0.1, 0, 0, 0], [0, 0.4, 0, 0, 0.6], [0, 0.3, 0, 0, 0], [0, 0.7, 0, 0.9, 0]]
TABLE = np.array([LAYER_0, LAYER_1])


def test_a_role_is_of_its_layer_and_of_heads_at_its_threshold_best_first():
    found = resolve(TABLE, THRESHOLDS)
    assert found.heads == {"prev": (2, 0), "self": (1,), "first": (), "induction": (3, 1, 2)}


def test_what_no_head_reaches_is_said_with_the_best_head_and_the_remedy():
    found = resolve(TABLE, THRESHOLDS)
    assert found.why_none == {
        "first": "head 0.3 has the highest score, 0.400, and the threshold is 0.5; lower it, or "
        "name heads in quotes"
    }


def test_the_table_says_what_roles_were_resolved_to_and_gives_the_scores_back(tmp_path):
    roles = resolve(TABLE, THRESHOLDS)
    table = heads_table(TABLE, roles)
    assert list(table["roles"]) == [
        "prev2", "self1", "prev1", "", "", "induction2", "induction3", "induction1",
    ]  # fmt: skip
    write(table, tmp_path / "heads.parquet", HEADS, {})
    back = read(tmp_path / "heads.parquet", HEADS)
    assert (scores_of(back.sample(frac=1, random_state=0)) == TABLE).all()
