"""The page of tokens: every token, its event and each neuron's values, as in the table."""

from __future__ import annotations

import numpy as np
import pytest

from backtracking import made_pages
from backtracking.page_data import data_of, template
from clampsweep.studies.backtracking.strips_page import strips_page

STRIPS = made_pages.strips()
PAGE = strips_page(STRIPS, "tiny", "About.", template("strips"), made_pages.traces())
DATA = data_of(PAGE)


def test_tokens_and_events_are_those_of_the_table():
    for trace in DATA["traces"]:
        own = STRIPS[STRIPS["trace_id"] == trace["name"]]
        first = own[(own["layer"] == 12)].sort_values("position")
        assert [DATA["texts"][at] for at in trace["tokens"]] == first["token"].tolist()
        assert trace["events"] == np.flatnonzero(first["event"]).tolist()


def test_values_are_each_neurons_and_a_neuron_that_a_trace_lacks_has_none():
    for trace in DATA["traces"]:
        own = STRIPS[STRIPS["trace_id"] == trace["name"]]
        for name, values in zip(DATA["neurons"], trace["values"], strict=True):
            layer, index = map(int, name[1:].split("N"))
            rows = own[(own["layer"] == layer) & (own["neuron"] == index)].sort_values("position")
            if values is None:
                assert rows.empty
            else:
                assert values == pytest.approx(rows["value"].tolist(), rel=1e-3)


def test_what_a_trace_is_about_is_said():
    about = {trace["name"]: trace["about"] for trace in DATA["traces"]}
    assert about["chain/p1/0"] == "problem <i>p1</i>, chain, level 3, wrong answer"
    assert about["written/p2/gross"] == "problem p2, written"


def test_hostile_texts_are_no_html():
    assert "<img src=x" not in PAGE
    assert "<i>p1</i>" not in PAGE


def test_a_page_without_traces_is_made():
    assert data_of(strips_page(STRIPS[:0], "t", "a", template("strips")))["traces"] == []
