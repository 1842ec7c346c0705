"""Load a model and ablate its universal neurons, from the entry's tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from clampsweep import tables
from clampsweep.models.loading import load
from clampsweep.models.spec import ModelSpec
from clampsweep.studies.universal.ablation import ablations
from clampsweep.studies.universal.gt1_tables import NEURONS, PLACE
from clampsweep.studies.universal.neuron_table import STATS
from clampsweep.studies.universal.new_model import pooled
from clampsweep.studies.universal.pair_tables import CORR
from clampsweep.studies.universal.tokens import TOKENS


def ablate(
    given: Any,
    folder: Path,
    loading: Mapping[str, Any],
    wanted: Mapping[str, Any],
    threads: int,
    device: str,
) -> pd.DataFrame:
    """The table `ABLATION` of an entry.

    Args:
        given: Paths: `tokens`, `corr`, `neurons` and `stats` of the entry.
        folder: Of the model.
        loading: `ModelSpec.loading` of it.
        wanted: `skip` (first positions that do not count), `sequences` and `seed`.
        threads: CPU threads.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        UserError: A table or the folder is damaged.
    """
    model = load(folder, ModelSpec(**loading), threads, device)
    corr = tables.read(given.corr, CORR)[[*PLACE, "universal"]]
    norms = tables.read(given.neurons, NEURONS)[[*PLACE, "w_out_norm"]]
    post = pooled(tables.read(given.stats, STATS, {"var": "post"}))
    return ablations(
        model,
        tables.read(given.tokens, TOKENS),
        wanted["skip"],
        corr.merge(norms, on=PLACE),
        post,
        wanted["sequences"],
        wanted["seed"],
    )
