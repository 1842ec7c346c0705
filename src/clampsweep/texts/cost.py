"""What texts cost: floating-point operations, by the sizes of the model. No torch here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple, Self

from clampsweep.texts.combination import Combination
from clampsweep.texts.request import Decoding

_CHARACTERS = 4  # of a prompt for each of its tokens
_APART = 0.75  # v clamps of a neuron give about v ** 0.75 different texts: measured, 2 to 13 clamps
_DRAWING = 2.0  # what drawing a token costs, noise and all, against its logits: measured


class Size(NamedTuple):
    """Parameters of a model: of its layers, and of its unembedding."""

    n_layers: int
    blocks: float
    unembedding: float

    @classmethod
    def of(cls, folder: Path, n_layers: int, d_mlp: int) -> Self:
        """Sizes of a fetched model; a guess by its layers and neurons where it is not there.

        Args:
            folder: `resources/models/<name>`.
            n_layers: Its layers.
            d_mlp: Its neurons per layer.
        """
        sizes = [size for path in folder.glob("*.safetensors") for size in _sizes(path)]
        if not sizes:
            d_model = (d_mlp or 3 * 1024) / 3
            return cls(n_layers, n_layers * d_model * (3 * d_mlp + 3 * d_model), 50_000 * d_model)
        unembedding = max(sizes)  # the vocabulary's: once, or twice where it is not tied
        blocks = sum(size for size in sizes if size != unembedding)
        return cls(n_layers, blocks, unembedding)


class Load(NamedTuple):
    """Texts to generate, of one model and one lowest layer that is changed.

    Attributes:
        layer: That layer; None of baselines.
        rows: Texts.
        nodes: About how many of them differ; the others share the work below the layer.
        tokens: New tokens, at most, of all rows.
        read: Tokens of the prompts, about, each prompt once.
        read_apart: The same, each prompt as often as its rows are computed apart.
        sampled: Whether tokens are drawn.
    """

    layer: int | None
    rows: int
    nodes: float
    tokens: int
    read: float
    read_apart: float
    sampled: bool

    @classmethod
    def of(cls, combinations: Sequence[Combination]) -> Self:
        """The load of some combinations with the same layer."""
        alike = Counter((one.prompt, one.target, one.seed) for one in combinations)
        prompts = {one.prompt for one in combinations}
        touched = (one.prompt for one in combinations if one.scope != "generated")
        return cls(
            combinations[0].layer,
            len(combinations),
            sum(n**_APART for n in alike.values()),
            sum(one.decoding.max_new_tokens for one in combinations),
            sum(map(len, prompts)) / _CHARACTERS,
            sum(map(len, touched)) / _CHARACTERS,
            combinations[0].decoding.method == "sample",
        )

    @classmethod
    def alike(cls, values: int, decoding: Decoding, scope: str, prompts: Sequence[str]) -> Self:
        """The load of one target that nobody knows yet, with some values on every prompt.

        Args:
            values: Their number.
            decoding: How tokens are chosen, and how many.
            scope: Positions that are changed.
            prompts: Texts of the prompts.
        """
        rows, read = values * len(prompts), sum(map(len, prompts)) / _CHARACTERS
        apart = 0 if scope == "generated" else values * read
        nodes, tokens = len(prompts) * values**_APART, rows * decoding.max_new_tokens
        return cls(None, rows, nodes, tokens, read, apart, decoding.method == "sample")

    def times(self, n: float, layer: int) -> Self:
        """So many of it, in a layer: other targets or seeds on the same prompts."""
        many = {name: round(n * getattr(self, name)) for name in ("rows", "tokens")}
        nodes, apart = n * self.nodes, n * self.read_apart
        return self._replace(layer=layer, nodes=nodes, read_apart=apart, **many)

    def flops(self, size: Size) -> float:
        """Floating-point operations that it takes, about (docs/decoder.md)."""
        layer = size.n_layers - 1 if self.layer is None else self.layer
        below, share = (layer + 1) / size.n_layers, self.nodes / (self.rows or 1)
        above = 1 - below
        per_token = size.blocks * (below * share + above)
        per_token += size.unembedding * (1 if above else share)
        per_token += _DRAWING * size.unembedding if self.sampled else 0
        # Of rows that part below the last layer, the unclamped likelihood is one more pass.
        per_token += (size.blocks + size.unembedding) * share if above else 0
        reading = size.blocks * (below * self.read + above * self.read_apart)
        return 2 * (per_token * self.tokens + reading)


def loads(combinations: Iterable[Combination]) -> list[Load]:
    """The loads of some combinations, by layer."""
    by_layer: dict[int | None, list[Combination]] = {}
    for one in combinations:
        by_layer.setdefault(one.layer, []).append(one)
    return [Load.of(group) for group in by_layer.values()]


def _sizes(weights: Path) -> list[int]:
    """Sizes of the tensors of a safetensors file, by its header; none if it has none."""
    try:
        with weights.open("rb") as file:
            header: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return [prod(one["shape"]) for name, one in header.items() if name != "__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError):
        return []
