"""Whether a checkpoint is the whole model and nothing more that matters.

What transformers itself passes over (`_keys_to_ignore_on_load_unexpected` of each class) never
comes here. Anything else that a model does not use may be a part of it: a bias that `config.json`
turns off, a layer too many, an adapter that was not merged. So it is refused, but for tensors that
published checkpoints hold to no effect.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor

from clampsweep.errors import UserError

_SHOWN = 3  # names in a message

_SAVE = "load the model that was trained in transformers and save it with save_pretrained"

_RECOMPUTED = re.compile(
    r"(^|\.)(inv_freq|cos_cached|sin_cached|position_ids|masked_bias)$"
)  # from config.json, whenever the model is made; masked_bias: the old "minus infinity" of masks

_BESIDE = re.compile(
    r"^(model\.)?(mtp\w*|vision\w*|visual|audio\w*|embed_vision|embed_audio|multi_modal_projector"
    r"|mm_projector|v_head)\."
)  # heads that predict further tokens or a value, and other senses than text


class Report(NamedTuple):
    """What transformers says of a checkpoint: names, and shapes in the weights and the model."""

    missing: list[str]
    unexpected: list[str]
    mismatched: list[tuple[str, list[int], list[int]]]


def check_report(report: Report, folder: Path, where: str) -> None:
    """Refuse a checkpoint that is not the whole model, or more than it.

    Args:
        report: What transformers says of it.
        folder: Of the model.
        where: The model's place in the config, for messages.

    Raises:
        UserError: Weights are missing, of another shape, or not used though they may matter.
    """
    if report.mismatched:
        shapes = [f"{name} is {one}, not {two}" for name, one, two in report.mismatched]
        raise UserError(
            f"{where}: other shapes in the weights than config.json makes: {few(shapes)}; "
            "correct config.json (vocab_size and the other sizes), or get the whole model again"
        )
    unexpected = [name for name in report.unexpected if not _has_no_effect(folder, name)]
    if report.missing:
        raise UserError(
            f"{where}: the weights lack {few(report.missing)}, which would be drawn at random; "
            + _remedy(report.missing, unexpected)
        )
    if unexpected:
        raise UserError(
            f"{where}: the weights hold {few(unexpected)}, which the model of config.json does "
            "not use; " + _remedy([], unexpected)
        )


def _remedy(missing: list[str], unexpected: list[str]) -> str:
    if any("lora_" in name for name in unexpected):
        return "merge the adapter into the model (merge_and_unload) and save that"
    if prefix := _prefix(missing, unexpected):
        return f"their names there begin with {prefix!r}: {_SAVE}"
    if missing and not unexpected and all("lm_head" in name for name in missing):
        return (
            "get the whole model; or if its output weights are those of the embedding, set "
            "tie_word_embeddings to true in its config.json"
        )
    return f"correct its config.json (number of layers, biases), or {_SAVE}"


def _prefix(missing: list[str], unexpected: list[str]) -> str:
    """What some names begin with that shall not be there, as `module.`."""
    wanted = set(missing)
    for name in unexpected:
        parts = name.split(".")
        for at in range(1, len(parts)):
            if ".".join(parts[at:]) in wanted:
                return ".".join(parts[:at]) + "."
    return ""


def few(names: list[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _has_no_effect(folder: Path, name: str) -> bool:
    """Whether the logits cannot depend on a tensor that the model does not use."""
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
