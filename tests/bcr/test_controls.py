"""Controls of a sweep's targets, against distances and ranks computed by hand."""

from __future__ import annotations

import functools
import json
import math
import statistics

import numpy as np
import pandas as pd
import pytest

import sweep_tables
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.names import parse_target
from clampsweep.studies.bcr.controls import write_controls, write_names
from clampsweep.texts.matching import CONTROLS, MAX_COUNT, POOL, choose
from clampsweep.texts.selection import NEURON_STATS, read_selected
from factories import frame

BOTH = ("norm", "activation")
N_NEURONS, N_POSITIONS = 400, 30
N_NEAR = round(POOL * N_NEURONS)
RNG = np.random.default_rng(0)
# Post-activations [layer, position, neuron] and norms of the output weights [layer, neuron].
VALUES = RNG.normal(RNG.normal(0, 3, (2, 1, N_NEURONS)), 2, (2, N_POSITIONS, N_NEURONS))
NORMS = RNG.lognormal(0, 0.4, (2, N_NEURONS))


def table(values=VALUES, norms=NORMS):
    """The neuron statistics of such activations."""
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
    return frame(rows, NEURON_STATS)


STATS = table()


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
    return names(choose(STATS, targets, number, seed, matching))


# Neurons


def test_distance_and_magnitudes_of_a_control_follow_from_the_activations_themselves():
    found = of_kind(choose(STATS, ["L1N5", "L0N9"], 8, 0, BOTH), "neuron")
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
        controls = choose(STATS, targets, 3, seed, matching)
        found |= set(of_kind(controls, "neuron", "L1N5")["neuron"])
    assert found == pool


def test_more_controls_than_near_neurons_are_the_nearest_ones():
    found = of_kind(choose(STATS, ["L0N7"], 25, 3, BOTH), "neuron")
    assert set(found["neuron"]) == nearest(0, 7, ["L0N7"], 25)


def test_without_matching_any_neuron_of_the_layer_may_be_drawn():
    found = [choose(STATS, ["L0N7"], 20, seed, ()) for seed in range(5)]
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
    alone = choose(STATS, ["L1N5"], 5, 0, BOTH)
    mixed = STATS.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(choose(mixed, ["L1N5"], 5, 0, BOTH), alone)
    beside = choose(STATS, ["L0N3", "L1N5"], 5, 0, BOTH)
    pd.testing.assert_frame_equal(beside[beside["target"] == "L1N5"].reset_index(drop=True), alone)


@pytest.mark.parametrize("target", ["L1N5", "L0N3+L1N5", "L1N5+L1N6", "L1N5+L1N6+L1N7"])
@pytest.mark.parametrize("matching", [BOTH, ()])
def test_more_controls_begin_with_the_fewer(target, matching):
    most = choose(STATS, [target], 40, 0, matching)
    for number in (1, 4, N_NEAR, N_NEAR + 1, 25):
        fewer = choose(STATS, [target], number, 0, matching)
        for kind in ("neuron", "direction"):
            assert names(fewer, kind) == names(most, kind)[:number]


def test_targets_are_no_controls():
    near = sorted(nearest(1, 5, ["L1N5"], 6))
    targets = ["L1N5", *(f"L1N{at}" for at in near[:3]), f"L0N1+L1N{near[3]}"]
    for seed in range(3):
        controls = choose(STATS, targets, 10, seed, BOTH)
        swept = {neuron for target in targets for neuron in parse_target(target)}
        for control in names(controls):
            assert not set(parse_target(control)) & swept


def test_every_target_has_so_many_controls_of_each_kind_by_names_of_their_own():
    targets = ["L0N1", "L1N5", "L0N2+L1N6", "L1N7+L1N8"]
    found = choose(STATS, targets, 12, 0, BOTH)
    assert found["target"].unique().tolist() == targets
    assert (found.groupby(["target", "kind"]).size() == 12).all()
    assert not found.duplicated(["target", "control"]).any()


# Joint targets


@pytest.mark.parametrize("target", ["L0N3+L1N5", "L1N5+L1N6"])
def test_a_joint_control_is_a_control_of_each_neuron(target):
    members = parse_target(target)
    found = of_kind(choose(STATS, [target], 4, 0, BOTH), "neuron")
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
    found = of_kind(choose(STATS, ["L1N5"], 3, 0, BOTH), "direction")
    assert found["control"].tolist() == ["L1N5R0", "L1N5R1", "L1N5R2"]
    assert found[["layer", "neuron"]].values.tolist() == [[1, 5]] * 3
    assert found["distance"].isna().all()
    assert found["w_out_norm"].tolist() == found["target_w_out_norm"].tolist()
    assert found["activation_rms"].tolist() == found["target_activation_rms"].tolist()


@pytest.mark.parametrize("target", ["L1N5", "L1N5+L1N6"])
def test_two_seeds_share_no_direction_however_many_are_asked_for(target):
    n_neurons = len(parse_target(target))
    for seed in (0, 1, 7):
        found = names(choose(STATS, [target], 3, seed, BOTH), "direction")
        numbers = [one.direction for name in found for one in parse_target(name)]
        first = seed * MAX_COUNT * n_neurons
        assert numbers == list(range(first, first + 3 * n_neurons))


@pytest.mark.parametrize("target", ["L1N5+L1N6", "L0N5+L1N6+L1N7"])
def test_each_neuron_of_a_joint_target_goes_its_own_way(target):
    # Along one direction, two changes would cancel each other, or add up to more than the target's.
    used = []
    for name in names(choose(STATS, [target], 20, 0, BOTH), "direction"):
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
    assert f"controls.count: got {most + 1}" in message and f"for {most} controls" in message


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


# Files


def write(folder, targets, operation="set", number=3):
    tables.write(STATS, folder / "stats", NEURON_STATS, {})
    out = folder / "selected.json", folder / "controls.parquet"
    write_controls(
        stats=folder / "stats",
        targets=targets,
        number=number,
        seed=0,
        matching=BOTH,
        code="c0de",
        table=out[1],
    )
    write_names(out[1], folder / "stats", operation, out[0])
    return read_selected(out[0]), tables.read(out[1], CONTROLS)


@pytest.mark.parametrize("targets", [["L1N5"], ["L0N3+L1N5"], ["L1N5", "L1N6", "L0N3+L1N7"]])
def test_the_plan_gets_the_names_of_the_table(tmp_path, targets):
    selected, found = write(tmp_path, targets)
    assert set(selected.targets) == set(found["control"])
    assert len(set(selected.targets)) == len(selected.targets)
    assert set(selected.means) == {None}
    expected = choose(STATS, targets, 3, 0, BOTH)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_a_neuron_that_is_a_control_twice_is_run_once(tmp_path):
    near = min(nearest(1, 5, ["L1N5"], 1))
    selected, found = write(tmp_path, ["L1N5", f"L1N{near}"], number=10)
    controls = names(found)
    assert len(set(controls)) < len(controls)
    assert len(selected.targets) == len(set(found["control"]))


def test_operation_mean_gives_each_control_its_own_neurons_mean(tmp_path):
    selected, _ = write(tmp_path, ["L1N5", "L0N3"], "mean")
    assert len(selected.targets) == 12
    for name, mean in zip(selected.targets, selected.means, strict=True):
        (one,) = parse_target(name)
        assert mean == pytest.approx(VALUES[one.layer, :, one.index].mean())
    assert json.loads((tmp_path / "selected.json").read_text())["targets"] == list(selected.targets)
