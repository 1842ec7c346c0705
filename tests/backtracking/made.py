"""Small tables of the study, written by hand, for tests of what reads them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clampsweep.studies.backtracking.contrast import Contrast
from clampsweep.studies.backtracking.effects import EFFECTS
from clampsweep.studies.backtracking.held_areas import HELDOUT
from clampsweep.studies.backtracking.pairs import PAIRED
from clampsweep.studies.backtracking.tables import EXITS


def frame(schema: Any, *rows: dict[str, Any]) -> pd.DataFrame:
    """Rows with the columns of a schema; what a row does not name is null."""
    return pd.DataFrame(list(rows), columns=list(schema.columns))


def area(method: str, kind: str = "pred", k: int = 0, **changes: Any) -> dict[str, Any]:
    """A row of `HELDOUT`."""
    row = {"estimate": 0.9, "low": 0.8, "high": 0.95, "null": 0.5, "p": 0.001, "n1": 40, "n0": 160}
    return {"position_kind": kind, "method": method, "k": k, "n_problems": 40, **row, **changes}


def effect(intervention: str = "zero", k: int = 20, **changes: Any) -> dict[str, Any]:
    """A row of `EFFECTS` of the top set at the last position."""
    row = {
        "intervention": intervention, "scope": "pred_pos", "set_kind": "top", "k": k, "n": 40,
        "n_problems": 40, "delta_event": -0.5, "delta_control": -0.1, "estimate": -0.4,
        "low": -0.6, "high": -0.2, "n_random": 100, "random_mean": 0.0, "random_low": -0.05,
        "random_high": 0.05, "p": 1 / 101, "kl_control": 0.03, "kl_random": 0.02, "kl_rest": 0.01,
        "bias": -0.55, "bias_control": -0.54, "bias_gap": -0.36, "bias_low": -0.5,
        "bias_high": -0.2, "bias_p": 0.001,
    }  # fmt: skip
    return {**row, **changes}


def contrast(insufficient: str = "", heldout: Any = (), effects: Any = ()) -> Contrast:
    """A contrast of some rows."""
    return Contrast(
        insufficient, frame(HELDOUT, *heldout), frame(EFFECTS, *effects), 20, {"pred": 7}
    )


def compared(condition: str, measure: str, **changes: Any) -> dict[str, Any]:
    """A row of `PAIRED`."""
    row = {
        "unit": "share", "before": 0.5, "after": 0.2, "difference": -0.3, "low": -0.4,
        "high": -0.2, "gained": 1, "lost": 30, "n": 96, "n_problems": 12, "p": 1e-6,
    }  # fmt: skip
    return {"condition": condition, "measure": measure, **row, **changes}


def paired(*rows: dict[str, Any]) -> pd.DataFrame:
    """`PAIRED` of some rows."""
    return frame(PAIRED, *rows)


def exits(*right: tuple[bool | None, bool | None]) -> pd.DataFrame:
    """`EXITS`: of each event, whether the answer before it and the final one are right."""
    rows = [
        {"event_id": str(at), "source": "plain", "problem_id": str(at), "answer": "1",
         "correct": before, "final_correct": final, "text": "1}"}
        for at, (before, final) in enumerate(right)
    ]  # fmt: skip
    return frame(EXITS, *rows).astype({"correct": "boolean", "final_correct": "boolean"})
