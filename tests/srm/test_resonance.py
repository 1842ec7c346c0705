"""Spotlight resonance: against loops, enumeration, formulas, and numbers worked out by hand."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.srm import differences
from clampsweep.studies.srm.curves import SRM_CURVES, SRM_GROUPS
from clampsweep.studies.srm.differences import SRM_DIFFERENCES
from clampsweep.studies.srm.plane import Srm
from clampsweep.studies.srm.texts import basis_of, orthonormal, select
from clampsweep.texts.gather import VECTORS
from clampsweep.texts.promptset import PROMPTS
from factories import frame, prompt
from srm_tables import NEURONS, at, grid, names, scattered, see, text


def group(found, factor, name):
    rows = found.groups[(found.groups["factor"] == factor) & (found.groups["group"] == name)]
    assert len(rows) == 1
    return rows.iloc[0]


def curve(found, factor, name, kind="mean", threshold=None):
    rows = found.curves[(found.curves["factor"] == factor) & (found.curves["group"] == name)]
    rows = rows[rows["curve"] == kind]
    rows = rows[rows["threshold"].isna() if threshold is None else rows["threshold"] == threshold]
    assert rows["angle"].tolist() == [5.0 * step for step in range(72)]
    return rows


def pair(found, a, b, factor="type"):
    rows = found.differences[found.differences["factor"] == factor]
    rows = rows[(rows["group_a"] == a) & (rows["group_b"] == b)]
    assert len(rows) == 1
    return rows.iloc[0]


def same(one, other):
    for name in ("groups", "curves", "differences"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


# ---- numbers by hand


def three():
    """Unit vectors without neuron 0: (0.6, 0.8, 0), (1, 0, 0) and (0, 0, 1)."""
    vectors = ([7, 3, 4, 0], [9, 5, 0, 0], [-5, 0, 0, 2])
    rows = [text(f"{core}/declarative/1", v) for core, v in zip("abc", vectors, strict=True)]
    return see([*rows, text("a/declarative/1", [1, 2, 3, 4], 1.0)], thresholds=(0.5, 0.8))


def test_three_vectors_by_hand_point_where_they_should():
    row = group(three(), "type", "declarative")
    assert (row["n"], row["n_left_out"]) == (3, 0)
    assert row["r"] == pytest.approx(math.sqrt(1.6**2 + 0.8**2) / 3)
    assert row["angle"] == pytest.approx(26.565051)  # atan(0.8 / 1.6)
    assert row["mean_power"] == pytest.approx((1 + 1 + 0) / 3)
    assert row["expected_power"] == pytest.approx(2 / 3)


def test_three_vectors_by_hand_have_these_curves():
    found = three()
    mean = curve(found, "type", "declarative").set_index("angle")["value"]
    assert mean[[0.0, 90.0, 180.0, 270.0]].tolist() == pytest.approx(
        [1.6 / 3, 0.8 / 3, -1.6 / 3, -0.8 / 3]
    )
    # Projections at 0 degrees: 0.6, 1, 0; at 90: 0.8, 0, 0; at 180 and 270 their negatives.
    for kind, threshold, expected in (
        ("count", 0.5, [2, 1, 0, 0]),
        ("signed_count", 0.5, [2, 1, -2, -1]),
        ("count", 0.8, [1, 1, 0, 0]),
        ("signed_count", 0.8, [1, 1, -1, -1]),
    ):
        values = curve(found, "type", "declarative", kind, threshold).set_index("angle")["value"]
        assert values[[0.0, 90.0, 180.0, 270.0]].round().tolist() == expected


# ---- against loops


def brute_plane(basis, rows, kept):
    """Two orthonormal vectors, by Gram and Schmidt, in plain loops."""
    if isinstance(basis[0], str):
        ends = [[float(neuron == int(name[3:])) for neuron in kept] for name in basis]
    else:
        ends = []
        for criteria in basis:
            chosen = []
            for row in rows:
                core, kind, level = row["prompt_id"].split("/")
                own = {"core": core, "type": kind, "level": int(level)}
                if row["operation"] == "none" and all(own[k] == v for k, v in criteria.items()):
                    chosen.append([float(row["vector"][neuron]) for neuron in kept])
            ends.append([sum(column) / len(chosen) for column in zip(*chosen, strict=True)])
    first, second = ends
    size = math.sqrt(sum(x * x for x in first))
    one = [x / size for x in first]
    along = sum(x * y for x, y in zip(one, second, strict=True))
    rest = [y - along * x for x, y in zip(one, second, strict=True)]
    size = math.sqrt(sum(x * x for x in rest))
    return one, [x / size for x in rest]


def brute_points(rows, basis, changed=(0,)):
    kept = [neuron for neuron in range(len(rows[0]["vector"])) if neuron not in changed]
    one, other = brute_plane(basis, rows, kept)
    points = []
    for row in rows:
        vector = [float(row["vector"][neuron]) for neuron in kept]
        size = math.sqrt(sum(x * x for x in vector))
        points.append(
            [sum(x / size * y for x, y in zip(vector, e, strict=True)) for e in (one, other)]
        )
    return points


BASES = {
    "neurons": NEURONS,
    "neurons, the other way round": NEURONS[::-1],
    "types": ({"type": "declarative"}, {"type": "rhetorical"}),
    "prompts of a core and a level": ({"core": "a", "level": 1}, {"core": "b", "level": 3}),
}


@pytest.mark.parametrize("basis", BASES.values(), ids=BASES.keys())
def test_every_curve_is_what_loops_over_angles_and_vectors_give(basis):
    rows = scattered()
    found = see(
        rows, basis=basis, group_by=("type", "level", "core", "clamp"), thresholds=(0.2, 0.4)
    )
    points = brute_points(rows, basis)
    checked = 0
    for factor, name in found.groups[["factor", "group"]].itertuples(index=False, name=None):
        own = []
        for row, (x, y) in zip(rows, points, strict=True):
            parts = dict(zip(("core", "type", "level"), row["prompt_id"].split("/"), strict=True))
            clamp = "baseline" if row["value"] is None else f"L1N0 set {row['value']:g}"
            parts |= {"clamp": clamp, "all": "baseline"}
            if parts[factor] == name and (factor == "clamp" or clamp == "baseline"):
                own.append((x, y))
        for kind, threshold in (
            ("mean", None), ("count", 0.2), ("signed_count", 0.2), ("count", 0.4),
            ("signed_count", 0.4),
        ):  # fmt: skip
            expected = []
            for step in range(72):
                angle = math.radians(5 * step)
                scores = [x * math.cos(angle) + y * math.sin(angle) for x, y in own]
                above = sum(score >= (threshold or 0) for score in scores)
                below = sum(score <= -(threshold or 0) for score in scores)
                mean = sum(scores) / len(scores)
                expected.append({"mean": mean, "count": above, "signed_count": above - below}[kind])
            drawn = curve(found, factor, name, kind, threshold)["value"].astype(float)
            assert drawn.tolist() == pytest.approx(expected, abs=1e-6)
            checked += 1
        row = group(found, factor, name)
        assert row["n"] == len(own)
        assert row["mean_power"] == pytest.approx(sum(x * x + y * y for x, y in own) / len(own))
    assert checked == 5 * (1 + 2 + 3 + 4 + 3)


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


def test_random_directions_have_the_power_of_a_random_plane():
    rng = np.random.default_rng(3)
    people = [f"{core}/declarative/{level}" for core in "abcdefgh" for level in range(100)]
    rows = [text(name, rng.normal(size=41)) for name in people]
    row = group(see([*rows, text(people[0], rng.normal(size=41), 1.0)]), "all", "baseline")
    assert row["expected_power"] == 2 / 40
    assert row["mean_power"] == pytest.approx(2 / 40, rel=0.12)  # its SE is 3.5 % of that
    assert row["power_low"] < 2 / 40 < row["power_high"]


def test_what_a_changed_neuron_does_has_no_influence():
    rows = scattered()
    wild = [{**row, "vector": row["vector"].copy()} for row in rows]
    for number, row in enumerate(wild):
        row["vector"][0] = (-1) ** number * 10.0 ** (number % 6)
    arguments = {"group_by": ("type", "level", "core", "clamp")}
    same(see(rows, **arguments), see(wild, **arguments))
    types = BASES["types"]
    same(see(rows, basis=types, **arguments), see(wild, basis=types, **arguments))


def test_every_neuron_of_the_layer_that_any_target_changes_is_left_out():
    rows = scattered()
    name = rows[0]["prompt_id"]
    rows += [text(name, rows[0]["vector"], 1.0, target="L1N4"),
             text(name, rows[0]["vector"], 1.0, target="L0N6+L1N5")]  # fmt: skip
    assert set(see(rows).groups["expected_power"]) == {2 / (7 - 3)}


@pytest.mark.parametrize("turn", [30.0, 145.0, 300.0])
def test_turning_the_basis_within_the_plane_turns_angles_and_leaves_lengths(turn):
    rows = scattered(values=(None, 1.0))
    ends = {"p": at(0), "q": at(90), "s": at(turn), "t": at(turn + 90)}
    rows += [text(f"{core}/marks/9", [*v, 0.0, 0.0]) for core, v in ends.items()]
    straight = see(rows, basis=({"core": "p"}, {"core": "q"}))
    turned = see(rows, basis=({"core": "s"}, {"core": "t"}))
    for name in ("r", "r_low", "r_high", "mean_power", "power_low", "power_high", "stability"):
        one, other = (found.groups[name].astype(float) for found in (straight, turned))
        assert one.tolist() == pytest.approx(other.tolist(), rel=1e-5, abs=1e-6)
    shift = (straight.groups["angle"] - turned.groups["angle"] - turn).astype(float)
    assert np.cos(np.radians(shift)).tolist() == pytest.approx([1.0] * len(shift))


def test_orthonormal_vectors_keep_the_first_direction_and_the_seconds_side():
    basis = np.array([[-3.0, 1.0], [0.0, -2.0], [4.0, 5.0]])
    found = orthonormal(basis)
    assert found.T @ found == pytest.approx(np.eye(2))
    assert found[:, 0] == pytest.approx([-0.6, 0, 0.8])
    assert found[:, 1] @ basis[:, 1] > 0
    assert np.linalg.matrix_rank(np.c_[found, basis]) == 2


# ---- how sure


def brute_ends(clusters, pick, n_draws=4000):
    """95 % interval of a statistic of the points of clusters drawn with replacement."""
    rng = np.random.default_rng(99)
    drawn = []
    for _ in range(n_draws):
        chosen = rng.integers(len(clusters), size=len(clusters))
        drawn.append(pick([point for cluster in chosen for point in clusters[cluster]]))
    return np.quantile(drawn, [0.025, 0.975])


@pytest.mark.parametrize("n_cores", [3, 4, 6])
def test_bands_redraw_whole_cores_if_there_are_four_or_more(n_cores):
    rng = np.random.default_rng(5)
    people = names(cores="abcdef"[:n_cores], types=["declarative"], levels=range(1, 9))
    middles = {core: rng.normal(size=6) for core in "abcdef"}
    rows = [text(n, middles[n[0]] + 0.2 * rng.normal(size=6)) for n in people]
    rows.append(text(people[0], np.ones(6), 1.0))
    found = see(rows)
    points = dict(zip(people, brute_points(rows, NEURONS), strict=False))
    whole = [[points[n] for n in people if n[0] == core] for core in "abcdef"[:n_cores]]
    clusters = whole if n_cores >= 4 else [[points[n]] for n in people]
    row = group(found, "type", "declarative")
    assert row["n_clusters"] == len(clusters)
    low, high = brute_ends(clusters, lambda some: sum(x for x, _ in some) / len(some))
    drawn = curve(found, "type", "declarative").set_index("angle")
    assert drawn.loc[0.0, ["low", "high"]].tolist() == pytest.approx([low, high], abs=0.03)
    peak = [math.cos(math.radians(row["angle"])), math.sin(math.radians(row["angle"]))]
    ends = brute_ends(clusters, lambda some: np.mean(some, axis=0) @ peak)
    assert [row["r_low"], row["r_high"]] == pytest.approx(ends, abs=0.03)
    power = brute_ends(clusters, lambda some: np.mean([x * x + y * y for x, y in some]))
    assert [row["power_low"], row["power_high"]] == pytest.approx(power, abs=0.03)
    count = brute_ends(clusters, lambda some: sum(y >= 0.3 for _, y in some))
    drawn = curve(found, "type", "declarative", "count", 0.3).set_index("angle")
    assert drawn.loc[90.0, ["low", "high"]].tolist() == pytest.approx(count, abs=1.01)


def test_bands_redraw_prompts_if_some_have_no_core():
    people = names(cores="abcde", types=["declarative"], levels=(1, 2))
    rows = scattered(prompts=people)
    known = grid(people)
    assert group(see(rows, known), "all", "baseline")["n_clusters"] == 5
    some = known.assign(core=known["core"].where(known["core"] != "e", None))
    assert group(see(rows, some), "all", "baseline")["n_clusters"] == 10


def test_the_same_input_gives_the_same_tables():
    arguments = {"group_by": ("type", "clamp"), "basis": BASES["types"]}
    same(see(scattered(), **arguments), see(scattered(), **arguments))


@pytest.mark.parametrize(
    ("angles", "stability"),
    [((20, 20, 20, 20), 1.0), ((10, 190), -1.0), ((0, 90), 0.0), ((0, 60), 0.5)],
)
def test_stability_is_the_cosine_of_two_halves(angles, stability):
    rows = [text(f"a/declarative/{i}", at(angle)) for i, angle in enumerate(angles)]
    found = see([*rows, text("a/declarative/0", at(0), 1.0)])
    assert group(found, "type", "declarative")["stability"] == pytest.approx(stability, abs=1e-6)


def test_noise_is_not_stable_and_a_common_direction_is():
    rng = np.random.default_rng(2)
    people = names(cores="abcdefgh")
    noise = [text(name, rng.normal(size=9)) for name in people]
    clear = [text(name, np.eye(9)[1] * 3 + rng.normal(size=9)) for name in people]
    clamped = [text(people[0], rng.normal(size=9), 1.0)]
    assert abs(group(see(noise + clamped), "all", "baseline")["stability"]) < 0.75
    assert group(see(clear + clamped), "all", "baseline")["stability"] > 0.95


# ---- the permutation test


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
    many = pair(see(scattered(), group_by=("clamp",)), "L1N0 set 5", "baseline", "clamp")
    assert many["least_p"] < 0.003


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


# ---- blank texts, small groups, seeds, layers


def test_texts_without_a_vector_are_left_out_and_counted():
    rows = scattered()
    blank = {("a/declarative/1", None), ("b/declarative/2", None), ("a/declarative/1", 5.0)}
    rows = [{**r, "vector": None} if (r["prompt_id"], r["value"]) in blank else r for r in rows]
    found = see(rows, group_by=("type", "level", "clamp"))
    counts = found.groups.set_index(["factor", "group"])[["n", "n_left_out"]]
    assert counts.loc[("all", "baseline")].tolist() == [22, 2]
    assert counts.loc[("type", "declarative")].tolist() == [10, 2]
    assert counts.loc[("type", "rhetorical")].tolist() == [12, 0]
    assert counts.loc[("level", "1")].tolist() == [7, 1]
    assert counts.loc[("clamp", "L1N0 set 5")].tolist() == [23, 1]
    kept = [r for r in rows if r["vector"] is not None]
    pd.testing.assert_series_equal(see(kept).groups["r"], see(rows).groups["r"])


def test_a_vector_of_zeros_where_it_counts_has_no_direction_and_is_left_out():
    rows = [*scattered(), text("z/declarative/1", [3.0, 0, 0, 0, 0, 0, 0])]
    row = group(see(rows), "type", "declarative")
    assert (row["n"], row["n_left_out"]) == (12, 1)


def test_a_clamp_meets_the_baseline_on_prompts_that_have_both():
    rows = [
        text("a/d/1", at(0)), text("b/d/1", at(0)), text("c/d/1", at(90)), text("e/d/1", at(90)),
        text("a/d/1", at(0), 5.0), text("b/d/1", at(0), 5.0), text("c/d/1", None, 5.0),
    ]  # fmt: skip
    row = pair(see(rows, group_by=("clamp",)), "L1N0 set 5", "baseline", "clamp")
    assert (row["n_a"], row["n_b"]) == (2, 2)
    assert row["distance"] == pytest.approx(0, abs=1e-9)
    assert row["p"] == 1


def test_a_group_of_fewer_than_two_prompts_has_no_numbers():
    rows = [r for r in scattered() if "rhetorical" not in r["prompt_id"]]
    rows += [text("a/rhetorical/1", np.ones(7)), text("b/rhetorical/1", None)]
    rows += [text("c/authoritative/1", None)]
    found = see(rows)
    for name, n, blank in (("rhetorical", 1, 1), ("authoritative", 0, 1)):
        row = group(found, "type", name)
        assert (row["n"], row["n_left_out"], row["n_clusters"]) == (n, blank, 0)
        assert row[["r", "r_low", "angle", "stability", "mean_power"]].isna().all()
        assert not len(found.curves[found.curves["group"] == name])
        numbers = pair(found, "declarative", name)[["distance", "angle", "critical", "p", "q"]]
        assert numbers.isna().all()
    assert set(found.curves["group"]) == {"baseline", "declarative"}


def test_each_prompt_counts_once_whatever_its_number_of_seeds():
    once = [text("a/d/1", at(0)), text("b/d/1", at(90)), text("c/d/1", at(45))]
    seeds = [text("a/d/1", at(0), seed=s) for s in range(3)]
    seeds += [text("b/d/1", at(90), seed=0), text("c/d/1", at(45), seed=0)]
    clamped = [text("a/d/1", at(0), 1.0, seed=0)]
    one, other = (group(see(rows + clamped), "type", "d") for rows in (once, seeds))
    assert (one["n"], other["n"]) == (3, 5)
    for name in ("r", "r_low", "r_high", "angle", "mean_power", "stability"):
        assert one[name] == pytest.approx(other[name])
    assert other["n_clusters"] == 3


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


def test_neurons_of_the_basis_say_which_layer_is_looked_at():
    rows = scattered()
    other = [text(r["prompt_id"], r["vector"] * 0 + 1, r["value"], target="L0N3", layer=0)
             for r in rows]  # fmt: skip
    for row in other:
        row["key"] += "0"
    arguments = {"group_by": ("type", "clamp"), "basis": NEURONS}
    same(see(rows, **arguments), see(rows + other, **arguments))


def test_levels_come_in_order_and_other_groups_as_the_prompts_have_them():
    people = ["z/rhetorical/10", "z/declarative/2", "a/rhetorical/1", "a/declarative/10"]
    rows = scattered(values=(None, 1.0), prompts=people)
    found = see(rows, group_by=("level", "core", "type"))
    assert found.groups["group"].tolist() == [
        "baseline", "1", "2", "10", "z", "a", "rhetorical", "declarative",
    ]  # fmt: skip


def test_the_tables_can_be_written_and_read_back(tmp_path):
    rows = [*scattered(), text("e/alone/1", np.ones(7))]
    found = see(rows, group_by=("type", "level", "core", "clamp"), thresholds=(0.3, 0.5))
    schemas = {"groups": SRM_GROUPS, "curves": SRM_CURVES, "differences": SRM_DIFFERENCES}
    for name, schema in schemas.items():
        tables.write(getattr(found, name), tmp_path / name, schema, {})
        back = tables.read(tmp_path / name, schema)
        pd.testing.assert_frame_equal(back, getattr(found, name), check_dtype=False)


# ---- faults


def refused(rows, **arguments):
    with pytest.raises(UserError) as caught:
        see(rows, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("c.yaml: sweeps.s.srm")
    return message


def test_a_basis_neuron_that_turned_out_to_be_changed_is_refused():
    rows = [*scattered(), text("a/declarative/1", np.ones(7), 1.0, target="L1N2")]
    assert ".basis[1]: 'L1N2' is changed by the sweep" in refused(rows)


def test_a_basis_neuron_of_a_layer_without_vectors_is_refused():
    message = refused(scattered(), basis=("L2N1", "L2N2"))
    assert ".basis[0]: 'L2N1' is in layer 2" in message and "layer 1" in message


def test_groups_of_prompts_as_a_basis_need_one_layer():
    rows = [*scattered(), text("a/declarative/1", np.ones(7), 1.0, target="L0N1", layer=0)]
    assert "layers 0, 1" in refused(rows, basis=BASES["types"])


def test_nearly_parallel_basis_vectors_are_refused_and_others_are_not():
    def rows(angle):
        ends = [text("a/x/1", at(20)), text("b/y/1", at(20 + angle))]
        return [*ends, text("a/x/1", at(0), 1.0)]

    basis = ({"type": "x"}, {"type": "y"})
    for angle in (0.0, 0.9, 179.5):
        assert "degrees from parallel" in refused(rows(angle), basis=basis)
    for angle in (1.1, 90.0, 178.5):
        assert group(see(rows(angle), basis=basis), "all", "baseline")["mean_power"] > 0.99


def test_a_basis_group_without_a_baseline_vector_is_refused():
    rows = [{**r, "vector": None} if "rhet" in r["prompt_id"] else r for r in scattered()]
    message = refused(rows, basis=BASES["types"])
    assert ".basis[1]: every baseline of type rhetorical is blank" in message


def test_a_basis_group_that_no_prompt_belongs_to_is_refused():
    message = refused(scattered(), basis=({"type": "declarative"}, {"type": "poetic", "level": 1}))
    assert ".basis[1]: no prompt has type poetic, level 1" in message
    assert "declarative, rhetorical" in message and "1, 2, 3" in message


def test_a_factor_that_no_prompt_has_is_refused():
    known = frame([prompt(n, n, type="x") for n in names()], PROMPTS)
    message = refused(scattered(), prompts=known, group_by=("type", "level"))
    assert ".group_by[1]: no prompt has a level" in message


def test_a_sweep_whose_baselines_are_all_blank_is_refused():
    rows = [text("a/x/1", None), text("b/x/1", None), text("a/x/1", at(0), 1.0)]
    assert "no baseline has a vector in layer 1" in refused(rows)
