"""Neurons around events, token by token, and what they write, against hooks and weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from backtracking import planted
from backtracking.spanned import a_direction, ranked_neurons
from clampsweep.names import Neuron
from clampsweep.studies.backtracking.heldout import DIRECTIONS
from clampsweep.studies.backtracking.ranking import NEURONS
from clampsweep.studies.backtracking.spans import spans
from clampsweep.studies.backtracking.tables import AROUND, SPANS, STRIPS
from clampsweep.studies.backtracking.values import (
    OFFSETS,
    SeenTraces,
    around,
    follow,
    strips,
)
from reference import post_activations, w_out

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


def test_the_planted_neuron_writes_its_share_of_the_direction(found, followed):
    own = followed.spans.set_index("position_kind")
    assert list(followed.spans.columns) == list(SPANS.columns) and len(own) == 4
    row = found.ranked.directions.set_index("position_kind").loc["pred"]
    assert row["layer"] == 1
    vector, column = np.array(row["vector"]), w_out(found.model, planted.NEURON).double().numpy()
    alone = (vector @ column) ** 2 / (vector @ vector) / (column @ column)
    one = spans(found.model, a_direction(1, vector), ranked_neurons((1, 17)), 1, 99, 0).iloc[0]
    assert one["share"] == pytest.approx(alone) and alone > 0.5
    assert one["random_high"] < alone and one["p"] == 0.01


def test_without_a_ranking_nothing_is_followed_and_no_model_is_loaded(found):
    def never():
        raise AssertionError("loaded")

    none = (pd.DataFrame(columns=list(one.columns)) for one in (NEURONS, DIRECTIONS))
    seen = SeenTraces(found.traces, found.events)
    made = follow(never, found.samples, seen, *none, TOP, SHOWN, 0)
    for table, schema in zip(made, (AROUND, STRIPS, SPANS), strict=True):
        assert table.empty and list(table.columns) == list(schema.columns)
