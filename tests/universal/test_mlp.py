"""Which norms stand about neurons: looked up in a pass, also where one stands behind the MLP."""

from __future__ import annotations

import torch

from clampsweep.studies.universal.mlp import fold, raw, read_norms


def test_plain_families_have_a_norm_before_and_none_after(gpt2, llama):
    for model in (gpt2, llama):
        norms = read_norms(model)
        assert len(norms.before) == model.n_layers
        assert norms.after == [None] * model.n_layers
        assert norms.final.centred == (model is gpt2)


def test_a_neuron_writes_what_its_output_projection_says(gpt2):
    every = torch.arange(gpt2.d_mlp)
    wanted = gpt2.output_directions(2, every, dtype=torch.float64)
    assert torch.allclose(raw(gpt2, 2).writes, wanted)
    folded = fold(raw(gpt2, 2), read_norms(gpt2), 2).writes
    assert folded.mean(1).abs().max() < 1e-12  # nothing reads the mean
    assert torch.allclose(folded, wanted - wanted.mean(1, keepdim=True))


def test_an_rms_norm_centres_nothing(llama):
    own = raw(llama, 0)
    folded = fold(own, read_norms(llama), 0)
    assert torch.equal(folded.writes, own.writes)
    assert folded.bias is None
    assert folded.linear is not None and own.linear is not None
