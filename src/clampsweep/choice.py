"""The next token of each row: greedy or sampled, and the same whatever else is in the batch.

Rounding differs with the batch, the threads and the machine. Where it could change the choice (two
logits, or a draw and its bound, nearer than `NEAR_TIE`) the step is computed once more, alone and
in float64, and that decides.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from clampsweep.config import Decoding
from clampsweep.errors import UserError
from clampsweep.exact import exact
from clampsweep.models import Model
from clampsweep.texts import Job, Texts
from clampsweep.unembedding import Heads, Unembedding

# Gaps of two float32 logits below this, in nats or relative to the highest logit, are near-ties.
# Five times the largest error seen (benchmarks/README.md).
NEAR_TIE = 2e-4
RELATIVE = 1e-5
_TIE = 1e-9  # nats, in float64: the lower token id is chosen


def choose(
    logits: Float[Tensor, "row d_vocab"],
    uniforms: Float64[np.ndarray, " row"] | None,
    decoding: Decoding,
    near: float | Float[Tensor, " row"] = 0.0,
) -> tuple[Int[Tensor, " row"], Float[Tensor, " row"], Bool[Tensor, " row"]]:
    """Next token of each row, the gap of its two highest logits, and whether it is uncertain.

    Greedy: the highest logit. Sampling: tokens sorted by falling probability at the temperature,
    cut to the top k and to the smallest set that holds probability top_p, one uniform number per
    row picks by the inverse of their cumulative distribution.

    Args:
        logits: One row each.
        uniforms: In [0, 1), one per row; None when greedy.
        decoding: Method and its parameters.
        near: Error of a gap of logits, in nats, that must not change a choice called certain.

    Raises:
        UserError: A row has logits that are not numbers.
    """
    top = logits.topk(2, dim=-1)
    check_finite(top.values)
    margin = top.values[:, 0] - top.values[:, 1]
    if uniforms is None:
        return logits.argmax(-1), margin, margin < near
    scaled, ids = (logits.double() / decoding.temperature).sort(
        dim=-1, descending=True, stable=True
    )
    near = torch.as_tensor(near, device=logits.device).expand(len(logits))[:, None]
    near = near / decoding.temperature
    k = min(decoding.top_k or ids.shape[1], ids.shape[1])
    cumulative = scaled[:, :k].softmax(-1).cumsum(-1)
    uniform = torch.from_numpy(uniforms).to(cumulative)[:, None]

    def pick(error: Tensor | float) -> tuple[Tensor, Tensor]:
        """What is picked, and the last that may be, if every sum is off by so much."""
        last = torch.full_like(ids[:, :1], k - 1)
        if decoding.top_p is not None and decoding.top_p < 1:
            last = last.minimum((cumulative < decoding.top_p + error).sum(-1, keepdim=True))
        draw = uniform * cumulative.gather(1, last) + error
        return (cumulative <= draw).sum(-1, keepdim=True).minimum(last), last

    (picked, _), (low, first_end), (high, _) = pick(0.0), pick(-near), pick(near)
    uncertain = ((low != high) | (high > first_end))[:, 0]
    picked = picked[:, 0]
    beside = torch.stack([picked - 1, picked, picked + 1], 1).clamp(0, ids.shape[1] - 1)
    steps = scaled.gather(1, beside).diff(dim=1).abs()
    moved = beside.diff(dim=1) > 0
    uncertain |= ((steps < near) & moved).any(-1)
    return ids.gather(1, picked[:, None])[:, 0], margin, uncertain


def check_finite(logits: Tensor) -> None:
    """Refuse logits that are not numbers.

    Raises:
        UserError: One is infinite or not a number.
    """
    if not bool(torch.isfinite(logits).all()):
        raise UserError(
            "the model's logits are not finite under this intervention; use smaller values or a "
            "wider dtype (models.<name>.dtype)"
        )


class Chooser:
    """Chooses for the rows of a job."""

    def __init__(self, model: Model, job: Job, texts: Texts):
        self._model, self._job, self._texts = model, job, texts
        # Half-precision weights make texts depend on the batch: their errors are as large as gaps.
        self._near = {torch.float32: (NEAR_TIE, RELATIVE), torch.float64: (_TIE, 0.0)}.get(
            model.dtype, (0.0, 0.0)
        )

    def from_logits(
        self, logits: Float[Tensor, "row d_vocab"], rows: list[int]
    ) -> tuple[Int[np.ndarray, " row"], Float[np.ndarray, " row"]]:
        """Next token of each of the rows, and the gap of its two highest logits."""
        near = self._bound(logits.amax(-1))
        found = choose(logits, self._uniforms(rows), self._job.decoding, near)
        return self._settle(rows, *found)

    def from_heads(
        self, unembedding: Unembedding, heads: Heads, rows: list[int]
    ) -> tuple[Int[np.ndarray, " row"], Float[np.ndarray, " row"]]:
        """The same, from the residual stream."""
        if self._job.uniforms is None:
            picked, top, margin = unembedding.top_two(heads)
            check_finite(top)
            check_finite(margin)
            return self._settle(rows, picked, margin, margin < self._bound(top))
        parts = [self.from_logits(one, rows[part]) for part, one in unembedding.logits(heads)]
        picked, margin = zip(*parts, strict=True)
        return np.concatenate(picked), np.concatenate(margin)

    def _bound(self, top: Float[Tensor, " row"]) -> Float[Tensor, " row"]:
        """The gap under which a choice is a near-tie, given each row's highest logit."""
        absolute, relative = self._near
        return (relative * top.abs()).clamp(min=absolute)

    def _uniforms(self, rows: list[int]) -> Float64[np.ndarray, " row"] | None:
        if self._job.uniforms is None:
            return None
        steps = [len(self._texts.chosen[row]) for row in rows]
        step = np.minimum(steps, self._job.uniforms.shape[1] - 1)
        return self._job.uniforms[rows, step]

    def _settle(
        self,
        rows: list[int],
        picked: Int[Tensor, " row"],
        margin: Float[Tensor, " row"],
        uncertain: Bool[Tensor, " row"],
    ) -> tuple[Int[np.ndarray, " row"], Float[np.ndarray, " row"]]:
        """Decide uncertain choices in float64, each alone."""
        tokens, margins = picked.cpu().numpy(), margin.double().cpu().numpy()
        judge = exact(self._model) if bool(uncertain.any()) else None
        if judge is None:
            return tokens, margins
        for at in uncertain.nonzero()[:, 0].tolist():
            row = rows[at]
            prompt = self._job.prompts[row]
            text = [*prompt, *self._texts.chosen[row]]
            logits = judge.logits(text, len(prompt), self._job.edits[row], self._job.scope)
            draws = self._uniforms([row])
            token, gap, _ = choose(logits[None], draws, self._job.decoding)
            if draws is None:  # the lower id, where two are equal
                token = (logits >= logits.max() - _TIE).nonzero()[0]
            tokens[at], margins[at] = int(token), float(gap)
        return tokens, margins
