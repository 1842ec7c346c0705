"""Claims on what the model generates with neurons held at zero, and on answers before events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from clampsweep.ledger import MATCHED_NEURONS, SAMPLED_BASELINES, Control, ran, skipped
from clampsweep.statistics import mcnemar_exact, wilson
from clampsweep.studies.backtracking.sets import RANDOM, TOP
from clampsweep.studies.backtracking.tested import STUDY, Tested
from clampsweep.verdicts import Claim, Result

_MARGIN = 0.1  # of a share: right answers that count as kept


def pair_claims(paired: pd.DataFrame | None, exits: pd.DataFrame) -> list[Tested]:
    """Claims on generated texts.

    Args:
        paired: `PAIRED`; None where nothing was generated with neurons held.
        exits: `EXITS`.
    """
    found = [] if paired is None else [_fewer(paired), _right(paired), _loops(paired)]
    return [*found, _before(exits)]


def _of(paired: pd.DataFrame, measure: str, condition: str = TOP) -> Mapping[str, Any] | None:
    own = paired[(paired["condition"] == condition) & (paired["measure"] == measure)]
    return None if own.empty else {str(k): v for k, v in own.iloc[0].to_dict().items()}


def _result(row: Mapping[str, Any] | None) -> Result:
    if row is None:
        return Result()
    return Result(row["difference"], row["low"], row["high"], 0.0, int(row["n"]), row["p"])


def _controls(paired: pd.DataFrame, measure: str) -> list[Control]:
    chance, row = _of(paired, measure, RANDOM), _of(paired, measure)
    if row is None or chance is None:
        why = "no neurons were named: their contrast has too few events"
        return [skipped(MATCHED_NEURONS, why)]
    said = f"held at zero too: {chance['difference']:+.3g} {chance['unit']}"
    return [
        ran(MATCHED_NEURONS, int(chance["n"]), said),
        ran(SAMPLED_BASELINES, int(row["n"]), "of the same problems and seeds"),
    ]


def _lacks(row: Mapping[str, Any] | None) -> str:
    return "" if row is not None else "no neurons were named: their contrast has too few events"


def _fewer(paired: pd.DataFrame) -> Tested:
    """Fewer texts with an event."""
    row = _of(paired, "any event")
    lacks = _lacks(row)
    if row is not None and row["before"] == 0:
        lacks = f"insufficient events: none in {row['n']} texts before"
    return Tested(
        Claim(STUDY, "texts go back less often", "held at zero", "less", "share", "any event"),
        _result(row),
        {"supported": "they do", "contradicted": "they do more often"},
        "texts with an event, after less before, same problems and seeds (McNemar)",
        _controls(paired, "any event"),
        untestable=lacks,
    )


def _right(paired: pd.DataFrame) -> Tested:
    """As many right answers: the harm."""
    row = _of(paired, "correct")
    nothing = row is not None and row["before"] == 0 and row["after"] == 0
    return Tested(
        Claim(
            STUDY,
            "right answers are kept",
            "held at zero",
            "equivalent",
            "share",
            "correct",
            _MARGIN,
        ),
        _result(row),
        {"supported": "they are", "contradicted": "they are not"},
        "right answers, after less before, same problems and seeds",
        _controls(paired, "correct"),
        untestable=_lacks(row),
        vacuous="no answer is right before or after" if nothing else "",
    )


def _loops(paired: pd.DataFrame) -> Tested:
    """More loops: a drop of events that is only looping would show here."""
    row = _of(paired, "loop_coverage")
    return Tested(
        Claim(STUDY, "texts loop more", "held at zero", "greater", "share", "loop_coverage"),
        _result(row),
        {"supported": "they do", "contradicted": "they loop less"},
        "share of a text's tokens in a loop at its end, after less before",
        _controls(paired, "loop_coverage"),
        untestable=_lacks(row),
    )


def _before(exits: pd.DataFrame) -> Tested:
    """Half of the answers were right before the model went back."""
    known = exits["correct"].dropna().astype(bool)
    claim = Claim(STUDY, "answers were right before the event", "early exit", "greater", "share")
    why = "answers where thinking is ended before an event; null: answers of the whole traces"
    final = exits.loc[known.index, "final_correct"].dropna().astype(bool)
    if not len(known) or not len(final):
        why_not = "there is no event in a chain of the model's own with a known answer"
        return Tested(
            claim, Result(), {}, why, [skipped("answers of whole traces", why_not)], why_not
        )
    k, n = int(known.sum()), len(known)
    low, high = wilson(k, n)
    nothing = k == 0 and not final.any()
    both = known.loc[final.index]
    gained, lost = int((both & ~final).sum()), int((~both & final).sum())
    return Tested(
        claim,
        Result(k / n, low, high, float(final.mean()), n, mcnemar_exact(gained, lost)),
        {},
        why,
        [ran("answers of whole traces", len(final), f"{int(final.sum())} right")],
        vacuous="the model answers nothing right, before or after" if nothing else "",
    )
