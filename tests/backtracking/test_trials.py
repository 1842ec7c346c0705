"""Trials of a planted model against Hugging Face's own passes, row by row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from backtracking import planted
from backtracking.by_hand import whole_pass
from clampsweep.names import Neuron
from clampsweep.studies.backtracking.onset import Set
from clampsweep.studies.backtracking.sets import no_sets
from clampsweep.studies.backtracking.tables import (
    INTERVENTIONS,
    MEAN,
    NONE,
    OUTPUT,
    PRED_POS,
    RAISE,
    RESAMPLE,
    TRIALS,
    ZERO,
)
from clampsweep.studies.backtracking.trial import Holding
from clampsweep.studies.backtracking.trials import holding, part_of_trials, trials
from reference import post_activations
from standing import n_hooks
from tiny import tiny_tokenizer


@pytest.fixture(scope="module")
def found():
    return planted.found()


@pytest.fixture(scope="module")
def plain(found, hugging_face):
    return hugging_face(found.model)


@pytest.fixture(scope="module")
def texts(found):
    return {
        row["trace_id"]: [*row["prompt_ids"], *row["output_ids"]]
        for row in found.traces.to_dict("records")
    }


def _sample(found, sample_id, match_id):
    own = found.samples
    return own[(own["sample_id"] == sample_id) & (own["match_id"] == match_id)].iloc[0]


def _set(found, row):
    """Neurons of a trial's set, and their rows."""
    own = found.sets
    same = (own["set_kind"] == row["set_kind"]) & (own["k"] == row["k"])
    own = own[same & (own["draw"] == row["draw"])]
    return [Neuron(*pair) for pair in zip(own["layer"], own["neuron"], strict=True)], own


def _rows(found, scope, intervention, kind, k=1):
    own = found.trials
    same = (own["scope"] == scope) & (own["intervention"] == intervention)
    return own[same & (own["set_kind"] == kind) & (own["k"] == k)].to_dict("records")


def _logp(logits):
    return torch.log_softmax(logits.double(), -1)


def _donor(found, texts, row):
    """Token ids up to the place of which values are taken: a control of this event or the next."""
    bare = _rows(found, PRED_POS, NONE, NONE, 0)
    controls = {one["match_id"]: one["sample_id"] for one in bare if one["y"] == 0}
    match = row["match_id"]
    if row["y"] == 0:
        every = [one for one in dict.fromkeys(found.samples["match_id"]) if one in controls]
        match = every[(every.index(match) + 1) % len(every)]
    sample = _sample(found, controls[match], match)
    return texts[sample["trace_id"]][: sample["onset"]]


def _values(found, plain, texts, row, neurons, members):
    """What a trial holds its neurons at, found by hand."""
    if row["intervention"] == RESAMPLE:
        posts = post_activations(plain, _donor(found, texts, row))
        return [float(posts[one.layer][-1, one.index]) for one in neurons]
    means = {ZERO: [0.0] * len(neurons), MEAN: members["mean0"], RAISE: members["mean1"]}
    return [float(one) for one in means[row["intervention"]]]


@pytest.mark.parametrize("intervention", INTERVENTIONS)
@pytest.mark.parametrize(("kind", "k"), [("top", 3), ("bottom", 1), ("random", 1)])
def test_what_is_read_at_the_last_position_is_that_of_a_whole_pass(
    found, plain, texts, intervention, kind, k
):
    rows = _rows(found, PRED_POS, intervention, kind, k)
    for row in [rows[0], rows[len(rows) // 2 + 1]]:
        sample = _sample(found, row["sample_id"], row["match_id"])
        text = texts[sample["trace_id"]]
        ids = text[: sample["onset"]]
        neurons, members = _set(found, row)
        held = Holding(neurons, _values(found, plain, texts, row, neurons, members))
        base = _logp(whole_pass(plain, ids, Holding((), ()))[-1])
        logp = _logp(whole_pass(plain, ids, held)[-1])
        wait = tiny_tokenizer()("W").input_ids[0]
        assert row["lp_onset"] == pytest.approx(float(logp[wait]), abs=1e-6)
        assert row["lp_actual"] == pytest.approx(float(logp[text[sample["onset"]]]), abs=1e-6)
        gone = float((base.exp() * (base - logp)).sum())
        assert row["kl_next"] == pytest.approx(gone, abs=1e-6)
        assert row["y"] == sample["y"]


def test_of_events_the_actual_token_is_that_of_the_lexicon(found):
    bare = pd.DataFrame(_rows(found, PRED_POS, NONE, NONE, 0))
    assert len(bare) == 2 * planted.EVENTS_TRIED == 2 * bare["y"].sum()
    events, controls = bare[bare["y"] == 1], bare[bare["y"] == 0]
    assert (events["lp_actual"] == events["lp_onset"]).all()
    assert (controls["lp_actual"] != controls["lp_onset"]).all()
    assert (bare[["kl_next", "kl_rest"]] == 0).all().all()


def test_only_top_sets_have_a_direct_effect_of_their_own(found):
    own = found.trials[found.trials["scope"] == PRED_POS]
    has = own["lp_direct"].notna()
    assert (has == (own["set_kind"] == "top")).all()
    last = own[has & (own["k"] == 1)]
    gap = (last["lp_direct"] - last["lp_onset"]).abs()
    assert 0 < gap.mean() < 0.5  # of 13 nats: what the last layer makes of it


def test_over_the_output_neurons_are_held_from_the_last_token_of_the_prompt_on(found, plain, texts):
    traces = found.traces.set_index("trace_id")
    lexicon = tiny_tokenizer()("W").input_ids[0]
    for row in _rows(found, OUTPUT, ZERO, "top")[:2] + _rows(found, OUTPUT, MEAN, "random")[:2]:
        sample = _sample(found, row["sample_id"], row["match_id"])
        text, first = texts[sample["trace_id"]], len(traces.loc[sample["trace_id"], "prompt_ids"])
        neurons, members = _set(found, row)
        held = Holding(neurons, _values(found, plain, texts, row, neurons, members))
        base = _logp(whole_pass(plain, text, Holding((), ())))
        logp = _logp(whole_pass(plain, text, held, slice(first - 1, None)))
        at = sample["onset"]
        assert row["lp_onset"] == pytest.approx(float(logp[at - 1, lexicon]), abs=1e-6)
        rest = [one for one in range(first, len(text)) if text[one] != lexicon]
        assert len(rest) == len(text) - first - 1
        nll = -np.mean([float(logp[one - 1, text[one]]) for one in rest])
        assert row["nll_rest"] == pytest.approx(nll, abs=1e-6)
        gone = (base.exp() * (base - logp)).sum(-1)
        assert row["kl_next"] == pytest.approx(float(gone[at - 1]), abs=1e-6)
        mean = np.mean([float(gone[one - 1]) for one in rest])
        assert row["kl_rest"] == pytest.approx(mean, abs=1e-6)


def test_hooks_hold_a_set_at_every_position_and_leave_the_rest():
    own = Set("top", 3, 0, [Neuron(0, 1), Neuron(2, 0), Neuron(0, 3)], [], [])
    hooks = holding(own, [5.0, 6.0, 7.0])
    assert set(hooks) == {0, 2}
    post = torch.zeros(2, 4, 5)
    changed = hooks[0](post)
    wanted = torch.zeros(2, 4, 5)
    wanted[..., 1], wanted[..., 3] = 5.0, 7.0
    assert torch.equal(changed, wanted) and not post.any()


def test_parts_together_are_the_whole(found):
    """And a part of one asks for no model that another part had."""
    few = found.sets[found.sets["draw"] < 2]
    whole = part_of_trials(
        lambda: found.model, found.samples, found.traces, few, planted.LEXICON,
        planted.TOP, 2, 0, 1,
    )  # fmt: skip
    parts = [
        part_of_trials(
            lambda: found.model, found.samples, found.traces, few, planted.LEXICON,
            planted.TOP, 2, part, 2,
        )
        for part in range(2)
    ]  # fmt: skip
    key = list(TRIALS.key)
    both = pd.concat(parts).sort_values(key).reset_index(drop=True)
    wanted = whole.sort_values(key).reset_index(drop=True)
    pd.testing.assert_frame_equal(both, wanted, check_dtype=False, rtol=1e-9)
    assert n_hooks(found.model.plain) == 0


def test_every_set_and_intervention_is_tried_once(found):
    own = found.trials
    assert list(own.columns) == list(TRIALS.columns)
    assert not own.duplicated(list(TRIALS.key)).any()
    short = own[own["scope"] == PRED_POS]
    for kind, k, names in [("top", 1, INTERVENTIONS), ("top", 3, INTERVENTIONS),
                           ("bottom", 3, INTERVENTIONS), ("random", 1, INTERVENTIONS),
                           ("random", 3, (ZERO, MEAN))]:  # fmt: skip
        tried = short[(short["set_kind"] == kind) & (short["k"] == k)]
        assert set(tried["intervention"]) == set(names)
        draws = 1 if kind != "random" else planted.RANDOM_SETS if k == 1 else 10
        assert len(tried) == 2 * planted.EVENTS_TRIED * len(names) * draws


def test_without_a_ranking_no_model_is_loaded(found):
    def never():
        raise AssertionError("loaded")

    made = part_of_trials(
        never, found.samples, found.traces, no_sets(), planted.LEXICON, 1, 10, 0, 1
    )
    assert made.empty and list(made.columns) == list(TRIALS.columns)
    assert trials(found.model, [], [], [1], 1).empty
