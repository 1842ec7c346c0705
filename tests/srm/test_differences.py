"""Differences of pairs, and their permutation test: against enumeration of all permutations."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from scipy import stats

from clampsweep.studies.srm import differences
from clampsweep.studies.srm.plane import Srm
from clampsweep.studies.srm.texts import basis_of, orthonormal, select
from clampsweep.texts.gather import VECTORS
from clampsweep.texts.promptset import PROMPTS
from factories import frame, prompt
from srm_tables import (
    BASES,
    NEURONS,
    at,
    brute_points,
    curve,
    grid,
    names,
    pair,
    scattered,
    see,
    text,
)


@pytest.mark.parametrize("basis", BASES.values(), ids=BASES.keys())
def test_the_distance_of_two_groups_is_the_largest_difference_of_their_curves(basis):
    found = see(scattered(), basis=basis)
    one, other = (curve(found, "type", name) for name in ("declarative", "rhetorical"))
    gaps = one["value"].to_numpy(float) - other["value"].to_numpy(float)
    row = pair(found, "declarative", "rhetorical")
    nearest = math.cos(math.radians(2.5))  # angles are 5 degrees apart
    assert nearest * row["distance"] - 1e-9 <= np.abs(gaps).max() <= row["distance"] + 1e-9
    theta = np.radians(np.arange(72) * 5)
    assert gaps == pytest.approx(row["distance"] * np.cos(theta - math.radians(row["angle"])))


def exact_p(points, labels, orders):
    """Share of all ways to deal out labels whose grey vectors are at least as far apart."""

    def distance(some):
        a = [p for p, label in zip(points, some, strict=True) if label]
        b = [p for p, label in zip(points, some, strict=True) if not label]
        return math.dist(np.mean(a, axis=0), np.mean(b, axis=0))

    lengths = [distance(order) for order in orders]
    return np.mean([length >= distance(labels) - 1e-9 for length in lengths])


def close_to(p, n=2000):
    """What a p value of n random draws may be: four standard errors around the exact one."""
    return pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / n) + 2 / n)


def test_types_are_exchanged_within_their_core():
    people = names(cores="ab", levels=(1, 2))  # in each core two of either type
    rng = np.random.default_rng(8)
    where = {"a": 0, "b": 120}  # far apart, which is no difference of types
    rows = [
        text(n, np.array(at(where[n[0]] + 20 * ("rhet" in n))) + 0.1 * rng.normal(size=5))
        for n in people
    ]
    rows.append(text(people[0], np.ones(5), 1.0))
    points = brute_points(rows[:-1], NEURONS)
    labels = ["declarative" in name for name in people]
    within = list(itertools.combinations(range(4), 2))
    orders = [
        [i in first for i in range(4)] + [i in second for i in range(4)]
        for first in within
        for second in within
    ]
    row = pair(see(rows), "declarative", "rhetorical")
    assert row["p"] == close_to(exact_p(points, labels, orders))
    assert row["q"] == row["p"]  # one pair


def test_whole_cores_are_exchanged_if_none_has_both_types():
    people = [
        f"{core}/{'wild' if core in 'abc' else 'tame'}/{i}" for core in "abcdef" for i in (1, 2)
    ]
    rng = np.random.default_rng(12)
    middles = {core: rng.normal(size=7) for core in "abcdef"}
    rows = [text(name, middles[name[0]] + 0.1 * rng.normal(size=7)) for name in people]
    rows.append(text(people[0], np.ones(7), 1.0))
    points = brute_points(rows[:-1], NEURONS)
    orders = [[name[0] in some for name in people] for some in itertools.combinations("abcdef", 3)]
    row = pair(see(rows), "wild", "tame")
    assert row["p"] == close_to(exact_p(points, ["wild" in name for name in people], orders))


def test_cores_are_exchanged_among_all_their_prompts():
    people = names(cores="ab", types=["declarative"], levels=(1, 2, 3, 4))
    rows = scattered(seed=4, values=(None,), prompts=people)
    rows.append(text(people[0], np.ones(7), 1.0))
    points = brute_points(rows[:-1], NEURONS)
    orders = [[i in some for i in range(8)] for some in itertools.combinations(range(8), 4)]
    row = pair(see(rows, group_by=("core",)), "a", "b", "core")
    assert row["p"] == close_to(exact_p(points, [name[0] == "a" for name in people], orders))


@pytest.mark.parametrize("cores", ["", "aaab"])
def test_types_are_exchanged_among_all_prompts_if_some_have_no_core(cores):
    people = [f"p{i}" for i in range(8)]
    known = frame(
        [
            prompt(n, n, type="odd" if i % 2 else "even", core=core)
            for i, (n, core) in enumerate(itertools.zip_longest(people, cores))
        ],
        PROMPTS,
    )
    rows = scattered(seed=6, values=(None,), prompts=people)
    points = brute_points(rows, NEURONS)
    rows.append(text("p0", np.ones(7), 1.0))
    orders = [[i in some for i in range(8)] for some in itertools.combinations(range(8), 4)]
    row = pair(see(rows, known), "even", "odd")
    assert row["p"] == close_to(exact_p(points, [i % 2 == 0 for i in range(8)], orders))


def test_a_clamp_is_exchanged_with_the_baseline_of_its_prompt():
    people = names(cores="ab", levels=(1, 2))
    rows = scattered(seed=1, values=(None, 5.0), prompts=people)
    points = brute_points(rows, NEURONS)
    labels = [row["value"] is not None for row in rows]
    orders = [
        [label != flip for label, flip in zip(labels, np.repeat(flips, 2), strict=True)]
        for flips in itertools.product([False, True], repeat=len(people))
    ]
    row = pair(see(rows, group_by=("clamp",)), "L1N0 set 5", "baseline", "clamp")
    assert row["p"] == close_to(exact_p(points, labels, orders))


@pytest.mark.parametrize("turn", range(5))
def test_few_prompts_allow_no_small_p(turn):
    # Three prompts: of the 8 ways to swap, two (all or none) set the texts furthest apart, and
    # equally so but for rounding.
    rows = [text(f"{c}/d/1", at(angle + turn)) for c, angle in zip("abc", (0, 9, 23), strict=True)]
    rows += [text(f"{c}/d/1", at(170 + turn), 5.0) for c in "abc"]
    row = pair(see(rows, group_by=("clamp",)), "L1N0 set 5", "baseline", "clamp")
    assert row["p"] == row["least_p"] == close_to(2 / 8)
    assert row["low"] <= row["expected"]
    many = pair(see(scattered(), group_by=("clamp",)), "L1N0 set 5", "baseline", "clamp")
    assert many["least_p"] < 0.003
    assert many["low"] < many["distance"] and many["expected"] < many["critical"]
    # Below the 95 % quantile of chance p is not below 0.05, and the lower bound not above chance.
    assert (many["low"] > many["expected"]) == (many["distance"] > many["critical"])
    assert (many["low"] > many["expected"]) == (many["p"] < 0.05)


def test_a_planted_difference_is_found_and_the_others_are_not():
    rng = np.random.default_rng(0)
    types = ("declarative", "rhetorical", "authoritative")
    people = names(cores="abcdefgh", types=types, levels=(1, 2, 3))
    rows = []
    for name in people:
        vector = at(45, 3.0) + rng.normal(size=5)
        rows.append(text(name, vector + (np.array(at(135, 2.0)) if "rhet" in name else 0)))
    rows += [text(name, np.array(at(45, 3.0)) + rng.normal(size=5), 1.0) for name in people]
    found = see(rows, group_by=("type", "level"))
    sure = found.differences[found.differences["q"] < 0.05]
    assert sure[["factor", "group_a", "group_b"]].to_numpy().tolist() == [
        ["type", "declarative", "rhetorical"],
        ["type", "rhetorical", "authoritative"],
    ]
    assert sure["p"].tolist() == [1 / 2001] * 2
    assert (sure["distance"] > sure["critical"]).all()
    angle = pair(found, "rhetorical", "authoritative")["angle"]
    assert abs(angle - 135) < 20


NULL_SETS = {
    "types, plane of neurons": {},
    "types, plane of the same types": {"basis": BASES["types"]},
    "types, plane of one of the types and a core": {
        "basis": ({"type": "declarative"}, {"core": "b"})
    },
    "cores, plane of the same cores": {
        "basis": ({"core": "a"}, {"core": "b"}), "factor": "core"
    },
    "clamp, plane of types": {"basis": BASES["types"], "factor": "clamp"},
}  # fmt: skip


@pytest.mark.parametrize("arguments", NULL_SETS.values(), ids=NULL_SETS.keys())
def test_groups_that_do_not_differ_have_the_p_values_of_chance(monkeypatch, arguments):
    monkeypatch.setattr(differences, "N_PERMUTATIONS", 199)
    basis, factor = arguments.get("basis", NEURONS), arguments.get("factor", "type")
    srm = Srm("c.yaml: sweeps.s.srm", basis, (factor,), (0.3,))
    people = names(cores="abc")
    rows = scattered(0, 12, (None, 5.0), people)
    texts = select(frame(rows, VECTORS), grid(people), srm)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        vectors = rng.normal(size=11) + rng.normal(size=texts.vectors.shape)
        drawn = dataclasses.replace(texts, vectors=vectors)
        points = drawn.unit_vectors @ orthonormal(basis_of(drawn, srm))
        found.append(differences.differences_of(drawn, points, factor, srm)["p"].iloc[0])
    found = np.array(found)
    for level in (0.05, 0.2, 0.5):
        low, high = stats.binom.ppf([0.0005, 0.9995], 200, level)
        assert low <= (found <= level).sum() <= high, (level, found)


def test_a_plane_made_of_the_labels_is_made_anew_for_each_permutation():
    # Brute force: deal out the types within each core, and build the plane of what they then are.
    people = names(cores="ab", levels=(1, 2))
    rows = scattered(seed=21, n_neurons=9, values=(None,), prompts=people)
    within = list(itertools.combinations(range(4), 2))
    lengths = []
    for first, second in itertools.product(within, within):
        marked = [i in first for i in range(4)] + [i in second for i in range(4)]
        dealt = [
            {**row, "prompt_id": f"{row['prompt_id'][0]}/{'x' if mark else 'y'}/{i}"}
            for i, (row, mark) in enumerate(zip(rows, marked, strict=True))
        ]
        points = np.array(brute_points(dealt, ({"type": "x"}, {"type": "y"})))
        mark = np.array(marked)
        lengths.append(math.dist(points[mark].mean(0), points[~mark].mean(0)))
    own = pair(
        see([*rows, text(people[0], np.ones(9), 1.0)], basis=BASES["types"]),
        "declarative", "rhetorical",
    )  # fmt: skip
    exact = np.mean([length >= own["distance"] - 1e-6 for length in lengths])
    assert own["p"] == close_to(exact)
    assert min(lengths) <= own["critical"] <= max(lengths) + 1e-6


def test_a_group_outside_the_pair_keeps_its_part_in_the_plane():
    types = ("declarative", "rhetorical", "authoritative")
    people = names(cores="a", types=types, levels=(1, 2, 3))
    rows = scattered(seed=2, n_neurons=9, values=(None,), prompts=people)
    exchanged = [i for i, name in enumerate(people) if "rhet" not in name]
    lengths = {}
    for chosen in itertools.combinations(exchanged, 3):
        dealt = [
            {**row, "prompt_id": f"a/{'x' if i in chosen else 'y' if i in exchanged else 'z'}/{i}"}
            for i, row in enumerate(rows)
        ]
        points = np.array(brute_points(dealt, ({"type": "x"}, {"type": "z"})))
        others = [i for i in exchanged if i not in chosen]
        lengths[chosen] = math.dist(points[list(chosen)].mean(0), points[others].mean(0))
    own = pair(
        see([*rows, text(people[0], np.ones(9), 1.0)], basis=BASES["types"]),
        "declarative", "authoritative",
    )  # fmt: skip
    observed = lengths[tuple(i for i, name in enumerate(people) if "decl" in name)]
    assert own["distance"] == pytest.approx(observed, rel=1e-6)
    assert own["p"] == close_to(np.mean([x >= observed - 1e-9 for x in lengths.values()]))
    assert any(own["critical"] == pytest.approx(x, rel=1e-6) for x in lengths.values())


@pytest.mark.parametrize("seed", range(3, 7))
def test_a_plane_made_of_baselines_is_made_anew_where_clamps_take_their_place(seed):
    people = names(cores="ab", levels=(1,))
    rows = scattered(seed=seed, n_neurons=9, values=(None, 5.0), prompts=people)
    lengths = []
    for flips in itertools.product([False, True], repeat=len(people)):
        acting = [
            {**row, "operation": "none" if (row["value"] is None) != flip else "set"}
            for row, flip in zip(rows, np.repeat(flips, 2), strict=True)
        ]
        points = np.array(brute_points(acting, BASES["types"]))
        bare = np.array([row["operation"] == "none" for row in acting])
        lengths.append(math.dist(points[bare].mean(0), points[~bare].mean(0)))
    own = pair(
        see(rows, basis=BASES["types"], group_by=("clamp",)), "L1N0 set 5", "baseline", "clamp"
    )
    assert own["distance"] == pytest.approx(lengths[0])
    assert own["p"] == close_to(np.mean([length >= lengths[0] - 1e-9 for length in lengths]))
    assert any(own["critical"] == pytest.approx(length, rel=1e-6) for length in lengths)


def test_q_values_are_of_the_pairs_of_one_factor():
    found = see(scattered(), group_by=("type", "level", "core"))
    for factor, n_pairs in (("type", 1), ("level", 3), ("core", 6)):
        rows = found.differences[found.differences["factor"] == factor]
        assert len(rows) == n_pairs
        expected = stats.false_discovery_control(rows["p"].to_numpy(dtype=float))
        assert rows["q"].tolist() == pytest.approx(expected.tolist())


def test_each_clamp_is_compared_with_the_baseline_alone():
    found = see(scattered(values=(None, -5.0, 0.5, 5.0)), group_by=("clamp",))
    assert found.differences[["group_a", "group_b"]].to_numpy().tolist() == [
        [f"L1N0 set {value}", "baseline"] for value in ("-5", "0.5", "5")
    ]
    assert found.groups["group"].tolist() == ["baseline", "baseline"] + [
        f"L1N0 set {value}" for value in ("-5", "0.5", "5")
    ]


def test_a_clamp_meets_the_baseline_on_prompts_that_have_both():
    rows = [
        text("a/d/1", at(0)), text("b/d/1", at(0)), text("c/d/1", at(90)), text("e/d/1", at(90)),
        text("a/d/1", at(0), 5.0), text("b/d/1", at(0), 5.0), text("c/d/1", None, 5.0),
    ]  # fmt: skip
    row = pair(see(rows, group_by=("clamp",)), "L1N0 set 5", "baseline", "clamp")
    assert (row["n_a"], row["n_b"]) == (2, 2)
    assert row["distance"] == pytest.approx(0, abs=1e-9)
    assert row["p"] == 1


def test_seeds_of_a_prompt_move_together():
    # Two prompts of each type, forty seeds: were seeds taken for prompts, p would be tiny.
    rng = np.random.default_rng(7)
    middles = {"a/x/1": 0, "b/y/1": 60, "c/x/1": 20, "d/y/1": 80}
    rows = [text(n, np.array(at(m)) + 0.01 * rng.normal(size=5), seed=s)
            for n, m in middles.items() for s in range(40)]  # fmt: skip
    known = frame([prompt(n, n, type=n[2]) for n in middles], PROMPTS)
    row = pair(see([*rows, text("a/x/1", at(0), 1.0, seed=0)], known), "x", "y")
    assert (row["n_a"], row["n_b"]) == (80, 80)
    assert row["p"] == close_to(2 / 6)


def test_a_greedy_baseline_meets_all_seeds_of_its_prompt():
    rows = [text(f"{c}/d/1", at(0)) for c in "abc"]
    rows += [
        text(f"{c}/d/1", at(30 * s), operation="resample", seed=s) for c in "abc" for s in (0, 2)
    ]
    row = pair(see(rows, group_by=("clamp",)), "L1N0 resample", "baseline", "clamp")
    assert (row["n_a"], row["n_b"]) == (6, 3)
    assert row["distance"] == pytest.approx(math.dist((0.75, math.sqrt(3) / 4), (1, 0)))


def test_clamps_are_told_apart_by_target():
    rows = scattered(values=(None,))
    rows += [text(n, np.ones(7) + i, 1.0, target=t) for t in ("L1N0", "L1N4+L0N1")
             for i, n in enumerate(names())]  # fmt: skip
    found = see(rows, group_by=("clamp",))
    assert list(found.differences["group_a"]) == ["L1N0 set 1", "L1N4+L0N1 set 1"]
