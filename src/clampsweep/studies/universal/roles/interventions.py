"""The interventions of a role: a table `INTERVENTIONS`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from clampsweep.models.model import Model
from clampsweep.studies.universal.roles.ablating import ablate
from clampsweep.studies.universal.roles.attention import attend
from clampsweep.studies.universal.roles.entropy import hold
from clampsweep.studies.universal.roles.rows import text_of, tried
from clampsweep.studies.universal.roles.tables import ATTENTION, ENTROPY


def intervene(
    model: Model,
    role: str,
    tables: Mapping[str, pd.DataFrame],
    params: Mapping[str, Any],
) -> pd.DataFrame:
    """The interventions of a role on its candidates and controls.

    Args:
        model: Loaded model.
        role: One of `TRIED`.
        tables: `tokens`, `roles`, `controls`, `scores` (un_tokens, `ROLES`, `CONTROLS`,
            `ATTENTION_SCORES`).
        params: `domain`, `split` and `skip` of the text; `values` and `stride` of the role entropy.
    """
    text = text_of(tables["tokens"], params["domain"], params["split"], params["skip"])
    neurons = tried(tables["roles"], tables["controls"], role)
    if role == ENTROPY:
        return hold(model, text, neurons, params["values"], params["stride"])
    if role == ATTENTION:
        return attend(model, text, neurons, tables["scores"])
    return ablate(model, text, neurons, role)
