"""A plain forward pass over `Weights`, a position and a head at a time, in float64."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from clampsweep.studies.scrubbing.weights import Learned, Norm, Rotary, Shortformer, Weights


@torch.inference_mode()
def logits(weights: Weights, ids: list[int]) -> np.ndarray:
    """Logits of each position: `[pos, d_vocab]`."""
    weights, n_pos = weights.to(torch.float64), len(ids)
    residual, positions = weights.W_E[ids], weights.positions
    if isinstance(positions, Learned):
        residual = residual + positions.table[:n_pos]
    for layer in weights.layers:
        normed = _normed(layer.norm, residual)
        is_late = isinstance(positions, Shortformer)
        shifted = normed + positions.table[:n_pos] if is_late else normed
        written = torch.zeros_like(residual)
        for head in range(len(layer.W_Q)):
            q = shifted @ layer.W_Q[head] + layer.b_Q[head]
            k = shifted @ layer.W_K[head] + layer.b_K[head]
            v = normed @ layer.W_V[head] + layer.b_V[head]
            if isinstance(positions, Rotary):
                q, k = _turned(positions, q), _turned(positions, k)
            for at in range(n_pos):
                shares = (k[: at + 1] @ q[at] / q.shape[1] ** 0.5).exp()
                written[at] += shares @ v[: at + 1] / shares.sum() @ layer.W_O[head]
        residual = residual + written + layer.b_O
    return (_normed(weights.norm, residual) @ weights.W_U + weights.b_U).numpy()


def _normed(norm: Norm, residual: Tensor) -> Tensor:
    centred = residual - residual.mean(1, keepdim=True)
    return centred / ((centred**2).mean(1, keepdim=True) + norm.eps).sqrt() * norm.w + norm.b


def _turned(rotary: Rotary, rows: Tensor) -> Tensor:
    """Each pair of dimensions as a complex number, turned by its angle."""
    found = rows.clone()
    for pair in range(rotary.n_rotated // 2):
        a, b = (2 * pair, 2 * pair + 1) if rotary.adjacent else (pair, pair + rotary.n_rotated // 2)
        angles = torch.arange(len(rows)).double() / rotary.base ** (2 * pair / rotary.n_rotated)
        turned = torch.complex(rows[:, a], rows[:, b]) * torch.polar(
            torch.ones_like(angles), angles
        )
        found[:, a], found[:, b] = turned.real, turned.imag
    return found
