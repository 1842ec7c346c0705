"""Directions of the residual stream."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64


def random_direction(layer: int, number: int, d_model: int) -> Float64[np.ndarray, " d_model"]:
    """A direction of the residual stream drawn uniformly, of length 1; always the same one."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([layer, number])))
    drawn = generator.standard_normal(d_model)
    return np.asarray(drawn / np.linalg.norm(drawn))
