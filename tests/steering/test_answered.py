"""Answers under changes of the residual stream, against hooks on Hugging Face's own model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clampsweep.errors import UserError
from clampsweep.studies.steering import answered
from clampsweep.studies.steering.answered import Answer, Change, Reader, set_along
from standing import n_hooks
from steering.by_hooks import answer_logits, mean_log_prob

PROMPT, ANSWER = [5, 17, 40, 9, 61], [33, 12, 250, 8]


def changes(d_model: int) -> list[Change]:
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((4, d_model))
    unit = drawn[2] / np.linalg.norm(drawn[2])
    return [
        Change(np.zeros(d_model)),
        Change(drawn[0]),
        Change(-3 * drawn[1]),
        Change(np.zeros(d_model), unit),
        set_along(drawn[3], 2.5),
    ]


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_logits_are_those_of_a_whole_pass_with_a_hook(model, hugging_face, layer):
    every, plain = changes(model.d_model), hugging_face(model)
    read = Answer(Reader(model, [0, 1, 2]), PROMPT, ANSWER)
    found = read.logits(layer, every)
    for one, own in zip(every, found, strict=True):
        wanted = answer_logits(plain, layer, PROMPT, ANSWER, one.added, one.removed)
        torch.testing.assert_close(own, wanted, rtol=1e-9, atol=1e-9)


def test_log_probabilities_are_means_over_the_answers_tokens(model, hugging_face, monkeypatch):
    """However many changes a pass holds."""
    every, plain = changes(model.d_model), hugging_face(model)
    read = Answer(Reader(model, [1]), PROMPT, ANSWER)
    wanted = [mean_log_prob(answer_logits(plain, 1, PROMPT, ANSWER, *one), ANSWER) for one in every]
    for tokens in (1, 9, 512):
        monkeypatch.setattr(answered, "_TOKENS", tokens)
        np.testing.assert_allclose(read.log_probs(1, every), wanted, atol=1e-6)
    assert read.natural_log_prob() == pytest.approx(wanted[0], abs=1e-6)
    assert np.ptp(wanted) > 0.1  # the changes do something
    assert len(read.log_probs(1, [])) == 0


def test_a_stream_set_along_a_direction_has_that_value_there():
    direction = np.array([3.0, 4.0])
    one = set_along(direction, 2.0)
    given = torch.tensor([[7.0, -1.0]], dtype=torch.float64)
    (changed,) = answered._changed(given, [one])
    assert float(changed[0] @ torch.tensor([0.6, 0.8], dtype=torch.float64)) == pytest.approx(2)
    across = torch.tensor([0.8, -0.6], dtype=torch.float64)
    assert float(changed[0] @ across) == pytest.approx(float(given[0] @ across))


def test_a_prompt_of_one_token_is_changed_from_its_first_on(llama, hugging_face):
    one = changes(llama.d_model)[1]
    found = Answer(Reader(llama, [1]), PROMPT[:1], ANSWER).logits(1, [one])[0]
    wanted = answer_logits(hugging_face(llama), 1, PROMPT[:1], ANSWER, one.added)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_nothing_is_left_on_the_model(llama):
    before = n_hooks(llama.plain)
    Answer(Reader(llama, [0, 2]), PROMPT, ANSWER).logits(0, changes(llama.d_model))
    assert n_hooks(llama.plain) == before


def test_a_model_that_looks_back_no_further_than_a_window_is_refused(load_tiny):
    with pytest.raises(UserError, match=r"no plain keys and values.*another model"):
        Reader(load_tiny("mistral"), [1])
