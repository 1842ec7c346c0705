"""Weights of neurons, raw and folded, against NumPy on the model's own tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clampsweep.studies.universal.mlp import (
    FOLDED,
    RAW,
    fold,
    fold_unembedding,
    raw,
    read_norms,
    unembedding,
)
from clampsweep.studies.universal.weights import weights


def array(tensor):
    return tensor.detach().double().numpy()


def of(table, processing, layer):
    own = table[(table["processing"] == processing) & (table["layer"] == layer)]
    return own.sort_values("neuron").reset_index(drop=True)


def cosines(one, other):
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def test_gpt2s_weights_are_numpys_on_its_own_tensors(gpt2):
    table = weights(gpt2)
    for layer, block in enumerate(gpt2.plain.transformer.h):
        w_in, w_out = array(block.mlp.c_fc.weight).T, array(block.mlp.c_proj.weight)
        gain, added = array(block.ln_2.weight), array(block.ln_2.bias)
        bias = array(block.mlp.c_fc.bias)
        raw = of(table, RAW, layer)
        assert raw["w_in_norm"].to_numpy() == pytest.approx(np.linalg.norm(w_in, axis=1))
        assert raw["input_bias"].to_numpy() == pytest.approx(bias)
        assert raw["in_out_sim"].to_numpy() == pytest.approx(cosines(w_in, w_out))
        folded = of(table, FOLDED, layer)
        read = w_in * gain
        read -= read.mean(1, keepdims=True)
        written = w_out - w_out.mean(1, keepdims=True)
        assert folded["w_in_norm"].to_numpy() == pytest.approx(np.linalg.norm(read, axis=1))
        assert folded["w_out_norm"].to_numpy() == pytest.approx(np.linalg.norm(written, axis=1))
        assert folded["input_bias"].to_numpy() == pytest.approx(bias + w_in @ added)
        assert folded["in_out_sim"].to_numpy() == pytest.approx(cosines(read, written))
        squares = folded["w_in_norm"] ** 2 + folded["w_out_norm"] ** 2
        assert folded["l2_penalty"].to_numpy() == pytest.approx(squares.to_numpy())
    assert table[["w_up_norm", "up_out_sim", "in_up_sim"]].isna().all(axis=None)


def test_folded_weights_make_the_models_own_pre_activations(gpt2, llama):
    # What the neuron sees of a normalised residual stream, without the norm's own weights.
    for model in (gpt2, llama):
        norm, x = model.part("blocks.1.ln2"), torch.randn(3, model.d_model, dtype=torch.float64)
        own = fold(raw(model, 1), read_norms(model), 1)
        about = x - x.mean(1, keepdim=True) if model is gpt2 else x
        eps = getattr(norm, "eps", getattr(norm, "variance_epsilon", 0.0))
        plain = about / (about.pow(2).mean(1, keepdim=True) + eps).sqrt()
        found = plain @ own.reads.T + (0 if own.bias is None else own.bias)
        name = "in" if model is gpt2 else "gate"
        with torch.inference_mode():
            wanted = model.part(f"blocks.1.mlp.{name}")(norm(x))
        assert torch.allclose(found, wanted.double(), rtol=1e-5, atol=1e-5)


def test_a_gated_mlp_has_gate_and_up_and_no_bias(llama):
    table = of(weights(llama), FOLDED, 2)
    mlp = llama.plain.model.layers[2].mlp
    gain = array(llama.plain.model.layers[2].post_attention_layernorm.weight)
    gate, up = array(mlp.gate_proj.weight) * gain, array(mlp.up_proj.weight) * gain
    out = array(mlp.down_proj.weight).T
    assert table["w_up_norm"].to_numpy() == pytest.approx(np.linalg.norm(up, axis=1), rel=1e-5)
    assert table["w_out_norm"].to_numpy() == pytest.approx(np.linalg.norm(out, axis=1))
    assert table["in_out_sim"].to_numpy() == pytest.approx(cosines(gate, out), abs=1e-6)
    assert table["up_out_sim"].to_numpy() == pytest.approx(cosines(up, out), abs=1e-6)
    assert table["in_up_sim"].to_numpy() == pytest.approx(cosines(gate, up), abs=1e-6)
    assert table["input_bias"].isna().all()
    squares = table["w_in_norm"] ** 2 + table["w_up_norm"] ** 2 + table["w_out_norm"] ** 2
    assert table["l2_penalty"].to_numpy() == pytest.approx(squares.to_numpy())


def test_the_folded_unembedding_keeps_what_the_model_predicts(gpt2):
    untied, norms = unembedding(gpt2), read_norms(gpt2)
    rows = fold_unembedding(untied, norms.final)
    assert rows.mean(0).abs().max() < 1e-9
    x = torch.randn(5, gpt2.d_model, dtype=torch.float64)
    about = x - x.mean(1, keepdim=True)
    plain = about / (about.pow(2).mean(1, keepdim=True) + 1e-5).sqrt()
    norm = gpt2.part("ln_final")
    with torch.inference_mode():
        wanted = torch.log_softmax((norm(x) - norm.bias) @ untied.T, -1)
    assert torch.allclose(torch.log_softmax(plain @ rows.T, -1), wanted, atol=1e-6)
