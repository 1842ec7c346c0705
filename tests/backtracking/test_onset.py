"""What is tried, and what is read off the next token, by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from backtracking.matched import matched
from clampsweep.names import Neuron
from clampsweep.studies.backtracking.onset import (
    Set,
    chosen,
    lexicon_ids,
    measures,
    read_sets,
)
from clampsweep.studies.backtracking.tables import MEAN, RAISE, RESAMPLE, ZERO
from tiny import tiny_tokenizer
from tokenizer_kinds import KINDS

# ---- the lexicon


def test_the_lexicon_is_the_first_byte_where_a_token_is_one():
    tokenizer = tiny_tokenizer()
    found = tokenizer.convert_ids_to_tokens(lexicon_ids(tokenizer, ["Wait", " Wait", "Hmm", "No,"]))
    assert sorted(found) == ["H", "N", "W"]


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("Llama 3", {"The", "ĠThe"}),
        ("Llama 2", {"▁The", "T"}),  # behind a line it has no mark of a space, and is in letters
        ("Gemma", {"▁The", "T"}),
    ],
)
def test_it_knows_a_word_behind_a_space_and_at_the_beginning_of_a_line(kind, wanted):
    tokenizer = KINDS[kind][0]()
    found = tokenizer.convert_ids_to_tokens(lexicon_ids(tokenizer, ["The"]))
    assert set(found) == wanted


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_token_of_spaces_alone_is_in_it(kind):
    tokenizer = KINDS[kind][0]()
    for one in lexicon_ids(tokenizer, ["the cat", "a", " cats"]):
        assert tokenizer.decode([one]).strip()


# ---- sets


def _set(kind, k, draw, start):
    return [
        {
            "set_kind": kind, "k": k, "draw": draw, "member": at,
            "layer": at % 2, "neuron": start + at, "mean1": 1.0 + at, "mean0": -1.0 - at,
        }
        for at in range(k)
    ]  # fmt: skip


def test_sets_are_read_in_the_order_of_their_members():
    table = pd.DataFrame(_set("top", 3, 0, 10) + _set("random", 3, 1, 20) + _set("top", 1, 0, 10))
    found = read_sets(table)
    assert [one[:3] for one in found] == [("top", 3, 0), ("random", 3, 1), ("top", 1, 0)]
    assert found[1].neurons == [Neuron(0, 20), Neuron(1, 21), Neuron(0, 22)]
    assert (found[0].mean1, found[0].mean0) == ([1.0, 2.0, 3.0], [-1.0, -2.0, -3.0])


@pytest.mark.parametrize(
    ("intervention", "wanted"),
    [(ZERO, [0, 0]), (MEAN, [-1, -2]), (RAISE, [1, 2]), (RESAMPLE, [0.25, 0.5])],
)
def test_an_intervention_says_what_each_neuron_is_held_at(intervention, wanted):
    neurons = [Neuron(0, 4), Neuron(1, 5)]
    own = Set("top", 2, 0, neurons, [1.0, 2.0], [-1.0, -2.0])
    donor = {Neuron(1, 5): 0.5, Neuron(0, 4): 0.25, Neuron(2, 0): 9.0}
    assert own.held_at(intervention, donor) == wanted


# ---- samples


@pytest.fixture(scope="module")
def tried():
    """Samples of ten problems a split, and a trace of each name with tokens of its own."""
    samples = matched(10)
    names = sorted(set(samples["trace_id"]))
    traces = pd.DataFrame(
        {
            "trace_id": names,
            "prompt_ids": [[100 + at] * 12 for at, _ in enumerate(names)],
            "output_ids": [
                [1000 * at + token for token in range(50)] for at, _ in enumerate(names)
            ],
        }
    )
    return samples, traces, {name: at for at, name in enumerate(names)}


@pytest.mark.parametrize("most", [3, 4, 10, 50])
def test_events_are_taken_evenly_each_followed_by_a_control_of_its_own(tried, most):
    samples, traces, _ = tried
    found = chosen(samples, traces, "test", most)
    n = min(most, 10)
    assert len(found) == 2 * n and [one.y for one in found] == [1, 0] * n
    events = found[::2]
    places = [int(one.match_id.removeprefix("test").split("/")[0]) for one in events]
    assert len(set(places)) == n and places == sorted(places)
    assert set(np.diff(places)) <= {10 // n, -(-10 // n)}
    for event, control in zip(events, found[1::2], strict=True):
        assert event.match_id == control.match_id == event.sample_id.split(":")[0]
        assert event.problem_id == control.problem_id
        kind = samples.set_index("sample_id").loc[control.sample_id, "control_kind"]
        assert kind == "other_trace"


def test_a_sample_holds_the_tokens_up_to_the_one_before_the_onset(tried):
    samples, traces, numbers = tried
    for one in chosen(samples, traces, "test", 4):
        row = samples.set_index("sample_id").loc[one.sample_id]
        at = numbers[row["trace_id"]]
        whole = [100 + at] * 12 + [1000 * at + token for token in range(50)]
        assert one.ids == whole[: row["onset"]] and one.ids + one.more == whole
        assert one.actual == whole[row["onset"]]
        assert one.n_prompt == 12


def test_a_donor_is_another_place_up_to_its_onset_a_control_of_this_event_or_the_next(tried):
    found = chosen(*tried[:2], "test", 4)
    controls = [one.ids for one in found[1::2]]
    assert [one.donor for one in found[::2]] == controls
    assert [one.donor for one in found[1::2]] == [*controls[1:], controls[0]]
    assert all(one.donor != one.ids for one in found)


def test_an_event_without_a_control_is_not_tried_nor_is_another_split(tried):
    samples, traces, _ = tried
    alone = samples[(samples["y"] == 1) | (samples["match_id"] != "test3/0")]
    found = chosen(alone, traces, "test", 50)
    assert {one.match_id for one in found} == {f"test{at}/0" for at in range(10) if at != 3}
    assert chosen(samples[samples["split"] != "test"], traces, "test", 5) == []


# ---- measures


def _probabilities(row):
    e = [math.exp(one) for one in row]
    return [one / sum(e) for one in e]


def test_measures_are_those_of_probabilities_by_hand():
    rng = np.random.default_rng(0)
    rows, lexicon, actual = rng.normal(size=(4, 9)) * 2, [2, 5, 6], 4
    found = measures(torch.tensor(rows, dtype=torch.float32), actual, lexicon)
    rows = rows.astype(np.float32).astype(float)
    base, kept = _probabilities(rows[0]), [at for at in range(9) if at not in lexicon]
    for row, said in zip(rows, found.to_dict("records"), strict=True):
        p = _probabilities(row)
        assert said["lp_onset"] == pytest.approx(math.log(p[2] + p[5] + p[6]))
        assert said["lp_actual"] == pytest.approx(math.log(p[4]))
        gone = sum(a * math.log(a / b) for a, b in zip(base, p, strict=True))
        assert said["kl_next"] == pytest.approx(gone, abs=1e-12)
        a = [base[at] / sum(base[other] for other in kept) for at in kept]
        b = [p[at] / sum(p[other] for other in kept) for at in kept]
        rest = sum(one * math.log(one / two) for one, two in zip(a, b, strict=True))
        assert said["kl_rest"] == pytest.approx(rest, abs=1e-12)
    assert found["kl_next"][0] == found["kl_rest"][0] == 0


def test_a_change_of_the_lexicons_logits_alone_changes_nothing_among_other_words():
    logits = torch.randn(1, 9, generator=torch.Generator().manual_seed(0)).repeat(2, 1)
    logits[1, [2, 5]] += torch.tensor([1.5, -0.5])
    found = measures(logits, 4, [2, 5])
    assert found["kl_next"][1] > 0.01 and found["kl_rest"][1] == pytest.approx(0, abs=1e-9)


def test_a_divergence_is_never_below_nothing():
    logp = torch.log_softmax(torch.randn(3, 500, dtype=torch.float64), -1)
    found = measures(logp, 4, [2, 5])
    assert (found[["kl_next", "kl_rest"]] >= 0).all(axis=None)
