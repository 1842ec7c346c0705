"""Moments by block of documents, against scipy on vectors captured by other means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.models.model import Model
from clampsweep.models.moments import add_up
from clampsweep.models.moments_schema import MOMENTS
from clampsweep.models.moments_table import block_moments, blocks_of
from clampsweep.names import MLP_POST, RESID_PRE, HookPoint
from reference import post_activations
from tiny import D_MLP, D_MODEL

DOCUMENTS = {
    "one": [[5, 6, 7, 8, 9], [30, 2, 31], [9, 10, 40]],
    "two": [[77, 78, 79, 80]],
    "three": [[11], [12, 13, 14, 15, 16, 17, 18]],
}
POINTS = [HookPoint(0, MLP_POST), HookPoint(2, MLP_POST)]


def _table(model: Model, positions: list[int] | None = None) -> pd.DataFrame:
    """All blocks' moments, each made by itself."""
    frames = [
        block_moments(
            model,
            sequences,
            None
            if positions is None
            else [[at for at in positions if at < len(one)] for one in sequences],
            POINTS,
            block,
            2,
        )
        for block, sequences in DOCUMENTS.items()
    ]
    return pd.concat(frames, ignore_index=True)


def _values(plain: Any, layer: int, positions: list[int] | None) -> np.ndarray:
    """Every counted position of every document, by hooks of the tests' own. [pos, neuron]"""
    parts = []
    for sequences in DOCUMENTS.values():
        for one in sequences:
            some = [at for at in positions or range(len(one)) if at < len(one)]
            parts.append(post_activations(plain, one)[layer][some])
    return np.concatenate([np.asarray(part, dtype=float) for part in parts])


@pytest.mark.parametrize("positions", [None, [1, 3]], ids=["all", "chosen"])
def test_moments_over_blocks_are_those_of_all_positions(
    model: Model,
    hugging_face: Callable[[Model], Any],
    tmp_path: Path,
    positions: list[int] | None,
) -> None:
    path = tmp_path / "moments.parquet"
    tables.write(_table(model, positions), path, MOMENTS, {})
    blocks = blocks_of(tables.read(path, MOMENTS))
    assert blocks.names == ["one", "three", "two"]
    got = add_up(blocks.sums)
    for layer in (0, 2):
        own = (blocks.neurons["layer"] == layer).to_numpy()
        assert blocks.neurons["neuron"][own].tolist() == list(range(D_MLP))
        values = _values(hugging_face(model), layer, positions)
        np.testing.assert_array_equal(got.n[0, own], len(values))
        np.testing.assert_array_equal(got.n_positive[0, own], (values > 0).sum(0))
        np.testing.assert_allclose(got.mean[0, own], values.mean(0), rtol=1e-6)
        np.testing.assert_allclose(got.variance[0, own], values.var(0, ddof=1), rtol=1e-6)
        np.testing.assert_allclose(got.skewness[0, own], stats.skew(values), rtol=1e-6)
        np.testing.assert_allclose(
            got.kurtosis[0, own], stats.kurtosis(values, fisher=False), rtol=1e-6
        )


def test_a_block_has_a_row_for_each_coordinate_of_each_hook_point(gpt2: Model) -> None:
    points = [HookPoint(1, MLP_POST), HookPoint(1, RESID_PRE)]
    table = block_moments(gpt2, DOCUMENTS["one"], None, points, "one")
    assert len(table) == D_MLP + D_MODEL
    assert set(table["n"]) == {11}
    assert list(table.columns) == list(MOMENTS.columns)


def test_a_block_without_documents_counts_nothing(gpt2: Model) -> None:
    table = block_moments(gpt2, [], None, POINTS, "none")
    whole = pd.concat([_table(gpt2), table])
    blocks = blocks_of(whole)
    assert blocks.names == ["none", "one", "three", "two"]
    without = add_up(blocks_of(_table(gpt2)).sums)
    for one, other in zip(add_up(blocks.sums), without, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_blocks_of_other_neurons_are_refused(gpt2: Model) -> None:
    table = _table(gpt2)
    other = block_moments(gpt2, DOCUMENTS["one"], None, POINTS[:1], "other")
    with pytest.raises(UserError) as caught:
        blocks_of(pd.concat([table, other]))
    assert "block 'other' has other neurons than block 'one'" in str(caught.value)
    assert "\n" not in str(caught.value)
