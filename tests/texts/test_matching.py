"""Neurons like a given one, against distances and ranks computed by hand."""

from __future__ import annotations

import functools
import math
import statistics

import numpy as np
import pandas as pd
import pytest

import sweep_tables
from clampsweep.errors import UserError
from clampsweep.names import parse_target
from clampsweep.texts.control_table import MAX_COUNT, closeness
from clampsweep.texts.matching import POOL, choose, sizes_of
from clampsweep.texts.selection import NEURON_STATS
from factories import frame

BOTH = ("norm", "activation")
N_NEURONS, N_POSITIONS = 400, 30
N_NEAR = round(POOL * N_NEURONS)
RNG = np.random.default_rng(0)
# Post-activations [layer, position, neuron] and norms of the output weights [layer, neuron].
VALUES = RNG.normal(RNG.normal(0, 3, (2, 1, N_NEURONS)), 2, (2, N_POSITIONS, N_NEURONS))
NORMS = RNG.lognormal(0, 0.4, (2, N_NEURONS))


def table(values=VALUES, norms=NORMS):
    """Sizes from the neuron statistics of such activations."""
    rows = [
        sweep_tables.stats(
            layer,
            neuron,
            n_positions=values.shape[1],
            mean=float(values[layer, :, neuron].mean()),
            sd=float(values[layer, :, neuron].std(ddof=1)) if values.shape[1] > 1 else None,
            w_out_norm=float(norms[layer, neuron]),
        )
        for layer, neuron in np.ndindex(norms.shape)
    ]
    return sizes_of(frame(rows, NEURON_STATS), BOTH)


SIZES = table()


def size(name, layer, neuron):
    """What is matched: the norm, or the root mean square of the activations themselves."""
    if name == "norm":
        return float(NORMS[layer, neuron])
    return math.sqrt(statistics.fmean(value**2 for value in VALUES[layer, :, neuron]))


@functools.cache
def scaled(name, layer):
    """Logarithms of what is matched, in standard deviations over the layer."""
    logs = [math.log(size(name, layer, neuron)) for neuron in range(N_NEURONS)]
    return [log / statistics.stdev(logs) for log in logs]


def distance(layer, one, other, matching=BOTH):
    """Euclidean, by definition."""
    scales = [scaled(name, layer) for name in matching]
    return math.dist([scale[one] for scale in scales], [scale[other] for scale in scales])


def nearest(layer, neuron, targets, n, matching=BOTH):
    """The n neurons of the layer nearest to one, targets left out."""
    others = [at for at in range(N_NEURONS) if f"L{layer}N{at}" not in targets]
    return set(sorted(others, key=lambda at: distance(layer, neuron, at, matching))[:n])


def of_kind(found, kind, target=None):
    rows = found[found["kind"] == kind]
    return rows if target is None else rows[rows["target"] == target]


def names(found, kind="neuron", target=None):
    return of_kind(found, kind, target)["control"].tolist()


def drawn(targets, number, seed=0, matching=BOTH):
    return names(choose(SIZES, targets, number, seed, matching))


# Neurons


def test_distance_and_magnitudes_of_a_control_follow_from_the_activations_themselves():
    found = of_kind(choose(SIZES, ["L1N5", "L0N9"], 8, 0, BOTH), "neuron")
    assert len(found) == 16
    for row in found.itertuples():
        (target,), (control,) = parse_target(row.target), parse_target(row.control)
        assert control.layer == target.layer == row.layer
        assert control.index == row.neuron
        assert row.distance == pytest.approx(distance(row.layer, target.index, row.neuron))
        assert row.w_out_norm == pytest.approx(size("norm", row.layer, row.neuron))
        assert row.activation_rms == pytest.approx(size("activation", row.layer, row.neuron))
        assert row.target_w_out_norm == pytest.approx(size("norm", row.layer, target.index))
        rms = size("activation", row.layer, target.index)
        assert row.target_activation_rms == pytest.approx(rms)


@pytest.mark.parametrize("matching", [BOTH, ("norm",), ("activation",)])
def test_controls_are_drawn_from_the_nearest_neurons_and_from_all_of_these(matching):
    targets = ["L1N5", "L1N6"]
    pool = nearest(1, 5, targets, N_NEAR, matching)
    found = set()
    for seed in range(40):
        controls = choose(SIZES, targets, 3, seed, matching)
        found |= set(of_kind(controls, "neuron", "L1N5")["neuron"])
    assert found == pool


def test_more_controls_than_near_neurons_are_the_nearest_ones():
    found = of_kind(choose(SIZES, ["L0N7"], 25, 3, BOTH), "neuron")
    assert set(found["neuron"]) == nearest(0, 7, ["L0N7"], 25)


def test_without_matching_any_neuron_of_the_layer_may_be_drawn():
    found = [choose(SIZES, ["L0N7"], 20, seed, ()) for seed in range(5)]
    neurons = pd.concat([of_kind(each, "neuron") for each in found])
    near = nearest(0, 7, ["L0N7"], N_NEURONS // 2)
    assert 0.35 < neurons["neuron"].isin(near).mean() < 0.65  # SD 0.05
    assert neurons["neuron"].nunique() > 60  # 90 are expected
    assert set(neurons["layer"]) == {0}
    assert set(neurons["distance"]) == {0.0}


def test_the_seed_decides_the_controls():
    first, again, other = (drawn(["L1N5"], 4, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_controls_do_not_depend_on_the_order_of_the_statistics_nor_on_the_other_targets():
    alone = choose(SIZES, ["L1N5"], 5, 0, BOTH)
    mixed = SIZES.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(choose(mixed, ["L1N5"], 5, 0, BOTH), alone)
    beside = choose(SIZES, ["L0N3", "L1N5"], 5, 0, BOTH)
    pd.testing.assert_frame_equal(beside[beside["target"] == "L1N5"].reset_index(drop=True), alone)


@pytest.mark.parametrize("target", ["L1N5", "L0N3+L1N5", "L1N5+L1N6", "L1N5+L1N6+L1N7"])
@pytest.mark.parametrize("matching", [BOTH, ()])
def test_more_controls_begin_with_the_fewer(target, matching):
    most = choose(SIZES, [target], 40, 0, matching)
    for number in (1, 4, N_NEAR, N_NEAR + 1, 25):
        fewer = choose(SIZES, [target], number, 0, matching)
        for kind in ("neuron", "direction"):
            assert names(fewer, kind) == names(most, kind)[:number]


def test_targets_are_no_controls():
    near = sorted(nearest(1, 5, ["L1N5"], 6))
    targets = ["L1N5", *(f"L1N{at}" for at in near[:3]), f"L0N1+L1N{near[3]}"]
    for seed in range(3):
        controls = choose(SIZES, targets, 10, seed, BOTH)
        swept = {neuron for target in targets for neuron in parse_target(target)}
        for control in names(controls):
            assert not set(parse_target(control)) & swept


def test_every_target_has_so_many_controls_of_each_kind_by_names_of_their_own():
    targets = ["L0N1", "L1N5", "L0N2+L1N6", "L1N7+L1N8"]
    found = choose(SIZES, targets, 12, 0, BOTH)
    assert found["target"].unique().tolist() == targets
    assert (found.groupby(["target", "kind"]).size() == 12).all()
    assert not found.duplicated(["target", "control"]).any()


# Joint targets


@pytest.mark.parametrize("target", ["L0N3+L1N5", "L1N5+L1N6"])
def test_a_joint_control_is_a_control_of_each_neuron(target):
    members = parse_target(target)
    found = of_kind(choose(SIZES, [target], 4, 0, BOTH), "neuron")
    for row in found.itertuples():
        controls = parse_target(row.control)
        assert sorted(one.layer for one in controls) == [one.layer for one in members]
        assert pd.isna(row.layer) and pd.isna(row.neuron)
        for name, column in (("norm", "w_out_norm"), ("activation", "activation_rms")):
            for whose, neurons in (("", controls), ("target_", members)):
                squares = [size(name, one.layer, one.index) ** 2 for one in neurons]
                assert getattr(row, whose + column) == pytest.approx(math.sqrt(sum(squares)))
        ways = [
            math.sqrt(sum(
                distance(one.layer, one.index, other.index) ** 2
                for one, other in zip(members, order, strict=True)
            ))
            for order in (controls, controls[::-1])
            if [one.layer for one in order] == [one.layer for one in members]
        ]  # fmt: skip
        assert any(row.distance == pytest.approx(way) for way in ways)
    used = [one for name in names(found) for one in parse_target(name)]
    assert len(set(used)) == len(used)
    for one in used:
        pools = [
            nearest(each.layer, each.index, target.split("+"), N_NEAR)
            for each in members
            if each.layer == one.layer
        ]
        assert any(one.index in pool for pool in pools)


# Directions


def test_a_direction_control_is_the_target_sent_along_a_numbered_direction():
    found = of_kind(choose(SIZES, ["L1N5"], 3, 0, BOTH), "direction")
    assert found["control"].tolist() == ["L1N5R0", "L1N5R1", "L1N5R2"]
    assert found[["layer", "neuron"]].values.tolist() == [[1, 5]] * 3
    assert found["distance"].isna().all()
    assert found["w_out_norm"].tolist() == found["target_w_out_norm"].tolist()
    assert found["activation_rms"].tolist() == found["target_activation_rms"].tolist()


@pytest.mark.parametrize("target", ["L1N5", "L1N5+L1N6"])
def test_two_seeds_share_no_direction_however_many_are_asked_for(target):
    n_neurons = len(parse_target(target))
    for seed in (0, 1, 7):
        found = names(choose(SIZES, [target], 3, seed, BOTH), "direction")
        numbers = [one.direction for name in found for one in parse_target(name)]
        first = seed * MAX_COUNT * n_neurons
        assert numbers == list(range(first, first + 3 * n_neurons))


@pytest.mark.parametrize("target", ["L1N5+L1N6", "L0N5+L1N6+L1N7"])
def test_each_neuron_of_a_joint_target_goes_its_own_way(target):
    # Along one direction, two changes would cancel each other, or add up to more than the target's.
    used = []
    for name in names(choose(SIZES, [target], 20, 0, BOTH), "direction"):
        sent = parse_target(name)
        assert [(one.layer, one.index) for one in sent] == [
            (one.layer, one.index) for one in parse_target(target)
        ]
        used += [one.direction for one in sent]
    assert len(set(used)) == len(used)


# What cannot be matched


def few(n_neurons):
    rng = np.random.default_rng(n_neurons)
    return table(rng.normal(size=(2, 5, n_neurons)), rng.lognormal(size=(2, n_neurons)))


@pytest.mark.parametrize(
    ("targets", "most"), [(["L1N0"], 11), (["L1N0", "L1N1", "L0N1"], 10), (["L1N0+L1N1"], 5)]
)
def test_too_few_neurons_are_refused_in_one_line(targets, most):
    choose(few(12), targets, most, 0, BOTH)
    with pytest.raises(UserError) as caught:
        choose(few(12), targets, most + 1, 0, BOTH)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"matched neurons: got {most + 1}; ")
    assert f"for {most} controls" in message and "controls.count" not in message
    with pytest.raises(UserError, match=rf"^c.yaml: maps.count: got {most + 1}; "):
        choose(few(12), targets, most + 1, 0, BOTH, "c.yaml: maps.count")


def test_a_magnitude_that_is_the_same_for_all_decides_nothing():
    same = table(VALUES, np.ones_like(NORMS))
    both = choose(same, ["L1N5"], 6, 0, BOTH)
    assert names(both) == names(choose(same, ["L1N5"], 6, 0, ("activation",)))


def test_a_neuron_that_never_fires_is_far_from_the_others_and_near_its_like():
    values = VALUES.copy()
    values[1, :, :30] = 0.0
    dead = table(values)
    assert set(of_kind(choose(dead, ["L1N5"], 5, 0, ("activation",)), "neuron")["neuron"]) < set(
        range(30)
    )
    alive = of_kind(choose(dead, ["L1N99"], 5, 0, BOTH), "neuron")
    assert alive["neuron"].min() >= 30
    assert np.isfinite(alive["distance"]).all()


def test_one_position_is_enough():
    found = of_kind(choose(table(VALUES[:, :1]), ["L1N5"], 4, 0, BOTH), "neuron")
    assert found["activation_rms"].tolist() == pytest.approx(
        np.abs(VALUES[1, 0, found["neuron"].to_numpy(dtype=int)]).tolist()
    )


# Any table of sizes


def test_the_choices_are_those_of_earlier_versions():
    # Names written down before sizes came from any table: a change here makes new texts.
    for targets, number, seed, matching, expected in (
        (["L1N5"], 4, 0, BOTH, ["L1N115", "L1N205", "L1N121", "L1N290"]),
        (
            ["L0N3", "L1N5"], 3, 1, ("norm",),
            ["L0N140", "L0N308", "L0N346", "L1N119", "L1N179", "L1N262"],
        ),
        (
            ["L1N5+L1N6"], 3, 0, ("activation",),
            ["L1N115+L1N158", "L1N40+L1N392", "L1N334+L1N391"],
        ),
        (
            ["L0N3+L1N5+L1N6"], 2, 7, BOTH,
            ["L0N335+L1N115+L1N395", "L0N308+L1N392+L1N394"],
        ),
        (["L0N7"], 3, 2, (), ["L0N209", "L0N358", "L0N222"]),
    ):  # fmt: skip
        assert drawn(targets, number, seed, matching) == expected


@pytest.mark.parametrize(("matching", "other"), [("norm", "activation"), ("activation", "norm")])
def test_what_is_not_matched_need_not_be_known(matching, other):
    alone = SIZES.drop(columns=other)
    found = choose(alone, ["L1N5", "L0N3+L1N6"], 5, 0, (matching,))
    expected = choose(SIZES, ["L1N5", "L0N3+L1N6"], 5, 0, (matching,))
    assert found["control"].tolist() == expected["control"].tolist()
    assert found["distance"].equals(expected["distance"])
    assert found[f"{other}_difference"].isna().all()
    assert found[{"norm": "w_out_norm", "activation": "activation_rms"}[other]].isna().all()


def test_layers_without_a_target_need_not_be_known():
    only = SIZES[SIZES["layer"] == 1]
    assert names(choose(only, ["L1N5"], 5, 0, BOTH)) == drawn(["L1N5"], 5)


@pytest.mark.parametrize(
    ("target", "said"),
    [("L1N5", "matching by norm: that of L1N9 is not known; leave norm out"),
     ("L1N400", "the size of L1N400 is not known"), ("L2N5", "the size of L2N5 is not known")],
)  # fmt: skip
def test_a_size_that_is_not_known_is_refused_in_one_line(target, said):
    damaged = SIZES.copy()
    if target == "L1N5":
        damaged.loc[(damaged["layer"] == 1) & (damaged["neuron"] == 9), "norm"] = math.nan
    with pytest.raises(UserError) as caught:
        choose(damaged, [target], 4, 0, BOTH)
    assert str(caught.value).startswith(said) and "\n" not in str(caught.value)


# How good the match is


@pytest.mark.parametrize("target", ["L1N5", "L0N3+L1N5", "L1N5+L1N6"])
def test_differences_are_mean_logarithms_in_sds_whatever_is_matched(target):
    for row in of_kind(choose(SIZES, [target], 4, 0, ("norm",)), "neuron").itertuples():
        for name in BOTH:
            like, own = (
                statistics.fmean(scaled(name, one.layer)[one.index] for one in neurons)
                for neurons in (parse_target(row.control), parse_target(row.target))
            )
            assert getattr(row, f"{name}_difference") == pytest.approx(like - own)


def test_matched_neurons_are_nearer_than_others_and_the_line_says_how_near():
    targets = [f"L1N{at}" for at in range(20)]
    apart = {}
    for matching in (BOTH, ("norm",), ()):
        found = choose(SIZES, targets, 5, 0, matching)
        means = of_kind(found, "neuron").groupby("target")[
            ["norm_difference", "activation_difference"]
        ].mean()  # fmt: skip
        norm, activation = (max(means[name], key=abs) for name in means)
        assert closeness(found) == (
            f"standardised difference from the target: norm {norm:+.2f} and activation "
            f"{activation:+.2f} SD"
        )
        apart[matching] = abs(norm), abs(activation)
    assert apart[BOTH][0] < 0.5 < 1 < apart[()][0] and apart[BOTH][1] < 1.5 < apart[()][1]
    assert apart["norm",][0] < 0.2 < 1.5 < apart["norm",][1]
    assert closeness(found.assign(norm_difference=math.nan, activation_difference=math.nan)) == ""


# Targets of many neurons


def wide(n_layers=30, n_neurons=1536):
    rng = np.random.default_rng(5)
    layer, neuron = np.divmod(np.arange(n_layers * n_neurons), n_neurons)
    norm, activation = rng.lognormal(size=(2, len(layer)))
    return pd.DataFrame({"layer": layer, "neuron": neuron, "norm": norm, "activation": activation})


def test_a_hundred_neurons_of_any_layers_have_controls_of_which_no_two_share_a_neuron():
    sizes, rng = wide(), np.random.default_rng(1)
    places = sorted({(int(rng.integers(30)), int(rng.integers(1536))) for _ in range(100)})
    target = "+".join(f"L{layer}N{index}" for layer, index in places)
    found = choose(sizes, [target], 20, 0, BOTH)
    members = parse_target(target)
    used = [one for name in names(found) for one in parse_target(name)]
    assert len(used) == 20 * len(members) == len(set(used)) and not set(used) & set(members)
    for name in names(found):
        assert [one.layer for one in parse_target(name)] == [one.layer for one in members]
    # Brute force, where a layer has one neuron of the target: all of its controls are among the
    # 2 % of the layer that are nearest.
    logs = np.log(sizes[["norm", "activation"]].to_numpy().reshape(30, 1536, 2))
    logs /= logs.std(axis=1, ddof=1, keepdims=True)
    alone = [one for one in members if sum(each.layer == one.layer for each in members) == 1]
    assert alone
    for one in alone:
        far = np.linalg.norm(logs[one.layer] - logs[one.layer, one.index], axis=1)
        near = set(np.argsort(far)[1 : 1 + round(POOL * 1536)])
        assert {each.index for each in used if each.layer == one.layer} <= near


def test_a_layer_that_runs_out_of_neurons_is_said_with_how_many_controls_it_has():
    target = "+".join(f"L0N{index}" for index in range(100))
    with pytest.raises(UserError, match="got 15; the targets leave neurons for 14 controls"):
        choose(wide(1), [target], 15, 0, ("norm",))
    assert len(choose(wide(1), [target], 14, 0, ("norm",))) == 28


# Targets whose neurons have values of their own


def test_a_control_takes_the_values_of_the_neurons_that_it_is_like():
    plain = choose(SIZES, ["L0N3+L1N4"], 3, 0, ["norm"])
    valued = choose(SIZES, ["L0N3=2+L1N4=-0.5"], 3, 0, ["norm"])
    for name, control in zip(plain["control"], valued["control"], strict=True):
        first, second = name.split("+")
        assert control == f"{first}=2+{second}=-0.5"


def test_two_neurons_of_a_layer_keep_each_its_own_value():
    plain = choose(SIZES, ["L0N3+L0N4"], 2, 0, ["norm"])["control"]
    valued = choose(SIZES, ["L0N3=2+L0N4=7"], 2, 0, ["norm"])["control"]
    for name, control in zip(plain, valued, strict=True):
        parts = dict(part.split("=") for part in control.split("+"))
        assert sorted(parts) == sorted(name.split("+"))
        assert sorted(parts.values()) == ["2", "7"]


SOME = pd.DataFrame({"layer": 1, "neuron": range(9), "norm": range(1, 10)})


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"targets": "L1N2"}, TypeError, "targets: got 'L1N2'; write a list, ['L1N2']"),
        ({"targets": ["L1@x"]}, ValueError, "'L1@x' is not a neuron name"),
        ({"matching": "norm"}, TypeError, "matching: got 'norm'; write a list, ['norm']"),
        ({"matching": ["nrm"]}, ValueError, "matching: got 'nrm'; allowed: norm, activation"),
        ({"matching": ["activation"]}, ValueError, "sizes: lacks the column 'activation'"),
        ({"sizes": SOME[["neuron"]]}, ValueError, "sizes: lacks the column 'layer'"),
        ({"sizes": SOME.assign(norm=-1.0)}, UserError, "matching by norm: that of L1N0 is not"),
        ({"number": 0}, ValueError, "matched neurons: got 0; allowed: 1 or more"),
        ({"number": 2.5}, TypeError, "matched neurons: got 2.5; write a whole number"),
        ({"seed": -1}, ValueError, "seed: got -1; allowed: 0 or more"),
    ],
)
def test_what_cannot_be_matched_is_refused_in_one_line(changed, kind, said):
    given = {"sizes": SOME, "targets": ["L1N2"], "number": 2, "seed": 0, "matching": ["norm"]}
    assert len(choose(**given)) == 4
    with pytest.raises(kind) as caught:
        choose(**{**given, **changed})
    assert type(caught.value) is kind and str(caught.value).startswith(said)
