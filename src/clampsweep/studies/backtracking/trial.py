"""One more token, under many interventions at once: what they do to the next token.

Of a prefix all but the last token is run once and kept; then the last one is run as often as there
are interventions, each time with its own neurons held at its own values. So what is changed is one
position, by its place in the text, and nothing before it.

The last tokens stand side by side in one pass, and a mask lets each see the prefix and itself
alone: a hundred interventions read one copy of the prefix. Where a model does not give so what it
gives without a mask, such as beyond a sliding window, each has a copy of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from clampsweep.decoder.final_norm import wide
from clampsweep.errors import UserError
from clampsweep.models.activations import newest_logits_only
from clampsweep.models.agreement import agree
from clampsweep.models.hooks import PostHook, hooked
from clampsweep.models.model import Model
from clampsweep.names import Neuron

_BESIDE = 128  # interventions side by side in a pass: each token is held against all of them
_APART = 32  # interventions in a pass where each has its own copy of the prefix


class Holding(NamedTuple):
    """Neurons of a row, and what they are held at.

    Attributes:
        neurons: The neurons.
        values: Of each, in activation units.
        direct: Whether only what they add to the residual stream before the final norm counts, and
            nothing that later layers make of it.
    """

    neurons: Sequence[Neuron]
    values: Sequence[float]
    direct: bool = False


class Prefix:
    """A prefix of a text, all but its last token run.

    Args:
        model: Loaded model.
        ids: Token ids, at least two.

    Raises:
        UserError: The model keeps no keys and values.
    """

    def __init__(self, model: Model, ids: Sequence[int]):
        if not model.plain._supports_default_dynamic_cache():
            raise UserError(
                f"{model.manifest['name']}: keeps no keys and values; name another model"
            )
        self._model, self._n = model, len(ids) - 1
        self._last = torch.tensor([[ids[-1]]], device=model.device)
        config = model.plain.config.get_text_config(decoder=True)
        self._cache: Any = DynamicCache(config=config)
        with torch.inference_mode():
            model.plain(
                input_ids=torch.tensor([list(ids[:-1])], device=model.device),
                past_key_values=self._cache,
                use_cache=True,
                **newest_logits_only(model),
            )

    def logits(self, rows: Sequence[Holding]) -> Float[Tensor, "row d_vocab"]:
        """Logits of the token after the prefix, under each row's intervention.

        In float32, or in float64 where the model computes in it.
        """
        found = self._beside(rows)
        if found is not None:
            return found
        parts = [rows[start : start + _APART] for start in range(0, len(rows), _APART)]
        return torch.cat([self._apart(part) for part in parts])

    def logits_along(
        self, more: Sequence[int], hooks: Mapping[int, PostHook]
    ) -> Float[Tensor, "pos d_vocab"]:
        """Logits of the token after the prefix, and after each of some more.

        Args:
            more: Token ids.
            hooks: By layer, what changes post-activations from the prefix's last token on.
        """
        ids = torch.tensor([[int(self._last), *more]], device=self._model.device)
        plain, cache = self._model.plain, copy.deepcopy(self._cache)
        with torch.inference_mode(), hooked(plain, self._model.outs, hooks):
            found: Tensor = plain(input_ids=ids, past_key_values=cache, use_cache=True).logits[0]
        return found

    def _beside(self, rows: Sequence[Holding]) -> Float[Tensor, "row d_vocab"] | None:
        """The logits, last tokens side by side; None where those of some are not so apart."""
        if not rows or any(type(layer) is not DynamicLayer for layer in self._cache.layers):
            return None
        parts: list[Tensor] = []

        def tried() -> tuple[Tensor, Tensor]:
            first = rows[:_BESIDE]
            parts.append(self._run_beside(first))
            return parts[0][[0, -1]], self._apart([first[0], first[-1]])

        if not agree("interventions are run apart", tried, self._model.dtype):
            return None
        more = range(_BESIDE, len(rows), _BESIDE)
        parts += [self._run_beside(rows[start : start + _BESIDE]) for start in more]
        return torch.cat(parts)

    def _run_beside(self, rows: Sequence[Holding]) -> Float[Tensor, "row d_vocab"]:
        """A pass over one row of tokens."""
        n, dtype = len(rows), self._model.dtype
        hidden = torch.full((n, n), torch.finfo(dtype).min, dtype=dtype).fill_diagonal_(0)
        mask = torch.cat([torch.zeros(n, self._n, dtype=dtype), hidden], dim=1)  # [row, key]
        cache = copy.copy(self._cache)  # what a pass appends goes to the copies of its layers
        cache.layers = [copy.copy(layer) for layer in self._cache.layers]
        return self._run(rows, 1, cache, attention_mask=mask[None, None])

    def _apart(self, rows: Sequence[Holding]) -> Float[Tensor, "row d_vocab"]:
        """A pass over as many rows of tokens as there are interventions."""
        cache = copy.deepcopy(self._cache)
        cache.batch_repeat_interleave(len(rows))
        return self._run(rows, len(rows), cache)

    def _run(
        self, rows: Sequence[Holding], n_rows: int, cache: Any, **more: Tensor
    ) -> Float[Tensor, "row d_vocab"]:
        model, n = self._model, len(rows)
        pushed = torch.zeros(n, model.d_model, device=model.device, dtype=model.dtype)
        by_layer = _by_layer(rows, model.device)
        directs = _by_layer([row if row.direct else Holding((), ()) for row in rows], model.device)

        # Found before the pass: they are asked of the projections that are hooked in it.
        alongs = {layer: model.output_directions(layer, at.neuron) for layer, at in directs.items()}

        def change(layer: int, post: Float[Tensor, "row pos d_mlp"]) -> Tensor | None:
            flat = post.reshape(n, -1)  # one of row and pos is 1
            if layer in directs:
                at = directs[layer]
                moved = at.values.to(post) - flat[at.row, at.neuron]
                pushed.index_add_(0, at.row, moved[:, None] * alongs[layer])
            if layer not in by_layer:
                return None
            at = by_layer[layer].without(directs.get(layer))
            changed = flat.clone()
            changed[at.row, at.neuron] = at.values.to(post)
            return changed.view_as(post)

        layers = {layer: partial(change, layer) for layer in by_layer}
        with torch.inference_mode(), ExitStack() as hooks:
            hooks.enter_context(hooked(model.plain, model.outs, layers))
            if directs:
                final = model.part("ln_final")
                hooks.enter_context(final.register_forward_pre_hook(_adding(pushed)))
            found = model.plain(
                input_ids=self._last.expand(n, 1).reshape(n_rows, -1),
                past_key_values=cache,
                use_cache=True,
                position_ids=torch.full((n_rows, n // n_rows), self._n, device=model.device),
                **{name: value.to(model.device) for name, value in more.items()},
            )
        last: Tensor = found.logits.flatten(0, 1)
        return wide(last)


def _adding(pushed: Tensor) -> Any:
    """A hook that adds a vector to each row before a norm."""

    def add(module: Any, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (args[0] + pushed.view_as(args[0]).to(args[0]), *args[1:])

    return add


class _At(NamedTuple):
    """Cells of a layer: row, neuron, value, and whether it counts directly only."""

    row: Int[Tensor, " cell"]
    neuron: Int[Tensor, " cell"]
    values: Float[Tensor, " cell"]

    def without(self, others: _At | None) -> _At:
        """The cells of rows that are not among others."""
        if others is None:
            return self
        kept = ~torch.isin(self.row, others.row)
        return _At(self.row[kept], self.neuron[kept], self.values[kept])


def _by_layer(rows: Sequence[Holding], device: torch.device) -> dict[int, _At]:
    """Cells of each layer that some row changes."""
    cells: dict[int, list[tuple[int, int, float]]] = {}
    for number, row in enumerate(rows):
        for neuron, value in zip(row.neurons, row.values, strict=True):
            cells.setdefault(neuron.layer, []).append((number, neuron.index, float(value)))
    found = {}
    for layer, own in cells.items():
        row_of, neuron_of, value_of = (np.array(part) for part in zip(*own, strict=True))
        found[layer] = _At(
            torch.from_numpy(row_of).to(device),
            torch.from_numpy(neuron_of).to(device),
            torch.from_numpy(value_of).to(device),
        )
    return found


def adds_directly(model: Model, ids: Sequence[int]) -> bool:
    """Whether what an MLP gives is added to the residual stream as it is.

    Tried on neurons of the last layer, whose total effect is then their direct one; they are held
    at values so large that some logit moves by 1.

    Args:
        model: Loaded model.
        ids: Token ids of any text, at least two.
    """
    neurons = [Neuron(model.n_layers - 1, index) for index in range(min(8, model.d_mlp))]
    prefix, nothing = Prefix(model, ids), Holding((), ())
    for size in (1.0, 10.0, 100.0, 1000.0):
        held = Holding(neurons, [size] * len(neurons))
        base, total, direct = prefix.logits([nothing, held, held._replace(direct=True)])
        moved = float((total - base).abs().max())
        if moved > 1:
            break
    rounding = torch.finfo(model.dtype).eps * float(base.abs().max())
    return float((total - direct).abs().max()) <= 0.02 * moved + 4 * rounding
