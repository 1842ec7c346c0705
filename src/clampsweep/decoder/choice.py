"""The next token of each row: greedy or sampled, and the same whatever else is in the batch.

Sampling adds Gumbel noise, times the temperature, to each logit and takes the highest: a token
wins with exactly its probability. The noise depends on the row's stream, the step and the token.

Rounding differs with the batch, the threads and the machine. Where it could change the choice (the
two best, or a cut that touches the best, nearer than `NEAR_TIE`) the step is computed once more,
alone and in float64, and that decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from clampsweep.decoder.cuts import cut, listed
from clampsweep.decoder.exact import exact
from clampsweep.decoder.heads import Heads
from clampsweep.decoder.rows import DecodeJob, RowTexts
from clampsweep.decoder.unembedding import Unembedding
from clampsweep.errors import UserError
from clampsweep.models.model import Model
from clampsweep.texts.request import Decoding

# Gaps of two float32 logits below this, in nats or relative to the highest logit, are near-ties.
# Five times the largest error seen (benchmarks/README.md).
NEAR_TIE = 2e-4

RELATIVE = 1e-5

_TIE = 1e-9  # nats, in float64: the lower token id is chosen

_ROWS = 64  # rows chosen for at once: sampling needs several arrays of the logits' shape


def gumbel(stream: tuple[int, ...], step: int, n_vocab: int) -> Float64[np.ndarray, " d_vocab"]:
    """Standard Gumbel noise of each token, fixed by stream and step.

    Args:
        stream: Integers from 0 that seed a text's draws.
        step: Number of the choice, from 0.
        n_vocab: Number of tokens.
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([*stream, step])))
    # float32 would be too coarse near 0, where rare tokens win, and often 0.
    exponential = generator.standard_exponential(n_vocab)
    noise: Float64[np.ndarray, " d_vocab"] = -np.log(exponential.clip(min=1e-300))
    return noise


class Choice(NamedTuple):
    """The next token of each row.

    Attributes:
        token: The token.
        lead: How far its score is above the next best, in nats.
        uncertain: Whether rounding could change the choice.
    """

    token: Int[Tensor, " row"]
    lead: Float[Tensor, " row"]
    uncertain: Bool[Tensor, " row"]


class Picked(NamedTuple):
    """The next token of each row, decided, and its lead over the next best in nats."""

    token: Int[np.ndarray, " row"]
    lead: Float[np.ndarray, " row"]


class _Best(NamedTuple):
    """Where the highest score stands, and its lead over the next."""

    place: Int[Tensor, "row one"]
    lead: Float[Tensor, " row"]


def choose(
    logits: Float[Tensor, "row d_vocab"],
    noise: Float64[Tensor, "row d_vocab"] | None,
    decoding: Decoding,
    near: float | Float[Tensor, " row"] = 0.0,
    rows: Sequence[int] | None = None,
) -> Choice:
    """Next token of each row, its lead over the next best in nats, and whether it is uncertain.

    Greedy: the highest logit. Sampling: the highest logit + temperature * noise of the top k
    tokens, or of the smallest set of these that holds probability top_p at the temperature.

    Args:
        logits: One row each.
        noise: Standard Gumbel noise; None when greedy.
        decoding: Method and its parameters.
        near: Error of a gap of logits, in nats, that must not change a choice called certain.
        rows: Numbers of the rows in their job, to say which are wrong; from 0 if None.

    Raises:
        NotFiniteError: A row has logits that are not numbers.
    """
    check_finite(logits.amax(-1), rows)
    near = torch.as_tensor(near, device=logits.device).expand(len(logits))  # [row]
    # Where nothing is cut, the choice hangs on the two best alone.
    if noise is None or (decoding.top_k is None and (decoding.top_p or 1) == 1):
        scores = _scores(logits, noise, decoding)
        lead = _best(scores).lead
        return Choice(scores.argmax(-1), lead, lead < near)
    kept, sure, maybe = cut(logits, decoding, near[:, None])  # [row, d_vocab] each
    ids, there = listed(maybe)  # [row, few] each
    scores = _scores(logits.gather(1, ids), noise.gather(1, ids), decoding)
    best = _best(scores.where(there, -torch.inf))
    # Uncertain also where the best might be cut: [row, 1] into [row, d_vocab].
    uncertain = (best.lead < near) | ~sure.gather(1, ids.gather(1, best.place))[:, 0]
    place = scores.where(there & kept.gather(1, ids), -torch.inf).argmax(-1, keepdim=True)
    return Choice(ids.gather(1, place)[:, 0], best.lead, uncertain)


def _scores(
    logits: Float[Tensor, "row token"],
    noise: Float64[Tensor, "row token"] | None,
    decoding: Decoding,
) -> Float[Tensor, "row token"]:
    return logits if noise is None else torch.add(logits, noise, alpha=decoding.temperature)


def _best(scores: Float[Tensor, "row d_vocab"]) -> _Best:
    top = scores.topk(2, dim=-1)  # [row, 2]
    return _Best(top.indices[:, :1], top.values[:, 0] - top.values[:, 1])


class NotFiniteError(UserError):
    """Logits that are not numbers; `rows` says in which rows of the job."""

    def __init__(self, rows: Sequence[int]):
        super().__init__(
            "the model's logits are not finite under this intervention; use smaller values or a "
            "wider dtype (models.<name>.dtype)"
        )
        self.rows = list(rows)


def check_finite(logits: Float[Tensor, "row ..."], rows: Sequence[int] | None = None) -> None:
    """Refuse logits that are not numbers.

    Args:
        logits: One or more of each row.
        rows: Numbers of the rows in their job; from 0 if None.

    Raises:
        NotFiniteError: One is infinite or not a number.
    """
    wrong = ~torch.isfinite(logits).reshape(len(logits), -1).all(-1)  # [row]
    if bool(wrong.any()):
        numbers = wrong.nonzero()[:, 0].tolist()
        raise NotFiniteError([at if rows is None else rows[at] for at in numbers])


class Chooser:
    """Chooses for the rows of a job.

    Args:
        model: Loaded model.
        job: What is asked for.
        texts: What its rows have become so far.
    """

    def __init__(self, model: Model, job: DecodeJob, texts: RowTexts):
        self._model, self._job, self._texts = model, job, texts
        # Half-precision weights make texts depend on the batch: their errors are as large as gaps.
        self._near = {torch.float32: (NEAR_TIE, RELATIVE), torch.float64: (_TIE, 0.0)}.get(
            model.dtype, (0.0, 0.0)
        )

    def from_logits(self, logits: Float[Tensor, "row d_vocab"], rows: list[int]) -> Picked:
        """Next token of each of the rows, and its lead over the next best in nats."""
        parts, logits = [], self._without_ended(rows, logits)
        for start in range(0, len(rows), _ROWS):
            few, their_logits = rows[start : start + _ROWS], logits[start : start + _ROWS]
            near, noise = self._bound(their_logits.amax(-1)), self._noise(few, their_logits)
            choice = choose(their_logits, noise, self._job.decoding, near, few)
            parts.append(self._settle(few, choice))
        return _joined(parts)

    def from_heads(self, unembedding: Unembedding, heads: Heads, rows: list[int]) -> Picked:
        """The same, from the residual stream."""
        if self._job.streams is None:  # greedy: the two highest logits say all
            token, top, lead = unembedding.top_two(heads)
            check_finite(self._without_ended(rows, torch.stack([top, lead], 1)), rows)  # [row, 2]
            return self._settle(rows, Choice(token, lead, lead < self._bound(top)))
        return _joined(
            [self.from_logits(logits, rows[part]) for part, logits in unembedding.logits(heads)]
        )

    def _without_ended(
        self, rows: list[int], values: Float[Tensor, "row column"]
    ) -> Float[Tensor, "row column"]:
        """The values, 0 for rows whose text has ended: these need not be finite."""
        if not self._texts.ended:
            return values
        ended = torch.tensor([row in self._texts.ended for row in rows], device=values.device)
        return values.masked_fill(ended[:, None], 0.0)  # [row, 1]

    def _bound(self, top: Float[Tensor, " row"]) -> Float[Tensor, " row"]:
        """The gap under which a choice is a near-tie, given each row's highest logit."""
        absolute, relative = self._near
        return (relative * top.abs()).clamp(min=absolute)

    def _noise(
        self, rows: list[int], like: Float[Tensor, "_row d_vocab"]
    ) -> Float64[Tensor, "row d_vocab"] | None:
        """Each row's noise at its step, made once for the rows that share it; None when greedy."""
        if self._job.streams is None:
            return None
        draws = [(self._job.streams[row], len(self._texts.chosen[row])) for row in rows]
        places = {draw: at for at, draw in enumerate(dict.fromkeys(draws))}
        noise = np.stack([gumbel(*draw, like.shape[1]) for draw in places])  # [draw, d_vocab]
        # [draw, d_vocab] to [row, d_vocab]
        return torch.from_numpy(noise).to(like.device)[[places[draw] for draw in draws]]

    def _settle(self, rows: list[int], choice: Choice) -> Picked:
        """Decide uncertain choices in float64, each alone."""
        tokens, leads = choice.token.cpu().numpy(), choice.lead.double().cpu().numpy()  # [row]
        judge = exact(self._model) if bool(choice.uncertain.any()) else None
        if judge is None:
            return Picked(tokens, leads)
        for at in choice.uncertain.nonzero()[:, 0].tolist():
            row = rows[at]
            if row in self._texts.ended:
                continue
            prompt = self._job.prompts[row]
            text = [*prompt, *self._texts.chosen[row]]
            logits = judge.logits(text, len(prompt), self._job.edits[row], self._job.scope)
            noise = self._noise([row], logits[None])  # [1, d_vocab]
            token, lead, _ = choose(logits[None], noise, self._job.decoding, rows=[row])
            if noise is None:  # the lower id, where two are equal
                token = (logits >= logits.max() - _TIE).nonzero()[0]
            tokens[at], leads[at] = int(token), float(lead)
        return Picked(tokens, leads)


def _joined(parts: Sequence[Picked]) -> Picked:
    """The rows of all parts, one part after the other."""
    return Picked(*(np.concatenate(column) for column in zip(*parts, strict=True)))
