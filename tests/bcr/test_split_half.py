"""Choosing on one half of the prompts, scoring on the other; the halves themselves."""

from __future__ import annotations

import collections
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import recovery_tables
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.bcr.split_half import (
    SPLIT_HALF,
    both_halves,
    halves,
    pooled,
    split_half,
)

TARGETS = ["L1N2", "L3N4"]


def at_random(seed, n_tables=1, targets=TARGETS, values=(-5.0, 5.0, 10.0), names=None, rate=0.3):
    """Recovery table in which every clamp flips so many outputs, in either direction alike."""
    names = names or recovery_tables.prompt_names(24, 6)
    rng = np.random.default_rng(seed)
    before = rng.random((n_tables, len(names))) < 0.5
    flips = rng.random((n_tables, len(targets), len(values), len(names))) < rate
    after = before[:, None, None] ^ flips
    return recovery_tables.build(before, after, names, targets, values)


def prompts_of(table, with_cores=True):
    return recovery_tables.prompts(list(table["prompt_id"].unique()), with_cores)


def among_all(table, prompts, seed=0):
    """The choices among the pairs of all targets."""
    found = split_half(table, prompts, seed)
    return found[found["among"] == ""].reset_index(drop=True)


def half_of(table, prompts, seed=0):
    """Half by prompt; all rows of a prompt must agree."""
    pairs = set(zip(table["prompt_id"], halves(table, prompts, seed).tolist(), strict=True))
    assert len(pairs) == table["prompt_id"].nunique()
    return dict(pairs)


# the halves


@pytest.mark.parametrize("n_cores", [4, 5, 8])
def test_the_prompts_of_a_core_stand_on_one_side(n_cores):
    table = at_random(0, names=recovery_tables.prompt_names(40, n_cores))
    found = half_of(table, prompts_of(table))
    cores = {name.split("/")[0]: half for name, half in found.items()}
    assert all(cores[name.split("/")[0]] == half for name, half in found.items())
    sizes = collections.Counter(cores.values())
    assert sorted(sizes) == [0, 1]
    assert abs(sizes[0] - sizes[1]) <= 1


@pytest.mark.parametrize(("n_cores", "with_cores"), [(3, True), (8, False)])
@pytest.mark.parametrize("n_prompts", [2, 23, 24])
def test_with_few_cores_or_none_single_prompts_are_split(n_cores, with_cores, n_prompts):
    table = at_random(0, names=recovery_tables.prompt_names(n_prompts, n_cores))
    found = half_of(table, prompts_of(table, with_cores))
    sizes = collections.Counter(found.values())
    assert sorted(sizes) == [0, 1]
    assert abs(sizes[0] - sizes[1]) <= 1
    if n_prompts > 2:  # some core is torn
        sides = {(name.split("/")[0], half) for name, half in found.items()}
        assert len(sides) > len({core for core, _ in sides})


def test_one_prompt_without_core_makes_prompts_the_unit():
    table = at_random(0, names=recovery_tables.prompt_names(40, 4))
    prompts = prompts_of(table)
    prompts.loc[7, "core"] = None
    found = half_of(table, prompts)
    assert len({(name.split("/")[0], half) for name, half in found.items()}) > 4


def test_the_split_depends_on_the_names_and_the_seed_not_on_the_order_of_rows():
    table = at_random(0, names=recovery_tables.prompt_names(24))
    prompts = prompts_of(table)
    found = half_of(table, prompts)
    assert half_of(table.sample(frac=1, random_state=1), prompts[::-1]) == found
    others = [half_of(table, prompts, seed) for seed in range(1, 6)]
    assert all(other != found for other in others)


def test_every_prompt_may_come_to_either_side():
    table = at_random(0, names=recovery_tables.prompt_names(24, 6)).iloc[:24]
    prompts = prompts_of(table)
    times = collections.Counter()
    for seed in range(200):
        times.update(name for name, half in half_of(table, prompts, seed).items() if half)
    assert len(times) == 24
    assert all(70 <= n <= 130 for n in times.values())  # in half 1: 100 expected, SD 7


# choice and score


def by_loops(rows, half):
    """Per pair of target and value: counts on the rows of one half."""
    found = {}
    for row, side in zip(rows.itertuples(), half, strict=True):
        if side:
            count = found.setdefault((row.target, row.value), collections.Counter())
            count["n"] += 1
            count["n_collapsed_baseline"] += row.baseline_collapsed
            count["n_fine_baseline"] += not row.baseline_collapsed
            count["n_rescued"] += row.baseline_collapsed and not row.collapsed
            count["n_harmed"] += row.collapsed and not row.baseline_collapsed
    for count in found.values():
        count["net"] = count["n_rescued"] - count["n_harmed"]
    return found


@pytest.mark.parametrize("seed", range(5))
def test_choice_and_score_agree_with_loops(seed):
    table = at_random(seed, 3)
    prompts = prompts_of(table)
    found = split_half(table, prompts, seed)
    side = halves(table, prompts, seed)
    order = list(itertools.product(["d0", "d1", "d2"], ["", *TARGETS], [0, 1]))
    assert found[["detector", "among", "half"]].apply(tuple, axis=1).tolist() == order
    for row in found.itertuples():
        own = (table["detector"] == row.detector).to_numpy()
        own = own & table["target"].isin([row.among] if row.among else TARGETS).to_numpy()
        here = by_loops(table, own & (side == row.half))
        there = by_loops(table, own & (side != row.half))
        best = min(here, key=lambda p: (-here[p]["net"], here[p]["n_harmed"], abs(p[1]), *p))
        assert (row.target, row.value) == best
        n_choices = 3 if row.among else 6
        assert (row.n_choices, row.chosen_net) == (n_choices, here[best]["net"])
        for name in ("n", "n_collapsed_baseline", "n_rescued", "n_fine_baseline", "n_harmed",
                     "net"):  # fmt: skip
            assert getattr(row, name) == there[best][name]
        few, many = sorted([row.n_rescued, row.n_harmed])
        tail = sum(math.comb(few + many, i) for i in range(few + 1)) / 2 ** (few + many)
        assert row.mcnemar_p == pytest.approx(min(1, 2 * tail))


def planned(effects):
    """One detector; (rescued, harmed) of 4 collapsed and 4 fine prompts by (target, value).

    Both halves are alike: each has 2 collapsed and 2 fine prompts, and half of every effect.
    """
    names = recovery_tables.prompt_names(8)
    any_table = at_random(0, names=names)
    side = half_of(any_table, prompts_of(any_table))
    names = sorted(names, key=lambda name: side[name])
    before = np.array([1, 1, 0, 0] * 2, bool)
    targets, values = (sorted({pair[i] for pair in effects}) for i in (0, 1))
    after = np.empty((1, len(targets), len(values), 8), bool)
    for i, j in itertools.product(range(len(targets)), range(len(values))):
        rescued, harmed = effects[targets[i], values[j]]
        half = [k >= rescued // 2 for k in range(2)] + [k < harmed // 2 for k in range(2)]
        after[0, i, j] = half * 2
    return recovery_tables.build(before[None], after, names, targets, values)


@pytest.mark.parametrize(
    ("effects", "best"),
    [
        ({("L1N2", 1.0): (2, 0), ("L1N2", 2.0): (4, 0)}, ("L1N2", 2.0)),  # higher net
        ({("L1N2", 1.0): (4, 2), ("L1N2", 2.0): (2, 0)}, ("L1N2", 2.0)),  # fewer harmed
        ({("L1N2", -2.0): (4, 0), ("L1N2", 1.0): (4, 0)}, ("L1N2", 1.0)),  # smaller |value|
        ({("L1N2", -1.0): (4, 0), ("L1N2", 2.0): (4, 0)}, ("L1N2", -1.0)),
        ({("L1N2", 1.0): (4, 0), ("L1N1", 1.0): (4, 0)}, ("L1N1", 1.0)),  # name
        ({("L1N2", 1.0): (4, 0), ("L1N2", -1.0): (4, 0)}, ("L1N2", -1.0)),  # lower value
        ({("L1N2", 1.0): (0, 4), ("L1N2", 2.0): (0, 2)}, ("L1N2", 2.0)),  # the least harm
    ],
)
def test_ties_go_to_less_harm_then_smaller_value_then_name(effects, best):
    table = planned(effects)
    found = among_all(table, prompts_of(table))
    assert found[["target", "value"]].apply(tuple, axis=1).tolist() == [best, best]
    rescued, harmed = effects[best]
    assert found["chosen_net"].tolist() == [(rescued - harmed) // 2] * 2
    assert found["net"].tolist() == [(rescued - harmed) // 2] * 2


def test_a_clamp_without_value_can_be_chosen(tmp_path):
    table = planned({("L1N1", 1.0): (2, 0), ("L1N2", 1.0): (4, 0)})
    table["value"] = np.nan
    table["operation"] = "zero"
    found = among_all(table, prompts_of(table))
    assert found["target"].tolist() == ["L1N2", "L1N2"]
    assert found["value"].isna().all()
    assert found["net"].tolist() == [2, 2]
    tables.write(found, tmp_path / "s", SPLIT_HALF, {})
    pd.testing.assert_frame_equal(tables.read(tmp_path / "s", SPLIT_HALF), found)


def test_the_order_of_the_rows_is_of_no_account():
    table = at_random(1, 2)
    mixed = table.sample(frac=1, random_state=0)
    prompts = prompts_of(table)
    pd.testing.assert_frame_equal(split_half(table, prompts), split_half(mixed, prompts[::-1]))


def test_a_pair_that_one_half_lacks_is_not_compared():
    table = at_random(2)
    prompts = prompts_of(table)
    best = among_all(table, prompts).iloc[0]
    is_best = (table["target"] == best["target"]) & (table["value"] == best["value"])
    found = among_all(table[~(is_best & (halves(table, prompts) == 1))], prompts)
    assert set(found["n_choices"]) == {5}
    assert (found.iloc[0]["target"], found.iloc[0]["value"]) != (best["target"], best["value"])


@pytest.mark.parametrize("names", [recovery_tables.prompt_names(24, 6), ["c0/p0"]])
def test_with_nothing_to_choose_the_table_is_empty_and_can_be_written(tmp_path, names):
    table = at_random(0, targets=["L1N2"], values=(1.0,), names=names)
    if len(names) == 1:  # two clamps, but no second half
        table = at_random(0, targets=["L1N2"], values=(1.0, 2.0), names=names)
    found = among_all(table, prompts_of(table))
    assert len(found) == 0
    tables.write(found, tmp_path / "s", SPLIT_HALF, {})
    assert len(pooled(found)) == 0


def test_a_prompt_that_is_not_among_the_prompts_is_named():
    table = at_random(0)
    with pytest.raises(UserError, match="'c3/p9'") as caught:
        among_all(table, prompts_of(table).query("prompt_id != 'c3/p9'"))
    assert len(str(caught.value).splitlines()) == 1


# targets apart


def test_each_target_has_its_own_choice_and_score_as_if_it_were_alone():
    table = at_random(6, 3)
    prompts = prompts_of(table)
    found = split_half(table, prompts)
    for target in TARGETS:
        alone = split_half(table[table["target"] == target], prompts)
        own = found[found["among"] == target].reset_index(drop=True)
        pd.testing.assert_frame_equal(
            own.assign(among=""), alone.astype({"among": own["among"].dtype})
        )
        together = both_halves(own)
        assert together["net"].tolist() == pooled(alone)["net"].tolist()
        assert together["cluster_p"].tolist() == pooled(alone)["cluster_p"].tolist()


def test_a_single_target_has_no_rows_apart():
    table = at_random(6, targets=["L1N2"])
    assert split_half(table, prompts_of(table))["among"].tolist() == ["", ""]


def test_a_target_with_one_clamp_has_nothing_to_choose_but_is_among_all():
    table = at_random(6)
    one = table[(table["target"] == "L1N2") | (table["value"] == 5.0)]
    found = split_half(one, prompts_of(one))
    assert found["among"].tolist() == ["", "", "L1N2", "L1N2"]
    assert found["n_choices"].tolist() == [4, 4, 3, 3]


# both halves together


def test_pooling_adds_the_held_out_halves():
    table = at_random(3, 2)
    found = among_all(table, prompts_of(table))
    together = pooled(found)
    assert together.index.tolist() == ["d0", "d1"]
    for detector, row in together.iterrows():
        first, second = found[found["detector"] == detector].to_dict("records")
        assert row["n"] == 24
        assert row["n_rescued"] == first["n_rescued"] + second["n_rescued"]
        assert row["n_harmed"] == first["n_harmed"] + second["n_harmed"]
        assert row["net"] == first["net"] + second["net"]
        assert row["n_collapsed_baseline"] + row["n_fine_baseline"] == 24
        few, many = sorted([row["n_rescued"], row["n_harmed"]])
        tail = sum(math.comb(int(few + many), i) for i in range(int(few) + 1)) / 2 ** (few + many)
        assert row["mcnemar_p"] == pytest.approx(min(1, 2 * tail))


@pytest.mark.parametrize("n_cores", [3, 5])  # 3 cores stand in both halves
def test_the_cluster_p_counts_the_flips_of_cores_that_go_as_far(n_cores):
    names = recovery_tables.prompt_names(15, n_cores)
    table = recovery_tables.by_chance(n_cores, 6, names, TARGETS, [-9.0, 2.0, 5.0])
    prompts = prompts_of(table)
    found, half = among_all(table, prompts), halves(table, prompts)
    for detector, rows in found.groupby("detector"):
        nets = dict.fromkeys(sorted(set(table["prompt_id"].str.split("/").str[0])), 0)
        for row in rows.to_dict("records"):
            for at, one in enumerate(table.to_dict("records")):
                mine = all(one[name] == row[name] for name in ("detector", "target", "value"))
                if mine and half[at] != row["half"]:
                    change = int(one["baseline_collapsed"]) - int(one["collapsed"])
                    nets[one["prompt_id"].split("/")[0]] += change
        total = abs(sum(nets.values()))
        signs = list(itertools.product([1, -1], repeat=n_cores))
        sums = [abs(sum(s * n for s, n in zip(sign, nets.values(), strict=True))) for sign in signs]
        expected = sum(one >= total for one in sums) / len(sums)
        assert rows["cluster_p"].tolist() == [pytest.approx(expected, abs=1e-12)] * 2
        assert pooled(found).loc[detector, "cluster_p"] == rows["cluster_p"].iloc[0]


def test_a_pair_that_one_half_lacks_has_no_part_in_the_cluster_p():
    table = at_random(2, 20)
    prompts = prompts_of(table)
    lacks = (table["target"] == "L3N4") & (table["value"] == 5.0)
    some = table[~(lacks & (halves(table, prompts) == 1))]
    found, expected = among_all(some, prompts), among_all(table[~lacks], prompts)
    assert found["cluster_p"].tolist() == expected["cluster_p"].tolist()


@pytest.mark.parametrize("n_cores", [8, 12])
def test_where_cores_move_together_the_cluster_p_errs_in_at_most_8_of_100_tables(n_cores):
    names = recovery_tables.prompt_names(96, n_cores)
    table = recovery_tables.by_chance(9, 200, names, TARGETS, [float(v) for v in range(6)])
    together = pooled(split_half(table, prompts_of(table)))
    share = {name: (together[name] < 0.05).mean() for name in ("mcnemar_p", "cluster_p")}
    assert 0 < share["cluster_p"] <= stats.binom.ppf(0.99, 200, 0.08) / 200 < share["mcnemar_p"]


def test_by_chance_the_held_out_net_is_centred_on_0_and_the_chosen_one_is_not():
    table = at_random(4, 200, values=tuple(range(6)), names=recovery_tables.prompt_names(48, 8))
    found = among_all(table, prompts_of(table))
    held_out = pooled(found)["net"]
    chosen = found.groupby("detector")["chosen_net"].sum()
    assert len(held_out) == len(chosen) == 200
    assert abs(held_out.mean()) < 2.58 * held_out.std() / math.sqrt(200)
    assert chosen.mean() > 20 * chosen.std() / math.sqrt(200)


def test_a_clamp_that_truly_rescues_holds_on_the_other_half():
    names = recovery_tables.prompt_names(48, 8)
    table = at_random(5, 40, names=names, rate=0.1)
    real = (table["target"] == "L3N4") & (table["value"] == 10)
    rescued = real & table["baseline_collapsed"]
    table.loc[rescued, "collapsed"] = False
    table.loc[rescued, "intervention_improves_baseline"] = True
    found = among_all(table, prompts_of(table))
    assert set(zip(found["target"], found["value"], strict=True)) == {("L3N4", 10.0)}
    together = pooled(found)
    assert (together["n_rescued"] == together["n_collapsed_baseline"]).all()
    assert (together["mcnemar_p"] < 0.05).all()
    assert (together["cluster_p"] < 0.05).mean() > 0.9


def test_the_interval_of_the_held_out_net_is_that_of_its_clusters_drawn_anew():
    table = at_random(3, names=recovery_tables.prompt_names(24, 8))
    prompts = prompts_of(table)
    found = among_all(table, prompts)
    core = dict(zip(prompts["prompt_id"], prompts["core"], strict=True))
    side = half_of(table, prompts)
    nets, sizes = collections.Counter(), collections.Counter()
    for row in found.itertuples():
        chosen = (table["target"] == row.target) & (table["value"] == row.value)
        for text in table[chosen & (table["detector"] == row.detector)].itertuples():
            if side[text.prompt_id] != row.half:
                won, lost = text.intervention_improves_baseline, text.intervention_harms_baseline
                nets[core[text.prompt_id]] += int(won) - int(lost)
                sizes[core[text.prompt_id]] += 1
    rng, names = np.random.default_rng(7), sorted(sizes)
    net, size = (np.array([of[name] for name in names]) for of in (nets, sizes))
    drawn = rng.integers(0, len(names), (20000, len(names)))
    shares = net[drawn].sum(1) / size[drawn].sum(1) * size.sum()
    (low,), (high,) = found["net_boot_low"].unique(), found["net_boot_high"].unique()
    assert [low, high] == pytest.approx(np.quantile(shares, [0.025, 0.975]), abs=0.6)
    assert low < found["net"].sum() < high
