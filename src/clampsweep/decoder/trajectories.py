"""The fast path of the sweep decoder: what rows have in common is computed once.

A clamp in layer L leaves layers 0..L as they are, up to the MLP's output. So rows of one prompt
with the same tokens so far share one node in those layers, and part there: each row's clamp is
added to the node's output as `(new value - natural value) * W_out[neuron]`. In the last layer that
sum goes through the unembedding as well (`clampsweep.decoder.unembedding`). Above layer L every row runs on
its own. Nothing is padded: tokens run packed through the plain Hugging Face model, with the
attention of `clampsweep.decoder.attention`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from clampsweep.decoder.attention import NAME, KeyValues, Layout, Pass, UnsupportedError
from clampsweep.decoder.choice import Chooser
from clampsweep.decoder.heads import Heads, Shifts
from clampsweep.decoder.interventions import Edit, LayerEdits, Scope, edit
from clampsweep.decoder.packing import pack
from clampsweep.decoder.rows import DecodeJob, RowTexts
from clampsweep.decoder.unembedding import Unembedding
from clampsweep.models.loading import Model, twin
from clampsweep.names import OWN, Neuron, hook_post
from clampsweep.texts.request import Decoding

_TOKENS = 2048  # most packed tokens of a prompt pass


class _Stop(Exception):  # noqa: N818 (it reports no error)
    """Ends a forward pass where nothing after it is wanted; carries the residual stream."""

    def __init__(self, residual: Tensor):
        self.residual = residual


class Engine:
    """A plain Hugging Face model, and where its layers, output projections and ends are."""

    def __init__(self, model: Model):
        self.model = model
        adapter = model.bridge.adapter

        def part(name: str) -> Any:
            return adapter.get_component(plain, name)

        layers = range(model.n_layers)
        plain = twin(model.plain)
        plain.set_attn_implementation(NAME)
        if plain.config._attn_implementation != NAME:
            raise UnsupportedError("its attention cannot be exchanged")
        pack(plain, leave=part("unembed"))
        self.plain, self.body = plain, plain.base_model
        self.blocks = [part(f"blocks.{layer}") for layer in layers]
        self.outs = [part(f"blocks.{layer}.mlp.out") for layer in layers]
        self.norm = part("ln_final")
        self.unembedding = Unembedding(self.norm, part("unembed"))


@dataclass
class _Cells:
    """The tokens of one pass as the rows see them: a cell is one position of one row.

    Attributes:
        token: The packed token, in the layers that rows share, of each cell.
        row: Its row; the cells of a row stand together.
        position: Its absolute position.
        expand: Whether each cell is computed on its own above the split layer.
        generated: Whether these are generated positions.
    """

    token: Int[Tensor, " cell"]
    row: Int[Tensor, " cell"]
    position: Int[Tensor, " cell"]
    expand: bool
    generated: bool

    def of_rows(
        self, rows: Int[Tensor, " edit"], n_rows: int
    ) -> tuple[Int[Tensor, " pair"], Int[Tensor, " pair"]]:
        """Every pair of a cell and an index into `rows` that names the cell's row."""
        count = torch.bincount(self.row, minlength=n_rows)
        number = torch.arange(len(self.row), device=rows.device)
        start = torch.zeros_like(count)
        start.scatter_reduce_(0, self.row, number, "amin", include_self=False)
        index, within = _ranges(torch.arange(len(rows), device=rows.device), count[rows])
        return start[rows[index]] + within, index


@dataclass
class _Edited:
    """One layer's edits in one pass, once for every cell of their rows.

    Attributes:
        cell: Cell of each.
        number: Its number among the layer's edits.
        edits: What it does.
        position: Absolute position of the cell.
        covered: Whether the scope reaches it.
    """

    cell: Int[Tensor, " edit"]
    number: Int[Tensor, " edit"]
    edits: LayerEdits
    position: Int[Tensor, " edit"]
    covered: Bool[Tensor, " edit"]

    def values(self, before: Float[Tensor, " edit"]) -> Float[Tensor, " edit"]:
        """The neurons' values after the intervention."""
        new = self.edits.values(before[:, None], self.position[:, None])[:, 0]
        return torch.where(self.covered, new, before)


class _Sweep:
    """State of one call: nodes and rows still going, their keys and values, the current pass.

    A node is what rows of one prompt share while their tokens agree.
    """

    def __init__(self, engine: Engine, job: DecodeJob, texts: RowTexts):
        self.engine, self.job, self.texts = engine, job, texts
        self.device, self.n_layers = engine.model.device, engine.model.n_layers
        numbers: dict[tuple[int, ...], int] = {}
        group = [numbers.setdefault(tuple(prompt), len(numbers)) for prompt in job.prompts]
        self.prompts = list(numbers)
        self.group = torch.tensor(group, device=self.device)
        self.lengths = torch.tensor([len(one) for one in self.prompts], device=self.device)
        self.split_layer = min(texts.edits, default=self.n_layers - 1)
        self.apart = self.split_layer < self.n_layers - 1  # rows run on their own above it
        self.prompts_apart = self.apart and self._reaches_prompts()
        self._make_directions()
        self._make_stores()
        self.rows = torch.arange(len(group), device=self.device)
        self.node = self.group
        self.node_token = torch.zeros_like(self.lengths)
        self.stop_at: int | None = None

    def _reaches_prompts(self) -> bool:
        positions = torch.arange(int(self.lengths.max()), device=self.device)
        lengths = torch.unique(self.lengths).tolist()
        return any(bool(self.job.scope.covers(positions[:n], n).any()) for n in lengths)

    def _make_directions(self) -> None:
        """Output directions of the split layer's edited neurons, and which of them an edit has."""
        edits = self.texts.edits.get(self.split_layer)
        self.directions = self.unembedded = None
        if edits is not None:
            pairs = torch.stack([edits.neuron, edits.along], 1)
            pairs, self.direction = torch.unique(pairs, dim=0, return_inverse=True)
            model = self.engine.model
            self.directions = model.output_directions(self.split_layer, *pairs.unbind(1))
            if not self.apart:
                self.unembedded = self.engine.unembedding.unembed(self.directions)
        self.random = {
            layer: self.engine.model.output_directions(layer, one.neuron, one.along)
            for layer, one in self.texts.edits.items()
            if layer > self.split_layer and bool((one.along != OWN).any())
        }

    def _make_stores(self) -> None:
        dtype, n_rows = self.engine.model.dtype, len(self.group)
        lengths, groups = self.lengths.tolist(), torch.arange(len(self.lengths), device=self.device)
        self.lower = KeyValues(
            range(self.split_layer + 1),
            lengths,
            groups,
            n_rows,
            self.job.decoding.max_new_tokens,
            dtype,
        )
        self.upper: KeyValues | None = None
        if self.apart:
            group = self.group
            if self.prompts_apart:
                lengths = self.lengths[group].tolist()
                group = torch.arange(n_rows, device=self.device)
            above = range(self.split_layer + 1, self.n_layers)
            self.upper = KeyValues(
                above, lengths, group, n_rows, self.job.decoding.max_new_tokens, dtype
            )

    # One forward pass

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """The plain model with this sweep's hooks."""
        engine, edits, means = self.engine, self.texts.edits, self.texts.means
        handles = [engine.norm.register_forward_pre_hook(self._at_norm)]
        for layer in sorted({*edits, *means.layers}):
            handles.append(engine.outs[layer].register_forward_pre_hook(self._at_out(layer)))
        if self.apart:
            handles.append(engine.blocks[self.split_layer].register_forward_hook(self._at_split))
            for block in engine.blocks[self.split_layer + 1 :]:
                handles.append(block.register_forward_pre_hook(self._at_block, with_kwargs=True))
        for layer in self.random:
            handles.append(engine.outs[layer].register_forward_hook(self._after_out(layer)))
        try:
            with torch.inference_mode():
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _run(
        self,
        tokens: Int[Tensor, " token"],
        positions: Int[Tensor, " token"],
        cells: _Cells,
        layouts: tuple[Layout, Layout],
    ) -> Float[Tensor, "some d_model"]:
        """The residual stream before the final norm, of every token, or cell if they expand."""
        self.cells = cells
        self.edited = {layer: self._edited(edits) for layer, edits in self.texts.edits.items()}
        self.expanded: dict[int, tuple[Tensor, Tensor]] = {}
        self.sent: dict[int, Tensor] = {}
        below, above = layouts
        each = [below] * (self.split_layer + 1) + [above] * (self.n_layers - self.split_layer - 1)
        try:
            self.engine.body(
                input_ids=tokens[None],
                position_ids=positions[None],
                use_cache=False,
                sweep_pass=Pass(each),
            )
        except _Stop as stop:
            return stop.residual
        raise UnsupportedError("the final norm is not part of the model's body")

    def _edited(self, edits: LayerEdits) -> _Edited:
        cell, number = self.cells.of_rows(edits.row, len(self.group))
        position = self.cells.position[cell]
        prompt = self.lengths[self.group[edits.row[number]]]
        scope = self.job.scope
        if scope.reruns_newest:  # comes here in the last layer only, where only the newest counts
            covered = torch.ones_like(cell, dtype=torch.bool)
        else:
            covered = scope.covers(position, prompt)
        return _Edited(cell, number, edits.take(number), position, covered)

    def _at_norm(self, module: Any, args: tuple[Tensor, ...]) -> None:
        raise _Stop(args[0][0])

    def _at_out(self, layer: int) -> Callable[..., tuple[Tensor] | None]:
        """Before an output projection: its input is the post-activation."""

        def at_out(module: Any, args: tuple[Tensor, ...]) -> tuple[Tensor] | None:
            activation, cells, edited = args[0], self.cells, self.edited.get(layer)
            own = layer > self.split_layer and cells.expand
            if layer > self.split_layer and not own:
                return None  # prompts that the scope does not reach
            capture = cells.generated and layer in self.texts.means.layers
            after = activation[0]
            if capture and not own:
                after = after[cells.token]
            noted = None
            if edited is not None:
                token = edited.cell if own else cells.token[edited.cell]
                before = activation[0, token, edited.edits.neuron]
                new = edited.values(before)
                direct = edited.edits.along == OWN
                if own:
                    after = after.clone()
                    self.sent[layer] = (new - before) * ~direct
                else:
                    self.delta = new - before
                if own or capture:
                    at = edited.cell[direct], edited.edits.neuron[direct]
                    after[at] = new[direct]
                noted = cells.row[edited.cell], before
            if capture:
                self.texts.means.add(layer, cells.row, after, noted)
            if layer == self.stop_at:
                raise _Stop(after)
            return (after[None],) if own and edited is not None else None

        return at_out

    def _after_out(self, layer: int) -> Callable[..., Tensor | None]:
        """After an output projection above the split: changes sent along random directions."""

        def after_out(module: Any, args: Any, output: Tensor) -> Tensor | None:
            if layer not in self.sent:
                return None
            edited = self.edited[layer]
            step = self.sent[layer][:, None] * self.random[layer][edited.number]
            return output.index_add(1, edited.cell, step[None])

        return after_out

    def _at_split(self, module: Any, args: Any, output: Any) -> Any:
        """After the split layer: from here on every cell is computed on its own."""
        if not self.cells.expand or self.directions is None:
            return None
        hidden = output[0] if isinstance(output, tuple) else output
        edited = self.edited[self.split_layer]
        step = self.delta[:, None] * self.directions[self.direction[edited.number]]
        cells = hidden[0, self.cells.token].index_add_(0, edited.cell, step)[None]
        return (cells, *output[1:]) if isinstance(output, tuple) else cells

    def _at_block(self, module: Any, args: Any, kwargs: Any) -> Any:
        """Before a layer above the split: what goes by position is set out by cell too."""
        if not self.cells.expand:
            return None
        hidden, *more = args
        more = [self._expand(one) for one in more]
        return (hidden, *more), {name: self._expand(one) for name, one in kwargs.items()}

    def _expand(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._expand(one) for one in value)
        if not isinstance(value, Tensor):
            return value
        if id(value) not in self.expanded:  # kept with its result, or its id could be used again
            self.expanded[id(value)] = value, value[:, self.cells.token]
        return self.expanded[id(value)][1]

    # Prompts, then one token after another

    def prefill(self) -> Heads:
        """Run the prompts; every row's newest position is then its prompt's last."""
        parts, start = [], 0
        cost = self.lengths * (
            torch.bincount(self.group) if self.prompts_apart else torch.ones_like(self.lengths)
        )
        while start < len(self.lengths):
            within = int((cost[start:].cumsum(0) <= _TOKENS).sum())
            stop = start + max(1, within)
            parts.append(self._prefill(start, stop))
            start = stop
        return Heads.join(parts)

    def _prefill(self, start: int, stop: int) -> Heads:
        prompts = torch.arange(start, stop, device=self.device)
        lengths = self.lengths[prompts]
        tokens = [token for prompt in self.prompts[start:stop] for token in prompt]
        group, positions = _ranges(prompts, lengths)
        first = lengths.cumsum(0) - lengths
        rows = ((self.group >= start) & (self.group < stop)).nonzero()[:, 0]
        mine = self.group[rows] - start
        if self.prompts_apart:
            row, position = _ranges(rows, lengths[mine])
            token = first[self.group[row] - start] + position
            newest = lengths[mine].cumsum(0) - 1
        else:
            row, position = rows, lengths[mine] - 1
            token = first[mine] + position
        cells = _Cells(token, row, position, expand=self.prompts_apart, generated=False)
        below = Layout(self.lower, (group, positions))
        where = (row, position) if self.prompts_apart else (group, positions)
        above = below if self.upper is None else Layout(self.upper, where)
        residual = self._run(
            torch.tensor(tokens, device=self.device), positions, cells, (below, above)
        )
        if self.prompts_apart:
            return self._heads(residual[newest], None)
        return self._heads(residual[first + lengths - 1], mine)

    def step(self) -> Heads:
        """Run every node's newest token."""
        return self._heads(self._newest(), None if self.apart else self.node)

    def finish(self, layer: int) -> None:
        """Run the newest tokens once more as far as a layer, for the means alone."""
        self.stop_at = layer
        self._newest()

    def _newest(self) -> Float[Tensor, "some d_model"]:
        for store in (self.lower, self.upper):
            if store is not None:
                store.grow()
        done = self.lower.n_new - 1
        positions = self.lengths[self.lower.group] + done
        position = self.lengths[self.group[self.rows]] + done
        cells = _Cells(self.node, self.rows, position, expand=self.apart, generated=True)
        below = Layout(self.lower)
        above = below if self.upper is None else Layout(self.upper)
        return self._run(self.node_token, positions, cells, (below, above))

    def _heads(
        self, residual: Float[Tensor, "base d_model"], base: Int[Tensor, " row"] | None
    ) -> Heads:
        edited = None if self.apart else self.edited.get(self.split_layer)
        if edited is None or self.directions is None:
            return Heads(residual, base)
        number = self.direction[edited.number]
        shifts = Shifts(edited.cell, number, self.delta, self.directions, self.unembedded)
        return Heads(residual, base, shifts)

    def note_nll(self, heads: Heads, picked: np.ndarray, kept: list[int]) -> None:
        """Count what the kept rows' tokens cost the model without its last layer's edits."""
        nll = self.engine.unembedding.nll(heads, torch.from_numpy(picked).to(self.device))
        if nll is not None:
            self.texts.note_nll(self.rows[kept].tolist(), nll[kept])

    def advance(self, kept: list[int], picked: np.ndarray) -> None:
        """Let the kept rows (indices) go on with their tokens; nodes split where these differ."""
        going = torch.tensor(kept, device=self.device)
        token = torch.from_numpy(picked[kept]).to(self.device)
        n_vocab = self.engine.unembedding.n_vocab
        nodes, node = torch.unique(self.node[going] * n_vocab + token, return_inverse=True)
        number = self._renumber(self.lower, (nodes // n_vocab).cpu().numpy())
        self.node_token = torch.empty_like(nodes)
        self.node_token[number] = nodes % n_vocab
        self.rows, self.node = self.rows[going], number[node]
        if self.upper is not None:
            place = self._renumber(self.upper, np.asarray(kept))
            rows, node = self.rows, self.node
            self.rows, self.node = torch.empty_like(rows), torch.empty_like(node)
            self.rows[place], self.node[place] = rows, node

    def _renumber(self, store: KeyValues, parent: np.ndarray) -> Int[Tensor, " row"]:
        return torch.from_numpy(store.reorder(parent)).to(self.device)


def _ranges(
    values: Int[Tensor, " value"], lengths: Int[Tensor, " value"]
) -> tuple[Int[Tensor, " token"], Int[Tensor, " token"]]:
    """Each value as often as its length says, and the numbers from 0 within each."""
    start = lengths.cumsum(0) - lengths
    total = int(lengths.sum())
    within = torch.arange(total, device=values.device) - start.repeat_interleave(lengths)
    return values.repeat_interleave(lengths), within


def decode(engine: Engine, job: DecodeJob, texts: RowTexts, chooser: Chooser) -> None:
    """Decode a job whose rows stand by prompt; `texts` takes what is chosen and captured.

    Raises:
        NotFiniteError: Logits are not numbers.
    """
    sweep = _Sweep(engine, job, texts)
    limit, capture = job.decoding.max_new_tokens, texts.means.layers
    with sweep.hooked():
        heads = sweep.prefill()
        for step in range(limit):
            rows = sweep.rows.tolist()
            picked, margin = chooser.from_heads(engine.unembedding, heads, rows)
            kept = texts.take(rows, picked, margin)
            if job.with_nll and not sweep.apart:
                sweep.note_nll(heads, picked, kept)
            last = step + 1 == limit
            if not kept or (last and not capture):
                return
            sweep.advance(kept, picked)
            if last:
                sweep.finish(max(capture))
            else:
                heads = sweep.step()


def nll(
    engine: Engine, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[int]]
) -> Float64[np.ndarray, " row"] | None:
    """Mean negative log-likelihood of each text's tokens after its prompt, in nats.

    Args:
        engine: The model's.
        prompts: Token ids of each row's prompt; rows of one prompt stand together.
        texts: Token ids of each text, at least one.
    """
    longest = max(map(len, texts))
    job = DecodeJob(prompts, [[] for _ in prompts], Scope("all"), Decoding("greedy", longest))
    taken = RowTexts(engine.model, job)
    sweep = _Sweep(engine, job, taken)
    total = np.zeros(len(texts))
    with sweep.hooked():
        heads = sweep.prefill()
        for step in range(longest):
            rows = sweep.rows.tolist()
            token = np.array([texts[row][step] for row in rows])
            found = engine.unembedding.nll(heads, torch.from_numpy(token).to(sweep.device))
            if found is None:
                return None
            total[rows] += found.double().cpu().numpy()
            kept = [at for at, row in enumerate(rows) if len(texts[row]) > step + 1]
            if kept:
                sweep.advance(kept, token)
                heads = sweep.step()
    return np.asarray(total / [len(text) for text in texts])


def check(engine: Engine) -> None:
    """Compare the fast path with the bridge: two prompts, clamps in two layers, one step.

    Raises:
        UnsupportedError: Their logits differ.
    """
    model = engine.model
    prompts = [[1, 2, 3], [1, 2, 3], [3, 2, 1, 2, 3]]
    last = model.n_layers - 1
    for layers in ({0, last}, {last}):
        edits = [
            [edit(Neuron(layer, row), "set", 2.0 + row) for layer in layers] for row in range(3)
        ]
        job = DecodeJob(prompts, edits, Scope("all"), Decoding("greedy", 2))
        texts = RowTexts(model, job)
        sweep = _Sweep(engine, job, texts)
        with sweep.hooked():
            first = _all_logits(engine, sweep.prefill())
            sweep.advance([0, 1, 2], np.array([4, 5, 4]))
            second = _all_logits(engine, sweep.step())[sweep.rows.argsort()]
        for row, token in enumerate([4, 5, 4]):
            wanted = _bridge_logits(model, [*prompts[row], token], edits[row])
            got = torch.stack([first[row], second[row]])
            off = float((got - wanted).abs().max() / wanted.abs().max())
            if not off < (1e-3 if model.dtype in (torch.float32, torch.float64) else 0.1):
                raise UnsupportedError(f"its logits are off by {off:.1g} of the largest")


def _all_logits(engine: Engine, heads: Heads) -> Float[Tensor, "row d_vocab"]:
    return torch.cat([logits for _, logits in engine.unembedding.logits(heads)])


def _bridge_logits(
    model: Model, tokens: Sequence[int], edits: Sequence[Edit]
) -> Float[Tensor, "two d_vocab"]:
    """Logits of the bridge at the last two positions, clamped by an ordinary hook."""

    def clamp(one: Edit) -> Callable[..., Tensor]:
        def at_layer(activation: Tensor, hook: object) -> Tensor:
            changed = activation.clone()
            changed[..., one.neuron.index] = one.shift
            return changed

        return at_layer

    hooks = [(hook_post(one.neuron.layer), clamp(one)) for one in edits]
    ids = torch.tensor([list(tokens)], device=model.device)
    with torch.inference_mode(), model.bridge.hooks(fwd_hooks=hooks):
        found: Tensor = model.bridge.forward(ids)[0, -2:]
    return found
