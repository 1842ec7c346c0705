"""The sweep decoder: text for many rows at once, each row with its own intervention.

One call decodes rows whose prompts have the same number of tokens, so nothing is padded. A row that
ends leaves the batch and is not fed on. The same passes yield the mean MLP post-activation over
generated positions, the last token's position included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor
from transformers import DynamicCache

from clampsweep.config import Decoding
from clampsweep.errors import UserError
from clampsweep.interventions import Edit, LayerEdits, Scope, apply, by_layer
from clampsweep.models import Model, takes_logits_to_keep
from clampsweep.names import hook_post


@dataclass(frozen=True)
class Decoded:
    """What one row became.

    Attributes:
        token_ids: Generated tokens, without the end-of-sequence token.
        stop_reason: `eos`, `max_new_tokens` or `context`.
        min_margin: Smallest gap of the two highest logits over all choices, None if sampled.
        vectors: Per captured layer, mean post-activation after the intervention over generated
            positions; empty if nothing was generated.
        natural: Per captured layer, mean value of the edited neuron before its edit; None where
            there is no edit, or more than one.
    """

    token_ids: list[int]
    stop_reason: str
    min_margin: float | None
    vectors: dict[int, Float[np.ndarray, " d_mlp"]]
    natural: dict[int, float | None]


class _Texts:
    """What each row has become so far: chosen tokens, smallest margin, why it stopped."""

    def __init__(self, n: int, model: Model):
        self.eos_ids = model.eos_ids
        self.chosen: list[list[int]] = [[] for _ in range(n)]
        self.stop = ["max_new_tokens"] * n
        self.margins = torch.full((n,), torch.inf, device=model.device)

    def end(self, rows: Int[Tensor, " row"], reason: str) -> None:
        """Note why rows stop."""
        for row in rows.tolist():
            self.stop[row] = reason

    def take(
        self,
        rows: Int[Tensor, " row"],
        picked: Int[Tensor, " row"],
        margin: Float[Tensor, " row"],
    ) -> Int[Tensor, " kept"]:
        """Take each row's next token; return which of the rows go on, as indices into `rows`."""
        self.margins[rows] = torch.minimum(self.margins[rows], margin)
        kept = []
        for at, (row, token) in enumerate(zip(rows.tolist(), picked.tolist(), strict=True)):
            if token in self.eos_ids:
                self.stop[row] = "eos"
            else:
                self.chosen[row].append(token)
                kept.append(at)
        return torch.tensor(kept, device=rows.device, dtype=torch.long)


class _Capture:
    """Running sums, per layer, of the newest generated position's activations."""

    def __init__(
        self, model: Model, layers: Sequence[int], edits: Mapping[int, LayerEdits], n: int
    ):
        size = (n, model.d_mlp)
        self.after = {layer: torch.zeros(size, device=model.device) for layer in layers}
        self.before = {layer: torch.zeros(n, device=model.device) for layer in layers}
        self.single = {
            layer: torch.bincount(edits[layer].row, minlength=n) == 1
            if layer in edits
            else torch.zeros(n, dtype=torch.bool, device=model.device)
            for layer in layers
        }

    def add(
        self,
        layer: int,
        rows: Int[Tensor, " row"],
        before: Float[Tensor, "row d_mlp"],
        after: Float[Tensor, "row d_mlp"],
        edits: LayerEdits | None,
    ) -> None:
        """Count one generated position of the given (original) rows."""
        self.after[layer].index_add_(0, rows, after.float())
        if edits is not None:
            natural = before[edits.row, edits.neuron].float()
            self.before[layer].index_add_(0, rows[edits.row], natural)


class _Batch:
    """State of one decode call: the rows still going, their cache, edits and positions."""

    def __init__(
        self,
        model: Model,
        tokens: Tensor,
        edits: dict[int, LayerEdits],
        scope: Scope,
        capture: _Capture,
    ):
        self.model, self.scope, self.edits, self.capture = model, scope, edits, capture
        self.n_prompt = tokens.shape[1]
        self.rows = torch.arange(len(tokens), device=tokens.device)
        self.newest = tokens
        # Without the model's config: a sliding window's cache could not drop its newest position.
        self.cache: Any = DynamicCache()
        self.end = 0
        self.keep_last = {"logits_to_keep": 1} if takes_logits_to_keep(model) else {}

    def forward(self, new: Int[Tensor, "row pos"]) -> Float[Tensor, "row d_vocab"]:
        """Logits after feeding new tokens; the cache grows by them.

        With scope `last` the newest token is computed changed for the logits, dropped from the
        cache, and fed again unchanged together with the next one.
        """
        fed = torch.cat([self.newest, new], 1) if self.end and self.scope.reruns_newest else new
        self.end += new.shape[1]
        self.positions = torch.arange(self.end - fed.shape[1], self.end, device=fed.device)
        self.covered = self.scope.covers(self.positions, self.n_prompt)
        logits, self.cache = self.model.bridge.forward(
            fed,
            return_type="logits_and_cache",
            past_key_values=self.cache,
            use_cache=True,
            **self.keep_last,
        )
        if self.scope.reruns_newest:
            self.cache.crop(-1)
        self.newest = fed[:, -1:]
        newest: Tensor = logits[:, -1].float()
        return newest

    def hook(self, layer: int) -> Callable[..., Tensor]:
        """The forward hook of a layer: edits what the scope covers, and captures."""

        def at_layer(activation: Tensor, hook: object) -> Tensor:
            edits = self.edits.get(layer)
            changed = activation
            if edits is not None:
                changed = apply(activation, edits, self.positions, self.covered)
            if self.end > self.n_prompt and layer in self.capture.after:
                self.capture.add(layer, self.rows, activation[:, -1], changed[:, -1], edits)
            return changed

        return at_layer

    def select(self, kept: Int[Tensor, " kept"]) -> None:
        """Let rows that ended leave the batch."""
        self.edits = {
            layer: edits.select(kept, len(self.rows)) for layer, edits in self.edits.items()
        }
        self.rows, self.newest = self.rows[kept], self.newest[kept]
        self.cache.batch_select_indices(kept)


@contextmanager
def _hooked(model: Model, batch: _Batch, layers: Sequence[int]) -> Iterator[None]:
    hooks = [(hook_post(layer), batch.hook(layer)) for layer in layers]
    with torch.inference_mode(), model.bridge.hooks(fwd_hooks=hooks):
        yield


def choose(
    logits: Float[Tensor, "row d_vocab"],
    uniforms: Float64[np.ndarray, " row"] | None,
    decoding: Decoding,
) -> tuple[Int[Tensor, " row"], Float[Tensor, " row"]]:
    """Next token of each row, and the gap of its two highest logits.

    Greedy: the highest logit. Sampling: tokens sorted by falling probability at the temperature,
    cut to the top k and to the smallest set that holds probability top_p, one uniform number per
    row picks by the inverse of their cumulative distribution.

    Args:
        logits: One row each.
        uniforms: In [0, 1), one per row; None when greedy.
        decoding: Method and its parameters.

    Raises:
        UserError: A row has logits that are not numbers.
    """
    top = logits.topk(2, dim=-1)
    if not bool(torch.isfinite(top.values).all()):
        raise UserError(
            "the model's logits are not finite under this intervention; use smaller values or a "
            "wider dtype (models.<name>.dtype)"
        )
    margin = top.values[:, 0] - top.values[:, 1]
    if uniforms is None:
        return logits.argmax(-1), margin
    scaled, ids = (logits.double() / decoding.temperature).sort(
        dim=-1, descending=True, stable=True
    )
    if decoding.top_k is not None:
        scaled, ids = scaled[:, : decoding.top_k], ids[:, : decoding.top_k]
    cumulative = scaled.softmax(-1).cumsum(-1)
    last = torch.full_like(ids[:, 0], ids.shape[1] - 1)
    if decoding.top_p is not None:
        last = torch.minimum(last, (cumulative < decoding.top_p).sum(-1))
    total = cumulative.gather(1, last[:, None])
    draw = torch.from_numpy(uniforms).to(cumulative)[:, None] * total
    picked = torch.minimum((cumulative <= draw).sum(-1), last)
    return ids.gather(1, picked[:, None])[:, 0], margin


def decode(
    model: Model,
    prompts: Sequence[Sequence[int]],
    edits: Sequence[Sequence[Edit]],
    scope: Scope,
    decoding: Decoding,
    *,
    uniforms: Float64[np.ndarray, "row step"] | None = None,
    capture_layers: Sequence[int] = (),
    on_tokens: Callable[[int], None] = lambda n: None,
) -> list[Decoded]:
    """What each row generates, in the rows' order.

    Args:
        model: Loaded model.
        prompts: Token ids of each row; all of one length, within the context.
        edits: The edits of each row; none for a baseline.
        scope: Positions that the edits change; one for all rows.
        decoding: Greedy or sampling, and how many tokens at most.
        uniforms: For sampling, the numbers in [0, 1) that decide each row's draws, [row, step].
        capture_layers: Layers whose mean activation over generated positions is wanted.
        on_tokens: Told the number of tokens chosen, after each step.

    Raises:
        UserError: Logits are not numbers.
    """
    tokens = torch.tensor(prompts, device=model.device)
    layer_edits = by_layer(edits, model.device, model.dtype)
    capture = _Capture(model, capture_layers, layer_edits, len(prompts))
    batch = _Batch(model, tokens, layer_edits, scope, capture)
    layers = sorted({*layer_edits, *capture_layers})
    texts = _Texts(len(prompts), model)
    with _hooked(model, batch, layers):
        logits = batch.forward(tokens)
        for step in range(decoding.max_new_tokens):
            if batch.end == model.n_ctx:
                texts.end(batch.rows, "context")
                break
            draws = None if uniforms is None else uniforms[batch.rows.cpu().numpy(), step]
            picked, margin = choose(logits, draws, decoding)
            kept = texts.take(batch.rows, picked, margin)
            on_tokens(len(picked))
            if not len(kept):
                break
            if len(kept) < len(picked):
                batch.select(kept)
            if step + 1 < decoding.max_new_tokens or capture_layers:
                logits = batch.forward(picked[kept, None])
    return [_decoded(row, texts, capture, greedy=uniforms is None) for row in range(len(prompts))]


def _decoded(row: int, texts: _Texts, capture: _Capture, *, greedy: bool) -> Decoded:
    ids = texts.chosen[row]
    n = len(ids)
    vectors = {layer: (sums[row] / n).cpu().numpy() for layer, sums in capture.after.items() if n}
    natural = {
        layer: float(sums[row]) / n if n and bool(capture.single[layer][row]) else None
        for layer, sums in capture.before.items()
    }
    margin = float(texts.margins[row]) if greedy and texts.margins[row].isfinite() else None
    return Decoded(ids, texts.stop[row], margin, vectors, natural)
