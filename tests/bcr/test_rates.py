"""Rates by clamp: counts, shares, intervals, tests."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

import factories
import recovery_tables
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.bcr import rates
from clampsweep.studies.bcr.rates import RATES
from clampsweep.studies.bcr.recovery import RECOVERY
from clampsweep.texts.promptset import PROMPTS
from recovered import BROKEN, FINE, only, pairs, prompts_of, rates_of, recover

# rates


def test_counts_and_shares_of_one_clamp():
    found = only(rates_of(pairs(25.0, rescued=3, broken=1, harmed=2, fine=4)))
    assert found["n"] == 10
    assert (found["n_collapsed_baseline"], found["n_rescued"]) == (4, 3)
    assert (found["n_fine_baseline"], found["n_harmed"]) == (6, 2)
    assert found["rescue_rate"] == 3 / 4
    assert found["harm_rate"] == pytest.approx(2 / 6)
    assert found["net"] == 1
    assert found["mcnemar_p"] == pytest.approx(1.0)  # 3 against 2
    assert (found["target"], found["layer"], found["neuron"]) == ("L1N2", 1, 2)


def test_the_papers_clamp_25_rescues_seven_of_eight_and_harms_five_of_132():
    found = only(rates_of(pairs(25.0, rescued=7, broken=1, harmed=5, fine=127)))
    assert found["n"] == 140
    assert found["rescue_rate"] == 0.875
    assert (round(found["rescue_low"], 2), round(found["rescue_high"], 2)) == (0.53, 0.98)
    assert found["harm_rate"] == pytest.approx(5 / 132)
    assert found["net"] == 2
    assert found["mcnemar_p"] == pytest.approx(0.7744140625)


def test_the_papers_clamp_50_does_significant_harm():
    found = only(rates_of(pairs(50.0, rescued=5, broken=3, harmed=36, fine=96)))
    expected = 2 * sum(math.comb(41, i) for i in range(6)) / 2**41
    assert found["net"] == -31
    assert found["mcnemar_p"] == pytest.approx(expected)
    assert found["mcnemar_p"] < 1e-5


def test_intervals_are_wilson_at_95_percent():
    found = only(rates_of(pairs(25.0, rescued=2, broken=3, harmed=1, fine=6)))
    for name, k, n in [("rescue", 2, 5), ("harm", 1, 7)]:
        z = 1.959963984540054
        centre = (k + z * z / 2) / (n + z * z)
        half = z / (n + z * z) * math.sqrt(k * (n - k) / n + z * z / 4)
        assert found[f"{name}_low"] == pytest.approx(centre - half)
        assert found[f"{name}_high"] == pytest.approx(centre + half)


def test_without_collapsed_baselines_the_rescue_rate_is_null_not_zero():
    found = only(rates_of(pairs(25.0, fine=3)))
    assert found["n_collapsed_baseline"] == 0
    assert all(pd.isna(found[name]) for name in ("rescue_rate", "rescue_low", "rescue_high"))
    assert found["harm_rate"] == 0
    assert found["mcnemar_p"] == 1


def test_without_fine_baselines_the_harm_rate_is_null_not_zero():
    found = only(rates_of(pairs(25.0, broken=3)))
    assert all(pd.isna(found[name]) for name in ("harm_rate", "harm_low", "harm_high"))
    assert found["rescue_rate"] == 0


def test_values_targets_operations_and_scopes_are_kept_apart():
    changes = [
        {"value": 1.0},
        {"value": 2.0},
        {"value": 1.0, "target": "L3N4"},
        {"value": 1.0, "target": "L1N2+L3N4"},
        {"value": 1.0, "operation": "add"},
        {"value": 1.0, "scope": "last"},
        {"value": None, "operation": "zero"},
        {"value": None, "operation": "mean"},
    ]
    rows = itertools.chain.from_iterable(pairs(rescued=1, fine=1, **change) for change in changes)
    found = rates_of(rows)
    assert len(found) == len(changes)
    assert found["n"].tolist() == [2] * len(changes)
    joint = only(found[found["target"] == "L1N2+L3N4"])
    assert pd.isna(joint["neuron"])


def test_an_operation_without_value_has_its_rate():
    found = only(rates_of(pairs(None, rescued=1, fine=2, operation="zero")))
    assert pd.isna(found["value"])
    assert found["n"] == 3


def test_rows_are_sorted_by_detector_target_operation_scope_and_value():
    rows = []
    for value, target, operation in itertools.product(
        (25.0, -100.0, 3.0), ("L3N4", "L1N2"), ("set", "add")
    ):
        rows += pairs(value, fine=1, target=target, operation=operation)
    found = rates_of(rows, ["surface", "entropy"])
    order = list(
        found[["detector", "target", "operation", "scope", "value"]].itertuples(
            index=False, name=None
        )
    )
    assert order == sorted(order)
    assert len(order) == 24


def test_seeds_are_counted_as_pairs():
    rows = [factories.baseline("p", BROKEN)]
    rows += [factories.generation("p", FINE, operation="resample", seed=s) for s in range(5)]
    found = only(rates_of(rows))
    assert (found["n"], found["n_rescued"]) == (5, 5)


def test_q_corrects_over_all_rows_of_a_detector_and_no_other():
    rows = (
        list(pairs(1.0, harmed=9, fine=1)) + list(pairs(2.0, harmed=6)) + list(pairs(3.0, fine=2))
    )
    rows += pairs(1.0, harmed=3, rescued=1, target="L3N4")
    found = rates_of(rows, ["surface", "entropy"])
    for _, family in found.groupby("detector"):
        for test in ("mcnemar", "cluster"):
            p = family[f"{test}_p"].tolist()
            assert len(p) == 4
            ranks = [sum(other <= one for other in p) for one in p]
            expected = [
                min(min(1, q * len(p) / rank) for q, rank in zip(p, ranks, strict=True) if q >= one)
                for one in p
            ]
            assert family[f"{test}_q"].tolist() == pytest.approx(expected)


def test_rates_can_be_written_and_read_back(tmp_path):
    rows = [*pairs(1.0, rescued=1), *pairs(None, fine=1, operation="zero")]
    found = rates_of(rows, ["surface", "entropy", "loop"])
    tables.write(found, tmp_path / "rates.parquet", RATES, {})
    back = tables.read(tmp_path / "rates.parquet", RATES)
    assert back["detector"].tolist() == ["entropy"] * 2 + ["loop"] * 2 + ["surface"] * 2


def test_rates_of_a_recovery_table_read_from_disk_are_the_same(tmp_path):
    found = recover([*pairs(1.0, rescued=2, harmed=1), *pairs(None, fine=1, operation="zero")])
    tables.write(found, tmp_path / "r.parquet", RECOVERY, {})
    prompts = prompts_of(found)
    tables.write(prompts, tmp_path / "p.parquet", PROMPTS, {})
    from_disk = rates.rates(
        tables.read(tmp_path / "r.parquet", RECOVERY),
        tables.read(tmp_path / "p.parquet", PROMPTS),
    )
    pd.testing.assert_frame_equal(from_disk, rates.rates(found, prompts), check_dtype=False)


# clusters and their bootstrap


def core_of(name):
    return name.split("/")[0]


def in_cores(fates):
    """Rows of one clamp; `fates` gives texts as (rescued, broken, harmed, fine) by core."""
    for core, numbers in fates.items():
        befores_and_afters = [(BROKEN, FINE), (BROKEN, BROKEN), (FINE, BROKEN), (FINE, FINE)]
        texts = [t for t, n in zip(befores_and_afters, numbers, strict=True) for _ in range(n)]
        for i, (before, after) in enumerate(texts):
            yield factories.baseline(f"{core}/{i}", before)
            yield factories.generation(f"{core}/{i}", after, 5.0)


def boot(found, name):
    return [found[f"{name}_boot_low"], found[f"{name}_boot_high"]]


def test_with_two_cores_the_bootstrap_ends_are_the_cores_own_rates():
    # A quarter of the draws is one core twice, a quarter the other.
    rows = list(in_cores({"a": (1, 3, 2, 6), "b": (3, 3, 1, 1)}))
    found = only(rates_of(rows, cores=core_of))
    assert (found["n"], found["n_clusters"]) == (20, 2)
    assert boot(found, "rescue") == pytest.approx([1 / 4, 3 / 6])
    assert boot(found, "harm") == pytest.approx([2 / 8, 1 / 2])
    assert boot(found, "net") == pytest.approx([20 * -1 / 12, 20 * 2 / 8])


def test_without_a_core_for_every_prompt_the_prompts_are_the_clusters():
    rows = list(in_cores({"a": (1, 0, 0, 2), "b": (1, 0, 1, 1)}))
    cores = only(rates_of(rows, cores=core_of))
    one_lacks_it = only(rates_of(rows, cores=lambda name: None if name == "b/2" else core_of(name)))
    none_has_it = only(rates_of(rows))
    assert [each["n_clusters"] for each in (cores, one_lacks_it, none_has_it)] == [2, 6, 6]
    pd.testing.assert_series_equal(one_lacks_it, none_has_it)
    assert boot(cores, "rescue") == [1, 1]


def test_a_rate_that_rests_on_one_core_has_no_bootstrap_interval():
    found = only(rates_of(list(in_cores({"a": (2, 2, 1, 3), "b": (0, 0, 1, 5)})), cores=core_of))
    assert all(pd.isna(end) for end in boot(found, "rescue"))
    assert boot(found, "harm") == pytest.approx([1 / 6, 1 / 4])
    assert found["n_clusters"] == 2
    assert np.isfinite(found["rescue_low"])


def test_a_single_core_has_no_bootstrap_interval_at_all():
    found = only(rates_of(list(in_cores({"a": (2, 2, 1, 3)})), cores=core_of))
    assert found["n_clusters"] == 1
    assert all(pd.isna(end) for name in ("rescue", "harm", "net") for end in boot(found, name))


def test_seeds_of_a_prompt_are_one_cluster():
    rows = [factories.baseline("p", BROKEN), factories.baseline("q", BROKEN)]
    rows += [factories.generation(n, FINE, 1.0, seed=s) for n in "pq" for s in range(5)]
    found = only(rates_of(rows))
    assert (found["n"], found["n_clusters"]) == (10, 2)


def test_clusters_of_a_row_are_those_that_have_a_pair_in_it():
    rows = [factories.baseline(name, FINE) for name in "pqr"]
    rows += [factories.generation(name, FINE, 1.0) for name in "pqr"]
    rows += [factories.generation(name, FINE, 2.0) for name in "pq"]
    assert rates_of(rows)["n_clusters"].tolist() == [3, 2]


def test_bootstrap_intervals_agree_with_drawing_cores_one_by_one():
    names = recovery_tables.prompt_names(60, 6)
    rng = np.random.default_rng(2)
    before = rng.random((1, 60)) < 0.4
    after = rng.random((1, 2, 2, 60)) < np.repeat(rng.random(10), 6)
    table = recovery_tables.build(before, after, names, ["L1N2", "L1N3"], [1.0, 2.0])
    found = rates.rates(table, recovery_tables.prompts(names))
    by_core = dict(iter(table.groupby(table["prompt_id"].map(core_of))))
    draws = rng.integers(6, size=(2000, 6))
    for row in found.itertuples():
        counts = {}
        for core, rows in by_core.items():
            own = rows[(rows["target"] == row.target) & (rows["value"] == row.value)]
            start, end = own["baseline_collapsed"], own["collapsed"]
            counts[core] = np.array([
                (start & ~end).sum(), start.sum(), (~start & end).sum(), (~start).sum(), len(own),
            ])  # fmt: skip
        per_core = np.array(list(counts.values()))
        rescued, collapsed, harmed, fine, n = per_core[draws].sum(1).T
        shares = {
            "rescue": rescued / collapsed, "harm": harmed / fine,
            "net": 60 * (rescued - harmed) / n,
        }  # fmt: skip
        for name, drawn in shares.items():
            expected = np.quantile(drawn, [0.025, 0.975])
            width = expected[1] - expected[0]
            ends = [getattr(row, f"{name}_boot_low"), getattr(row, f"{name}_boot_high")]
            assert ends == pytest.approx(expected.tolist(), abs=0.1 * width)


def test_the_cluster_p_is_of_all_flips_of_the_cores_nets():
    names = recovery_tables.prompt_names(40, 5)
    table = recovery_tables.by_chance(6, 3, names, ["L1N2", "L1N3"], [1.0, 2.0])
    found = rates.rates(table, recovery_tables.prompts(names))
    for row in found.itertuples():
        own = table[
            (table["detector"] == row.detector)
            & (table["target"] == row.target)
            & (table["value"] == row.value)
        ]
        nets = dict.fromkeys(map(core_of, names), 0)
        for pair in own.itertuples():
            nets[core_of(pair.prompt_id)] += int(pair.baseline_collapsed) - int(pair.collapsed)
        sums = [
            abs(sum(s * net for s, net in zip(signs, nets.values(), strict=True)))
            for signs in itertools.product([1, -1], repeat=5)
        ]
        assert sum(nets.values()) == row.net
        assert row.cluster_p == sum(each >= abs(row.net) for each in sums) / 32


def test_a_clamp_that_helps_two_cores_only_cannot_be_significant_by_cluster():
    fates = {"a": (9, 0, 0, 3), "b": (9, 0, 0, 3), "c": (0, 3, 0, 9)}
    found = only(rates_of(list(in_cores(fates)), cores=core_of))
    assert found["mcnemar_p"] < 1e-4
    assert found["cluster_p"] == 2 / 2**2


def test_without_cores_and_seeds_the_cluster_p_is_mcnemars():
    rows = list(pairs(5.0, rescued=7, harmed=3, fine=20, broken=4))
    found = only(rates_of(rows))
    assert found["cluster_p"] == pytest.approx(found["mcnemar_p"], abs=1e-12)
    nothing = only(rates_of(pairs(5.0, fine=20, broken=4)))
    assert nothing["cluster_p"] == nothing["cluster_q"] == 1


def test_seeds_of_a_prompt_flip_together():
    rows = [factories.baseline(name, BROKEN) for name in "pq"]
    rows += [factories.generation(n, FINE, 1.0, seed=s) for n in "pq" for s in range(5)]
    found = only(rates_of(rows))
    assert found["mcnemar_p"] == pytest.approx(2 / 2**10)
    assert found["cluster_p"] == 2 / 2**2


def test_the_order_of_the_rows_is_of_no_account_to_rates():
    names = recovery_tables.prompt_names(24, 5)
    rng = np.random.default_rng(3)
    flags = rng.random((2, 24)) < 0.5, rng.random((2, 1, 3, 24)) < 0.5
    table = recovery_tables.build(*flags, names, ["L1N2"], [1.0, 2.0, 3.0])
    prompts = recovery_tables.prompts(names)
    mixed = rates.rates(table.sample(frac=1, random_state=0), prompts[::-1])
    pd.testing.assert_frame_equal(rates.rates(table, prompts), mixed)


def test_a_prompt_that_is_not_among_the_prompts_is_named():
    table = recover([*pairs(1.0, fine=2)])
    with pytest.raises(UserError, match=r"'1\.0:1'") as caught:
        rates.rates(table, prompts_of(table).iloc[:1])
    assert len(str(caught.value).splitlines()) == 1


def test_by_chance_at_most_1_of_20_tables_has_a_significant_clamp():
    # A prompt's baseline is as often collapsed as fine, so that a clamp that flips texts of either
    # kind alike rescues and harms equally many on average.
    rng = np.random.default_rng(4)
    names = recovery_tables.prompt_names(60, 6)
    before = rng.random((200, 60)) < 0.5
    after = before[:, None, None] ^ (rng.random((200, 2, 5, 60)) < 0.4)
    values = [-50.0, -5.0, 0.0, 5.0, 50.0]
    table = recovery_tables.build(before, after, names, ["L1N2", "L1N3"], values)
    found = rates.rates(table, recovery_tables.prompts(names))
    significant = found["mcnemar_q"] < 0.05
    share = significant.groupby(found["detector"]).any().mean()
    assert 0 < share <= stats.binom.ppf(0.99, 200, 0.05) / 200
    uncorrected = (found["mcnemar_p"] < 0.05).groupby(found["detector"]).any().mean()
    assert uncorrected > 2 * stats.binom.ppf(0.99, 200, 0.05) / 200


@pytest.mark.parametrize("n_cores", [8, 12])
def test_where_cores_move_together_only_the_test_over_cores_errs_in_at_most_1_of_20_tables(n_cores):
    names = recovery_tables.prompt_names(96, n_cores)
    values = [float(value) for value in range(13)]
    table = recovery_tables.by_chance(7, 200, names, ["L1N2"], values)
    found = rates.rates(table, recovery_tables.prompts(names))
    tables_with = found.groupby("detector")
    share = {
        name: tables_with[name].apply(lambda each: (each < 0.05).any()).mean()
        for name in ("mcnemar_q", "cluster_q", "cluster_p")
    }
    most = stats.binom.ppf(0.99, 200, 0.05) / 200
    assert share["cluster_q"] <= most < 0.5 < share["mcnemar_q"]
    assert share["cluster_p"] > most  # so that the correction is needed
    assert 0.02 < (found["cluster_p"] < 0.05).mean() <= 0.05


def test_the_test_over_cores_finds_a_clamp_that_mends_every_text():
    names = recovery_tables.prompt_names(96, 12)
    table = recovery_tables.by_chance(8, 40, names, ["L1N2"], [1.0, 7.0, 9.0])
    helps = (table["value"] == 7) & table["collapsed"]
    table.loc[helps, "intervention_harms_baseline"] = False
    table.loc[helps, "collapsed"] = False
    improves = table["baseline_collapsed"] & ~table["collapsed"]
    table["intervention_improves_baseline"] = improves
    found = rates.rates(table, recovery_tables.prompts(names))
    assert (found.loc[found["value"] == 7, "cluster_q"] < 0.05).mean() > 0.8


states = st.lists(
    st.tuples(st.sampled_from("pqrs"), st.sampled_from([-1.0, 0.0, 2.0]), st.booleans()),
    max_size=12,
    unique_by=lambda each: each[:2],
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(states, st.lists(st.booleans(), min_size=4, max_size=4))
def test_rates_agree_with_counting_by_hand(clamped, broken_baselines):
    broken = dict(zip("pqrs", broken_baselines, strict=True))
    rows = [factories.baseline(name, BROKEN if broken[name] else FINE) for name in "pqrs"]
    rows += [factories.generation(name, BROKEN if bad else FINE, v) for name, v, bad in clamped]
    found = rates_of(rows).set_index("value")
    assert set(found.index) == {value for _, value, _ in clamped}
    for value, row in found.iterrows():
        fates = [(broken[name], bad) for name, v, bad in clamped if v == value]
        assert row["n"] == len(fates)
        assert row["n_collapsed_baseline"] == sum(before for before, _ in fates)
        assert row["n_rescued"] == fates.count((True, False))
        assert row["n_harmed"] == fates.count((False, True))
        assert row["n_fine_baseline"] == row["n"] - row["n_collapsed_baseline"]
        assert row["net"] == row["n_rescued"] - row["n_harmed"]
        assert row["mcnemar_p"] <= row["mcnemar_q"] + 1e-12 <= 1 + 1e-9
        assert row["cluster_p"] == pytest.approx(row["mcnemar_p"], abs=1e-12)
        assert row["n_clusters"] == len(fates)
        if np.isfinite(row["rescue_rate"]):
            assert row["rescue_low"] <= row["rescue_rate"] <= row["rescue_high"]
        if len(fates) > 1:
            assert row["net_boot_low"] <= row["net"] <= row["net_boot_high"]
