"""Streaming capture of MLP post-activations over given token sequences, without keeping them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from clampsweep.models import Model, takes_logits_to_keep
from clampsweep.names import Neuron, hook_post


class Moments:
    """Running count, mean, variance and extremes of every neuron of one layer (Chan's merge)."""

    def __init__(self, d_mlp: int):
        self.n = 0
        self.mean: Float64[np.ndarray, " d_mlp"] = np.zeros(d_mlp)
        self._square: Float64[np.ndarray, " d_mlp"] = np.zeros(d_mlp)
        self.min: Float64[np.ndarray, " d_mlp"] = np.full(d_mlp, np.inf)
        self.max: Float64[np.ndarray, " d_mlp"] = np.full(d_mlp, -np.inf)
        self._positive: Float64[np.ndarray, " d_mlp"] = np.zeros(d_mlp)

    def add(self, values: Float[np.ndarray, "pos d_mlp"]) -> None:
        """Count more positions."""
        values = values.astype(np.float64)
        more = len(values)
        if not more:
            return
        mean = values.mean(0)
        total = self.n + more
        shift = mean - self.mean
        self._square += ((values - mean) ** 2).sum(0) + shift**2 * self.n * more / total
        self.mean += shift * more / total
        self.n = total
        self.min = np.minimum(self.min, values.min(0))
        self.max = np.maximum(self.max, values.max(0))
        self._positive += (values > 0).sum(0)

    @property
    def sd(self) -> Float64[np.ndarray, " d_mlp"]:
        """Standard deviation (n - 1); NaN for fewer than two positions."""
        if self.n < 2:
            return np.full(len(self.mean), np.nan)
        return np.asarray(np.sqrt(self._square / (self.n - 1)))

    @property
    def share_positive(self) -> Float64[np.ndarray, " d_mlp"]:
        """Share of positions above 0, in 0..1."""
        return self._positive / max(self.n, 1)


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
    keep = {"logits_to_keep": 1} if takes_logits_to_keep(model) else {}
    for _, numbers in sorted(by_length.items()):
        for start in range(0, len(numbers), rows_per_forward):
            part = numbers[start : start + rows_per_forward]
            hooks = [(hook_post(layer), _receiver(layer, part, receive)) for layer in layers]
            tokens = torch.tensor([list(sequences[n]) for n in part], device=model.device)
            with torch.inference_mode(), model.bridge.hooks(fwd_hooks=hooks):
                model.bridge.forward(tokens, return_type=None, **keep)
            yield len(part)


def _receiver(
    layer: int,
    numbers: list[int],
    receive: Callable[[int, list[int], Float[Tensor, "row pos d_mlp"]], None],
) -> Callable[..., None]:
    def at_layer(activation: Tensor, hook: object) -> None:
        receive(layer, numbers, activation)

    return at_layer


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
