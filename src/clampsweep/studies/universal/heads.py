"""GT3: weights of attention heads beside what the heads do.

The circuits of a head are QK, which says where it looks, and OV, which says what it writes there
(Elhage et al. 2021). What a head does is how much it looks at the first token, where heads with
nothing to do look (Xiao et al. 2023), and how widely it looks. Norms and spectra of weights are
held against that, head by head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from clampsweep.models.capture import Rows, capture
from clampsweep.models.model import Model
from clampsweep.names import PATTERN, HookPoint, hook_points
from clampsweep.studies.universal.norms import read_norm
from clampsweep.tables import Column, Schema

HEADS = Schema(
    "universal heads",
    {
        "layer": Column("int", "layer, from 0"),
        "head": Column("int", "query head, from 0"),
        "kv_head": Column("int", "head whose keys and values it uses"),
        "qk_norm": Column("float", "Frobenius norm of W_Q W_K^T, the norm's gain folded in"),
        "qk_top": Column("float", "share of the largest singular value in its square, 0..1"),
        "qk_rank": Column("float", "effective rank: (sum s^2)^2 / sum s^4"),
        "ov_norm": Column("float", "Frobenius norm of W_V W_O, the norm's gain folded in"),
        "ov_top": Column("float", "share of the largest singular value in its square, 0..1"),
        "ov_rank": Column("float", "effective rank: (sum s^2)^2 / sum s^4"),
        "first": Column("float", "mean attention to the first token, 0..1"),
        "entropy": Column("float", "mean entropy of attention, nats"),
        "n_positions": Column("int", "positions that the means are over"),
    },
    key=("layer", "head"),
)

WEIGHTS = ("qk_norm", "qk_top", "qk_rank", "ov_norm", "ov_top", "ov_rank")

BEHAVIOURS = ("first", "entropy")


class Spectrum(NamedTuple):
    """Norm of a product of two matrices, and how many directions it uses."""

    norm: float
    top: float
    rank: float


def spectrum(left: Float[Tensor, "n r"], right: Float[Tensor, "m r"]) -> Spectrum:
    """Frobenius norm, share of the largest singular value and effective rank of left @ right.T.

    Args:
        left: A factor.
        right: The other one; the product has at most r singular values.
    """
    # The factors of a QR decomposition keep the singular values, and are r x r.
    small = torch.linalg.qr(left).R @ torch.linalg.qr(right).R.T
    squares = torch.linalg.svdvals(small) ** 2
    total = squares.sum()
    return Spectrum(
        float(total.sqrt()), float(squares[0] / total), float(total**2 / (squares**2).sum())
    )


def circuits(model: Model) -> pd.DataFrame:
    """Columns of `HEADS` that follow from the weights; biases and rotations are left out.

    Args:
        model: Loaded model; its bridge lays the weights out by head.
    """
    rows = []
    for layer in range(model.n_layers):
        block = model.bridge.blocks[layer]
        part = f"blocks.{layer}.ln1"
        norm = read_norm(model.part(part), model.d_model, f"model: {part}")
        gain = norm.gain[:, None].to(model.device)
        W_Q, W_K, W_V, W_O = (  # noqa: N806
            getattr(block.attn, name).detach().double() for name in ("W_Q", "W_K", "W_V", "W_O")
        )
        shared = len(W_Q) // len(W_K)  # query heads that use the same keys and values
        for head in range(len(W_Q)):
            kv = head // shared
            qk = spectrum(gain * W_Q[head], gain * W_K[kv])
            ov = spectrum(gain * W_V[kv], W_O[head].T)
            named = {
                f"{circuit}_{name}": value
                for circuit, found in (("qk", qk), ("ov", ov))
                for name, value in found._asdict().items()
            }
            rows.append({"layer": layer, "head": head, "kv_head": kv, **named})
    return pd.DataFrame(rows)


def behaviour(model: Model, sequences: Sequence[Sequence[int]], skip: int) -> pd.DataFrame:
    """Columns of `HEADS` that say where heads look: at the first token, and how widely.

    Args:
        model: Loaded model.
        sequences: Token ids.
        skip: First positions of a sequence that do not count as queries.
    """
    n_heads = int(model.adapter.cfg.n_heads)
    sums = np.zeros((model.n_layers, 2, n_heads))
    counts = np.zeros(model.n_layers, dtype=int)

    def receive(rows: Rows, point: HookPoint, vectors: Tensor) -> None:
        pattern = vectors.double()  # [row, head, key]
        first = pattern[:, :, 0].sum(0)
        entropy = -torch.special.xlogy(pattern, pattern).sum((0, 2))
        sums[point.layer] += torch.stack([first, entropy]).cpu().numpy()
        counts[point.layer] += len(rows.positions)

    positions = [range(skip, len(sequence)) for sequence in sequences]
    points = hook_points(PATTERN, range(model.n_layers))
    for _ in capture(model, sequences, positions, points, receive, rows_per_forward=2):
        pass
    means = sums / counts[:, None, None]
    return pd.DataFrame(
        {
            "layer": np.repeat(np.arange(model.n_layers), n_heads),
            "head": np.tile(np.arange(n_heads), model.n_layers),
            "first": means[:, 0].ravel(),
            "entropy": means[:, 1].ravel(),
            "n_positions": np.repeat(counts, n_heads),
        }
    )


def heads(model: Model, sequences: Sequence[Sequence[int]], skip: int) -> pd.DataFrame:
    """The table `HEADS`.

    Args:
        model: Loaded model.
        sequences: Token ids on which heads are watched.
        skip: First positions of a sequence that do not count.

    Raises:
        UserError: The model's attention patterns cannot be read.
    """
    found = circuits(model).merge(behaviour(model, sequences, skip), on=["layer", "head"])
    return found[list(HEADS.columns)]
