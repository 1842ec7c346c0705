"""What the fast path runs: a plain Hugging Face model, and where rows of one call part in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.decoder.attention import NAME, UnsupportedError
from clampsweep.decoder.interventions import LayerEdits, Scope
from clampsweep.decoder.packing import pack
from clampsweep.decoder.unembedding import Unembedding
from clampsweep.models.loading import Model, twin
from clampsweep.models.rotations import has_changing_rope
from clampsweep.names import OWN


class Engine:
    """A plain Hugging Face model, and where its layers, output projections and ends are.

    Its modules are its own, so they may be packed and hooked; its weights are the model's.

    Args:
        model: A loaded model with plain weights.

    Attributes:
        model: The same.
        plain: The model in Hugging Face's class, with the attention of `decoder.attention`.
        body: Its part before the unembedding.
        blocks: Its layers.
        outs: The output projection of each layer's MLP.
        norm: The final norm.
        unembedding: Final norm and unembedding, from residual streams to logits.

    Raises:
        UnsupportedError: The attention cannot be exchanged.
    """

    def __init__(self, model: Model):
        plain = twin(model.plain)

        def part(name: str) -> Any:
            return model.part(name, plain)

        if has_changing_rope(plain):
            raise UnsupportedError("its rotations depend on the length of the text")
        plain.set_attn_implementation(NAME)
        if plain.config._attn_implementation != NAME:
            raise UnsupportedError("its attention cannot be exchanged")
        pack(plain, leave=part("unembed"))
        layers = range(model.n_layers)
        self.model, self.plain, self.body = model, plain, plain.base_model
        self.blocks = [part(f"blocks.{layer}") for layer in layers]
        self.outs = model.outs_of(plain)
        self.norm = part("ln_final")
        self.unembedding = Unembedding(self.norm, part("unembed"))


@dataclass(frozen=True)
class Directions:
    """What the edits of one layer add to the residual stream; equal directions are held once.

    Attributes:
        vectors: What one unit of a neuron's activation adds.
        of_edit: The direction of each of the layer's edits.
        unembedded: `Unembedding.unembed` of the directions; None where it is not needed, or where
            the final norm cannot be taken apart.
    """

    vectors: Float[Tensor, "direction d_model"]
    of_edit: Int[Tensor, " edit"]
    unembedded: Float[Tensor, "direction d_vocab"] | None


class Split:
    """Where the rows of one call part, and along which directions their edits move them.

    Args:
        engine: The model's.
        edits: Edits of all rows, by layer.
        scope: Positions that they change.
        lengths: Tokens of each prompt. [prompt]

    Attributes:
        layer: The lowest layer that an edit changes; the last one if there is no edit.
        apart: Whether there are layers above it; there every row runs on its own.
        prompts_apart: Whether that holds for prompts too, because the scope reaches them.
        directions: Those of the split layer; None if there is no edit.
        random: Of each layer above with edits that are sent along random directions: what one unit
            of every edit's neuron adds to the residual stream. [edit, d_model]
    """

    def __init__(
        self,
        engine: Engine,
        edits: Mapping[int, LayerEdits],
        scope: Scope,
        lengths: Int[Tensor, " prompt"],
    ):
        model = engine.model
        self.layer = min(edits, default=model.n_layers - 1)
        self.apart = self.layer < model.n_layers - 1
        self.prompts_apart = self.apart and _reaches_prompts(scope, lengths)
        self.directions = (
            _directions(engine, self.layer, edits[self.layer], unembed=not self.apart)
            if edits
            else None
        )
        self.random: dict[int, Float[Tensor, "edit d_model"]] = {
            layer: model.output_directions(layer, layer_edits.neuron, layer_edits.along)
            for layer, layer_edits in edits.items()
            if layer > self.layer and bool((layer_edits.along != OWN).any())
        }


def _directions(engine: Engine, layer: int, edits: LayerEdits, *, unembed: bool) -> Directions:
    """Output directions of a layer's edits, each distinct one computed once."""
    pairs = torch.stack([edits.neuron, edits.along], 1)  # [edit, 2]
    pairs, of_edit = torch.unique(pairs, dim=0, return_inverse=True)  # [direction, 2], [edit]
    vectors = engine.model.output_directions(layer, *pairs.unbind(1))
    unembedded = engine.unembedding.unembed(vectors) if unembed else None
    return Directions(vectors, of_edit, unembedded)


def _reaches_prompts(scope: Scope, lengths: Int[Tensor, " prompt"]) -> bool:
    """Whether a scope covers a position of any prompt."""
    positions = torch.arange(int(lengths.max()), device=lengths.device)
    distinct = torch.unique(lengths).tolist()
    return any(bool(scope.covers(positions[:length], length).any()) for length in distinct)
