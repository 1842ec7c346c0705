"""The general path called directly, against one prompt at a time and Hugging Face's own loss."""

from __future__ import annotations

import pytest
import torch

from clampsweep.decoder import general
from clampsweep.decoder.choice import Chooser
from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.rows import DecodeJob, RowTexts
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from reference import Clamp, decode_alone
from tiny import PROMPTS, RAGGED_PROMPTS


@pytest.mark.parametrize("scope", ["all", "last"])
def test_rows_of_one_length_equal_one_prompt_at_a_time_as_rows_end(
    model: Model, scope: str
) -> None:
    clamps = [Clamp(Neuron(at % 3, at), "set", 20.0 - 9 * at) for at in range(len(PROMPTS))]
    prompts = [model.encode(prompt) for prompt in PROMPTS]
    edits = [[edit(clamp.neuron, "set", clamp.value)] for clamp in clamps]
    job = DecodeJob(prompts, edits, Scope(scope), Decoding("greedy", 6))
    texts = RowTexts(model, job)
    general.decode(model, job, texts, Chooser(model, job, texts))
    for got, prompt, clamp in zip(texts.decoded(), prompts, clamps, strict=True):
        wanted = decode_alone(model, prompt, [clamp], scope, 6)
        assert (got.token_ids, got.stop_reason) == (wanted.token_ids, wanted.stop_reason)


def test_nll_is_hugging_faces_loss_on_the_text_alone(model: Model) -> None:
    prompts = [model.encode(prompt) for prompt in RAGGED_PROMPTS[:3]]
    texts = [[40], [41, 42, 97], [50, 40]]
    got = general.nll(model, prompts, texts)
    for nats, prompt, text in zip(got, prompts, texts, strict=True):
        ids = torch.tensor([[*prompt, *text]])
        labels = ids.clone()
        labels[0, : len(prompt)] = -100
        with torch.inference_mode():
            wanted = float(model.plain(input_ids=ids, labels=labels).loss)
        assert nats == pytest.approx(wanted, rel=1e-5, abs=1e-5)
