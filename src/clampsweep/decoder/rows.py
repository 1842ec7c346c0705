"""What the rows of a decode call become: tokens, why they stop, mean activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from clampsweep.decoder.interventions import LayerEdits, Scope, by_layer
from clampsweep.decoder.steering import Change, steers_by_layer
from clampsweep.models.model import Model
from clampsweep.models.stop_strings import StopStrings
from clampsweep.texts.request import Decoding

_ROWS = 64  # rows whose logits are summed at once, which needs an array of their shape


@dataclass(frozen=True)
class DecodeJob:
    """What `decode.decode` is asked for.

    Attributes:
        prompts: Token ids of each row.
        edits: What changes each row: edits of neurons, steering; nothing for a baseline.
        scope: Positions that are changed.
        decoding: Greedy or sampling, and how many tokens at most.
        streams: For sampling, the integers that seed each row's draws; None when greedy.
        capture_layers: Layers whose mean activation over generated positions is wanted.
        on_tokens: Told the number of tokens chosen, after each step.
        with_nll: Whether `Decoded.nll_unclamped` is wanted.
    """

    prompts: Sequence[Sequence[int]]
    edits: Sequence[Sequence[Change]]
    scope: Scope
    decoding: Decoding
    streams: Sequence[tuple[int, ...]] | None = None
    capture_layers: Sequence[int] = ()
    on_tokens: Callable[[int], object] = lambda n: None
    with_nll: bool = False

    def take(self, rows: Sequence[int]) -> DecodeJob:
        """The same for some of the rows."""
        return replace(
            self,
            prompts=[self.prompts[row] for row in rows],
            edits=[self.edits[row] for row in rows],
            streams=None if self.streams is None else [self.streams[row] for row in rows],
        )


@dataclass(frozen=True)
class Decoded:
    """What one row became.

    Attributes:
        token_ids: Generated tokens, without the end-of-sequence token.
        stop_reason: `eos`, `stop_string`, `max_new_tokens` or `context`.
        min_margin: Smallest gap of the two highest logits over all choices, None if sampled.
        vectors: Per captured layer, mean post-activation after the intervention over generated
            positions; empty if nothing was generated.
        natural: Per captured layer, mean value of the edited neuron before its edit; None where
            there is no edit, or more than one.
        nll_unclamped: Mean negative log-likelihood of the text's tokens under the model without
            the intervention, in nats; None if there are no tokens, or nobody asked.
        p_end_first: Probability, in 0..1, that the first token ends the text, under the row's own
            intervention.
    """

    token_ids: list[int]
    stop_reason: str
    min_margin: float | None
    vectors: dict[int, Float[np.ndarray, " d_mlp"]]
    natural: dict[int, float | None]
    nll_unclamped: float | None = None
    p_end_first: float | None = None


class RowTexts:
    """What each row of a job has become so far.

    Args:
        model: Loaded model.
        job: What is asked for.

    Attributes:
        chosen: Tokens of each row's text.
        edits: Edits of all rows, by layer.
        steers: What is added to the residual streams of all rows, by layer.
        means: Sums of the captured layers' activations.
        nll_known: Whether the likelihood of the texts has been counted.
        ended: Rows that have said a stop string: they run on for one pass, which counts their last
            token, and what they would say next is not wanted.
    """

    def __init__(self, model: Model, job: DecodeJob):
        n = len(job.prompts)
        self._model, self._job = model, job
        self.chosen: list[list[int]] = [[] for _ in range(n)]
        self._stop = ["max_new_tokens"] * n
        strings = job.decoding.stop_strings
        self._strings = StopStrings(model.tokenizer, strings) if strings else None
        self.ended: set[int] = set()
        self._margins = np.full(n, np.inf)  # [row]
        self._nll: Float64[np.ndarray, " row"] = np.zeros(n)
        self.nll_known = False
        self._p_end = np.full(n, np.nan)  # [row]
        self.edits = by_layer(job.edits, model.device, model.dtype)
        self.steers = steers_by_layer(job.edits, model.device, model.dtype)
        self.means = Means(model, job.capture_layers, self.edits, n)

    def take(
        self,
        rows: Sequence[int],
        picked: Int[np.ndarray, " row"],
        margin: Float[np.ndarray, " row"],
    ) -> list[int]:
        """Take each row's next token; return which of the rows go on, as indices into `rows`."""
        n_ctx, eos_ids = self._model.n_ctx, self._model.eos_ids  # looked up once, not per row
        kept, n_taken = [], 0
        for at, (row, token) in enumerate(zip(rows, picked.tolist(), strict=True)):
            if row in self.ended:
                continue
            if self.length(row) == n_ctx:
                self._stop[row] = "context"
                continue
            n_taken += 1
            self._margins[row] = min(self._margins[row], margin[at])
            if token in eos_ids:
                self._stop[row] = "eos"
            else:
                self.chosen[row].append(token)
                kept.append(at)
                if self._strings is not None and self._strings.ended_by_newest(self.chosen[row]):
                    self._stop[row] = "stop_string"
                    self.ended.add(row)
        self._job.on_tokens(n_taken)
        return kept

    def note_nll(self, rows: Sequence[int], nll: Float[Tensor, " row"]) -> None:
        """Count how unlikely each row's last token is under the unchanged model, in nats."""
        self.nll_known = True
        self._nll[list(rows)] += nll.double().cpu().numpy()

    def note_end(self, rows: Sequence[int], logits: Float[Tensor, "row d_vocab"]) -> None:
        """Note how probable it is that each row's first token, of these logits, ends its text."""
        ends = [token for token in sorted(self._model.eos_ids) if token < logits.shape[1]]
        total = torch.cat([few.logsumexp(-1) for few in torch.split(logits, _ROWS)])  # [row]
        each = (logits[:, ends] - total[:, None]).exp()  # [row, end]
        self._p_end[list(rows)] = each.sum(-1).double().cpu().numpy()

    def length(self, row: int) -> int:
        """Tokens of the row's prompt and text."""
        return len(self._job.prompts[row]) + len(self.chosen[row])

    def decoded(self) -> list[Decoded]:
        """Every row's result."""
        return [self._row(row) for row in range(len(self.chosen))]

    def _row(self, row: int) -> Decoded:
        ids, margin = self.chosen[row], float(self._margins[row])
        # No margin where tokens are drawn, or where the context has no room for a first one.
        unsaid = self._job.streams is not None or margin == np.inf
        vectors, natural = self.means.of(row, len(ids))
        nll = float(self._nll[row]) / len(ids) if self.nll_known and ids else None
        p_end = None if np.isnan(self._p_end[row]) else float(self._p_end[row])
        stop, margin_said = self._stop[row], None if unsaid else margin
        return Decoded(ids, stop, margin_said, vectors, natural, nll, p_end)


class Natural(NamedTuple):
    """Values of edited neurons before their edits.

    Attributes:
        row: Row of each edit, by its number in the job.
        value: The neuron's natural value.
    """

    row: Int[Tensor, " edit"]
    value: Float[Tensor, " edit"]


class RowMeans(NamedTuple):
    """A row's means by layer: activations after the edits, and the edited neuron before its own."""

    vectors: dict[int, Float[np.ndarray, " d_mlp"]]
    natural: dict[int, float | None]


class Means:
    """Running sums, per captured layer, of the newest generated position's activations.

    Args:
        model: Loaded model.
        layers: Layers that are captured.
        edits: Edits of all rows, by layer.
        n: Number of rows.
    """

    def __init__(
        self, model: Model, layers: Sequence[int], edits: Mapping[int, LayerEdits], n: int
    ):
        device = model.device
        self.layers = frozenset(layers if model.d_mlp else ())  # no neurons: their mean is empty
        # By layer: [row, d_mlp] after the edits, and [row], the edited neuron before them.
        self._after = {layer: torch.zeros(n, model.d_mlp, device=device) for layer in layers}
        self._before = {layer: torch.zeros(n, device=device) for layer in layers}
        none = torch.zeros(n, dtype=torch.bool, device=device)  # [row]
        # [row] by layer: with several edits, the sum of their neurons' values means nothing.
        self._single = {
            layer: torch.bincount(edits[layer].row, minlength=n) == 1 if layer in edits else none
            for layer in layers
        }

    def add(
        self,
        layer: int,
        rows: Int[Tensor, " row"],
        after: Float[Tensor, "row d_mlp"],
        natural: Natural | None = None,
    ) -> None:
        """Count one generated position of the given rows.

        Args:
            layer: Layer, of those captured.
            rows: Numbers of the rows.
            after: Their activations after the intervention.
            natural: The natural value of each edit of this layer.
        """
        self._after[layer].index_add_(0, rows, after.float())  # [row, d_mlp]
        if natural is not None:
            self._before[layer].index_add_(0, natural.row, natural.value.float())

    def of(self, row: int, n: int) -> RowMeans:
        """A row's mean vectors, and the natural means of its edited neurons, over n positions."""
        vectors = {layer: (sums[row] / n).cpu().numpy() for layer, sums in self._after.items() if n}
        natural = {
            layer: float(sums[row]) / n if n and bool(self._single[layer][row]) else None
            for layer, sums in self._before.items()
        }
        return RowMeans(vectors, natural)
