"""What is captured of a trace: its tokens, and positions of each kind, by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from backtracking.lined import trace, traces
from backtracking.matched import matched
from clampsweep.studies.backtracking.places import items
from clampsweep.studies.backtracking.position_kinds import KINDS


def _samples(**places):
    """Rows of `SAMPLES` at some onsets of traces."""
    row = matched({"test": 1}).iloc[0].to_dict()
    rows = [
        row | {"trace_id": name, "onset": at, "sentence": at - 1}
        for name, onsets in places.items()
        for at in onsets
    ]
    return pd.DataFrame(rows)


TRACES = traces(*(trace(name, " ".join(["word"] * 60)) for name in ("q", "p", "unused")))


def test_a_trace_is_an_item_of_its_tokens_prompt_first_and_each_place_once():
    found = items(_samples(q=[40, 30, 40], p=[45]), TRACES)
    assert [one.name for one in found] == ["p", "q"]
    assert [one["place"] for one in found[1].content["places"]] == [30, 40]
    assert found[1].content["ids"] == [0, 1, 2, *[14] * 38]  # up to the last position asked for


def test_positions_are_those_of_each_kind():
    (item,) = items(_samples(q=[40]), TRACES)
    (place,) = item.content["places"]
    assert place == {
        "place": 40,
        "pre": [27, 28, 29, 30, 31],  # 12 to 8 before the sentence, which begins at 39
        "pred": [39],
        "onset": [40],
        "window": list(range(25, 41)),
    }
    assert set(place) == {"place", *KINDS}


def test_order_of_samples_decides_nothing_and_content_is_plain_json():
    samples = _samples(q=[40, 30], p=[35])
    arrays = TRACES.assign(
        prompt_ids=[np.array(one) for one in TRACES["prompt_ids"]],
        output_ids=[np.array(one, np.int32) for one in TRACES["output_ids"]],
    )
    first, second = items(samples, TRACES), items(samples[::-1], arrays[::-1])
    assert first == second and json.loads(json.dumps(first)) == [list(one) for one in first]
