"""Folders as people have them: whole ones say what was saved, others are refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    GPTNeoConfig,
    Qwen2Config,
)

from clampsweep.errors import UserError
from clampsweep.models.hugging_face import load_plain
from tiny import BOS, D_MLP, D_MODEL, EOS, N_CTX, N_LAYERS, make_tiny, random_model, tiny_tokenizer

WHERE = "config.yaml: models.tiny"
N_TOKENS = len(tiny_tokenizer())
TOKENS = torch.tensor([[BOS, 70, 80, 90, 100]])
SIZES = {
    "hidden_size": D_MODEL,
    "intermediate_size": D_MLP,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 4,
    "max_position_embeddings": N_CTX,
    "vocab_size": N_TOKENS,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
}
NEO = GPTNeoConfig(
    **{**SIZES, "num_layers": N_LAYERS, "num_heads": 4},
    attention_types=[[["global", "local"], 1], [["global"], 1]],
)
QWEN = Qwen2Config(**SIZES, num_key_value_heads=2, tie_word_embeddings=True)

Weights = dict[str, Tensor]


def write(folder: Path, model: Any) -> Path:
    """A folder of an architecture's random model, or of a model."""
    if isinstance(model, str):
        make_tiny(folder, model)
    else:
        make_tiny(folder, "gpt2", model=AutoModelForCausalLM.from_config(model))
    return folder


def said(folder: Path) -> Tensor:
    """Logits of the folder's model as transformers alone reads it."""
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
    with torch.inference_mode():
        return plain(TOKENS).logits


def edit_weights(folder: Path, change: Callable[[Weights], Weights]) -> None:
    path = folder / "model.safetensors"
    weights = {name: tensor.clone() for name, tensor in load_file(path).items()}
    save_file(change(weights), path, metadata={"format": "pt"})


def edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def without(*parts: str) -> Callable[[Weights], Weights]:
    return lambda weights: {
        name: one for name, one in weights.items() if not any(part in name for part in parts)
    }


def with_more(**more: Tensor) -> Callable[[Weights], Weights]:
    return lambda weights: {**weights, **more}


def prefixed(prefix: str) -> Callable[[Weights], Weights]:
    return lambda weights: {prefix + name: one for name, one in weights.items()}


def refusal(folder: Path, dtype: torch.dtype = torch.float64) -> str:
    """The line with which a folder is refused."""
    with pytest.raises(UserError) as error:
        load_plain(folder, dtype, "cpu", WHERE)
    message = str(error.value)
    assert message.startswith(WHERE) and "\\n" not in message and len(message) < 700
    return message


def load(folder: Path) -> Tensor:
    """Logits of the folder's model as we read it."""
    plain = load_plain(folder, torch.float64, "cpu", WHERE)
    assert not plain.training
    with torch.inference_mode():
        return plain(TOKENS).logits


# ---- weights that are missing, unknown or of another shape

Q_BIAS = "model.layers.1.self_attn.q_proj.bias"
LORA = {"model.layers.0.mlp.up_proj.lora_A.default.weight": torch.ones(2, D_MODEL)}
DAMAGES: dict[str, tuple[Any, Callable[[Weights], Weights], list[str]]] = {
    "no output weights": ("llama", without("lm_head"), ["lack lm_head.weight", "tie_word_emb"]),
    "no output weights in GPT-2": ("gpt2", without("lm_head"), ["lack lm_head.weight", "tie_word"]),
    "no embedding": ("llama", without("embed_tokens"), ["lack model.embed_tokens.weight,"]),
    "one layer less": ("llama", without("layers.2."), ["lack model.layers.2", "and 6 more"]),
    "one tensor less": ("neox", without("2.mlp.dense_h_to_4h.bias"), ["h_to_4h.bias, which"]),
    "wrapped for several GPUs": ("llama", prefixed("module."), ["'module.'", "save_pretrained"]),
    "compiled": ("gpt2", prefixed("_orig_mod."), ["'_orig_mod.'", "save_pretrained"]),
    "wrapped twice": ("neox", prefixed("module._orig_mod."), ["'module._orig_mod.'"]),
    "saved with its adapter's wrapper": ("llama", prefixed("base_model.model."), ["'base_model.m"]),
    "another wrapper": ("llama", prefixed("transformer."), ["'transformer.'"]),
    "an adapter that was not merged": ("llama", with_more(**LORA), ["lora_A", "merge_and_unload"]),
    "a bias that the config turns off": (
        "llama",
        with_more(**{Q_BIAS: torch.ones(D_MODEL)}),
        [Q_BIAS, "config.json"],
    ),
    "a head for classes": (
        QWEN,
        with_more(**{"score.weight": torch.ones(2, D_MODEL)}),
        ["score.weight"],
    ),
    "an attention bias that is no mask": (
        NEO,
        with_more(**{"transformer.h.0.attn.attention.bias": torch.rand(1, 1, 8, 8)}),
        ["h.0.attn.attention.bias"],
    ),
    "a mask that is not causal": (
        NEO,
        with_more(**{"transformer.h.0.attn.attention.bias": torch.ones(1, 1, 8, 8)}),
        ["h.0.attn.attention.bias"],
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_weights_that_are_not_the_models_are_named_with_the_remedy(
    damage: tuple[Any, Callable[[Weights], Weights], list[str]],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    model, change, parts = damage
    edit_weights(write(tmp_path, model), change)
    message = refusal(tmp_path)
    assert [part for part in parts if part not in message] == []
    assert "LOAD REPORT" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("architecture", "key"), [("llama", "num_hidden_layers"), ("gpt2", "n_layer")]
)
@pytest.mark.parametrize(("layers", "verb"), [(4, "lack"), (2, "hold")])
def test_another_number_of_layers_than_the_config_says_is_refused(
    architecture: str, key: str, layers: int, verb: str, tmp_path: Path
) -> None:
    write(tmp_path, architecture)
    edit_json(tmp_path / "config.json", **{key: layers, "layer_types": None})
    message = refusal(tmp_path)
    assert f"the weights {verb} " in message and "config.json" in message
    assert ".3." in message if layers == 4 else ".2." in message


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "neox"])
@pytest.mark.parametrize("more", [1, -1])
def test_more_or_fewer_rows_than_the_vocabulary_are_refused(
    architecture: str, more: int, tmp_path: Path
) -> None:
    write(tmp_path, architecture)
    edit_json(tmp_path / "config.json", vocab_size=N_TOKENS + more)
    message = refusal(tmp_path)
    assert f"is [{N_TOKENS}, {D_MODEL}], not [{N_TOKENS + more}, {D_MODEL}]" in message
    assert "vocab_size" in message


# ---- folders that are whole, whatever lies in them


def mask(n: int, window: int | None = None) -> Tensor:
    full = torch.ones(n, n, dtype=torch.uint8).tril()
    return (full if window is None else full - full.tril(-window))[None, None]


def as_published(weights: Weights) -> Weights:
    """GPT-2 of 2019: no prefix, output weights of the embedding, masks."""
    bare = {name.removeprefix("transformer."): one for name, one in weights.items()}
    for layer in range(N_LAYERS):
        bare[f"h.{layer}.attn.bias"] = mask(N_CTX).float()
        bare[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    return bare


NEO_MASKS = {
    "transformer.h.0.attn.attention.bias": mask(N_CTX),
    "transformer.h.1.attn.attention.bias": mask(N_CTX, window=8),
    "transformer.h.0.attn.attention.masked_bias": torch.tensor(-1e9),
}
NEOX_MASKS = {
    "gpt_neox.layers.0.attention.bias": mask(N_CTX).bool(),
    "gpt_neox.layers.0.attention.masked_bias": torch.tensor(-1e9),
    "gpt_neox.layers.0.attention.rotary_emb.inv_freq": torch.ones(3),
}
BESIDE = {
    "v_head.summary.weight": torch.ones(1, D_MODEL),
    "mtp.layers.0.mlp.up_proj.weight": torch.ones(D_MLP, D_MODEL),
    "vision_tower.patch.weight": torch.ones(3, 3),
    "model.visual.patch.weight": torch.ones(3, 3),
    "multi_modal_projector.linear.weight": torch.ones(3, 3),
}
INV_FREQ = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(3)}
WHOLE: dict[str, tuple[Any, Callable[[Weights], Weights]]] = {
    "old masks of GPT-Neo": (NEO, with_more(**NEO_MASKS)),
    "old masks of Pythia": ("neox", with_more(**NEOX_MASKS)),
    "old frequencies of Llama": ("llama", with_more(**INV_FREQ)),
    "other heads and senses": ("llama", with_more(**BESIDE)),
    "output weights of the embedding": (QWEN, without("lm_head")),
    "the base model's prefix twice": ("llama", prefixed("model.")),
    "no prefix": ("neox", lambda all_: {k.removeprefix("gpt_neox."): v for k, v in all_.items()}),
}


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE.keys())
def test_a_whole_model_is_what_was_saved(
    whole: tuple[Any, Callable[[Weights], Weights]], tmp_path: Path
) -> None:
    model, change = whole
    before = said(write(tmp_path, model))
    edit_weights(tmp_path, change)
    torch.testing.assert_close(load(tmp_path), before, rtol=0, atol=0)


def test_gpt2_as_it_was_published_is_whole(tmp_path: Path) -> None:
    model = random_model("gpt2")
    model.config.tie_word_embeddings = True
    with torch.no_grad():
        model.lm_head.weight = model.transformer.wte.weight
    make_tiny(tmp_path, "gpt2", model=model)
    before = said(tmp_path)
    edit_weights(tmp_path, lambda weights: as_published(without("lm_head")(weights)))
    torch.testing.assert_close(load(tmp_path), before, rtol=0, atol=0)
