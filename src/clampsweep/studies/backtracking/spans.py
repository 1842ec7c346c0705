"""How much of the residual direction the top neurons write (table `SPANS`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64

from clampsweep.models.model import Model
from clampsweep.statistics import rank_p
from clampsweep.studies.backtracking.tables import SPANS

DRAWS = 100  # sets of other neurons that they are held against


def spans(
    model: Model,
    directions: pd.DataFrame,
    neurons: pd.DataFrame,
    top: int,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """The table `SPANS`: how much of the residual direction the top neurons write.

    Args:
        model: Loaded model.
        directions: A `DIRECTIONS` table.
        neurons: `NEURONS` of the same kinds.
        top: How many top neurons.
        draws: Random sets.
        seed: Of these.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for row in directions.to_dict("records"):
        ranked = neurons[neurons["position_kind"] == row["position_kind"]].sort_values("rank")
        own = ranked[:top]
        own = own[own["layer"] <= row["layer"]]
        chosen = {int(layer): part["neuron"].tolist() for layer, part in own.groupby("layer")}
        direction = np.asarray(row["vector"], dtype=float)
        share = _share(model, chosen, direction)
        others = [_share(model, _others(model, chosen, rng), direction) for _ in range(draws)]
        rows.append(
            {
                "position_kind": row["position_kind"],
                "layer": row["layer"],
                "k": len(own),
                "share": share,
                "random_mean": float(np.mean(others)),
                "random_high": float(np.percentile(others, 95)),
                "p": rank_p(share, others),
            }
        )
    return pd.DataFrame(rows, columns=list(SPANS.columns))


def _others(
    model: Model, chosen: Mapping[int, Sequence[int]], rng: np.random.Generator
) -> dict[int, list[int]]:
    """As many other neurons of each layer, each once; fewer where there are no more."""
    found = {}
    for layer, own in chosen.items():
        free = np.setdiff1d(np.arange(model.d_mlp), own)
        found[layer] = rng.choice(free, min(len(own), len(free)), replace=False).tolist()
    return found


def _share(
    model: Model, chosen: Mapping[int, Sequence[int]], direction: Float64[np.ndarray, " d"]
) -> float:
    """Share of a direction's squared length in the span of some neurons' output directions.

    Args:
        model: Loaded model.
        chosen: Neurons by layer.
        direction: The direction.
    """
    if not chosen:
        return 0.0
    parts = [
        model.output_directions(layer, torch.tensor(own, device=model.device))
        for layer, own in chosen.items()
    ]
    columns = torch.cat(parts).double().cpu().numpy().T  # [d, neuron]; some may depend on others
    within = columns @ np.linalg.lstsq(columns, direction)[0]
    return float(within @ within / (direction @ direction))
