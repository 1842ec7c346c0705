"""The verdicts on a sweep in a line, for figures and reports: read, not decided."""

from __future__ import annotations

import pandas as pd

from clampsweep.studies.bcr.view import Tables

SPECIAL, NOT_SPECIAL = "special: more than its controls", "not special among its controls"
TOO_FEW, NOT_COMPARED = "too few controls to tell", "not compared with controls"


def _rows(view: Tables, claim: str, detector: str) -> pd.DataFrame:
    if view.verdicts is None:
        raise ValueError("the tables hold no verdicts yet")
    rows = view.verdicts
    return rows[(rows["claim"] == claim) & (rows["by"] == detector)]


def special_targets(view: Tables, detector: str) -> tuple[str, ...]:
    """Targets that do more than every kind of controls, by a detector."""
    rows = _rows(view, "special", detector)
    return tuple(rows.loc[rows["words"] == SPECIAL, "subject"])


def can_tell(view: Tables, detector: str) -> bool:
    """Whether there were controls enough for every target."""
    return not _rows(view, "special", detector)["words"].eq(TOO_FEW).any()


def headline(view: Tables, detector: str) -> str:
    """The verdict of a detector, `no recovery, only harm; not special among its controls`."""
    words = _rows(view, "recovery", detector)["words"].iloc[0]
    return f"{words}; {_compared(view, detector)}"


def _compared(view: Tables, detector: str) -> str:
    said = _rows(view, "special", detector)["words"]
    if len(said) == 1:
        return str(said.iloc[0])
    if n_special := int(said.eq(SPECIAL).sum()):
        return f"{n_special} of {len(said)} targets special"
    for words in (TOO_FEW, NOT_SPECIAL):
        if said.eq(words).any():
            return words if words == TOO_FEW else "no target special among its controls"
    return NOT_COMPARED
