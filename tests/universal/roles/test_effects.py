from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clampsweep.studies.universal.roles.effects import (
    ablated,
    by_neuron,
    compare,
    kept,
    swung,
    values_of,
)


def row(operation: str, value: float, block: int, n: int, natural: float, held: float, neuron=1):
    return {
        "role": "entropy", "kind": "candidate", "layer": 2, "neuron": neuron,
        "operation": operation, "value": value, "measure": "loss", "block": block, "n": n,
        "natural": natural, "held": held,
    }  # fmt: skip


ROWS = pd.DataFrame(
    [
        row("mean", 0.1, 1, 1, 2.0, 5.0),
        row("mean", 0.1, 3, 3, 1.0, 2.0),
        row("clamp", -6, 1, 1, 2.0, 1.0),
        row("clamp", 0, 1, 1, 2.0, 99.0),
        row("clamp", 6, 1, 1, 2.0, 8.0),
        {**row("mean", 0.1, 1, 1, 0.0, 77.0), "measure": "entropy"},
    ]
)


def test_changes_are_held_less_natural_and_weighted_by_positions():
    changes = ablated(ROWS, "loss")
    assert changes["change"].tolist() == [3, 1]
    assert by_neuron(changes)["change"].tolist() == [(3 + 3) / 4]


def test_a_swing_is_from_the_lowest_to_the_highest_value():
    assert swung(ROWS, "loss")["change"].tolist() == [7]


def test_of_no_rows_there_is_no_change():
    none = ROWS[:0]
    for changes in (ablated(none, "loss"), swung(none, "loss")):
        assert by_neuron(changes).empty
        assert len(values_of(by_neuron(changes), "candidate")) == 0


def test_p_is_that_of_all_deals_of_the_labels():
    own, others = np.array([3.0, 2.5]), np.array([0.1, 2.7, 0.3, -1.0, 0.5, 0.2])
    every = np.concatenate([own, others])
    sums = [sum(some) for some in itertools.combinations(every, 2)]
    wanted = np.mean([one >= own.sum() - 1e-12 for one in sums])
    found = compare(own, others)
    assert found.p == pytest.approx(wanted, abs=0.01)
    assert found.least_p == pytest.approx(1 / 28)
    welch = stats.ttest_ind(own, others, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((welch.low, welch.high))
    assert found.estimate == pytest.approx(own.mean() - others.mean())


def test_no_difference_is_seldom_found():
    rng = np.random.default_rng(0)
    p = [compare(rng.normal(size=5), rng.normal(size=20)).p for _ in range(60)]
    assert 0.3 < np.mean(p) < 0.7
    assert np.mean(np.array(p) < 0.05) < 0.15


def test_all_alike_and_none_have_no_interval():
    same = compare(np.ones(3), np.ones(4))
    assert (same.p, np.isnan(same.low)) == (1, True)
    assert np.isnan(compare(np.empty(0), np.ones(4)).p)
    assert np.isnan(compare(np.ones(1), np.array([1.0, 2.0])).low)


def changes(values: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"kind": "candidate", "layer": 0, "neuron": 0, "block": range(len(values)),
         "change": values}
    )  # fmt: skip


def test_as_good_as_nothing_is_two_one_sided_tests():
    values = [0.001, -0.002, 0.003, 0.0, 0.002]
    found = kept(changes(values), "candidate", 0.01)
    above = stats.ttest_1samp(values, -0.01, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 0.01, alternative="less").pvalue
    assert found.p == pytest.approx(max(above, below))
    interval = stats.ttest_1samp(values, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize(
    ("values", "p"), [([0.0, 0.0], 0), ([0.5, 0.5], 1), ([0.1], None), ([], None)]
)
def test_blocks_that_are_all_alike_or_too_few(values, p):
    found = kept(changes(values), "candidate", 0.01)
    assert np.isnan(found.p) if p is None else found.p == p


def test_opposite_changes_of_two_neurons_do_not_cancel():
    up, down = changes([0.5, 0.51, 0.5]), changes([-0.5, -0.51, -0.49]).assign(neuron=1)
    found = kept(pd.concat([up, down]), "candidate", 0.01)
    assert found.p > 0.99 and abs(found.estimate) == pytest.approx(0.5, abs=0.01)


def test_all_are_kept_only_if_the_least_sure_one_is():
    still, moved = changes([0.0, 0.001, -0.001]), changes([0.02, 0.03, 0.02]).assign(neuron=1)
    assert kept(still, "candidate", 0.01).p < 0.05
    found = kept(pd.concat([still, moved]), "candidate", 0.01)
    assert found.p > 0.9 and found.estimate == pytest.approx(0.07 / 3)
