"""Tensors that published checkpoints hold and Hugging Face's model does not use, to no effect.

What transformers itself passes over (`_keys_to_ignore_on_load_unexpected` of each class) never
comes here. Anything else that a model does not use may be a part of it: a bias that `config.json`
turns off, a layer too many, an adapter that was not merged.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

_RECOMPUTED = re.compile(
    r"(^|\.)(inv_freq|cos_cached|sin_cached|position_ids|masked_bias)$"
)  # from config.json, whenever the model is made; masked_bias: the old "minus infinity" of masks

_BESIDE = re.compile(
    r"^(model\.)?(mtp\w*|vision\w*|visual|audio\w*|embed_vision|embed_audio|multi_modal_projector"
    r"|mm_projector|v_head)\."
)  # heads that predict further tokens or a value, and other senses than text


def has_no_effect(folder: Path, name: str) -> bool:
    """Whether the logits cannot depend on a tensor that the model does not use.

    Args:
        folder: Of the model.
        name: Of the tensor.
    """
    if _RECOMPUTED.search(name) or _BESIDE.search(name):
        return True
    return name.endswith((".bias", "mask")) and any(
        _is_causal_mask(tensor) for tensor in _stored(folder, name)
    )


def _stored(folder: Path, name: str) -> list[Tensor]:
    """The tensor of a name, if it has four axes: GPT-2, GPT-Neo, GPT-J, CodeGen stored masks so."""
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            if name in file.keys() and len(file.get_slice(name).get_shape()) == 4:  # noqa: SIM118
                return [file.get_tensor(name)]
    return []


def _is_causal_mask(tensor: Tensor) -> bool:
    """Whether it is `[1, 1, n, n]`, of zeros and ones, ones in the diagonal, zeros above it."""
    if tensor.shape[:2] != (1, 1) or tensor.shape[2] != tensor.shape[3]:
        return False
    mask = tensor[0, 0].float()
    is_lower = torch.equal(mask, mask.tril())
    return is_lower and bool(((mask == 0) | (mask == 1)).all() and (mask.diagonal() == 1).all())
