"""The verdicts on a sweep in a line, for figures and reports: read, not decided."""

from __future__ import annotations

import pandas as pd

from clampsweep.studies.bcr.effect import ONLY_HARM
from clampsweep.studies.bcr.view import Tables
from clampsweep.verdicts import VACUOUS
from clampsweep.words import listed

SPECIAL, NOT_SPECIAL = "special: more than its controls", "no more than its controls"
TOO_FEW, NOT_COMPARED = "too few controls to tell", "not compared with controls"
NOT_AT_BEST = "not tested at its best clamp"


def verdicts_of(view: Tables, claim: str, detector: str) -> pd.DataFrame:
    """Rows of the verdicts on a claim by a detector, a row per subject.

    Args:
        view: The tables.
        claim: Its name.
        detector: One of `view.detectors`.

    Raises:
        ValueError: The verdicts are not drawn yet.
    """
    if view.verdicts is None:
        raise ValueError("the tables hold no verdicts yet")
    rows = view.verdicts
    return rows[(rows["claim"] == claim) & (rows["by"] == detector)]


def decisive_claim(view: Tables, detector: str) -> str:
    """Which comparison with controls fits what was found: of harm where there is only that.

    Args:
        view: The tables.
        detector: One of `view.detectors`.
    """
    found = verdicts_of(view, "recovery", detector).iloc[0]
    only_harm = found["words"] == ONLY_HARM or found["verdict"] == VACUOUS
    return "special_harm" if only_harm else "special"


def headline(view: Tables, detector: str) -> str:
    """The verdict of a detector, `recovery; no more than its controls`."""
    words = verdicts_of(view, "recovery", detector)["words"].iloc[0]
    return f"{words}; {_compared(view, detector)}"


def _compared(view: Tables, detector: str) -> str:
    said = verdicts_of(view, decisive_claim(view, detector), detector)["words"]
    if len(said) == 1:
        return str(said.iloc[0])
    if n_special := int(said.eq(SPECIAL).sum()):
        return f"{n_special} of {len(said)} targets special"
    each = said.value_counts(sort=False)
    if len(each) == 1:
        words = str(said.iloc[0])
        return f"every target {words}" if words in (NOT_SPECIAL, NOT_AT_BEST) else words
    return listed([f"{n} of {len(said)} targets {words}" for words, n in each.items()])
