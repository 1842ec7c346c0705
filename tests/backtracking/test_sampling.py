"""Samples against what is asked of each control, looked up in the traces one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from backtracking import planted
from backtracking.lined import PROMPT, trace, traces
from clampsweep.studies.backtracking.found_events import events, spans
from clampsweep.studies.backtracking.pools import EVENT, NEAR, OTHER, SAME, SPURIOUS, UNMARKED
from clampsweep.studies.backtracking.rules import read_rules
from clampsweep.studies.backtracking.sampling import SAMPLES, samples
from clampsweep.studies.backtracking.splits import SPLITS

RULES = read_rules("workflow/data/backtracking/rules.yaml")
WAIT = "Wait, that is not right."
INSIDE = "And so to go on I made a mistake there."
PLAIN = ("So it goes on here.", "Then the sum is large.", "We add one to it and go.")


def _chain(name, marked, n=90, **changes):
    """A trace of plain sentences of which some, by their number, are others."""
    rng = np.random.default_rng([ord(one) for one in name])
    said = [PLAIN[at] for at in rng.integers(0, 3, n)]
    for at, sentence in marked.items():
        said[at] = sentence
    return trace(name, " ".join(said), **changes)


@pytest.fixture(scope="module")
def chains():
    """Of each split, traces with one event or two, and traces without."""
    rows = []
    for split in SPLITS:
        for at in range(5):
            marked = {30 + 5 * at: WAIT} | ({60: WAIT} if at == 2 else {})
            rows.append(_chain(f"{split}{at}/0", marked, split=split))
            rows.append(_chain(f"{split}{at}/1", {}, split=split))
    table = traces(*rows)
    found = events(table, RULES, None)
    return table, found, samples(table, found, ["plain"], 6, 0)


def _marks(found):
    """Onsets of each trace's events."""
    return found.groupby("trace_id")["tok_onset"].apply(list).to_dict()


def test_every_event_has_half_of_its_controls_in_its_own_trace_and_half_in_event_free_ones(chains):
    _, found, made = chains
    marks = _marks(found)
    assert made["match_id"].nunique() == len(found) == 18
    for match, own in made.groupby("match_id"):
        kinds = own["control_kind"].value_counts()
        assert kinds.to_dict() == {EVENT: 1, SAME: 3, OTHER: 3}
        name = match.rpartition(":")[0]
        for row in own.to_dict("records"):
            assert row["y"] == (row["control_kind"] == EVENT)
            assert (row["trace_id"] == name) == (row["control_kind"] != OTHER)
            assert (row["trace_id"] in marks) == (row["control_kind"] != OTHER)


def test_no_control_stands_within_twenty_tokens_of_any_event(chains):
    _, found, made = chains
    marks = _marks(found)
    for row in made[made["y"] == 0].to_dict("records"):
        assert all(abs(row["offset"] - at) > 20 for at in marks.get(row["trace_id"], []))


def test_no_place_is_a_control_twice(chains):
    made = chains[2]
    assert not made["sample_id"].duplicated().any()
    assert list(made.columns) == list(SAMPLES.columns)


def test_the_split_and_the_problem_of_a_sample_are_those_of_its_trace(chains):
    table, _, made = chains
    rows = table.set_index("trace_id")
    for row in made.to_dict("records"):
        own = rows.loc[row["trace_id"]]
        assert (row["split"], row["problem_id"]) == (own["split"], own["problem_id"])
        event = rows.loc[row["match_id"].rpartition(":")[0]]
        assert row["split"] == event["split"]


def test_a_control_begins_a_sentence_near_the_events_place_in_its_trace(chains):
    table, _, made = chains
    rows = table.set_index("trace_id")
    places = made[made["y"] == 1].set_index("match_id")["rel_pos"]
    for row in made.to_dict("records"):
        own = rows.loc[row["trace_id"]]
        assert row["offset"] in spans(own["output"], own["ends"]).tokens
        assert row["rel_pos"] == pytest.approx(row["offset"] / len(own["output_ids"]))
        assert abs(row["rel_pos"] - places[row["match_id"]]) <= NEAR


def test_a_sample_says_where_it_stands_and_between_which_tokens(chains):
    table, _, made = chains
    rows = table.set_index("trace_id")
    for row in made.to_dict("records")[::7]:
        own = rows.loc[row["trace_id"]]
        at, ids = row["offset"], list(own["output_ids"])
        assert row["onset"] == row["sentence"] == PROMPT + at
        assert (row["cur_token"], row["next_token"]) == (ids[at - 1], ids[at])
        assert row["sample_id"] == f"{row['trace_id']}:{at}"
        # The window: tokens with a character within fifty of the word's first.
        starts = [0, *own["ends"][:-1]]
        char = own["output"].index(own["output"][starts[at] :].lstrip(), starts[at])
        inside = [
            token
            for token, (start, end) in enumerate(zip(starts, own["ends"], strict=True))
            if any(char - 50 <= one < char + 50 for one in range(start, end))
        ]
        assert (row["window_start"], row["window_end"]) == (PROMPT + inside[0], PROMPT + inside[-1])


def test_places_behind_the_same_token_come_first_then_the_nearest():
    said = [PLAIN[0]] * 60
    said[30], said[20], said[40] = WAIT, "Then it is long.", "Then it is long."
    said[29] = said[19]
    other = list(said)
    other[30] = PLAIN[0]
    rows = [trace("p/0", " ".join(said)), trace("q/0", " ".join(other))]
    table = traces(*rows)
    made = samples(table, events(table, RULES, None), ["plain"], 4, 0)
    event = made[made["y"] == 1].iloc[0]
    own = made[made["control_kind"] == OTHER]
    assert set(own["cur_token"]) == {event["cur_token"]}
    near = sorted(abs(own["offset"] - event["offset"]))
    assert near == [0, 5]  # at the very place, and a sentence of five words away


def test_an_event_inside_a_sentence_has_controls_inside_sentences_behind_the_same_token():
    rows = []
    for at in range(3):
        rows.append(_chain(f"p{at}/0", {40 + at: INSIDE}))
        plain = dict.fromkeys(range(30, 60, 3), "And so to go on I add one to it.")
        rows.append(_chain(f"q{at}/0", plain))
    table = traces(*rows)
    made = samples(table, events(table, RULES, None), ["plain"], 2, 0)
    assert len(made[made["y"] == 1]) == 3 and len(made) > 3
    own = table.set_index("trace_id")
    tokens = made[made["y"] == 1].set_index("match_id")["cur_token"]
    for row in made.to_dict("records"):
        assert row["onset"] > row["sentence"]
        starts = spans(own.loc[row["trace_id"], "output"], own.loc[row["trace_id"], "ends"]).tokens
        assert row["offset"] not in starts
        assert row["sentence"] - PROMPT == max(one for one in starts if one < row["offset"])
        assert row["cur_token"] == tokens[row["match_id"]]


def test_a_trace_that_begins_with_an_event_is_no_event_free_one():
    rows = [_chain("p/0", {40: WAIT}), _chain("q/0", {0: WAIT}), _chain("r/0", {})]
    table = traces(*rows)
    found = events(table, RULES, None)
    assert 0 in set(found["tok_onset"])
    made = samples(table, found, ["plain"], 8, 0)
    assert made["match_id"].nunique() == 1  # the first token has none before it
    assert set(made[made["control_kind"] == OTHER]["trace_id"]) == {"r/0"}


def test_an_event_that_nothing_is_like_is_no_sample():
    table = traces(_chain("p/0", {3: WAIT}, n=5))
    made = samples(table, events(table, RULES, None), ["plain"], 4, 0)
    assert made.empty and list(made.columns) == list(SAMPLES.columns)


def test_doubt_is_no_event_and_keeps_no_control_away():
    doubt = dict.fromkeys(range(20, 60, 2), "I am not sure about that.")
    table = traces(_chain("p/0", {40: WAIT}), _chain("q/0", doubt))
    found = events(table, RULES, None)
    assert "uncertainty" in set(found["class"])
    made = samples(table, found, ["plain"], 4, 0)
    assert made["match_id"].nunique() == 1
    assert set(made[made["control_kind"] == OTHER]["trace_id"]) == {"q/0"}


def test_the_seed_decides_between_places_that_are_equally_near_and_nothing_else(chains):
    table, found, made = chains
    pd.testing.assert_frame_equal(samples(table, found, ["plain"], 6, 0), made)
    other = samples(table, found, ["plain"], 6, 1)
    assert not other["sample_id"].equals(made["sample_id"])
    assert set(other[other["y"] == 1]["sample_id"]) == set(made[made["y"] == 1]["sample_id"])


# ---- written traces


@pytest.fixture(scope="module")
def graded():
    table, found = planted.written(planted.SEEN)
    return table, found, samples(table, found, [planted.GRADE], 4, 0)


def test_controls_of_written_events_are_right_steps_the_same_problems_first(graded):
    table, _, made = graded
    rows = table.set_index("trace_id")
    for match, own in made.groupby("match_id"):
        event = rows.loc[match.rpartition(":")[0]]
        assert event["kind"] == "error_backtrack"
        controls = own[own["control_kind"] == OTHER]
        assert len(controls) >= 1
        problems = rows.loc[controls["trace_id"], "problem_id"].tolist()
        assert problems[0] == event["problem_id"]
        assert set(rows.loc[controls["trace_id"], "kind"]) == {"clean"}
        assert set(rows.loc[controls["trace_id"], "split"]) == {event["split"]}
    events_ = made[made["y"] == 1]
    assert len(events_) == 3 * planted._WITH  # markers behind right steps are none
    assert not made[made["control_kind"] == OTHER]["sample_id"].duplicated().any()


def test_hard_controls_are_as_named_of_the_same_problem_and_only_of_the_split_test(graded):
    table, _, made = graded
    rows = table.set_index("trace_id")
    kinds = {UNMARKED: "error_only", SPURIOUS: "spurious"}
    for kind, wanted in kinds.items():
        own = made[made["control_kind"] == kind]
        assert len(own) == planted._WITH and set(own["split"]) == {"test"}
        for row in own.to_dict("records"):
            control, event = rows.loc[row["trace_id"]], rows.loc[row["match_id"].rpartition(":")[0]]
            assert control["kind"] == wanted and row["y"] == 0
            assert control["problem_id"] == event["problem_id"]
            at = row["offset"]
            assert at == int(row["match_id"].rpartition(":")[2])  # the same number of tokens
            said = control["output"][control["ends"][at - 1] :]
            assert said.startswith("Wait") == (kind == SPURIOUS)


def test_an_error_without_a_marker_is_the_same_text_up_to_there(graded):
    table, _, made = graded
    rows = table.set_index("trace_id")["output_ids"]
    for row in made[made["control_kind"] == UNMARKED].to_dict("records"):
        own, event = rows[row["trace_id"]], rows[row["match_id"].rpartition(":")[0]]
        assert own[: row["offset"]] == event[: row["offset"]] and own != event
