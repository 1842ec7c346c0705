"""How far one unit of each neuron moves the residual stream."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64

from clampsweep.models.model import Model


def output_norms(model: Model) -> Float64[np.ndarray, "layer neuron"]:
    """Length of what one unit of each neuron adds to the output of its MLP."""
    every = torch.arange(model.d_mlp, device=model.device)
    rows = [
        model.output_directions(layer, every).double().norm(dim=1)
        for layer in range(model.n_layers)
    ]
    found: np.ndarray = torch.stack(rows).cpu().numpy()
    return found
