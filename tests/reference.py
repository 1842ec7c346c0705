"""The plain decoder that the engine is held against: one prompt, one step, the whole text again.

Shares nothing with `clampsweep.interventions` and `clampsweep.decoding`: every step runs the bridge
on the full sequence, without a cache, in a batch of one, under a hook written here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from clampsweep.models import Model
from clampsweep.names import Neuron, hook_post


@dataclass(frozen=True)
class Clamp:
    """One neuron, one operation."""

    neuron: Neuron
    operation: str
    value: float | None = None
    donor: tuple[float, ...] = ()

    def new_value(self, natural: float, position: int) -> float:
        """What the neuron's value becomes at a position."""
        return {
            "set": lambda: self.value,
            "mean": lambda: self.value,
            "add": lambda: natural + self.value,
            "scale": lambda: natural * self.value,
            "zero": lambda: 0.0,
            "resample": lambda: self.donor[position % len(self.donor)],
        }[self.operation]()


@dataclass
class Text:
    """What a reference run produced, and the newest position's activations, step by step."""

    token_ids: list[int] = field(default_factory=list)
    stop_reason: str = "max_new_tokens"
    margins: list[float] = field(default_factory=list)
    before: dict[int, list[Any]] = field(default_factory=dict)
    after: dict[int, list[Any]] = field(default_factory=dict)


def covers(scope: str, position: int, n_prompt: int, length: int) -> bool:
    """Whether a scope changes a position of a sequence that is `length` long by now."""
    if scope[0].isdigit():
        return str(position) in scope.split(",")
    return {
        "all": True,
        "prompt": position < n_prompt,
        "generated": position >= n_prompt,
        "last": position == length - 1,
        "last_cached": position >= n_prompt - 1,
    }[scope]


def decode_alone(
    model: Model,
    prompt: Sequence[int],
    clamps: Sequence[Clamp],
    scope: str,
    n_new: int,
    pick: Callable[[torch.Tensor, int], int] = lambda logits, step: int(logits.argmax()),
) -> Text:
    """The text that a prompt becomes; `pick` chooses from the logits of a step."""
    text = Text()
    layers = range(model.n_layers)
    hooks = [(hook_post(layer), _hook(layer, clamps, scope, len(prompt), text)) for layer in layers]
    with torch.inference_mode(), model.bridge.hooks(fwd_hooks=hooks):
        while True:
            tokens = [*prompt, *text.token_ids]
            logits = model.bridge.forward(torch.tensor([tokens]))[0, -1]
            if len(text.token_ids) == n_new:
                return text
            if len(tokens) == model.n_ctx:
                text.stop_reason = "context"
                return text
            high = logits.sort(descending=True).values
            text.margins.append(float(high[0] - high[1]))
            token = pick(logits, len(text.token_ids))
            if token in model.eos_ids:
                text.stop_reason = "eos"
                return text
            text.token_ids.append(token)


def _hook(
    layer: int, clamps: Sequence[Clamp], scope: str, n_prompt: int, text: Text
) -> Callable[..., torch.Tensor]:
    def hook(activation: torch.Tensor, hook: object) -> torch.Tensor:
        changed = activation.clone()
        length = activation.shape[1]
        for clamp in clamps:
            for position in range(length):
                if clamp.neuron.layer == layer and covers(scope, position, n_prompt, length):
                    at = (0, position, clamp.neuron.index)
                    changed[at] = clamp.new_value(float(activation[at]), position)
        if text.token_ids:
            text.before.setdefault(layer, []).append(activation[0, -1].clone())
            text.after.setdefault(layer, []).append(changed[0, -1].clone())
        return changed

    return hook


_PROJECTION = {
    "gpt2": lambda model, layer: model.transformer.h[layer].mlp.c_proj,
    "llama": lambda model, layer: model.model.layers[layer].mlp.down_proj,
    "gpt_neox": lambda model, layer: model.gpt_neox.layers[layer].mlp.dense_4h_to_h,
}


def post_activations(hugging_face: Any, tokens: Sequence[int]) -> list[torch.Tensor]:
    """Input of each layer's MLP output projection [pos, d_mlp], by Hugging Face's model alone."""
    found: list[torch.Tensor] = []
    projection = _PROJECTION[hugging_face.config.model_type]
    handles = [
        projection(hugging_face, layer).register_forward_pre_hook(
            lambda module, args: found.append(args[0][0].clone())
        )
        for layer in range(hugging_face.config.num_hidden_layers)
    ]
    with torch.inference_mode():
        hugging_face(torch.tensor([list(tokens)]))
    for handle in handles:
        handle.remove()
    return found
