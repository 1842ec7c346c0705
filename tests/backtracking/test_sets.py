"""Sets of neurons against what is asked of each, member by member."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clampsweep.names import parse_target
from clampsweep.studies.backtracking.sets import BOTTOM, RANDOM, SETS, TOP, names, no_sets, sets


def _neurons(n_layers, n, seed=0):
    """Rows of `NEURONS` in any order of rank."""
    rng = np.random.default_rng(seed)
    total = n_layers * n
    return pd.DataFrame(
        {
            "layer": np.repeat(np.arange(n_layers), n),
            "neuron": np.tile(np.arange(n), n_layers),
            "mean1": rng.normal(size=total),
            "mean0": rng.normal(size=total),
            "size0": rng.exponential(size=total),
            "rank": rng.permutation(total) + 1,
        }
    ), rng.exponential(size=(n_layers, n))


@pytest.fixture(scope="module")
def large():
    neurons, norms = _neurons(3, 400)
    return neurons, norms, sets(neurons, norms, (1, 5, 60), 20, 30, 4)


def _members(table, kind, k, draw=0):
    own = table[(table["set_kind"] == kind) & (table["k"] == k) & (table["draw"] == draw)]
    assert own["member"].tolist() == list(range(k))
    return list(zip(own["layer"], own["neuron"], strict=True))


def _tenths(neurons, norms):
    """The tenth of its layer that each neuron is in, counted one by one."""
    found = {}
    for layer, own in neurons.groupby("layer"):
        effects = {
            (layer, row["neuron"]): row["size0"] * norms[layer, row["neuron"]]
            for row in own.to_dict("records")
        }
        for name, effect in effects.items():
            below = sum(other < effect for other in effects.values())
            found[name] = 10 * below // len(effects)
    return found


def test_top_and_bottom_sets_are_the_first_and_the_last_by_rank(large):
    neurons, _, table = large
    ordered = neurons.sort_values("rank")
    ranked = list(zip(ordered["layer"], ordered["neuron"], strict=True))
    assert set(table["k"]) == {1, 5, 20, 60}
    for k in (1, 5, 20, 60):
        assert _members(table, TOP, k) == ranked[:k]
        assert _members(table, BOTTOM, k) == ranked[-k:]


def test_a_random_member_is_of_the_layer_and_the_tenth_of_the_one_whose_place_it_takes(large):
    neurons, norms, table = large
    tenth, top = _tenths(neurons, norms), _members(table, TOP, 20)
    counts = pd.Series(tenth).groupby([layer for layer, _ in tenth]).value_counts()
    assert set(counts) == {40}
    for draw in range(30):
        for own, other in zip(top, _members(table, RANDOM, 20, draw), strict=True):
            assert own[0] == other[0] and tenth[own] == tenth[other]


def test_no_random_member_stands_twice_or_among_the_top_hundred(large):
    neurons, _, table = large
    ordered = neurons.sort_values("rank")[:100]
    first = set(zip(ordered["layer"], ordered["neuron"], strict=True))
    for k, draws in ((1, 10), (5, 10), (20, 30), (60, 10)):
        own = table[(table["set_kind"] == RANDOM) & (table["k"] == k)]
        assert own["draw"].nunique() == draws  # of sizes that are not the tested one, 10
        for draw in range(draws):
            members = _members(table, RANDOM, k, draw)
            assert len(set(members)) == k and not first & set(members)


def test_all_neurons_that_are_like_it_are_as_likely():
    neurons, norms = _neurons(1, 1010, 1)
    ordered = neurons.sort_values("rank")
    top = (0, int(ordered.iloc[0]["neuron"]))
    tenth = _tenths(neurons, norms)
    first = {(0, int(one)) for one in ordered["neuron"][:100]}
    like = [one for one in tenth if tenth[one] == tenth[top] and one not in first]
    drawn = sets(neurons, norms, (), 1, 500, 0)
    own = drawn[drawn["set_kind"] == RANDOM]["neuron"].value_counts()
    assert {(0, one) for one in own.index} == set(like)
    wanted = 500 / len(like)
    assert (np.abs(own - wanted) < 5 * np.sqrt(wanted)).all()


def test_rows_carry_the_means_of_their_neurons_and_all_columns(large):
    neurons, _, table = large
    assert list(table.columns) == list(SETS.columns)
    assert not table.duplicated(list(SETS.key)).any()
    means = neurons.set_index(["layer", "neuron"])[["mean1", "mean0"]]
    own = means.loc[list(zip(table["layer"], table["neuron"], strict=True))].to_numpy()
    np.testing.assert_array_equal(own, table[["mean1", "mean0"]].to_numpy())


def test_draws_follow_the_seed(large):
    neurons, norms, table = large
    again = sets(neurons, norms, (1, 5, 60), 20, 30, 4)
    other = sets(neurons, norms, (1, 5, 60), 20, 30, 5)
    pd.testing.assert_frame_equal(again, table)
    assert not other[other["set_kind"] == RANDOM].equals(table[table["set_kind"] == RANDOM])


def test_a_small_model_has_random_sets_too_none_of_the_set_itself():
    neurons, norms = _neurons(2, 12)
    table = sets(neurons, norms, (5, 100), 8, 10, 0)
    assert set(table["k"]) == {5, 8, 24}
    assert set(table[table["set_kind"] == RANDOM]["k"]) == {5, 8}  # of 24 there are no others
    top = set(_members(table, TOP, 8))
    for draw in range(10):
        members = _members(table, RANDOM, 8, draw)
        assert len(set(members)) == 8 and not top & set(members)


def test_names_are_of_the_tested_top_set_and_of_some_random_ones(large):
    table = large[2]
    found = names(table, 20, 3)
    assert len(found) == 4
    wanted = [_members(table, TOP, 20), *(_members(table, RANDOM, 20, at) for at in range(3))]
    for name, members in zip(found, wanted, strict=True):
        assert {(one.layer, one.index) for one in parse_target(name)} == set(members)


def test_without_a_ranking_there_is_no_set_and_no_name():
    assert no_sets().empty and list(no_sets().columns) == list(SETS.columns)
    assert names(no_sets(), 20, 3) == []
