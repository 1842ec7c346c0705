"""The exported model: Hugging Face's class and TransformerLens's bridge say what was trained."""

from __future__ import annotations

import pytest
import torch

from clampsweep.models.fetching import fetch
from clampsweep.models.loading import load
from clampsweep.models.making import BEGIN_ID, learn
from clampsweep.models.spec import ModelSpec
from clampsweep.studies.scrubbing.making.attention import AttentionOnly
from clampsweep.studies.scrubbing.making.export import as_neox

SHAPE = {"d_model": 32, "n_heads": 4, "n_ctx": 64, "rotary_base": 1000, "bias_scale": 1.0}
IDS = torch.randint(1, 260, (2, 50), generator=torch.Generator().manual_seed(0))


def trained() -> AttentionOnly:
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = AttentionOnly(260, SHAPE)
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return model


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """The exported folder, fetched and loaded as any model is, in float32."""
    folder = tmp_path_factory.mktemp("exported")
    as_neox(trained(), torch.float32).save_pretrained(folder / "source")
    learn(["some words"], 260).save_pretrained(folder / "source")
    spec = ModelSpec(
        where="m", name="m", source="path", licence="MIT", n_layers=2, d_mlp=0, dtype="float32",
        prepend_bos=True, weight_processing="none", path=str(folder / "source"),
    )  # fmt: skip
    fetch(spec, folder / "model")
    return load(folder / "model", spec, threads=1, device="cpu", neurons=False)


def test_the_loaded_model_and_its_bridge_say_what_the_trained_one_says(loaded):
    with torch.inference_mode():
        right = trained()(IDS)
        assert (loaded.plain(input_ids=IDS).logits - right).abs().max() < 2e-5
        assert (loaded.bridge(IDS) - right).abs().max() < 5e-5


def test_the_bridge_has_the_split_inputs_that_scrubbing_hooks(loaded):
    bridge = loaded.bridge
    bridge.set_use_split_qkv_input(True)
    shapes = {}
    names = [f"blocks.1.attn.hook_{part}_input" for part in "qkv"]
    hooks = [(name, lambda one, hook: shapes.update({hook.name: tuple(one.shape)}))
             for name in names]  # fmt: skip
    with torch.inference_mode(), bridge.hooks(fwd_hooks=hooks):
        bridge(IDS)
    assert shapes == dict.fromkeys(names, (2, 50, 4, 32))


def test_a_text_begins_with_the_token_that_the_model_was_trained_with(loaded):
    assert loaded.encode("some")[0] == BEGIN_ID
    assert loaded.decode(loaded.encode("some words")) == "some words"
    assert (loaded.n_ctx, loaded.d_model, loaded.d_mlp) == (64, 32, 0)


def test_weights_are_rounded_to_the_dtype_that_is_asked_for():
    own, rounded = trained(), as_neox(trained(), torch.bfloat16)
    assert rounded.dtype == torch.bfloat16
    stored = rounded.gpt_neox.embed_in.weight
    assert torch.equal(stored, own.embed.weight.bfloat16())
