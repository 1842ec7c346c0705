"""Streaming capture of MLP post-activations over given token sequences, without keeping them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from clampsweep.models.hooks import hooked
from clampsweep.models.model import Model
from clampsweep.names import Neuron


def newest_logits_only(model: Model) -> dict[str, Tensor]:
    """What tells a model to compute the newest position's logits only, if it can be told.

    As an index: of a number, Gemma 4 concludes that some layers need not run at other positions.
    """
    if not model.plain._supports_logits_to_keep():
        return {}
    return {"logits_to_keep": torch.tensor([-1], device=model.device)}


def stream(
    model: Model,
    sequences: Sequence[Sequence[int]],
    layers: Sequence[int],
    receive: Callable[[int, list[int], Float[Tensor, "row pos d_mlp"]], None],
    rows_per_forward: int = 32,
) -> Iterator[int]:
    """Run sequences through the model, handing each layer's post-activations to `receive`.

    Sequences of equal length run together, so nothing is padded.

    Args:
        model: Loaded model.
        sequences: Token ids.
        layers: Layers wanted.
        receive: Called with the layer, the sequences' numbers, and their activations.
        rows_per_forward: Most sequences in one pass.

    Yields:
        Number of sequences done by each pass.
    """
    by_length: dict[int, list[int]] = {}
    for number, sequence in enumerate(sequences):
        by_length.setdefault(len(sequence), []).append(number)
    plain, keep = model.plain, newest_logits_only(model)
    for _, numbers in sorted(by_length.items()):
        for start in range(0, len(numbers), rows_per_forward):
            part = numbers[start : start + rows_per_forward]
            hooks = {layer: partial(receive, layer, part) for layer in layers}
            tokens = torch.tensor([list(sequences[n]) for n in part], device=model.device)
            with torch.inference_mode(), hooked(plain, model.outs, hooks):
                plain(input_ids=tokens, use_cache=False, **keep)
            yield len(part)


def traces(
    model: Model, sequences: Sequence[Sequence[int]], neurons: Sequence[Neuron]
) -> list[dict[Neuron, tuple[float, ...]]]:
    """Natural values of some neurons at every position of each sequence, in activation units."""
    found: list[dict[Neuron, tuple[float, ...]]] = [{} for _ in sequences]

    def receive(layer: int, numbers: list[int], activation: Tensor) -> None:
        for neuron in neurons:
            if neuron.layer == layer:
                values = activation[:, :, neuron.index].double().cpu().tolist()
                for number, row in zip(numbers, values, strict=True):
                    found[number][neuron] = tuple(row)

    layers = sorted({neuron.layer for neuron in neurons})
    for _ in stream(model, sequences, layers, receive):
        pass
    return found
