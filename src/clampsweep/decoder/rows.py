"""What the rows of a decode call become: tokens, why they stop, mean activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from clampsweep.decoder.interventions import Edit, LayerEdits, Scope, by_layer
from clampsweep.models.loading import Model
from clampsweep.texts.request import Decoding


@dataclass(frozen=True)
class DecodeJob:
    """What `decoding.decode` is asked for.

    Attributes:
        prompts: Token ids of each row.
        edits: The edits of each row; none for a baseline.
        scope: Positions that the edits change.
        decoding: Greedy or sampling, and how many tokens at most.
        streams: For sampling, the integers that seed each row's draws; None when greedy.
        capture_layers: Layers whose mean activation over generated positions is wanted.
        on_tokens: Told the number of tokens chosen, after each step.
        with_nll: Whether `Decoded.nll_unclamped` is wanted.
    """

    prompts: Sequence[Sequence[int]]
    edits: Sequence[Sequence[Edit]]
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
        stop_reason: `eos`, `max_new_tokens` or `context`.
        min_margin: Smallest gap of the two highest logits over all choices, None if sampled.
        vectors: Per captured layer, mean post-activation after the intervention over generated
            positions; empty if nothing was generated.
        natural: Per captured layer, mean value of the edited neuron before its edit; None where
            there is no edit, or more than one.
        nll_unclamped: Mean negative log-likelihood of the text's tokens under the model without
            the intervention, in nats; None if there are no tokens, or nobody asked.
    """

    token_ids: list[int]
    stop_reason: str
    min_margin: float | None
    vectors: dict[int, Float[np.ndarray, " d_mlp"]]
    natural: dict[int, float | None]
    nll_unclamped: float | None = None


class RowTexts:
    """What each row of a job has become so far."""

    def __init__(self, model: Model, job: DecodeJob):
        n = len(job.prompts)
        self._model, self._job = model, job
        self.chosen: list[list[int]] = [[] for _ in range(n)]
        self._stop = ["max_new_tokens"] * n
        self._margins = np.full(n, np.inf)
        self._nll: Float64[np.ndarray, " row"] = np.zeros(n)
        self.nll_known = False
        self.edits = by_layer(job.edits, model.device, model.dtype)
        self.means = Means(model, job.capture_layers, self.edits, n)

    def take(
        self,
        rows: Sequence[int],
        picked: Int[np.ndarray, " row"],
        margin: Float[np.ndarray, " row"],
    ) -> list[int]:
        """Take each row's next token; return which of the rows go on, as indices into `rows`."""
        kept, n_taken = [], 0
        for at, (row, token) in enumerate(zip(rows, picked.tolist(), strict=True)):
            if self.length(row) == self._model.n_ctx:
                self._stop[row] = "context"
                continue
            n_taken += 1
            self._margins[row] = min(self._margins[row], margin[at])
            if token in self._model.eos_ids:
                self._stop[row] = "eos"
            else:
                self.chosen[row].append(token)
                kept.append(at)
        self._job.on_tokens(n_taken)
        return kept

    def note_nll(self, rows: Sequence[int], nll: Float[Tensor, " row"]) -> None:
        """Count how unlikely each row's last token is under the unchanged model, in nats."""
        self.nll_known = True
        self._nll[list(rows)] += nll.double().cpu().numpy()

    def length(self, row: int) -> int:
        """Tokens of the row's prompt and text."""
        return len(self._job.prompts[row]) + len(self.chosen[row])

    def decoded(self) -> list[Decoded]:
        """Every row's result."""
        return [self._row(row) for row in range(len(self.chosen))]

    def _row(self, row: int) -> Decoded:
        ids, margin = self.chosen[row], float(self._margins[row])
        sampled = self._job.streams is not None or margin == np.inf
        vectors, natural = self.means.of(row, len(ids))
        nll = float(self._nll[row]) / len(ids) if self.nll_known and ids else None
        return Decoded(ids, self._stop[row], None if sampled else margin, vectors, natural, nll)


class Means:
    """Running sums, per captured layer, of the newest generated position's activations."""

    def __init__(
        self, model: Model, layers: Sequence[int], edits: Mapping[int, LayerEdits], n: int
    ):
        self.layers = frozenset(layers)
        self._after = {at: torch.zeros(n, model.d_mlp, device=model.device) for at in layers}
        self._before = {at: torch.zeros(n, device=model.device) for at in layers}
        none = torch.zeros(n, dtype=torch.bool, device=model.device)
        self._single = {
            at: torch.bincount(edits[at].row, minlength=n) == 1 if at in edits else none
            for at in layers
        }

    def add(
        self,
        layer: int,
        rows: Int[Tensor, " row"],
        after: Float[Tensor, "row d_mlp"],
        edited: tuple[Int[Tensor, " edit"], Float[Tensor, " edit"]] | None = None,
    ) -> None:
        """Count one generated position of the given rows.

        Args:
            layer: Layer, of those captured.
            rows: Numbers of the rows.
            after: Their activations after the intervention.
            edited: Row number and natural value of each edit of this layer.
        """
        self._after[layer].index_add_(0, rows, after.float())
        if edited is not None:
            self._before[layer].index_add_(0, edited[0], edited[1].float())

    def of(
        self, row: int, n: int
    ) -> tuple[dict[int, Float[np.ndarray, " d_mlp"]], dict[int, float | None]]:
        """A row's mean vectors, and the natural means of its edited neurons, over n positions."""
        vectors = {at: (sums[row] / n).cpu().numpy() for at, sums in self._after.items() if n}
        natural = {
            at: float(sums[row]) / n if n and bool(self._single[at][row]) else None
            for at, sums in self._before.items()
        }
        return vectors, natural
