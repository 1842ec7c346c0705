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
    BertConfig,
    GPTNeoConfig,
    MixtralConfig,
    Qwen2Config,
    Qwen3MoeConfig,
    T5Config,
    T5ForConditionalGeneration,
    XGLMConfig,
)

from clampsweep.errors import UserError
from clampsweep.generation.prompts import encode
from clampsweep.models import loading
from clampsweep.models.fetching import fetch
from clampsweep.models.hugging_face import load_plain
from clampsweep.models.model import Model
from clampsweep.models.spec import ModelSpec
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


# ---- kinds of folders, fetched and loaded


def spec_of(folder: Path, **changes: Any) -> ModelSpec:
    sizes = {"licence": "none", "n_layers": N_LAYERS, "d_mlp": D_MLP, "dtype": "float64"}
    fields = {"where": WHERE, "name": "tiny", "source": "path", "path": str(folder), **sizes}
    return ModelSpec(**{**fields, "prepend_bos": False, "weight_processing": "none", **changes})


def fetch_and_load(folder: Path, **changes: Any) -> Model:
    spec = spec_of(folder, **changes)
    fetch(spec, folder.with_name("fetched"))
    return loading.load(folder.with_name("fetched"), spec, threads=1, device="cpu")


def refused(folder: Path, at: str, **changes: Any) -> str:
    """The line with which a folder is refused, where it is fetched or where it is loaded."""
    with pytest.raises(UserError) as error:
        fetch_and_load(folder, **changes)
    assert folder.with_name("fetched").exists() == (at == "loading")
    message = str(error.value)
    assert message.startswith(WHERE) and "\\n" not in message and len(message) < 700
    return message


def adapter(folder: Path) -> None:
    for path in folder.iterdir():
        if not path.name.startswith("tokenizer"):
            path.unlink()
    beside_adapter(folder)


def beside_adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "who/base"}')
    save_file(LORA, folder / "adapter_model.safetensors")


def sharded(folder: Path) -> None:
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, max_shard_size="20KB")
    (folder / "model.safetensors").unlink()


def sharded_with_adapter(folder: Path) -> None:
    sharded(folder)
    beside_adapter(folder)


def shard_missing(folder: Path) -> None:
    sharded(folder)
    sorted(folder.glob("model-*.safetensors"))[1].unlink()


def only_consolidated(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "consolidated.safetensors")


def config(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: edit_json(folder / "config.json", **changes)


def quantised(method: str) -> Callable[[Path], None]:
    return config(quantization_config={"quant_method": method, "bits": 4})


def slow_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_bytes(b"no SentencePiece model")


def tokenizer_of_another_form(folder: Path) -> None:
    edit_json(folder / "tokenizer.json", model={"type": "Unheard"})


def added_token(folder: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<think>"])
    tokenizer.save_pretrained(folder)


def prompts_begin_without_a_row(folder: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"bos_token": "<begin>"})
    tokenizer.save_pretrained(folder)


def nothing(folder: Path) -> None:
    pass


MIXTRAL = MixtralConfig(**SIZES, num_key_value_heads=2, num_local_experts=2)
SAME_SIZES = MixtralConfig(
    **{**SIZES, "intermediate_size": D_MODEL}, num_key_value_heads=2, num_local_experts=4
)
XGLM = XGLMConfig(
    **{"d_model": D_MODEL, "ffn_dim": D_MLP, "num_layers": N_LAYERS, "attention_heads": 4},
    **{"vocab_size": N_TOKENS, "max_position_embeddings": N_CTX, "pad_token_id": EOS},
)
T5 = T5Config(vocab_size=N_TOKENS, d_model=D_MODEL, d_ff=D_MLP, num_layers=N_LAYERS, num_heads=4)
KINDS: dict[str, tuple[Any, Callable[[Path], None], str, list[str]]] = {
    "an adapter alone": ("llama", adapter, "fetching", ["adapter_config.json", "merge_and_unload"]),
    "an adapter beside a model": ("llama", beside_adapter, "fetching", ["adapter", "remove"]),
    "an adapter beside shards": ("llama", sharded_with_adapter, "fetching", ["adapter", "remove"]),
    "a missing shard": ("llama", shard_missing, "fetching", ["model-00002-of-", "whole model"]),
    "Mistral's own format alone": (
        "llama",
        only_consolidated,
        "fetching",
        ["holds consolidated.safetensors, but no model.safetensors", "save_pretrained"],
    ),
    "weights under a name of their own": (
        "llama",
        config(transformers_weights="adapter_model.bin"),
        "fetching",
        ["'adapter_model.bin'", "name them model.safetensors"],
    ),
    "GPTQ": ("llama", quantised("gptq"), "fetching", ["quantised (gptq)", "unquantised version"]),
    "AWQ": ("llama", quantised("awq"), "fetching", ["quantised (awq)"]),
    "bitsandbytes": ("llama", quantised("bitsandbytes"), "fetching", ["quantised (bitsandbytes)"]),
    "FP8": ("llama", quantised("fp8"), "fetching", ["quantised (fp8)"]),
    "experts": (MIXTRAL, nothing, "fetching", ["mixture of experts (model.layers.0.mlp.experts)"]),
    "experts as wide as the rest": (SAME_SIZES, nothing, "fetching", ["mixture of experts"]),
    "an encoder": (BertConfig(**SIZES), nothing, "loading", ["'bert' is no causal", "GPT-2"]),
    "an encoder with a decoder": (T5, nothing, "fetching", ["'t5' is no language model", "GPT-2"]),
    "no SentencePiece model": ("llama", slow_tokenizer, "fetching", ["tokenizer.json"]),
    "a tokenizer of another form": (
        "llama",
        tokenizer_of_another_form,
        "fetching",
        ["the tokenizer", "tokenizer.json"],
    ),
    "a token without a row": (
        "llama",
        added_token,
        "loading",
        [f"'<think>' ({N_TOKENS})", f"rows 0 to {N_TOKENS - 1}", "resize_token_embeddings"],
    ),
    "prompts that begin without a row": (
        "gpt2",
        prompts_begin_without_a_row,
        "loading",
        [f"'<begin>' ({N_TOKENS})"],
    ),
    "no float64 operators": (XGLM, nothing, "loading", ["dtype float64", "try float32"]),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_folder_that_cannot_be_swept_is_refused_as_early_as_it_is_known(
    kind: tuple[Any, Callable[[Path], None], str, list[str]], tmp_path: Path
) -> None:
    model, damage, at, parts = kind
    source = tmp_path / "source"
    if model is T5:
        make_tiny(source, "gpt2", model=T5ForConditionalGeneration(T5))
    else:
        write(source, model)
    damage(source)
    sizes = {"d_mlp": D_MODEL} if model is SAME_SIZES else {}
    message = refused(source, at, **sizes)
    assert [part for part in parts if part not in message] == []


def test_a_kind_of_model_with_experts_is_swept_where_all_its_layers_have_one_mlp(
    tmp_path: Path,
) -> None:
    dense = Qwen3MoeConfig(**SIZES, num_key_value_heads=2, mlp_only_layers=list(range(N_LAYERS)))
    before = said(write(tmp_path / "source", dense))
    assert dense.num_experts > 1
    fetch(spec_of(tmp_path / "source"), tmp_path / "fetched")
    torch.testing.assert_close(load(tmp_path / "fetched"), before, rtol=0, atol=0)


def test_weights_that_the_model_leaves_aside_are_not_fetched(tmp_path: Path) -> None:
    """As the consolidated file of Mistral, or weights in another precision."""
    source = write(tmp_path / "source", "llama")
    before = said(source)
    sharded(source)
    for name in ("consolidated.safetensors", "model.fp16.safetensors"):
        save_file({"weight": torch.ones(2)}, source / name)
    model = fetch_and_load(source)
    names = {path.name for path in model.folder.glob("*.safetensors")}
    assert names == {path.name for path in source.glob("model-*.safetensors")} and len(names) > 1
    with torch.inference_mode():
        torch.testing.assert_close(model.plain(TOKENS).logits, before, rtol=0, atol=0)


def test_a_special_token_without_a_row_does_no_harm_until_a_prompt_names_it(tmp_path: Path) -> None:
    """As the token for images of Gemma 3 with 1 B weights."""
    source = write(tmp_path / "source", "llama")
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.save_pretrained(source)
    model = fetch_and_load(source)
    assert encode(model, "the cat") == tiny_tokenizer()("the cat").input_ids
    with pytest.raises(UserError, match=f"'<image>', token {N_TOKENS}"):
        encode(model, "the <image>")


def test_weights_too_large_for_a_dtype_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "llama")
    edit_weights(tmp_path, lambda all_: {**all_, "lm_head.weight": 1e6 * all_["lm_head.weight"]})
    load(tmp_path)
    message = refusal(tmp_path, torch.float16)
    assert "not finite in dtype float16" in message and "float32" in message


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("model", ["gpt2", "llama", "neox", "mistral", QWEN, NEO])
def test_whole_models_load_in_every_dtype(model: Any, dtype: torch.dtype, tmp_path: Path) -> None:
    plain = load_plain(write(tmp_path, model), dtype, "cpu", WHERE)
    assert {one.dtype for one in plain.parameters()} == {dtype}
