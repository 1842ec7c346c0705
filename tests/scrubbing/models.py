"""Attention-only models of two layers for the tests of scrubbing, with random weights."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clampsweep.studies.scrubbing.roles import Roles
from clampsweep.studies.scrubbing.weights import Weights, from_model

N_HEADS, D_VOCAB, N_CTX = 4, 48, 32
ROLES = Roles(
    N_HEADS,
    {"prev": (0, 2), "self": (1,), "first": (), "induction": (3, 1)},
    {"first": "too low"},
)


@cache
def neox(dtype: torch.dtype = torch.float64) -> Any:
    """Hugging Face's GPT-NeoX with MLPs that write nothing."""
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    config = GPTNeoXConfig(
        vocab_size=D_VOCAB,
        hidden_size=32,
        intermediate_size=1,
        num_hidden_layers=2,
        num_attention_heads=N_HEADS,
        max_position_embeddings=N_CTX,
        use_parallel_residual=False,
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0, "partial_rotary_factor": 1},
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = GPTNeoXForCausalLM(config).eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, weight in model.named_parameters():
            if ".mlp." in name:
                weight.zero_()
            elif "norm" in name:
                weight.normal_(float(name.endswith("weight")), 0.2)
            else:
                weight.normal_(0, 1 if "emb" in name else 0.4)
    return model.to(dtype)


def weights(dtype: torch.dtype = torch.float64) -> Weights:
    """Its weights."""
    return from_model(neox(dtype))


def save(folder: Path) -> Path:
    """The same model in float32 as a folder that TransformerLens boots."""
    import tiny

    neox(torch.float32).save_pretrained(folder)
    tiny.tiny_tokenizer().save_pretrained(folder)
    return folder


def examples(n: int = 12, n_pos: int = 25, seed: int = 0) -> np.ndarray:
    """Token ids of examples, BOS (0) first, with some that are repeated."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, D_VOCAB, (n, n_pos))
    tokens[:, n_pos // 2 : n_pos - 1] = tokens[:, 1 : n_pos - n_pos // 2]
    tokens[:, 0] = 0
    return tokens
