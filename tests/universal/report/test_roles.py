from __future__ import annotations

import pandas as pd

from clampsweep import ledger
from clampsweep.markdown import page
from clampsweep.studies.universal.claims.roles import claims
from clampsweep.studies.universal.report.roles import section
from clampsweep.studies.universal.roles.tables import ROLES
from universal.roles.rows_of_roles import rows

ONE = {"role": "entropy", "rank": 1, "layer": 5, "neuron": 3, "score": 0.1, "measure": "vocab_var",
       "sign": 1, "why": "lowest vocab_var"}  # fmt: skip


def written(n: int, roles: pd.DataFrame, begins: bool = False) -> str:
    table = rows(n)
    found = ledger.conclusions(claims(table, begins)).verdicts
    return section(found, roles, table, begins)


def test_the_section_names_candidates_and_verdicts():
    roles = pd.DataFrame([ONE, {**ONE, "role": "feature:digit"}])
    text = written(5, roles)
    assert text.startswith("## Roles of neurons")
    assert "L5N3" in text and "supported" in text and "over 10 blocks" in text
    assert "neurons of 1 features" not in text and "1 feature," in text
    assert "untestable" in text and "BOS" in text
    assert "<table>" in page(text, "x")


def test_nothing_found_is_said():
    text = written(0, pd.DataFrame(columns=list(ROLES.columns)))
    assert "none fits" in text and "no neuron is a candidate" in text
    assert "one by one" not in text and "| supported" not in text
