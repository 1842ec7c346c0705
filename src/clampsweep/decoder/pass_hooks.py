"""One forward pass of the fast path, and its hooks on the plain model.

Packed tokens run as `[1, token]`. Up to the split layer a token belongs to a node, which rows
share; above it, if rows run apart, tokens are cells, each one position of one row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.decoder.attention import Layout, PackedPass, UnsupportedError, running
from clampsweep.decoder.cells import Cells, EditedCells, SteeredCells
from clampsweep.decoder.engine import Engine, Split
from clampsweep.decoder.parting import Parting
from clampsweep.decoder.rows import Means, Natural


class _Stop(Exception):  # noqa: N818 (it reports no error)
    """Ends a forward pass where nothing after it is wanted; carries what its place was given."""

    def __init__(self, value: Tensor):
        self.value = value


def _at_norm(module: Any, args: tuple[Tensor, ...]) -> None:
    """Before the final norm: the end."""
    raise _Stop(_packed(args[0]))


def _packed(value: Tensor) -> Float[Tensor, "token width"]:
    """A value without the batch's axis, which some models drop by themselves."""
    return value.flatten(0, -2)


def _after_block(steered: SteeredCells, module: Any, args: Any, output: Any) -> Any:
    """After a layer above the split: its residual stream, steered."""
    hidden = output[0] if isinstance(output, tuple) else output  # [1, cell, d_model]
    moved = steered.add_to(_packed(hidden)).view(hidden.shape)
    return (moved, *output[1:]) if isinstance(output, tuple) else moved


class _Expansion:
    """What goes by position, such as rotations, set out by cell, each value once in a pass.

    Args:
        token: The shared token of each cell.
    """

    def __init__(self, token: Int[Tensor, " cell"]):
        self._token = token
        self._by_cell: dict[int, tuple[Tensor, Tensor]] = {}  # by id: a value, and it by cell

    def at_block(self, module: Any, args: Any, kwargs: Any) -> Any:
        """Before a layer above the split: all but the residual stream, which stands by cell."""
        hidden, *more = args
        by_name = {name: self._expand(value) for name, value in kwargs.items()}
        return (hidden, *map(self._expand, more)), by_name

    def _expand(self, value: Any) -> Any:
        """A value [1, token, ...] as [1, cell, ...]; others as they are."""
        if isinstance(value, tuple):
            return tuple(self._expand(part) for part in value)
        if not isinstance(value, Tensor):
            return value
        if id(value) not in self._by_cell:  # kept with its result, or its id could be used again
            self._by_cell[id(value)] = value, value[:, self._token]
        return self._by_cell[id(value)][1]


class ForwardPass:
    """One forward pass of packed tokens: edits are carried out, means noted, by its hooks.

    Args:
        engine: The model's.
        split: Where the call's rows part.
        means: What takes the captured layers' activations.
        cells: The tokens as the rows see them.
        edited: The edits of every edited layer, by cell.
        steered: What is added after every steered layer, by cell.
        stop_at: Layer at whose output projection the pass ends; None if at the final norm.

    Attributes:
        parting: What the changes of the split layer add to what rows share there.
    """

    def __init__(
        self,
        engine: Engine,
        split: Split,
        means: Means,
        cells: Cells,
        edited: Mapping[int, EditedCells],
        steered: Mapping[int, SteeredCells],
        stop_at: int | None = None,
    ):
        self._engine, self._split, self._means = engine, split, means
        self._cells, self._edited, self._stop_at = cells, edited, stop_at
        self._steered = steered
        here = split.layer
        self.parting = Parting(engine, split, cells, edited.get(here), steered.get(here))
        self._sent: dict[int, Tensor] = {}  # [pair] by layer: change along random directions

    def run(
        self,
        tokens: Int[Tensor, " token"],
        positions: Int[Tensor, " token"],
        below: Layout,
        above: Layout,
    ) -> Float[Tensor, "some d_model"]:
        """The residual stream before the final norm, of every token, or cell if they expand.

        Args:
            tokens: Packed tokens.
            positions: Their absolute positions.
            below: Keys and values of the layers up to the split.
            above: Those of the layers above.
        """
        n_below = self._split.layer + 1
        layouts = [below] * n_below + [above] * (len(self._engine.blocks) - n_below)
        with self._hooked(), running(PackedPass(layouts)) as packed_pass:
            try:
                self._engine.body(
                    input_ids=tokens[None],  # [1, token]
                    position_ids=positions[None],
                    use_cache=False,
                )
            except _Stop as stop:
                if self._stop_at is None:
                    self._engine.note(packed_pass)
                return stop.value
        raise UnsupportedError("the final norm is not part of the model's body")

    @contextmanager
    def _hooked(self) -> Iterator[None]:
        """The plain model with this pass's hooks."""
        engine, split = self._engine, self._split
        with ExitStack() as hooks:
            add = hooks.enter_context  # a handle removes its hook when it is left
            add(engine.norm.register_forward_pre_hook(_at_norm))
            for layer in {*self._edited, *self._means.layers}:
                # Above the split, shared prompts hold no edit, and only generated positions count.
                if layer <= split.layer or self._cells.expand:
                    add(engine.outs[layer].register_forward_pre_hook(partial(self._at_out, layer)))
            if split.directions is not None and engine.norms_after:
                add(engine.outs[split.layer].register_forward_hook(self.parting.keep_output))
            if self._cells.expand:
                add(engine.blocks[split.layer].register_forward_hook(self._at_split))
                at_block = _Expansion(self._cells.token).at_block
                for block in engine.blocks[split.layer + 1 :]:
                    add(block.register_forward_pre_hook(at_block, with_kwargs=True))
                for layer in split.random:
                    add(engine.outs[layer].register_forward_hook(partial(self._after_out, layer)))
                for layer in split.steered:
                    at_end = partial(_after_block, self._steered[layer])
                    add(engine.blocks[layer].register_forward_hook(at_end))
            yield

    def _at_out(self, layer: int, module: Any, args: tuple[Tensor, ...]) -> tuple[Tensor] | None:
        """Before an output projection: its input is the post-activation."""
        edit = self._edit_shared if layer <= self._split.layer else self._edit_apart
        changed = edit(layer, _packed(args[0]))  # [token, d_mlp] or [cell, d_mlp]
        if layer == self._stop_at:
            raise _Stop(_packed(args[0]))
        return None if changed is None else (changed.view(args[0].shape),)

    def _edit_shared(self, layer: int, activation: Float[Tensor, "token d_mlp"]) -> None:
        """Note what the edits of a layer that rows share add after it; leave the layer itself."""
        cells, edited = self._cells, self._edited.get(layer)
        new = natural = None
        if edited is not None:
            token = cells.token[edited.cell]  # [pair]
            before = activation[token, edited.edits.neuron]  # [pair]
            new = edited.values(before)
            self.parting.delta = new - before
            natural = Natural(cells.row[edited.cell], before)
        if cells.generated and layer in self._means.layers:
            after = activation[cells.token]  # [cell, d_mlp], memory of its own
            if edited is not None and new is not None:
                edited.write(after, new)
            self._means.add(layer, cells.row, after, natural)

    def _edit_apart(
        self, layer: int, activation: Float[Tensor, "cell d_mlp"]
    ) -> Float[Tensor, "cell d_mlp"] | None:
        """The activation of a layer that every row runs on its own, if edits change it."""
        cells, edited = self._cells, self._edited.get(layer)
        after, natural = activation, None
        if edited is not None:
            before = activation[edited.cell, edited.edits.neuron]  # [pair]
            new = edited.values(before)
            if layer in self._split.random:
                self._sent[layer] = (new - before) * ~edited.direct
            after = activation.clone()  # other hooks may hold the input
            edited.write(after, new)
            natural = Natural(cells.row[edited.cell], before)
        if cells.generated and layer in self._means.layers:
            self._means.add(layer, cells.row, after, natural)
        return None if edited is None else after

    def _after_out(self, layer: int, module: Any, args: Any, output: Tensor) -> Tensor:
        """After an output projection above the split: changes sent along random directions."""
        edited = self._edited[layer]
        step = self._sent[layer][:, None] * self._split.random[layer][edited.number]
        # [pair, d_model] into [cell, d_model]
        return _packed(output).index_add(0, edited.cell, step).view(output.shape)

    def _at_split(self, module: Any, args: Any, output: Any) -> Any:
        """After the split layer: from here on every cell is computed on its own."""
        hidden = output[0] if isinstance(output, tuple) else output  # [1, token, d_model]
        cells = self.parting.parted(_packed(hidden)[self._cells.token])[None]  # [1, cell, d_model]
        return (cells, *output[1:]) if isinstance(output, tuple) else cells
