"""Items as tokens, and logits behind many prompts against those of each alone."""

from __future__ import annotations

import pytest
import torch

from clampsweep.decoder.final_norm import wide
from clampsweep.studies.steering.ravel_data import Item, Template
from clampsweep.studies.steering.ravel_prompts import Weights, asked, behind


def _item(text, entity, *answers):
    return Item(entity, "train", Template(text, "x", "train"), answers)


def test_the_entitys_last_token_is_found_and_answers_are_what_follows(gpt2):
    (one,) = asked(gpt2, [_item("on (%s) is", "the hill", " red", "é")])
    words = [gpt2.tokenizer.decode([at]) for at in one.ids]
    assert "".join(words) == "on (the hill) is"
    assert "".join(words[: one.at + 1]) == "on (the hill"
    assert [gpt2.tokenizer.decode(ids) for ids in one.answers] == [" red", "é"]


@pytest.mark.parametrize(
    ("text", "entity", "answer"),
    [("%she", "at", " a"), ("a %s i", "o", "n"), ("a %s t", "o", "h")],
)
def test_an_item_whose_tokens_go_across_an_end_is_left_out(gpt2, text, entity, answer):
    # th, in, and th again are tokens of their own.
    assert asked(gpt2, [_item(text, entity, answer)]) == []
    assert len(asked(gpt2, [_item(text.replace("%s", "%s, "), entity, " " + answer)])) == 1


@pytest.mark.parametrize("alike", [True, False])
def test_logits_behind_the_last_tokens_are_those_of_each_sequence_alone(model, alike):
    begin = "the hill is red and" if alike else ""
    texts = [f"{begin} {word}" for word in ("cat", "bird sang", "x", "no one", "dark")]
    sequences, last = [model.encode(text) for text in texts], [1, 3, 2, 1, 2]
    found = dict(behind(model, sequences, last))
    assert sorted(found) == list(range(len(texts)))
    for number, sequence in enumerate(sequences):
        with torch.no_grad():
            alone = model.plain(torch.tensor([sequence])).logits[0, -last[number] :]
        assert torch.allclose(found[number], alone, atol=1e-9)


def test_weights_are_counted_and_logits_widened(llama):
    weights = Weights.of(llama)
    layers = sum(one.numel() for one in llama.plain.model.layers.parameters())
    assert weights.layer * llama.n_layers == layers
    assert weights.unembedding == llama.plain.lm_head.weight.numel()
    assert weights.flops(10, 2, 3) == 2 * (weights.layer * 20 + weights.unembedding * 3)
    assert wide(torch.zeros(1, dtype=torch.bfloat16)).dtype == torch.float32
    assert wide(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64
