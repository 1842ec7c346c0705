"""What the fast path runs: a plain Hugging Face model, and where rows of one call part in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.decoder.after_out import find
from clampsweep.decoder.attention import PackedPass, UnsupportedError, exchange
from clampsweep.decoder.interventions import Scope
from clampsweep.decoder.layer_edits import LayerEdits
from clampsweep.decoder.packing import pack
from clampsweep.decoder.steering import LayerSteers
from clampsweep.decoder.unembedding import Unembedding
from clampsweep.models.model import Model, twin
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
        factor: What their output is multiplied by on its way to the residual stream.
        norms_after: The norm that each layer's output goes through on that way; empty if none.
        n_attending: Layers that attend.
        window: How far back the layers look that look least far, in tokens; None if all the way.
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
        after = find(model)
        exchange(plain)
        pack(plain, leave=part("unembed"))
        layers = range(model.n_layers)
        self.model, self.plain, self.body = model, plain, plain.base_model
        self.blocks = [part(f"blocks.{layer}") for layer in layers]
        self.outs = model.outs_of(plain)
        self.factor = after.factor
        self.norms_after = [plain.get_submodule(name) for name in after.norms]
        self.n_attending = 0  # known after a pass, such as that of a check
        self.window: int | None = None
        self.norm = part("ln_final")
        self.unembedding = Unembedding(self.norm, part("unembed"), after.logit_factor)

    def note(self, packed_pass: PackedPass) -> None:
        """Learn from a pass over all layers which of them attend, and how far back."""
        self.n_attending, self.window = packed_pass.n_layers, packed_pass.window


@dataclass(frozen=True)
class Directions:
    """What the edits of one layer add to what W_out gives; equal directions are held once.

    Attributes:
        vectors: What one unit of a neuron's activation adds.
        of_edit: The direction of each of the layer's edits.
    """

    vectors: Float[Tensor, "direction d_model"]
    of_edit: Int[Tensor, " edit"]


@dataclass(frozen=True)
class HeadDirections:
    """Along what rows that share a residual stream as far as the unembedding differ there.

    Attributes:
        vectors: First those of the last layer's edits, then those that it is steered along.
        unembedded: `Unembedding.unembed` of them; None where the norm cannot be taken apart.
    """

    vectors: Float[Tensor, "direction d_model"]
    unembedded: Float[Tensor, "direction d_vocab"] | None


class Split:
    """Where the rows of one call part, and along which directions they are moved.

    Args:
        engine: The model's.
        edits: Edits of all rows, by layer.
        steers: What is added to the residual streams of all rows, by layer.
        scope: Positions that are changed.
        lengths: Tokens of each prompt. [prompt]

    Attributes:
        layer: The lowest layer that is changed; the last one if nothing is.
        apart: Whether there are layers above it; there every row runs on its own.
        prompts_apart: Whether that holds for prompts too, because the scope reaches them.
        directions: Those of the split layer's edits; None if it has none.
        shared_heads: Whether rows share residual streams as far as the unembedding.
        head_directions: Along what they differ there; None if they do not, or share none.
        steered: The layers above the split after which rows are steered.
        random: Of each layer above with edits that are sent along random directions: what one unit
            of every edit's neuron adds to what W_out gives. [edit, d_model]
    """

    def __init__(
        self,
        engine: Engine,
        edits: Mapping[int, LayerEdits],
        steers: Mapping[int, LayerSteers],
        scope: Scope,
        lengths: Int[Tensor, " prompt"],
    ):
        model = engine.model
        self.layer = min({*edits, *steers}, default=model.n_layers - 1)
        self.apart = self.layer < model.n_layers - 1
        self.prompts_apart = self.apart and _reaches_prompts(scope, lengths)
        here = edits.get(self.layer)
        self.directions = None if here is None else _directions(model, self.layer, here)
        self.shared_heads = not self.apart and not (edits and engine.norms_after)
        self.head_directions = (
            _head_directions(engine, self.directions, steers.get(self.layer))
            if self.shared_heads
            else None
        )
        self.steered = [layer for layer in steers if layer > self.layer]
        self.random: dict[int, Float[Tensor, "edit d_model"]] = {
            layer: model.output_directions(layer, layer_edits.neuron, layer_edits.along)
            for layer, layer_edits in edits.items()
            if layer > self.layer and bool((layer_edits.along != OWN).any())
        }


def _directions(model: Model, layer: int, edits: LayerEdits) -> Directions:
    """Output directions of a layer's edits, each distinct one computed once."""
    pairs = torch.stack([edits.neuron, edits.along], 1)  # [edit, 2]
    pairs, of_edit = torch.unique(pairs, dim=0, return_inverse=True)  # [direction, 2], [edit]
    return Directions(model.output_directions(layer, *pairs.unbind(1)), of_edit)


def _head_directions(
    engine: Engine, directions: Directions | None, steers: LayerSteers | None
) -> HeadDirections | None:
    """What the last layer's changes add to the residual stream, unembedded as well."""
    vectors = [] if directions is None else [engine.factor * directions.vectors]
    vectors += [] if steers is None else [steers.vectors]
    if not vectors:
        return None
    joined = torch.cat(vectors)  # [direction, d_model]
    return HeadDirections(joined, engine.unembedding.unembed(joined))


def _reaches_prompts(scope: Scope, lengths: Int[Tensor, " prompt"]) -> bool:
    """Whether a scope covers a position of any prompt."""
    positions = torch.arange(int(lengths.max()), device=lengths.device)
    distinct = torch.unique(lengths).tolist()
    return any(bool(scope.covers(positions[:length], length).any()) for length in distinct)
