"""The tables of an entry's agreement with other models, from those of each other model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from clampsweep import tables
from clampsweep.studies.universal.agreed import joined
from clampsweep.studies.universal.agreed_tables import PERSISTENCE
from clampsweep.studies.universal.excess import excess
from clampsweep.studies.universal.gt1_tables import GT1, NEURONS, RATES
from clampsweep.studies.universal.neuron_table import STATS
from clampsweep.studies.universal.new_model import base_rates, gt1, neuron_metrics
from clampsweep.studies.universal.no_rows import no_rows
from clampsweep.studies.universal.pair_tables import CORR, NULLS, PAIRS
from clampsweep.studies.universal.persistence import persistence
from clampsweep.studies.universal.vocabulary import VOCABULARY
from clampsweep.studies.universal.weights import WEIGHTS
from clampsweep.tables import Schema


def agreement_tables(
    given: Any, asked: Mapping[str, Any]
) -> dict[str, tuple[pd.DataFrame, Schema]]:
    """Each table with its schema, by the name of the rule's output.

    Args:
        given: Paths: `pairs` and `nulls` of other models, `earlier` of checkpoints, `stats`,
            `weights` and `vocabulary` of the entry.
        asked: `cut`, `checkpoints` (their names) and `seed`.

    Raises:
        UserError: A table is missing, truncated or another one.
    """
    pairs = joined(given.pairs, PAIRS)
    corr = excess(pairs, asked["cut"])
    weights = tables.read(given.weights, WEIGHTS)
    neurons = neuron_metrics(
        tables.read(given.stats, STATS), weights, tables.read(given.vocabulary, VOCABULARY)
    )
    earlier = joined(given.earlier, PAIRS)
    later = persistence(earlier, corr, weights, asked["checkpoints"], asked["seed"])
    return {
        "pairs": (pairs, PAIRS),
        "nulls": (joined(given.nulls, NULLS), NULLS),
        "corr": (corr, CORR),
        "neurons": (neurons, NEURONS),
        "gt1": (gt1(neurons, corr, asked["seed"]) if len(corr) else no_rows(GT1), GT1),
        "rates": (base_rates(neurons, corr), RATES),
        "persistence": (later, PERSISTENCE),
    }
