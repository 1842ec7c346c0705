"""Neurons around events, token by token, and what they write, against hooks and weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from backtracking import planted
from backtracking.loaded import loaded
from clampsweep.names import Neuron
from clampsweep.studies.backtracking.heldout import DIRECTIONS
from clampsweep.studies.backtracking.ranking import NEURONS
from clampsweep.studies.backtracking.tables import AROUND, SPANS, STRIPS
from clampsweep.studies.backtracking.values import (
    OFFSETS,
    SeenTraces,
    around,
    follow,
    spans,
    strips,
)
from reference import post_activations, w_out
from tiny import D_MLP, random_model

TOP, SHOWN = 3, 2


@pytest.fixture(scope="module")
def found():
    return planted.found()


@pytest.fixture(scope="module")
def followed(found):
    seen = SeenTraces(found.traces, found.events)
    neurons, directions = found.ranked.neurons, found.ranked.directions
    return follow(
        lambda: found.model, found.samples, seen, neurons, directions, TOP, SHOWN, 0
    )  # fmt: skip


@pytest.fixture(scope="module")
def posts(found, hugging_face):
    """Function from a trace to its post-activations by Hugging Face's model, layer by layer."""
    rows = {row["trace_id"]: row for row in found.traces.to_dict("records")}

    def of(name):
        row = rows[name]
        return post_activations(hugging_face(found.model), [*row["prompt_ids"], *row["output_ids"]])

    return of


def test_values_around_an_onset_are_those_of_hooks_at_each_offset(found, followed, posts):
    table = followed.around
    assert list(table.columns) == list(AROUND.columns)
    assert not table.duplicated(list(AROUND.key)).any()
    samples = found.samples.set_index(["sample_id", "match_id"])
    for (sample, match), own in list(table.groupby(["sample_id", "match_id"]))[::9]:
        row = samples.loc[sample, match]
        assert (row["split"], set(own["y"])) == ("test", {row["y"]})
        values = posts(row["trace_id"])
        for cell in own.to_dict("records"):
            wanted = values[cell["layer"]][row["onset"] + cell["offset"], cell["neuron"]]
            assert cell["value"] == pytest.approx(float(wanted), abs=1e-6)


def test_every_held_out_sample_is_followed_as_far_as_its_trace_goes(found, followed):
    test = found.samples[found.samples["split"] == "test"]
    test = test[test["control_kind"].isin(["event", "other_trace"])]
    lengths = {
        row["trace_id"]: len(row["prompt_ids"]) + len(row["output_ids"])
        for row in found.traces.to_dict("records")
    }
    n = sum(
        0 <= row["onset"] + offset < lengths[row["trace_id"]]
        for row in test.to_dict("records")
        for offset in OFFSETS
    )
    assert len(followed.around) == TOP * n and (OFFSETS[0], OFFSETS[-1]) == (-15, 5)


def test_before_the_onset_the_planted_neuron_is_high_at_events_alone(followed):
    own = followed.around
    own = own[(own["layer"] == 1) & (own["neuron"] == planted.NEURON.index)]
    means = own.groupby(["offset", "y"])["value"].mean().unstack()
    assert (means.loc[-15:-1, 1] > 5).all() and (means.loc[-15:-1, 0] < 0.5).all()


def test_a_place_near_the_beginning_has_no_earlier_offsets(llama):
    samples = pd.DataFrame(
        [{"sample_id": "a:4", "match_id": "a:4", "problem_id": "a", "y": 1, "trace_id": "a",
          "onset": 4}]
    )  # fmt: skip
    table = around(llama, samples, {"a": list(range(5, 13))}, [Neuron(0, 1)])
    assert table["offset"].tolist() == list(range(-4, 4))


def test_strips_are_of_the_first_traces_with_an_event_in_the_split_test(found, followed, posts):
    table = followed.strips
    assert list(table.columns) == list(STRIPS.columns)
    held = found.samples[
        (found.samples["split"] == "test") & (found.samples["control_kind"] == "event")
    ]
    assert set(table["trace_id"]) == set(held["trace_id"][:SHOWN])
    rows = found.traces.set_index("trace_id")
    for name, own in table.groupby("trace_id"):
        values, first = posts(name), len(rows.loc[name, "prompt_ids"])
        assert own["neuron"].nunique() == SHOWN  # as many neurons as traces
        for cell in own.to_dict("records")[::5]:
            wanted = values[cell["layer"]][first + cell["position"], cell["neuron"]]
            assert cell["value"] == pytest.approx(float(wanted), abs=1e-6)


def test_tokens_of_a_strip_are_the_text_and_the_marked_ones_are_the_marker(found, followed):
    rows = found.traces.set_index("trace_id")
    for name, own in followed.strips.groupby("trace_id"):
        one = own[own["neuron"] == own["neuron"].iloc[0]].sort_values("position")
        assert "".join(one["token"]) == rows.loc[name, "output"]
        assert "".join(one[one["event"]]["token"]) == "Wait it is off"


def test_a_part_of_a_character_is_shown_as_a_mark(llama):
    ids = llama.tokenizer("aé").input_ids
    trace = {"trace_id": "t", "prompt_ids": [5, 6], "output_ids": ids, "ends": [1, 1, 2],
             "output": "aé"}  # fmt: skip
    table = strips(llama, pd.DataFrame([trace]), {"t": {1, 2}}, [Neuron(1, 2)])
    assert table["token"].tolist() == ["a", "\ufffd", "é"]
    assert table["event"].tolist() == [False, True, True]


# ---- spans


def _neurons(*ranked, kind="pred"):
    """`NEURONS` by rank."""
    layers, indices = zip(*ranked, strict=True)
    return pd.DataFrame({"position_kind": kind, "layer": layers, "neuron": indices}).assign(
        rank=range(1, len(ranked) + 1)
    )


def _directions(layer, vector):
    return pd.DataFrame([{"position_kind": "pred", "layer": layer, "vector": vector}])


def test_the_planted_neuron_writes_its_share_of_the_direction(found, followed):
    own = followed.spans.set_index("position_kind")
    assert list(followed.spans.columns) == list(SPANS.columns) and len(own) == 4
    row = found.ranked.directions.set_index("position_kind").loc["pred"]
    assert row["layer"] == 1
    vector, column = np.array(row["vector"]), w_out(found.model, planted.NEURON).double().numpy()
    alone = (vector @ column) ** 2 / (vector @ vector) / (column @ column)
    one = spans(found.model, _directions(1, vector), _neurons((1, 17)), 1, 99, 0).iloc[0]
    assert one["share"] == pytest.approx(alone) and alone > 0.5
    assert one["random_high"] < alone and one["p"] == 0.01


@pytest.mark.parametrize("k", [1, 3, 6])
def test_a_share_is_the_squared_length_of_what_a_least_squares_fit_explains(model, k):
    rng = np.random.default_rng(k)
    ranked = [(int(a), int(b)) for a, b in zip(rng.integers(0, 2, k), range(k), strict=True)]
    columns = np.stack([w_out(model, Neuron(*one)).double().numpy() for one in ranked])
    inside = rng.normal(size=k) @ columns
    (row,) = spans(model, _directions(1, inside), _neurons(*ranked), k, 9, 0).to_dict("records")
    assert row["share"] == pytest.approx(1) and row["k"] == k
    outside = rng.normal(size=columns.shape[1])
    outside -= np.linalg.pinv(columns) @ (columns @ outside)
    both = inside / np.linalg.norm(inside) + 2 * outside / np.linalg.norm(outside)
    (row,) = spans(model, _directions(1, both), _neurons(*ranked), k, 9, 0).to_dict("records")
    assert row["share"] == pytest.approx(1 / 5)


def test_neurons_above_the_direction_write_nothing_of_it(llama):
    vector = w_out(llama, Neuron(2, 5)).double().numpy()
    ranked = _neurons((2, 5), (0, 1))
    row = spans(llama, _directions(1, vector), ranked, 2, 9, 0).iloc[0]
    assert row["k"] == 1 and row["share"] < 0.9
    row = spans(llama, _directions(1, vector), ranked, 1, 9, 0).iloc[0]
    assert (row["k"], row["share"], row["random_mean"], row["p"]) == (0, 0, 0, 1)


def test_other_neurons_are_drawn_each_once_and_none_of_the_top_ones(tmp_path):
    """All columns but those of the top neurons are one and the same, which spans one dimension."""
    plain = random_model("llama")
    with torch.no_grad():
        weight = plain.model.layers[0].mlp.down_proj.weight
        weight[:] = weight[:, [0]]
        weight[:, :2] = torch.randn(weight.shape[0], 2, generator=torch.Generator().manual_seed(0))
    model = loaded(tmp_path, plain)
    same = w_out(model, Neuron(0, 5)).double().numpy()
    direction = np.random.default_rng(0).normal(size=len(same))
    row = spans(model, _directions(0, direction), _neurons((0, 0), (0, 1)), 2, 50, 0).iloc[0]
    alone = (direction @ same) ** 2 / (direction @ direction) / (same @ same)
    assert row[["random_mean", "random_high"]].tolist() == pytest.approx([alone, alone])


def test_random_directions_are_spanned_by_chance(llama):
    rng, p = np.random.default_rng(0), []
    for at in range(60):
        vector = rng.normal(size=llama.d_model)
        ranked = _neurons(*((1, int(one)) for one in rng.permutation(D_MLP)[:4]))
        p.append(spans(llama, _directions(1, vector), ranked, 4, 19, at).iloc[0]["p"])
    assert sum(one <= 0.05 for one in p) <= 10  # 3 asked for; above 10 with probability 0.0003
    assert np.mean(p) == pytest.approx(0.525, abs=0.13)


def test_without_a_ranking_nothing_is_followed_and_no_model_is_loaded(found):
    def never():
        raise AssertionError("loaded")

    none = (pd.DataFrame(columns=list(one.columns)) for one in (NEURONS, DIRECTIONS))
    seen = SeenTraces(found.traces, found.events)
    made = follow(never, found.samples, seen, *none, TOP, SHOWN, 0)
    for table, schema in zip(made, (AROUND, STRIPS, SPANS), strict=True):
        assert table.empty and list(table.columns) == list(schema.columns)
