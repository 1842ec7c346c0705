"""Small stand-ins of the published models, in their authors' layout, with random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

IDS = [3, 1, 4, 1, 5, 9, 2, 6, 19]
SIZES = {"n_layers": 2, "d_model": 16, "n_heads": 2, "d_head": 8, "n_ctx": 32, "d_vocab": 20}


def hooked(**changes: Any) -> Any:
    """TransformerLens's own model of attention alone, with random weights and biases."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    config = {**SIZES, "attn_only": True, "normalization_type": "LN", "device": "cpu", **changes}
    model = HookedTransformer(HookedTransformerConfig(**config))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        for name, weight in model.named_parameters():
            weight.normal_(1.0 if ".w" in name else 0.0, 0.5)
    return model


def wanted(model: Any) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.tensor([IDS]))[0].double().numpy()


def state_of(model: Any) -> dict[str, torch.Tensor]:
    """Its state dict with the buffers that versions of early 2023 kept."""
    state = dict(model.state_dict())
    for layer in range(2):
        state[f"blocks.{layer}.attn.mask"] = torch.ones(32, 32, dtype=torch.bool).tril()
        state[f"blocks.{layer}.attn.IGNORE"] = torch.tensor(-1e5)
    return state


def save(folder: Path, state: Any, name: str = "model_final.pth", **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    said = {**SIZES, "d_mlp": 64, "act_fn": "gelu", "attn_only": True, "normalization": "LN"}
    (folder / "config.json").write_text(json.dumps({**said, **config}))
    torch.save(state, folder / name)
    return folder


def redwood(folder: Path) -> tuple[Path, np.ndarray]:
    """In the layout of redwood_attn_2l: shortformer positions, no attention biases to speak of."""
    model = hooked(positional_embedding_type="shortformer")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".attn.b_" in name or name == "unembed.b_U":
                weight.zero_()
    config = {"shortformer_pos": True, "tokenizer_name": "gpt2"}
    return save(folder, state_of(model), **config), wanted(model)
