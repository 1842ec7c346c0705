from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.names import Neuron
from clampsweep.studies.universal.roles.rows import (
    Text,
    Trial,
    Tried,
    block_rows,
    table,
    text_of,
    tried,
)
from clampsweep.studies.universal.roles.tables import INTERVENTIONS

ONE = Trial("entropy", Tried(Neuron(2, 7), "candidate", 1), "clamp", 3.0)


def test_a_row_for_each_block_with_its_own_means(tmp_path):
    rows = block_rows(
        ONE, "loss", np.array([5, 1, 5]), np.array([1.0, 2.0, 4.0]), np.array([0.0, 9.0, 1.0])
    )
    found = table(rows).set_index("block")
    assert found.loc[5, ["n", "natural", "held"]].tolist() == [2, 2.5, 0.5]
    assert found.loc[1, ["n", "natural", "held"]].tolist() == [1, 2, 9]
    tables.write(table(rows), tmp_path / "x.parquet", INTERVENTIONS, {})
    tables.write(table([]), tmp_path / "y.parquet", INTERVENTIONS, {})


def test_text_is_of_one_domain_and_half():
    tokens = pd.DataFrame(
        {"domain": ["a", "a", "b"], "split": ["discovery", "confirmation", "confirmation"],
         "block": [0, 1, 1], "tokens": [[1], [2, 3], [4]]}
    )  # fmt: skip
    found = text_of(tokens, "a", "confirmation", 1)
    assert (found.sequences, found.blocks.tolist(), found.length) == ([[2, 3]], [1], 2)


@pytest.mark.parametrize(("most", "wanted"), [(3, [0, 4, 9]), (99, list(range(10))), (1, [0])])
def test_some_sequences_are_spread_and_keep_their_blocks(most, wanted):
    text = Text([[at] for at in range(10)], np.arange(10) * 2, 0).some(most)
    assert text.sequences == [[at] for at in wanted]
    assert text.blocks.tolist() == [2 * at for at in wanted]


def test_candidates_come_first_and_other_roles_not():
    own = {"layer": [1], "neuron": [2], "sign": [-1]}
    roles = pd.DataFrame({"role": ["entropy", "partition"], "layer": 1, "neuron": 2, "sign": -1})
    controls = pd.DataFrame({"role": ["entropy"], "kind": ["plain"], **own})
    found = tried(roles, controls, "entropy")
    assert found == [Tried(Neuron(1, 2), "candidate", -1), Tried(Neuron(1, 2), "plain", -1)]
