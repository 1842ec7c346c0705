"""Activations of a tiny model by hooks of torch itself."""

from __future__ import annotations

import numpy as np
import torch


def by_hand(model, layer: int, sequences) -> dict[str, np.ndarray]:
    """Gate, up and post of a layer, by hooks of torch."""
    kept: dict[str, torch.Tensor] = {}
    mlp = model.plain.model.layers[layer].mlp
    hooks = [
        mlp.gate_proj.register_forward_hook(lambda m, i, o: kept.update(pre=o)),
        mlp.up_proj.register_forward_hook(lambda m, i, o: kept.update(pre_linear=o)),
        mlp.down_proj.register_forward_pre_hook(lambda m, i: kept.update(post=i[0])),
    ]
    with torch.no_grad():
        model.plain(input_ids=torch.tensor(sequences))
    for hook in hooks:
        hook.remove()
    return {f"mlp.hook_{name}": value.numpy() for name, value in kept.items()}
