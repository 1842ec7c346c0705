"""Random rotations, of neurons or of the residual stream: a basis that means nothing."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import DTypeLike

GAUSSIAN, ORTHOGONAL = "gaussian", "orthogonal"


def rotation(
    kind: str, d: int, rng: np.random.Generator, dtype: DTypeLike = np.float32
) -> Float[np.ndarray, "d d"]:
    """A random matrix that takes coordinates to directions, [direction, coordinate].

    Args:
        kind: `gaussian`: normal numbers, rows of length 1, as in the code of Gurnee et al. 2024:
            only nearly orthogonal. `orthogonal`: uniform over all orthogonal matrices, by QR with
            the signs made right (Mezzadri 2007).
        d: Number of coordinates.
        rng: Where draws come from.
        dtype: Of the matrix, and of what it is made by.

    Raises:
        ValueError: There is no such kind.
    """
    drawn = rng.standard_normal((d, d)).astype(dtype)
    if kind == GAUSSIAN:
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))
    if kind != ORTHOGONAL:
        raise ValueError(f"kind: got {kind!r}; write {GAUSSIAN!r} or {ORTHOGONAL!r}")
    q, r = np.linalg.qr(drawn)
    return np.asarray(q * np.sign(np.diag(r)))
