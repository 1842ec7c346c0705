from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clampsweep.models.model import Model
from clampsweep.studies.universal.roles.interventions import intervene
from clampsweep.studies.universal.roles.tables import CONTROLS, ROLES, TRIED
from universal.roles.worlds import scores

WANTED = {"domain": "prose", "split": "confirmation", "skip": 2, "values": [-1.0, 2.0], "stride": 4}


def world() -> dict[str, pd.DataFrame]:
    ids = np.random.default_rng(6).integers(2, 200, (4, 20)).tolist()
    tokens = pd.DataFrame(
        {"domain": "prose", "split": ["discovery", "confirmation"] * 2, "block": range(4),
         "tokens": ids}
    )  # fmt: skip
    every = {"layer": 1, "neuron": 3, "sign": 1}
    roles = pd.DataFrame([{"role": role, "rank": 1, **every} for role in TRIED])
    controls = pd.DataFrame(
        [{"role": role, "kind": "matched", **every, "neuron": 9} for role in TRIED]
    )
    return {"tokens": tokens, "roles": roles, "controls": controls,
            "scores": scores(L1N3=1.0, L1N9=1.0)}  # fmt: skip


@pytest.mark.parametrize(
    ("role", "measures"),
    [
        ("prediction", {"own_tokens"}),
        ("suppression", {"own_tokens"}),
        ("entropy", {"log_scale", "entropy", "reciprocal_rank", "loss"}),
        ("attention", {"to_bos"}),
    ],
)
def test_each_role_has_its_measures_on_the_confirmation_half(llama: Model, role, measures):
    found = intervene(llama, role, world(), WANTED)
    assert set(found["measure"]) == measures and set(found["role"]) == {role}
    assert set(found["block"]) <= {1, 3}
    assert set(found["kind"]) == {"candidate", "matched"}


@pytest.mark.parametrize("role", TRIED)
def test_a_role_without_candidates_gives_an_empty_table(llama: Model, role):
    none = {**world(), "roles": pd.DataFrame(columns=list(ROLES.columns)),
            "controls": pd.DataFrame(columns=list(CONTROLS.columns))}  # fmt: skip
    assert intervene(llama, role, none, WANTED).empty
