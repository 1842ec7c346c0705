"""Tiny models of many families of transformers, and the texts that Hugging Face's own code writes.

Nothing here knows of TransformerLens or of `clampsweep.decoder`: configs are Hugging Face's, texts
come from `generate`, and where an MLP's output projection lies is written down by hand.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from clampsweep.models.directions import random_direction
from clampsweep.models.spec import ModelSpec
from clampsweep.names import OWN
from tiny import BOS, EOS, tiny_tokenizer

if TYPE_CHECKING:
    from clampsweep.models.model import Model

N_LAYERS, D_MODEL, D_MLP, N_CTX = 2, 32, 40, 64
N_HEADS, N_KV_HEADS, D_HEAD = 4, 2, 8
N_NEW = 8
# Of nine, six, nine and thirteen tokens: with `N_NEW` more, some cross WINDOW or ORIGINAL and some
# begin beyond it.
PROMPTS = ("the cat ran", "is it so", "she said no", "the rain is cold")
WINDOW = 17  # how far back layers with a sliding window look
ORIGINAL = 11  # context that a rotary embedding was stretched from

# What the fields of configs that hold a size may be called; a config gets those that it has.
_SIZES: dict[str, Any] = {
    "vocab_size": 272,
    "hidden_size": D_MODEL,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": N_HEADS,
    "num_key_value_heads": N_KV_HEADS,
    "head_dim": D_HEAD,
    "max_position_embeddings": N_CTX,
    "intermediate_size": D_MLP,
    "n_inner": D_MLP,
    "ffn_dim": 4 * D_MODEL,
    "ffn_hidden_size": 4 * D_MODEL,
    "dff": 4 * D_MODEL,
    "d_inner": 4 * D_MODEL,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": D_MLP,
    "shared_intermediate_size": D_MLP,
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "n_routed_experts": 4,
    "sliding_window": WINDOW,
    "tie_word_embeddings": False,
}
_SAID = "abcdefghijklmnopqrstuvwxyz.,ĠÃ©"  # beside the pairs of letters
_IDS = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": None}
_OWN_HEAD_DIM = {"head_dim": None}


@dataclass(frozen=True)
class Family:
    """A configuration of a causal language model, tiny.

    Attributes:
        model_type: What `AutoConfig` calls it.
        fields: Of its config, beside `_SIZES`.
        out: Path of the output projection of each layer's MLP, `{}` for the layer; empty where
            there is none, or not one in every layer.
        d_mlp: Width that the config entry says; None for that of the projection.
        dtype: What it runs in: float64, unless transformers' code for it cannot.
        seed: Of the weights: one whose texts differ and do not repeat one token.
        refused: What the line says that refuses it; empty if it can be swept.
        general: Why it takes the general path; empty if the fast one fits.
    """

    model_type: str
    fields: dict[str, Any] = field(default_factory=dict)
    out: str = ""
    d_mlp: int | None = None
    dtype: str = "float64"
    seed: int = 0
    refused: str = ""
    general: str = ""

    def config(self) -> Any:
        """Its config, with tiny sizes."""
        from transformers import AutoConfig

        default = AutoConfig.for_model(self.model_type)
        sizes = {
            default.attribute_map.get(name, name): size
            for name, size in _SIZES.items()
            if name in {*default.to_dict(), *default.attribute_map}
        }
        return AutoConfig.for_model(self.model_type, **{**sizes, **_IDS, **self.fields})

    def width(self, plain: Any) -> int:
        """Number of neurons of a layer of a Hugging Face model."""
        if self.d_mlp is not None or not self.out:
            return self.d_mlp or D_MLP
        projection = self.projection(plain, 0)
        return int(projection.weight.shape[0 if type(projection).__name__ == "Conv1D" else 1])

    def projection(self, plain: Any, layer: int) -> Any:
        """The output projection of a layer's MLP in a Hugging Face model."""
        return plain.get_submodule(self.out.format(layer))

    def block(self, plain: Any, layer: int) -> Any:
        """A layer of a Hugging Face model."""
        return plain.get_submodule(f"{self.out.partition('{}')[0]}{layer}")


def _rope(kind: str, **more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **more}}


_STRETCHED = {"factor": N_CTX / ORIGINAL, "original_max_position_embeddings": ORIGINAL}
_LONG = {
    "short_factor": [1.0, 1.1, 1.2, 1.3],
    "long_factor": [1.0, 2.0, 3.0, 5.0],
    "original_max_position_embeddings": ORIGINAL,
}
_LLAMA3 = {**_STRETCHED, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
_MIXED_LAYERS = {"layer_types": ["sliding_attention", "full_attention"]}
_FALCON = {"num_kv_heads": N_KV_HEADS, "new_decoder_architecture": True}
_PER_LAYER_INPUT = {"vocab_size_per_layer_input": 272, "hidden_size_per_layer_input": 8}
_MULTIPLIERS = {
    "embedding_multiplier": 1.5,
    "residual_multiplier": 0.6,
    "logits_scaling": 0.5,
    "attention_multiplier": 0.4,
}
_MLA = {
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "num_key_value_heads": N_HEADS,
    "head_dim": 4,
}
_MAMBA2 = {
    "mamba_n_heads": 8,
    "mamba_d_head": 8,
    "mamba_d_state": 8,
    "mamba_chunk_size": 8,
    "mamba_expand": 2,
}
_LINEAR = {
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "layer_types": ["linear_attention", "full_attention"],
}
_GPT_OUT = "transformer.h.{}.mlp.c_proj"
_GPTJ_OUT = "transformer.h.{}.mlp.fc_out"
_BLOOM_OUT = "transformer.h.{}.mlp.dense_4h_to_h"
_NEOX_OUT = "gpt_neox.layers.{}.mlp.dense_4h_to_h"
_OUT = "model.layers.{}.mlp.down_proj"
_FC2_OUT = "model.layers.{}.mlp.fc2"
_FORWARD_OUT = "model.layers.{}.feed_forward.down_proj"
_OPT_OUT = "model.decoder.layers.{}.fc2"


def _llama_like(model_type: str, **fields: Any) -> Family:
    return Family(model_type, fields, _OUT)


def _experts(model_type: str, **fields: Any) -> Family:
    """A mixture of experts: its matrix products have no float64."""
    return Family(model_type, fields, dtype="float32")


_ALL: dict[str, Family] = {
    # GPT-2 and its like
    "gpt2": Family("gpt2", {}, _GPT_OUT),
    "gpt2-scaled": Family("gpt2", {"scale_attn_by_inverse_layer_idx": True}, _GPT_OUT),
    "gpt2-tied": Family("gpt2", {"tie_word_embeddings": True}, _GPT_OUT),
    "gpt_neo": Family(
        "gpt_neo",
        {"attention_types": [[["local", "global"], 1]], "window_size": WINDOW},
        _GPT_OUT,
    ),
    "gptj": Family("gptj", {"rotary_dim": 4}, _GPTJ_OUT),
    "gpt_neox": Family("gpt_neox", {}, _NEOX_OUT),
    "gpt_neox-serial": Family("gpt_neox", {"use_parallel_residual": False}, _NEOX_OUT),
    "gpt_neox_japanese": Family(
        "gpt_neox_japanese",
        {},
        "gpt_neox_japanese.layers.{}.mlp.dense_4h_to_h",
    ),
    "gpt_bigcode": Family("gpt_bigcode", {}, _GPT_OUT),
    "gpt_bigcode-many-heads": Family(
        "gpt_bigcode", {"multi_query": False, "num_key_value_heads": N_HEADS}, _GPT_OUT
    ),
    "codegen": Family("codegen", {"rotary_dim": 4}, _GPTJ_OUT),
    "openai-gpt": Family("openai-gpt", {}, _GPT_OUT),
    "ctrl": Family("ctrl", {}, "transformer.h.{}.ffn.2"),
    "biogpt": Family("biogpt", {}, "biogpt.layers.{}.fc2"),
    "xglm": Family("xglm", {}, "model.layers.{}.fc2", dtype="float32"),
    "opt": Family("opt", {"word_embed_proj_dim": D_MODEL}, _OPT_OUT),
    "opt-post-norm": Family(
        "opt",
        {"word_embed_proj_dim": D_MODEL, "do_layer_norm_before": False},
        _OPT_OUT,
    ),
    "opt-projected": Family(
        "opt",
        {"word_embed_proj_dim": 24, "do_layer_norm_before": False},
        _OPT_OUT,
    ),
    "opt-narrow": Family("opt", {"word_embed_proj_dim": D_MODEL, "ffn_dim": D_MLP}, _OPT_OUT),
    # with alibi
    "bloom": Family("bloom", {}, _BLOOM_OUT),
    "bloom-post-norm": Family(
        "bloom",
        {"apply_residual_connection_post_layernorm": True},
        _BLOOM_OUT,
    ),
    "mpt": Family(
        "mpt",
        {"max_seq_len": N_CTX},
        "transformer.blocks.{}.ffn.down_proj",
    ),
    # Falcon
    "falcon": Family("falcon", _FALCON, _BLOOM_OUT),
    "falcon-multi-query": Family("falcon", {"multi_query": True}, _BLOOM_OUT),
    "falcon-one-norm": Family("falcon", {**_FALCON, "num_ln_in_parallel_attn": 1}, _BLOOM_OUT),
    "falcon-alibi": Family(
        "falcon",
        {"alibi": True, "multi_query": False, "parallel_attn": False, "bias": True},
        _BLOOM_OUT,
    ),
    "falcon-alibi-parallel": Family("falcon", {"alibi": True, "multi_query": True}, _BLOOM_OUT),
    # Llama and its rotary embeddings
    "llama": _llama_like("llama"),
    "llama-biased": _llama_like("llama", attention_bias=True, mlp_bias=True),
    "llama-linear": _llama_like("llama", **_rope("linear", factor=4.0)),
    "llama-dynamic": _llama_like(
        "llama", max_position_embeddings=16, **_rope("dynamic", factor=2.0)
    ),
    "llama-yarn": _llama_like("llama", **_rope("yarn", **_STRETCHED)),
    "llama-llama3": _llama_like("llama", **_rope("llama3", **_LLAMA3)),
    "llama-longrope": _llama_like("llama", **_rope("longrope", **_LONG)),
    # Mistral and its like
    "mistral": _llama_like("mistral", sliding_window=N_CTX),
    "mistral-window": _llama_like("mistral"),
    "ministral": _llama_like("ministral", **_MIXED_LAYERS),
    "ministral3": _llama_like(
        "ministral3",
        sliding_window=None,
        **_rope(
            "yarn",
            **_STRETCHED,
            beta_fast=32.0,
            beta_slow=1.0,
            mscale=1.0,
            mscale_all_dim=1.0,
            llama_4_scaling_beta=0.1,
        ),
    ),
    "mixtral": _experts("mixtral"),
    # Qwen
    "qwen2": _llama_like("qwen2", sliding_window=None),
    "qwen2-window": _llama_like(
        "qwen2", use_sliding_window=True, max_window_layers=1, layer_types=None
    ),
    "qwen2_moe": _experts("qwen2_moe"),
    "qwen3": _llama_like("qwen3"),
    "qwen3_moe": _experts("qwen3_moe"),
    "qwen3_moe-dense": _llama_like("qwen3_moe", mlp_only_layers=[0, 1]),
    "qwen3_next": _experts("qwen3_next", **_LINEAR),
    "qwen3_5_text": Family("qwen3_5_text", _LINEAR, _OUT),
    # Gemma
    "gemma": _llama_like("gemma"),
    "gemma2": _llama_like("gemma2", **_MIXED_LAYERS, query_pre_attn_scalar=8),
    "gemma3_text": _llama_like("gemma3_text", **_MIXED_LAYERS, query_pre_attn_scalar=8),
    "gemma3n_text": Family(
        "gemma3n_text",
        {
            **_MIXED_LAYERS,
            "vocab_size_per_layer_input": 272,
            "hidden_size_per_layer_input": 8,
            "laurel_rank": 8,
            "altup_num_inputs": 2,
            "num_kv_shared_layers": 0,
            "activation_sparsity_pattern": [0.5, 0.0],
            "intermediate_size": [D_MLP, D_MLP],
        },
        _OUT,
    ),
    "gemma3n_text-shared": Family(
        "gemma3n_text",
        {
            "num_hidden_layers": 4,
            "layer_types": 2 * ["sliding_attention", "full_attention"],
            "vocab_size_per_layer_input": 272,
            "hidden_size_per_layer_input": 8,
            "laurel_rank": 8,
            "altup_num_inputs": 2,
            "num_kv_shared_layers": 2,
            "activation_sparsity_pattern": [0.5, 0.0, 0.0, 0.0],
            "intermediate_size": 4 * [D_MLP],
        },
        _OUT,
    ),
    "gemma4_text": Family("gemma4_text", {**_MIXED_LAYERS, **_PER_LAYER_INPUT}, _OUT),
    "gemma4_text-plain": Family(
        "gemma4_text",
        {
            **_MIXED_LAYERS,
            "hidden_size_per_layer_input": 0,
            "attention_k_eq_v": True,
            "final_logit_softcapping": 30.0,
        },
        _OUT,
    ),
    "gemma4_text-shared": Family(
        "gemma4_text",
        {
            **_PER_LAYER_INPUT,
            "num_hidden_layers": 4,
            "layer_types": 2 * ["sliding_attention", "full_attention"],
            "num_kv_shared_layers": 2,
        },
        _OUT,
    ),
    "gemma4_text-wide": Family(
        "gemma4_text",
        {
            **_PER_LAYER_INPUT,
            "num_hidden_layers": 4,
            "layer_types": 2 * ["sliding_attention", "full_attention"],
            "num_kv_shared_layers": 2,
            "use_double_wide_mlp": True,
        },
    ),
    "vaultgemma": _llama_like("vaultgemma", **_MIXED_LAYERS, query_pre_attn_scalar=8),
    "recurrent_gemma": Family(
        "recurrent_gemma",
        {
            "num_hidden_layers": 3,
            "lru_width": D_MODEL,
            "attention_window_size": WINDOW,
            "intermediate_size": 2 * D_MLP,
        },
        "model.layers.{}.mlp_block.down_proj",
        d_mlp=2 * D_MLP,
    ),
    # Phi
    "phi": Family("phi", {}, _FC2_OUT),
    "phi-qk-norm": Family("phi", {"qk_layernorm": True}, _FC2_OUT),
    "phi3": _llama_like("phi3", sliding_window=None),
    "phi3-window": _llama_like("phi3"),
    "phi3-longrope": _llama_like(
        "phi3",
        sliding_window=None,
        original_max_position_embeddings=ORIGINAL,
        **_rope("longrope", **_LONG),
    ),
    "phimoe": _experts("phimoe", sliding_window=None),
    # OLMo
    "olmo": _llama_like("olmo", clip_qkv=1.0),
    "olmo2": _llama_like("olmo2"),
    "olmo3": _llama_like("olmo3", **_MIXED_LAYERS),
    "olmoe": _experts("olmoe"),
    "olmo_hybrid": Family("olmo_hybrid", _LINEAR, _OUT),
    "flex_olmo": _experts("flex_olmo"),
    # Cohere
    "cohere": _llama_like("cohere", logit_scale=0.5),
    "cohere-qk-norm": _llama_like("cohere", logit_scale=0.5, use_qk_norm=True),
    "cohere2": _llama_like("cohere2", logit_scale=0.5, **_MIXED_LAYERS),
    # Granite
    "granite": _llama_like("granite", **_MULTIPLIERS),
    "granitemoe": _experts("granitemoe", **_MULTIPLIERS),
    "granitemoehybrid": Family(
        "granitemoehybrid",
        {
            **_MULTIPLIERS,
            **_MAMBA2,
            "layer_types": ["linear_attention", "full_attention"],
            "num_local_experts": 0,
        },
        "model.layers.{}.shared_mlp.output_linear",
    ),
    "granitemoehybrid-attention": Family(
        "granitemoehybrid",
        {
            **_MULTIPLIERS,
            **_MAMBA2,
            "layer_types": ["full_attention", "full_attention"],
            "num_local_experts": 0,
            "position_embedding_type": "rope",
        },
        "model.layers.{}.shared_mlp.output_linear",
    ),
    "granite_swa": _llama_like("granite_swa", **_MULTIPLIERS, **_MIXED_LAYERS),
    # Other dense ones
    "stablelm": _llama_like("stablelm"),
    "stablelm-parallel": _llama_like(
        "stablelm", use_parallel_residual=True, qk_layernorm=True, use_qkv_bias=True
    ),
    "starcoder2": Family("starcoder2", {"sliding_window": None}, "model.layers.{}.mlp.c_proj"),
    "starcoder2-window": Family("starcoder2", {}, "model.layers.{}.mlp.c_proj"),
    "glm": _llama_like("glm"),
    "glm4": _llama_like("glm4"),
    "exaone4": _llama_like("exaone4", **_MIXED_LAYERS, sliding_window_pattern=2),
    "smollm3": _llama_like("smollm3", no_rope_layers=[1, 0], use_sliding_window=False),
    "nemotron": _llama_like("nemotron"),
    "seed_oss": _llama_like("seed_oss", attention_dropout=0.0),
    "arcee": _llama_like("arcee"),
    "apertus": _llama_like("apertus", **_rope("llama3", **_LLAMA3)),
    "ernie4_5": _llama_like("ernie4_5"),
    "hunyuan_v1_dense": _llama_like("hunyuan_v1_dense"),
    "helium": _llama_like("helium"),
    "jais2": _llama_like("jais2"),
    "bitnet": _llama_like("bitnet"),
    "nanochat": Family("nanochat", {}, _FC2_OUT),
    "diffllama": _llama_like("diffllama"),
    "doge": _llama_like("doge"),
    "persimmon": Family("persimmon", {}, "model.layers.{}.mlp.dense_4h_to_h"),
    "hyperclovax": _llama_like("hyperclovax", **_MULTIPLIERS),
    "internlm3": _llama_like("internlm3"),
    "iquestcoder": _llama_like("iquestcoder"),
    "hrm_text": Family(
        "hrm_text",
        {"num_hidden_layers": 1, "prefix_lm": False},
    ),
    "minicpm3": Family("minicpm3", _MLA, _OUT),
    "cwm": _llama_like("cwm", **_MIXED_LAYERS, **_rope("llama3", **_LLAMA3)),
    "youtu": Family("youtu", _MLA, _OUT),
    "modernbert-decoder": Family(
        "modernbert-decoder",
        {
            "layer_types": ["full_attention", "sliding_attention"],
            "pad_token_id": 0,
        },
        "model.layers.{}.mlp.Wo",
    ),
    # BERT as a decoder, and others of its time
    "bert": Family("bert", {"is_decoder": True}, "bert.encoder.layer.{}.output.dense"),
    "bert-both-ways": Family("bert", {"is_decoder": False}),
    "xlnet": Family("xlnet", {}, "transformer.layer.{}.ff.layer_2", dtype="float32"),
    "xlm": Family("xlm", {"causal": True, "pad_token_id": 2}, "transformer.ffns.{}.lin2"),
    # Mixtures of experts
    "deepseek_v2": _experts("deepseek_v2", **_MLA, first_k_dense_replace=1, n_group=1),
    "deepseek_v2-dense": _llama_like("deepseek_v2", **_MLA, first_k_dense_replace=2),
    "deepseek_v3": _experts(
        "deepseek_v3", **_MLA, first_k_dense_replace=1, n_group=2, topk_group=1
    ),
    "minimax": _experts("minimax", layer_types=["linear_attention", "full_attention"]),
    "minimax_m2": _experts("minimax_m2"),
    "gpt_oss": _experts("gpt_oss", **_MIXED_LAYERS, **_rope("yarn", **_STRETCHED)),
    "dots1": _experts("dots1", n_shared_experts=1, first_k_dense_replace=1),
    "ernie4_5_moe": _experts("ernie4_5_moe", moe_num_experts=4, moe_k=2),
    "glm4_moe": _experts("glm4_moe"),
    "afmoe": _experts("afmoe", **_MIXED_LAYERS),
    "jetmoe": Family("jetmoe", {"kv_channels": D_HEAD}),
    "llama4_text": Family(
        "llama4_text",
        {"intermediate_size_mlp": D_MLP, "interleave_moe_layer_step": 2, "attention_chunk_size": 8},
    ),
    "llama4_text-dense": Family(
        "llama4_text",
        {
            "intermediate_size_mlp": D_MLP,
            "moe_layers": [],
            "attention_chunk_size": WINDOW,
            "no_rope_layers": [1, 0],
        },
        _FORWARD_OUT,
    ),
    # State spaces, and hybrids with them
    "mamba": Family(
        "mamba", {"intermediate_size": 2 * D_MODEL, "state_size": 4}, d_mlp=2 * D_MODEL
    ),
    "falcon_mamba": Family(
        "falcon_mamba", {"intermediate_size": 2 * D_MODEL, "state_size": 4}, d_mlp=2 * D_MODEL
    ),
    "mamba2": Family(
        "mamba2",
        {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1, "chunk_size": 8},
        d_mlp=4 * D_MODEL,
    ),
    "jamba": Family(
        "jamba",
        {
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "num_experts": 1,
            "num_experts_per_tok": 1,
            "expert_layer_period": 2,
            "expert_layer_offset": 1,
            "mamba_d_state": 4,
            "mamba_dt_rank": 4,
            "use_mamba_kernels": False,
        },
        _FORWARD_OUT,
    ),
    "bamba": Family("bamba", {**_MAMBA2, "attn_layer_indices": [1]}, _FORWARD_OUT),
    "falcon_h1": Family(
        "falcon_h1",
        {**_MAMBA2, "mamba_d_ssm": 64, "mlp_multipliers": [0.7, 1.4]},
        _FORWARD_OUT,
    ),
    "zamba2": Family(
        "zamba2",
        {
            "num_hidden_layers": 3,
            "layers_block_type": ["linear_attention", "hybrid", "hybrid"],
            "mamba_d_state": 8,
            "n_mamba_heads": 8,
            "mamba_headdim": 8,
            "chunk_size": 8,
            "num_key_value_heads": N_HEADS,
            "attention_head_dim": 16,
            "use_mamba_kernels": False,
        },
    ),
    "lfm2": Family(
        "lfm2",
        {"layer_types": ["conv", "full_attention"], "block_auto_adjust_ff_dim": False},
        "model.layers.{}.feed_forward.w2",
    ),
    "xlstm": Family(
        "xlstm",
        {"num_blocks": N_LAYERS, "num_heads": 4, "hidden_size": 128, "embedding_dim": 128},
        d_mlp=4 * 128,
    ),
    "rwkv": Family("rwkv", {"attention_hidden_size": D_MODEL, "rescale_every": 0}),
}


# Of weights whose texts differ from prompt to prompt, do not repeat one token and are changed by
# clamps, where those of seed 0 are not so.
_SEEDS = {
    "gpt2": 1,
    "gpt2-scaled": 1,
    "gpt2-tied": 39,
    "gpt_neox": 8,
    "gpt_neox-serial": 4,
    "gpt_neox_japanese": 2,
    "gpt_bigcode": 1,
    "openai-gpt": 2,
    "ctrl": 2,
    "biogpt": 3,
    "opt": 4,
    "opt-post-norm": 31,
    "opt-projected": 17,
    "bloom": 14,
    "bloom-post-norm": 29,
    "mpt": 1,
    "falcon": 1,
    "falcon-one-norm": 3,
    "falcon-alibi": 4,
    "llama-linear": 2,
    "mistral-window": 1,
    "ministral": 1,
    "gemma2": 1,
    "gemma3_text": 1,
    "gemma3n_text": 1,
    "gemma4_text": 1,
    "vaultgemma": 1,
    "recurrent_gemma": 1,
    "phi-qk-norm": 12,
    "phi3-window": 2,
    "olmo2": 2,
    "cohere-qk-norm": 1,
    "granitemoe": 1,
    "granitemoehybrid-attention": 2,
    "stablelm-parallel": 4,
    "starcoder2": 11,
    "starcoder2-window": 7,
    "exaone4": 2,
    "nemotron": 1,
    "jais2": 11,
    "nanochat": 8,
    "diffllama": 1,
    "doge": 1,
    "persimmon": 32,
    "hyperclovax": 1,
    "minicpm3": 2,
    "bert": 24,
    "bert-both-ways": 7,
    "xlnet": 34,
    "xlm": 11,
    "minimax_m2": 1,
    "gpt_oss": 3,
    "dots1": 1,
    "glm4_moe": 2,
    "afmoe": 3,
    "llama4_text": 3,
    "llama4_text-dense": 1,
    "jamba": 1,
    "rwkv": 1,
}
# What the line says that refuses a family.
_REFUSED = {
    "TransformerLens does not know the architecture": """
        gpt_neox_japanese ctrl biogpt ministral gemma3n_text gemma3n_text-shared granite_swa
        helium diffllama doge persimmon hyperclovax minicpm3 cwm xlm xlstm
    """,
    "a mixture of experts": """
        mixtral qwen2_moe qwen3_moe qwen3_next phimoe olmoe flex_olmo granitemoe deepseek_v2
        deepseek_v3 minimax minimax_m2 gpt_oss dots1 ernie4_5_moe glm4_moe afmoe jetmoe
        llama4_text
    """,
    "no one MLP output projection": """
        qwen3_moe-dense recurrent_gemma granitemoehybrid granitemoehybrid-attention hrm_text
        deepseek_v2-dense llama4_text-dense mamba falcon_mamba mamba2 zamba2 rwkv
    """,
    "expected n_layers": "gemma4_text-wide",
    "no causal language model": "bert-both-ways xlnet",
}
_GENERAL = {
    "its attention cannot be exchanged": """
        gpt_neo xglm bloom bloom-post-norm mpt falcon falcon-multi-query
        falcon-one-norm falcon-alibi falcon-alibi-parallel
    """,
    "its rotations depend on the length of the text": "llama-dynamic llama-longrope phi3-longrope",
    "layers do not attend to keys": "qwen3_5_text jamba bamba lfm2",
    "something other than a norm or a factor follows its MLPs": """
        openai-gpt opt-post-norm opt-projected bert olmo_hybrid falcon_h1 gemma4_text
        gemma4_text-shared
    """,
    "its logits are no multiple of what its unembedding gives": """
        gemma2 gemma4_text-plain vaultgemma nanochat
    """,
    "have no key and value of one width for each token": "youtu",
    "its logits are off by": "modernbert-decoder",
}


def _named(table: dict[str, str], name: str) -> str:
    """What a table says of a family; empty if nothing."""
    return next((line for line, names in table.items() if name in names.split()), "")


FAMILIES = {
    name: replace(
        family,
        seed=_SEEDS.get(name, 0),
        refused=_named(_REFUSED, name),
        general=_named(_GENERAL, name),
    )
    for name, family in _ALL.items()
}


# Weights


def random_model(family: Family) -> Any:
    """A model of a family, in evaluation mode, with weights so large that its logits differ widely.

    It never says EOS, nor tokens that are not text.
    """
    from transformers import AutoModelForCausalLM

    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(family.seed)
        model: Any = AutoModelForCausalLM.from_config(family.config()).eval()
        head = model.get_output_embeddings()
        for module in model.modules():
            for name, weight in module.named_parameters(recurse=False):
                if module is not head:
                    _draw(module, name, weight)
        _draw_head(head)
    return model


def _draw(module: Any, name: str, weight: torch.Tensor) -> None:
    """Draw a parameter anew; what is not a matrix or a bias stays near where it begins."""
    if isinstance(module, torch.nn.Embedding):
        weight.normal_(0, 2 / getattr(module, "scalar_embed_scale", 1))
    elif name == "weight" and weight.ndim == 2:
        turned = type(module).__name__ == "Conv1D"
        weight.normal_(0, 2 * weight.shape[0 if turned else 1] ** -0.5)
    elif weight.ndim == 3:  # experts
        weight.normal_(0, 2 * weight.shape[-1] ** -0.5)
    elif name.endswith("bias"):
        weight.normal_(0, 0.3)
    else:
        weight.add_(torch.randn_like(weight), alpha=0.1)


def _draw_head(head: Any) -> None:
    """Draw the output embedding: loud for what texts hold, nearly silent for other tokens."""
    tokens = tiny_tokenizer().convert_ids_to_tokens(range(head.weight.shape[0]))
    silent = [token not in _SAID and len(token) != 2 for token in tokens]
    head.weight.normal_(0, 1)
    head.weight[silent] *= 0.01
    if head.bias is not None:
        head.bias.zero_()


def make_family(folder: Path, name: str) -> ModelSpec:
    """Make the folder of a family's model; return its config entry."""
    family = FAMILIES[name]
    model = random_model(family)
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return ModelSpec(
        where=f"test.yaml: models.{name}",
        name=name,
        source="path",
        licence="none",
        n_layers=int(model.config.num_hidden_layers),
        d_mlp=family.width(model),
        dtype=family.dtype,
        prepend_bos=False,
        weight_processing="none",
        path=str(folder),
    )


def load_family(folder: Path, name: str) -> Model:
    """The family's model, made, fetched and loaded by clampsweep; its source is `folder/source`."""
    from clampsweep.models.fetching import fetch
    from clampsweep.models.loading import load

    spec = make_family(folder / "source", name)
    fetch(spec, folder / "model")
    return load(folder / "model", spec, threads=1, device="cpu")


# Texts by Hugging Face's own code


@dataclass(frozen=True)
class Clamp:
    """A value that a neuron of a layer is set to, at all positions.

    Or, with the number of a random direction: what that would add to what W_out gives, sent along
    the direction.
    """

    layer: int
    index: int
    value: float
    direction: int = OWN


@dataclass(frozen=True)
class Push:
    """A multiple of a fixed direction, added to the residual stream after a layer."""

    layer: int
    multiple: float

    def vector(self, d_model: int) -> np.ndarray:
        """The direction: [d_model]."""
        return np.random.default_rng([17, self.layer]).normal(size=d_model)


def hf_text(
    family: Family,
    plain: Any,
    prompt_ids: Sequence[int],
    n: int,
    clamps: Sequence[Clamp | Push] = (),
) -> list[int]:
    """Greedy text of at most n tokens, without the EOS token, by `generate` alone.

    A copy of the model generates, so that nothing a text leaves behind in it reaches the next one.
    """
    fresh = copy.deepcopy(plain, {id(weight): weight for weight in plain.parameters()})
    ids = torch.tensor([list(prompt_ids)])
    with _clamped(family, fresh, clamps):
        out = fresh.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            num_beams=1,
            max_new_tokens=n,
            use_cache=True,
            repetition_penalty=1.0,
            eos_token_id=EOS,
            pad_token_id=BOS,
        )
    tokens: list[int] = out[0, len(prompt_ids) :].tolist()
    return tokens[: tokens.index(EOS)] if EOS in tokens else tokens


def hf_chance_of_end(
    family: Family, plain: Any, prompt_ids: Sequence[int], clamps: Sequence[Clamp | Push] = ()
) -> float:
    """Probability of EOS after a prompt, by one pass of Hugging Face's model."""
    fresh = copy.deepcopy(plain, {id(weight): weight for weight in plain.parameters()})
    with torch.inference_mode(), _clamped(family, fresh, clamps):
        logits = fresh(torch.tensor([list(prompt_ids)]), use_cache=False).logits[0, -1]
    return float(logits.double().softmax(-1)[EOS])


@contextmanager
def _clamped(family: Family, plain: Any, clamps: Sequence[Clamp | Push]) -> Iterator[None]:
    """Set neurons where they enter their layer's output projection, or push what leaves it.

    Or push what leaves the layer.
    """

    def before(
        clamp: Clamp, module: Any, args: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, ...]:
        changed = args[0].clone()
        changed[..., clamp.index] = clamp.value
        return (changed, *args[1:])

    def after(
        clamp: Clamp, module: Any, args: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> torch.Tensor:
        turned = type(module).__name__ == "Conv1D"
        column = module.weight[clamp.index] if turned else module.weight[:, clamp.index]
        unit = random_direction(clamp.layer, clamp.direction, len(column))
        step = column.norm() * torch.from_numpy(unit).to(column)
        return output + (clamp.value - args[0][..., clamp.index, None]) * step

    def pushed(push: Push, module: Any, args: Any, output: Any) -> Any:
        hidden = output if isinstance(output, torch.Tensor) else output[0]
        step = torch.from_numpy(push.multiple * push.vector(hidden.shape[-1])).to(hidden)
        return hidden + step if hidden is output else (hidden + step, *output[1:])

    handles = []
    for clamp in clamps:
        if isinstance(clamp, Push):
            block = family.block(plain, clamp.layer)
            handles.append(block.register_forward_hook(partial(pushed, clamp)))
            continue
        out = family.projection(plain, clamp.layer)
        if clamp.direction == OWN:
            handles.append(out.register_forward_pre_hook(partial(before, clamp)))
        else:
            handles.append(out.register_forward_hook(partial(after, clamp)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
