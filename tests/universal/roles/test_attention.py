"""Attention to BOS, by Hugging Face's own weights and its eager attention."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.studies.universal.no_rows import no_rows
from clampsweep.studies.universal.roles.attention import attend, scores
from clampsweep.studies.universal.roles.rows import Text, Tried
from clampsweep.studies.universal.roles.tables import ATTENTION_SCORES, CANDIDATE
from tiny import BOS

IDS = np.concatenate(
    [np.full((2, 1), BOS), np.random.default_rng(5).integers(2, 200, (2, 15))], axis=1
).tolist()
TEXT = Text(IDS, np.array([1, 3]), 2)


def test_scores_of_grouped_queries_by_hand(
    load_tiny: Callable[..., Model], hugging_face: Callable[[Model], Any]
):
    model = load_tiny("llama", prepend_bos=True)
    plain = hugging_face(model)
    with torch.no_grad():
        states = plain(input_ids=torch.tensor([[BOS]]), output_hidden_states=True).hidden_states
        block = plain.model.layers[2]
        key = block.self_attn.k_proj(block.input_layernorm(states[2][0, 0]))
        queries = block.self_attn.q_proj.weight
    config = plain.config
    width, per_key = config.head_dim, config.num_attention_heads // config.num_key_value_heads
    out = plain.model.layers[1].mlp.down_proj.weight
    written = out / out.norm(dim=0) * block.input_layernorm.weight[:, None]  # [d_model, neuron]
    wanted = np.stack(
        [
            ((queries[head * width : (head + 1) * width] @ written).T
             @ key.reshape(-1, width)[head // per_key] / width**0.5).detach().numpy()
            for head in range(config.num_attention_heads)
        ]
    )  # fmt: skip
    found = scores(model)
    own = found[found["layer"] == 1]
    assert own["head"].tolist() == np.abs(wanted).argmax(0).tolist()
    most = wanted[np.abs(wanted).argmax(0), np.arange(wanted.shape[1])]
    np.testing.assert_allclose(own["score"], most, rtol=1e-5)
    assert sorted(found["layer"].unique()) == [0, 1]  # the last is read by no head


def test_fused_queries_have_scores_too(load_tiny: Callable[..., Model]):
    found = scores(load_tiny("gpt2", prepend_bos=True))
    assert len(found) == 80 and np.isfinite(found["score"]).all()


def test_attention_with_the_neuron_held_by_a_plain_hook(
    load_tiny: Callable[..., Model], hugging_face: Callable[[Model], Any]
):
    model, neuron = load_tiny("llama"), Neuron(0, 4)
    table = no_rows(ATTENTION_SCORES)
    table.loc[0] = [0, 4, 2, 1.0]
    rows = attend(model, TEXT, [Tried(neuron, CANDIDATE, 1)], table)
    plain = copy.deepcopy(hugging_face(model))  # that one is shared
    plain.set_attn_implementation("eager")
    out, posts = plain.model.layers[0].mlp.down_proj, []
    handle = out.register_forward_pre_hook(lambda module, args: posts.append(args[0]))
    ids = torch.tensor(IDS)
    with torch.no_grad():
        natural = plain(input_ids=ids, output_attentions=True).attentions[1]
    handle.remove()
    post = posts[0][..., 4]
    row, at = divmod(int(post[:, 2:].abs().argmax()), 14)
    mean = float(post[:, 2:].mean())

    def hold(module: Any, args: Any) -> Any:
        changed = args[0].clone()
        changed[row, at + 2, 4] = mean
        return (changed,)

    handle = out.register_forward_pre_hook(hold)
    with torch.no_grad():
        held = plain(input_ids=ids, output_attentions=True).attentions[1]
    handle.remove()
    found = rows.iloc[0]
    assert len(rows) == 1 and found["block"] == TEXT.blocks[row]
    assert found["natural"] == pytest.approx(float(natural[row, 2, at + 2, 0]), abs=1e-9)
    assert found["held"] == pytest.approx(float(held[row, 2, at + 2, 0]), abs=1e-9)
    assert found["held"] != pytest.approx(found["natural"], abs=1e-6)


def test_nothing_to_try_gives_an_empty_table(llama: Model):
    assert attend(llama, TEXT, [], no_rows(ATTENTION_SCORES)).empty
