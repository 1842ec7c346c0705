"""Groups and curves of spotlight resonance: against loops, formulas, and numbers by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from srm_tables import (
    BASES,
    NEURONS,
    at,
    brute_points,
    curve,
    grid,
    group,
    names,
    pair,
    scattered,
    see,
    text,
)


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


def test_random_directions_have_the_power_of_a_random_plane():
    rng = np.random.default_rng(3)
    people = [f"{core}/declarative/{level}" for core in "abcdefgh" for level in range(100)]
    rows = [text(name, rng.normal(size=41)) for name in people]
    row = group(see([*rows, text(people[0], rng.normal(size=41), 1.0)]), "all", "baseline")
    assert row["expected_power"] == 2 / 40
    assert row["mean_power"] == pytest.approx(2 / 40, rel=0.12)  # its SE is 3.5 % of that
    assert row["power_low"] < 2 / 40 < row["power_high"]
    assert 0.01 < row["power_p"] <= 1


def test_the_power_of_a_few_cores_is_tested_by_all_flips_of_their_sums():
    rng = np.random.default_rng(4)
    people = [f"{core}/declarative/{level}" for core in "abcde" for level in (1, 2, 3)]
    vectors = rng.normal(size=(len(people), 5)) * [1, 1.3, 1, 1, 1]
    row = group(see(list(map(text, people, vectors))), "all", "baseline")
    power = (vectors[:, 1:3] ** 2).sum(1) / (vectors**2).sum(1)  # L1N1 and L1N2 of five
    sums = (power - 2 / 5).reshape(5, 3).sum(1)
    ways = [abs(np.dot(signs, sums)) for signs in itertools.product((1, -1), repeat=5)]
    assert row["power_p"] == np.mean([way >= ways[0] - 1e-12 for way in ways])


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
