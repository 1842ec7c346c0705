"""The next token of each row: greedy or sampled, and the same whatever else is in the batch.

Sampling adds Gumbel noise, times the temperature, to each logit and takes the highest: a token
wins with exactly its probability. The noise depends on the row's stream, the step and the token.

Rounding differs with the batch, the threads and the machine. Where it could change the choice (the
two best, or a cut that touches the best, nearer than `NEAR_TIE`) the step is computed once more,
alone and in float64, and that decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor
from torch.nn.functional import pad

from clampsweep.decoder.exact import exact
from clampsweep.decoder.heads import Heads
from clampsweep.decoder.rows import DecodeJob, RowTexts
from clampsweep.decoder.unembedding import Unembedding
from clampsweep.errors import UserError
from clampsweep.models.loading import Model
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
    found: Float64[np.ndarray, " d_vocab"] = -np.log(exponential.clip(min=1e-300))
    return found


def choose(
    logits: Float[Tensor, "row d_vocab"],
    noise: Float64[Tensor, "row d_vocab"] | None,
    decoding: Decoding,
    near: float | Float[Tensor, " row"] = 0.0,
    rows: Sequence[int] | None = None,
) -> tuple[Int[Tensor, " row"], Float[Tensor, " row"], Bool[Tensor, " row"]]:
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
    near = torch.as_tensor(near, device=logits.device).expand(len(logits))
    scores = logits if noise is None else torch.add(logits, noise, alpha=decoding.temperature)
    if noise is None or (decoding.top_k is None and (decoding.top_p or 1) == 1):
        _, lead = _best(scores)
        return scores.argmax(-1), lead, lead < near
    kept, sure, maybe = _cut(logits, decoding, near[:, None])
    best, lead = _best(scores.where(maybe, -torch.inf))
    uncertain = (lead < near) | ~sure.gather(1, best)[:, 0]
    return scores.where(kept, -torch.inf).argmax(-1), lead, uncertain


def _best(
    scores: Float[Tensor, "row d_vocab"],
) -> tuple[Int[Tensor, "row one"], Float[Tensor, " row"]]:
    """Where the highest score stands, and its lead over the next."""
    top = scores.topk(2, dim=-1)
    return top.indices[:, :1], top.values[:, 0] - top.values[:, 1]


def _cut(
    logits: Float[Tensor, "row d_vocab"], decoding: Decoding, near: Float[Tensor, "row one"]
) -> tuple[Bool[Tensor, "row d_vocab"], Bool[Tensor, "row d_vocab"], Bool[Tensor, "row d_vocab"]]:
    """Tokens that the cuts keep; those kept for sure; and those that may be kept.

    Of equal logits at the end of the kept ones, the lower token ids are kept.
    """
    k = min(decoding.top_k or logits.shape[1], logits.shape[1])
    falling = _falling(logits, k)
    few, n, many = _counts(falling[:, :k], decoding, near)
    last = falling.gather(1, n - 1)
    above, tied = logits > last, logits == last
    kept = above | (tied & (tied.cumsum(-1) <= n - above.sum(-1, keepdim=True)))
    sure = kept & (logits >= falling.gather(1, few) + near)
    maybe = kept | (logits > falling.gather(1, many - 1) - near)
    return kept, sure, maybe


def _falling(logits: Float[Tensor, "row d_vocab"], k: int) -> Float[Tensor, "row rank"]:
    """The k + 1 highest logits, highest first; -inf stands for what the vocabulary lacks."""
    if k < logits.shape[1]:
        return logits.topk(k + 1, dim=-1).values
    rising = np.sort(logits.cpu().numpy(), axis=-1)  # on a CPU four times faster than torch's
    return pad(torch.from_numpy(rising).to(logits.device).flip(-1), (0, 1), value=-torch.inf)


def _counts(
    falling: Float[Tensor, "row rank"], decoding: Decoding, near: Float[Tensor, "row one"]
) -> list[Int[Tensor, "row one"]]:
    """How many of the highest logits top_p keeps: at least, as they stand, at most."""
    k = falling.shape[1]
    if decoding.top_p is None or decoding.top_p >= 1:
        return [torch.full_like(near, k, dtype=torch.long)] * 3
    cumulative = (falling.double() / decoding.temperature).softmax(-1).cumsum(-1)
    # The odds of a sum change by exp(near / temperature) at most, it by a quarter of the exponent.
    error = near.double() / decoding.temperature / 4
    return [
        (cumulative < decoding.top_p + shift).sum(-1, keepdim=True).clamp(max=k - 1) + 1
        for shift in (-error, torch.zeros_like(error), error)
    ]


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
    wrong = ~torch.isfinite(logits).reshape(len(logits), -1).all(-1)
    if bool(wrong.any()):
        numbers = wrong.nonzero()[:, 0].tolist()
        raise NotFiniteError([at if rows is None else rows[at] for at in numbers])


class Chooser:
    """Chooses for the rows of a job."""

    def __init__(self, model: Model, job: DecodeJob, texts: RowTexts):
        self._model, self._job, self._texts = model, job, texts
        # Half-precision weights make texts depend on the batch: their errors are as large as gaps.
        self._near = {torch.float32: (NEAR_TIE, RELATIVE), torch.float64: (_TIE, 0.0)}.get(
            model.dtype, (0.0, 0.0)
        )

    def from_logits(
        self, logits: Float[Tensor, "row d_vocab"], rows: list[int]
    ) -> tuple[Int[np.ndarray, " row"], Float[np.ndarray, " row"]]:
        """Next token of each of the rows, and its lead over the next best in nats."""
        parts = []
        for start in range(0, len(rows), _ROWS):
            some, one = rows[start : start + _ROWS], logits[start : start + _ROWS]
            near = self._bound(one.amax(-1))
            found = choose(one, self._noise(some, one), self._job.decoding, near, some)
            parts.append(self._settle(some, *found))
        picked, lead = zip(*parts, strict=True)
        return np.concatenate(picked), np.concatenate(lead)

    def from_heads(
        self, unembedding: Unembedding, heads: Heads, rows: list[int]
    ) -> tuple[Int[np.ndarray, " row"], Float[np.ndarray, " row"]]:
        """The same, from the residual stream."""
        if self._job.streams is None:
            picked, top, lead = unembedding.top_two(heads)
            check_finite(torch.stack([top, lead], 1), rows)
            return self._settle(rows, picked, lead, lead < self._bound(top))
        parts = [self.from_logits(one, rows[part]) for part, one in unembedding.logits(heads)]
        picked, lead = zip(*parts, strict=True)
        return np.concatenate(picked), np.concatenate(lead)

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
        wanted = [(self._job.streams[row], len(self._texts.chosen[row])) for row in rows]
        places = {one: at for at, one in enumerate(dict.fromkeys(wanted))}
        made = np.stack([gumbel(*one, like.shape[1]) for one in places])
        return torch.from_numpy(made).to(like.device)[[places[one] for one in wanted]]

    def _settle(
        self,
        rows: list[int],
        picked: Int[Tensor, " row"],
        lead: Float[Tensor, " row"],
        uncertain: Bool[Tensor, " row"],
    ) -> tuple[Int[np.ndarray, " row"], Float[np.ndarray, " row"]]:
        """Decide uncertain choices in float64, each alone."""
        tokens, leads = picked.cpu().numpy(), lead.double().cpu().numpy()
        judge = exact(self._model) if bool(uncertain.any()) else None
        if judge is None:
            return tokens, leads
        for at in uncertain.nonzero()[:, 0].tolist():
            row = rows[at]
            prompt = self._job.prompts[row]
            text = [*prompt, *self._texts.chosen[row]]
            logits = judge.logits(text, len(prompt), self._job.edits[row], self._job.scope)
            noise = self._noise([row], logits[None])
            token, gap, _ = choose(logits[None], noise, self._job.decoding, rows=[row])
            if noise is None:  # the lower id, where two are equal
                token = (logits >= logits.max() - _TIE).nonzero()[0]
            tokens[at], leads[at] = int(token), float(gap)
        return tokens, leads
