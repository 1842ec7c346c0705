"""A target against its controls: ranks, corrections, verdicts, and how often they err."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import factories
import recovery_tables
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.bcr.special import (
    CAN_TELL,
    CEILING,
    FLOOR,
    NOTHING,
    REACHED,
    SPECIAL,
    TOO_FEW,
    is_special,
    obstacle,
    special,
)
from clampsweep.texts.control_table import CONTROLS

PRIMARY = "best_net"


def controls_of(owners, kind="neuron"):
    """A controls table; `owners` gives the controls of each target."""
    rows = [
        {"target": target, "control": control, "kind": kind, "layer": 1}
        for target, names in owners.items()
        for control in names
    ]
    return factories.frame(rows, CONTROLS)


def neurons(n):
    return [f"L1N{i}" for i in range(n)]


def only(table, *targets):
    return table[table["target"].isin(targets)].reset_index(drop=True)


def changed(effects, n_prompts=40, values=(1.0,)):
    """Recovery table of one detector; `effects` gives (rescued, harmed) by target and clamp.

    Half of the baselines are collapsed. The first so many of either half change.
    """
    half = n_prompts // 2
    before = np.arange(n_prompts) < half
    after = np.empty((1, len(effects), len(values), n_prompts), bool)
    for (i, pairs), j in itertools.product(enumerate(effects.values()), range(len(values))):
        rescued, harmed = pairs[j]
        after[0, i, j] = before
        after[0, i, j, :rescued] = False
        after[0, i, j, half : half + harmed] = True
    names = recovery_tables.prompt_names(n_prompts)
    return recovery_tables.build(before[None], after, names, list(effects), list(values))


def at_random(seed, n_tables, n_units, n_clamps=4, n_prompts=48, n_cores=8):
    """Recovery table of exchangeable units: each core has its rate of collapse, shared by all.

    And each unit its own rate of flips in each core and at each clamp, drawn from one law.
    """
    rng = np.random.default_rng(seed)
    core = np.arange(n_prompts) % n_cores
    before = rng.random((n_tables, n_prompts)) < rng.beta(1, 2, (n_tables, n_cores))[:, core]
    rates = rng.beta(1, 3, (n_tables, n_units, n_clamps, n_cores))[..., core]
    after = before[:, None, None] ^ (rng.random(rates.shape) < rates)
    names = recovery_tables.prompt_names(n_prompts, n_cores)
    return recovery_tables.build(before, after, names, neurons(n_units), list(range(n_clamps)))


# the statistics


def test_a_hand_computed_case():
    # nets: target -3, +5; controls (+1, -6), (+2, +5), (0, +1)
    effects = {
        "L1N0": [(1, 4), (7, 2)],
        "L1N1": [(2, 1), (0, 6)],
        "L1N2": [(2, 0), (5, 0)],
        "L1N3": [(0, 0), (4, 3)],
    }
    table = changed(effects, values=(1.0, 2.0))
    found = special(only(table, "L1N0"), only(table, *neurons(4)[1:]),
                    controls_of({"L1N0": neurons(4)[1:]}))  # fmt: skip
    assert found["statistic"].tolist() == [PRIMARY, "worst_net"]
    assert found["observed"].tolist() == [5, 3]
    # controls: net 1, 5, 1; harmed - rescued 6, -2, 0
    assert found["control_median"].tolist() == [1, 0]
    assert found["control_low"].tolist() == [1, -2]
    assert found["control_high"].tolist() == [5, 6]
    assert found["percentile"].tolist() == pytest.approx([250 / 3, 200 / 3])
    assert found["p"].tolist() == [2 / 4, 2 / 4]
    assert found["q"].tolist() == found["p"].tolist()
    # Of 40 baselines 20 are collapsed; at most 7 are rescued (by the target), 6 harmed.
    facts = found[["bound", "most_moved", "n_at_bound", "n_near_bound"]]
    assert facts.values.tolist() == [[20, 7, 0, 0], [20, 6, 0, 0]]
    assert found[["n_controls", "n_prompts", "n_clamps"]].drop_duplicates().values.tolist() == [
        [3, 40, 2]
    ]


def by_loops(table, target, names, statistic):
    """Value of a statistic for the target and for each control, counted row by row."""
    values = []
    for unit in [target, *names]:
        nets = {}
        for row in only(table, unit).itertuples():
            nets[row.value] = nets.get(row.value, 0) + row.baseline_collapsed - row.collapsed
        best, worst = max(nets.values()), -min(nets.values())
        values.append({PRIMARY: best, "worst_net": worst}[statistic])
    return values[0], values[1:]


@pytest.mark.parametrize("seed", range(3))
def test_every_column_agrees_with_loops(seed):
    table = at_random(seed, 2, 7, n_clamps=3, n_prompts=12)
    owners = {"L1N0": ["L1N2", "L1N3", "L1N4"], "L1N1": ["L1N3", "L1N4", "L1N5", "L1N6"]}
    found = special(only(table, *owners), only(table, *neurons(7)[2:]), controls_of(owners))
    assert len(found) == 2 * 2 * 2
    for row in found.itertuples():
        of_detector = table[table["detector"] == row.detector]
        own, others = by_loops(of_detector, row.target, owners[row.target], row.statistic)
        assert row.observed == own
        assert (row.control_low, row.control_high) == (min(others), max(others))
        assert row.control_median == statistics.median(others)
        assert (row.low > row.control_median) == (row.p < 0.05)
        halves = [1 if other < own else 0.5 if other == own else 0 for other in others]
        assert row.percentile == pytest.approx(100 * sum(halves) / len(others))
        assert row.p == (1 + sum(other >= own for other in others)) / (1 + len(others))
        assert row.n_controls == len(others)


def test_q_corrects_over_the_targets_of_a_detector_kind_and_statistic():
    table = at_random(5, 2, 20, n_prompts=12)
    owners = {name: neurons(20)[4:] for name in neurons(4)}
    fewer = {name: neurons(20)[4:9] for name in owners}
    both = pd.concat([controls_of(owners), controls_of(fewer, "direction")])
    found = special(only(table, *owners), only(table, *neurons(20)[4:]), both)
    families = found.groupby(["detector", "kind", "statistic"])
    assert len(families) == 2 * 2 * 2
    for _, family in families:
        p = family["p"].tolist()
        assert len(p) == 4
        ranks = [sum(other <= one for other in p) for one in p]
        expected = [
            min(min(1.0, q * len(p) / rank) for q, rank in zip(p, ranks, strict=True) if q >= one)
            for one in p
        ]
        assert family["q"].tolist() == pytest.approx(expected)


def test_detectors_are_compared_apart():
    table = at_random(6, 3, 5)
    owners = {"L1N0": neurons(5)[1:]}
    together = special(only(table, "L1N0"), only(table, *neurons(5)[1:]), controls_of(owners))
    for detector, rows in table.groupby("detector"):
        alone = special(only(rows, "L1N0"), only(rows, *neurons(5)[1:]), controls_of(owners))
        expected = together[together["detector"] == detector].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected)


# which texts are compared


def test_the_target_is_scored_on_the_texts_that_its_controls_have():
    table = at_random(7, 1, 6, n_prompts=24)
    own, others = only(table, "L1N0"), only(table, *neurons(6)[1:])
    fewer_prompts = set(table["prompt_id"].unique()[::2])

    def thinned(rows):
        return rows[rows["prompt_id"].isin(fewer_prompts) & rows["value"].isin([1.0, 3.0])]

    owners = controls_of({"L1N0": neurons(6)[1:]})
    found = special(own, thinned(others), owners)
    pd.testing.assert_frame_equal(found, special(thinned(own), thinned(others), owners))
    assert set(found["n_prompts"]) == {12}
    assert set(found["n_clamps"]) == {2}
    assert not found["observed"].equals(special(own, others, owners)["observed"])


def test_the_order_of_the_rows_is_of_no_account():
    table = at_random(8, 2, 6, n_prompts=24)
    owners = controls_of({"L1N0": neurons(6)[2:], "L1N1": neurons(6)[2:]})
    mixed = table.sample(frac=1, random_state=0)
    straight = special(only(table, "L1N0", "L1N1"), only(table, *neurons(6)[2:]), owners)
    turned = special(only(mixed, "L1N0", "L1N1"), only(mixed, *neurons(6)[2:]), owners[::-1])
    pd.testing.assert_frame_equal(straight, turned)


def test_texts_of_another_seed_are_not_compared():
    table = at_random(9, 1, 3, n_prompts=24)
    seeds = pd.concat([table.assign(seed=pd.array([s] * len(table), "Int64")) for s in (1, 2)])
    seeds["baseline_collapsed"] ^= seeds["seed"] == 2  # the other way round with seed 2
    improves = seeds["baseline_collapsed"] & ~seeds["collapsed"]
    seeds["intervention_improves_baseline"] = improves
    owners = controls_of({"L1N0": neurons(3)[1:]})
    own, others = only(seeds, "L1N0"), only(seeds, *neurons(3)[1:])
    second = special(own, others[others["seed"] == 2], owners)
    alone = special(own[own["seed"] == 2], others[others["seed"] == 2], owners)
    pd.testing.assert_frame_equal(second, alone)


def test_a_mean_is_one_clamp_whatever_its_value():
    table = changed({"L1N0": [(5, 0)], "L1N1": [(2, 0)], "L1N2": [(1, 0)]})
    own_mean = {"L1N0": 0.5, "L1N1": -1.25, "L1N2": 3.0}
    mean = table.assign(operation="mean", value=table["target"].map(own_mean))
    owners = controls_of({"L1N0": ["L1N1", "L1N2"]})
    found = special(only(mean, "L1N0"), only(mean, "L1N1", "L1N2"), owners)
    assert found.iloc[0][["observed", "control_low", "control_high", "n_clamps"]].tolist() == [
        5, 1, 2, 1
    ]  # fmt: skip
    scaled = mean.assign(operation="scale")
    with pytest.raises(UserError):
        special(only(scaled, "L1N0"), only(scaled, "L1N1", "L1N2"), owners)


def test_an_operation_without_value_is_compared():
    table = changed({"L1N0": [(5, 0)], "L1N1": [(2, 0)]}).assign(operation="zero", value=np.nan)
    found = special(only(table, "L1N0"), only(table, "L1N1"), controls_of({"L1N0": ["L1N1"]}))
    assert found["observed"].tolist() == [5, -5]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"value": 9.0}, ["L1N1", "L1N2"]),
        ({"operation": "add"}, ["L1N1", "L1N2"]),
        ({"scope": "last"}, ["L1N1", "L1N2"]),
        ({"prompt_id": "other"}, ["L1N1", "L1N2"]),
        ({"seed": 3}, ["L1N1", "L1N2"]),
        ({"detector": "other"}, ["L1N1", "L1N2"]),
        ({}, ["L1N1", "L1N2", "L1N9"]),  # one control was not run
    ],
)
def test_nothing_in_common_is_refused_in_one_line(changes, names):
    table = changed({"L1N0": [(5, 0)], "L1N1": [(2, 0)], "L1N2": [(1, 0)]})
    others = only(table, "L1N1", "L1N2").assign(**changes)
    with pytest.raises(UserError, match=r"'L1N0'.*'neuron'") as caught:
        special(only(table, "L1N0"), others, controls_of({"L1N0": names}))
    assert len(str(caught.value).splitlines()) == 1


def test_a_target_that_was_not_swept_is_refused():
    table = changed({"L1N0": [(5, 0)], "L1N1": [(2, 0)]})
    with pytest.raises(UserError, match="'L1N7'"):
        special(table, table, controls_of({"L1N7": ["L1N1"]}))


# verdicts


def verdict(effects, owners, values=(1.0,), statistic=PRIMARY):
    """`is_special` by target."""
    table = changed(effects, values=values)
    names = {name for names in owners.values() for name in names}
    found = special(only(table, *owners), only(table, *names), controls_of(owners))
    return is_special(found, statistic).set_index("target")


def near(n, first=1):
    """Effects of so many controls: nets from -2 to 2."""
    return {f"L1N{first + i}": [(3 + i % 5, 5)] for i in range(n)}


def test_a_planted_target_is_special_and_none_of_its_controls_is_in_its_place():
    effects = {"L1N0": [(18, 0)], **near(20)}
    table = changed(effects)
    for name in effects:
        others = [other for other in effects if other != name]
        found = special(only(table, name), only(table, *others), controls_of({name: others}))
        primary = found[found["statistic"] == PRIMARY].iloc[0]
        assert bool(is_special(found)["special"].iloc[0]) == (name == "L1N0")
        assert primary["n_controls"] == 20
        if name == "L1N0":
            assert primary["p"] == 1 / 21
            assert primary["percentile"] == 100
        else:
            assert primary["q"] >= 2 / 21


def test_doing_harm_is_asked_apart_from_rescuing():
    effects, owners = {"L1N0": [(0, 15)], **near(20)}, {"L1N0": list(near(20))}
    assert verdict(effects, owners, statistic="worst_net")["special"].all()
    found = verdict(effects, owners)
    assert found[["special", "can_tell"]].values.tolist() == [[False, True]]


def test_harm_at_another_clamp_has_no_part_in_whether_it_rescues_more():
    # At 2 every control harms 16 of 20, the target none: its best net is still above all of theirs.
    controls = {name: [*pairs, (0, 16)] for name, pairs in near(20).items()}
    found = verdict({"L1N0": [(15, 0), (0, 0)], **controls}, {"L1N0": list(controls)}, (1.0, 2.0))
    assert found["special"].all()


def test_a_target_as_high_as_its_highest_control_is_not_special():
    effects = {"L1N0": [(18, 0)], **near(19), "L1N20": [(19, 1)]}
    assert not verdict(effects, {"L1N0": list(effects)[1:]})["special"].any()


@pytest.mark.parametrize(("n", "can_tell"), [(5, False), (19, False), (20, True), (40, True)])
def test_with_fewer_than_20_controls_nothing_can_be_told(n, can_tell):
    found = verdict({"L1N0": [(18, 0)], **near(n)}, {"L1N0": list(near(n))})
    assert found["can_tell"].tolist() == [can_tell]
    assert found["special"].tolist() == [can_tell]


def test_a_plain_target_with_20_controls_is_told_not_to_be_special():
    found = verdict({"L1N0": [(4, 5)], **near(20)}, {"L1N0": list(near(20))})
    assert found[["special", "can_tell"]].values.tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("n", "can_tell"),
    [
        (20, [False, False, False]),
        # Another that stood out as well would share the price with the first: 3 / 2 / 60 = 0.025.
        (59, [False, True, True]),
        (60, [True, True, True]),
    ],
)
def test_one_special_target_among_three_needs_60_controls(n, can_tell):
    names = list(near(n, first=3))
    effects = {"L1N0": [(18, 0)], "L1N1": [(4, 5)], "L1N2": [(5, 5)], **near(n, first=3)}
    found = verdict(effects, dict.fromkeys(neurons(3), names))
    assert found["can_tell"].tolist() == can_tell
    assert found["special"].tolist() == [can_tell[0], False, False]


def test_three_special_targets_share_the_price():
    names = list(near(20, first=3))
    effects = {**{name: [(18, 0)] for name in neurons(3)}, **near(20, first=3)}
    found = verdict(effects, dict.fromkeys(neurons(3), names))
    assert found["special"].all()
    assert found["can_tell"].all()


@pytest.mark.parametrize(("of_directions", "expected"), [((6, 5), True), ((20, 0), False)])
def test_a_target_must_stand_out_among_every_kind_of_controls(of_directions, expected):
    directions = {f"L1N0~{i}": [of_directions] for i in range(20)}
    table = changed({"L1N0": [(18, 0)], **near(20), **directions})
    owners = pd.concat([
        controls_of({"L1N0": list(near(20))}), controls_of({"L1N0": list(directions)}, "direction"),
    ])  # fmt: skip
    found = special(only(table, "L1N0"), only(table, *near(20), *directions), owners)
    assert len(found) == 4
    assert is_special(found)["special"].tolist() == [expected]


# where the test cannot answer


def ranks(effects, owners, statistic=PRIMARY, n_prompts=40, values=(1.0,)):
    """Rows of `special` by target."""
    table = changed(effects, n_prompts, values)
    names = {name for names in owners.values() for name in names}
    found = special(only(table, *owners), only(table, *names), controls_of(owners))
    return found[found["statistic"] == statistic].set_index("target")


def alike(n, effect, first=1):
    """So many controls with the same effect."""
    return {f"L1N{first + i}": [effect] for i in range(n)}


@pytest.mark.parametrize(("n_near", "expected"), [(9, CAN_TELL), (10, CEILING), (20, CEILING)])
@pytest.mark.parametrize("near_by", [19, 20])  # one text from the bound, or at it
@pytest.mark.parametrize("statistic", [PRIMARY, "worst_net"])
def test_controls_half_of_which_do_nearly_all_that_can_be_done_are_a_ceiling(
    n_near, expected, near_by, statistic
):
    def pair(n):
        return (n, 0) if statistic == PRIMARY else (0, n)

    if near_by == 20 and n_near < 10:
        expected = REACHED  # any control at the bound is too many of 20: 2 / 21
    controls = {**alike(n_near, pair(near_by)), **alike(20 - n_near, pair(3), first=50)}
    found = ranks({"L1N0": [pair(20)], **controls}, {"L1N0": list(controls)}, statistic)
    assert obstacle(found.iloc[0]) == expected


def test_a_ceiling_answers_neither_yes_nor_no():
    controls = alike(20, (19, 0))
    found = verdict({"L1N0": [(20, 0)], **controls}, {"L1N0": list(controls)})
    assert found[["special", "can_tell"]].values.tolist() == [[False, False]]


def test_where_neither_target_nor_controls_move_a_text_there_is_nothing_to_compare():
    controls = alike(20, (0, 4))
    effects, owners = {"L1N0": [(0, 2)], **controls}, {"L1N0": list(controls)}
    assert obstacle(ranks(effects, owners).iloc[0]) == FLOOR
    assert obstacle(ranks(effects, owners, "worst_net").iloc[0]) == CAN_TELL
    effects["L1N7"] = [(1, 6)]  # a control that rescues one text, and harms more
    assert obstacle(ranks(effects, owners).iloc[0]) == CAN_TELL


def test_where_no_baseline_can_change_there_is_nothing_to_ask():
    before = np.zeros((1, 12), bool)
    after = np.zeros((1, 21, 1, 12), bool)
    after[0, 1:, 0, :3] = True  # the controls harm, the target does not
    names = recovery_tables.prompt_names(12)
    table = recovery_tables.build(before, after, names, neurons(21), [1.0])
    owners = controls_of({"L1N0": neurons(21)[1:]})
    found = special(only(table, "L1N0"), only(table, *neurons(21)[1:]), owners)
    rows = found.set_index("statistic").to_dict("index")
    assert [obstacle(rows[name]) for name in (PRIMARY, "worst_net")] == [NOTHING, CAN_TELL]
    assert not is_special(found)["special"].any()


def put_at(table, target, bound):
    """The table with a target that rescues (harms) all that can be, at every clamp."""
    table = table.copy()
    own = table["target"] == target
    table.loc[own, "collapsed"] = bound == "worst_net"
    before, after = table["baseline_collapsed"], table["collapsed"]
    table["intervention_improves_baseline"] = before & ~after
    table["intervention_harms_baseline"] = ~before & after
    return table


@pytest.mark.parametrize("statistic", [PRIMARY, "worst_net"])
@pytest.mark.parametrize("seed", range(4))
def test_a_test_can_tell_if_and_only_if_a_target_at_the_bound_would_be_told(seed, statistic):
    """By brute force: each target in turn does all that can be done, and is ranked anew."""
    rng = np.random.default_rng(seed)
    n_targets, n_controls, half = (
        int(rng.integers(1, 4)),
        int(rng.integers(18, 45)),
        (3, 8)[seed % 2],
    )
    units = neurons(n_targets + n_controls)
    pairs = rng.integers(0, half + 1, (len(units), 2))
    pairs[n_targets:] = np.minimum(pairs[n_targets:], rng.integers(1, half + 1, (n_controls, 2)))
    effects = {name: [tuple(map(int, pair))] for name, pair in zip(units, pairs, strict=True)}
    table = changed(effects, 2 * half)
    targets, names = units[:n_targets], units[n_targets:]
    owners = controls_of(dict.fromkeys(targets, names))
    found = special(only(table, *targets), only(table, *names), owners)
    rows = found[found["statistic"] == statistic].set_index("target")
    for target in targets:
        best = put_at(table, target, statistic)
        anew = special(only(best, *targets), only(best, *names), owners)
        anew = anew[anew["statistic"] == statistic].set_index("target")
        assert anew.loc[target, "observed"] == half == rows.loc[target, "bound"]
        assert rows.loc[target, "bound_q"] == pytest.approx(anew.loc[target, "q"])
        theirs = [rescued - harmed for ((rescued, harmed),) in map(effects.get, names)]
        near = sum((one if statistic == PRIMARY else -one) >= half - 1 for one in theirs)
        moved = max(effects[name][0][statistic != PRIMARY] for name in (target, *names))
        told = anew.loc[target, "q"] < 0.05
        expected = {CAN_TELL} if told else {TOO_FEW, REACHED}
        expected = {FLOOR} if not moved else expected
        expected = {CEILING} if 2 * near >= n_controls else expected
        assert obstacle(rows.loc[target]) in expected


@pytest.mark.parametrize(
    ("n", "expected"), [(19, TOO_FEW), (20, REACHED), (39, REACHED), (40, CAN_TELL)]
)
def test_a_control_at_the_bound_is_outdone_by_no_target_but_outnumbered_by_more_controls(
    n, expected
):
    # One of n at the bound: p = 2 / (n + 1) of a target that is there too.
    controls = {**near(n - 1), "L1N90": [(20, 0)]}
    found = ranks({"L1N0": [(18, 0)], **controls}, {"L1N0": list(controls)})
    assert obstacle(found.iloc[0]) == expected
    assert found["bound_q"].iloc[0] == 2 / (n + 1)
    assert found["least_q"].iloc[0] == 1 / (n + 1)


def test_tables_can_be_written_and_read_back(tmp_path):
    table = at_random(1, 2, 5)
    owners = controls_of({"L1N0": neurons(5)[1:]})
    found = special(only(table, "L1N0"), only(table, *neurons(5)[1:]), owners)
    for frame, schema in ((found, SPECIAL), (owners, CONTROLS)):
        tables.write(frame, tmp_path / "t", schema, {})
        pd.testing.assert_frame_equal(tables.read(tmp_path / "t", schema), frame)


def test_without_controls_the_tables_are_empty_and_can_be_written(tmp_path):
    table = at_random(1, 1, 2)
    found = special(table, table, controls_of({}))
    tables.write(found, tmp_path / "t", SPECIAL, {})
    assert len(is_special(tables.read(tmp_path / "t", SPECIAL))) == 0


# how often chance makes a target special

AT_MOST = stats.binom.ppf(0.99, 200, 0.05) / 200  # of 200 tables


def test_chance_makes_one_target_special_in_at_most_1_of_20_tables():
    table = at_random(11, 200, 21)
    names = neurons(21)[1:]
    found = special(only(table, "L1N0"), only(table, *names), controls_of({"L1N0": names}))
    assert 0 < is_special(found)["special"].mean() <= AT_MOST
    p = found[found["statistic"] == PRIMARY]["p"]
    for level in np.arange(1, 21) / 21:
        assert (p <= level).mean() <= stats.binom.ppf(0.999, 200, level) / 200


def test_chance_makes_any_of_three_targets_special_in_at_most_1_of_20_tables():
    table = at_random(12, 200, 63, n_clamps=3, n_prompts=24)
    names = neurons(63)[3:]
    owners = controls_of(dict.fromkeys(neurons(3), names))
    found = is_special(special(only(table, *neurons(3)), only(table, *names), owners))
    assert found["can_tell"].all()
    assert 0 < found.groupby("detector")["special"].any().mean() <= AT_MOST
