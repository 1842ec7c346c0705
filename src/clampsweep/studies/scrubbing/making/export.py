"""The trained model as a GPT-NeoX whose MLPs write nothing: what transformers reads."""

from __future__ import annotations

from typing import Any

import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from clampsweep.models.making import BEGIN_ID
from clampsweep.studies.scrubbing.making.attention import AttentionOnly


def as_neox(model: AttentionOnly, dtype: torch.dtype) -> Any:
    """The same model in Hugging Face's class, rounded to a dtype.

    Args:
        model: As it is trained.
        dtype: Of the weights that are stored.
    """
    shape = model.shape
    config = GPTNeoXConfig(
        vocab_size=model.embed.num_embeddings,
        hidden_size=shape["d_model"],
        intermediate_size=1,  # the fewest neurons that transformers knows; they write nothing
        num_hidden_layers=len(model.layers),
        num_attention_heads=shape["n_heads"],
        max_position_embeddings=shape["n_ctx"],
        rope_parameters={
            "rope_type": "default",
            "rope_theta": shape["rotary_base"],
            "partial_rotary_factor": 1.0,
        },
        layer_norm_eps=model.norm.eps,
        use_parallel_residual=False,
        bos_token_id=BEGIN_ID,
        eos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        exported: Any = GPTNeoXForCausalLM(config)
        body = exported.gpt_neox
        body.embed_in.load_state_dict(model.embed.state_dict())
        body.final_layer_norm.load_state_dict(model.norm.state_dict())
        exported.get_output_embeddings().load_state_dict(model.unembed.state_dict())
        for own, block in zip(model.layers, body.layers, strict=True):
            _fill(block, own)
        exported.to(dtype)
    return exported


def _fill(block: Any, own: Any) -> None:
    """Give a layer of GPT-NeoX the weights of one of ours; its MLP writes nothing."""
    block.input_layernorm.load_state_dict(own.norm.state_dict())
    block.attention.dense.load_state_dict(own.o.state_dict())
    joint = block.attention.query_key_value
    for name in ("weight", "bias"):
        # [head, d_head, ...] of queries, keys, values -> [head, 3, d_head, ...], as the rows lie
        parts = [
            getattr(linear, name).unflatten(0, (own.n_heads, -1))
            for linear in (own.q, own.k, own.v)
        ]
        getattr(joint, name).copy_(torch.stack(parts, 1).flatten(0, 2))
    for weight in block.mlp.parameters():
        weight.zero_()
