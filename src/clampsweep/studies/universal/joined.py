"""What the slices conclude, joined; and the original evaluation's checklist, filled in by it.

The original evaluation asks three questions (GT1 to GT3) and answers each PASS or FAIL. Ours is the
sum of verdicts on claims that could fail; see `answer`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from clampsweep import verdicts
from clampsweep.ledger import Conclusions
from clampsweep.words import counted

PASS, FAIL, OPEN, UNTESTABLE = "PASS", "FAIL", "INCONCLUSIVE", "UNTESTABLE"


class Question(NamedTuple):
    """A question of the original evaluation.

    Attributes:
        asks: In a few words.
        original: What the original answers, and on what.
        slices: Slices whose claims answer it.
        turns_on: Beginnings of the names of the claims that it turns on.
    """

    asks: str
    original: str
    slices: tuple[str, ...]
    turns_on: tuple[str, ...]


QUESTIONS: Mapping[str, Question] = {
    "GT1_ModelGeneralization": Question(
        "do the statistics of universal neurons hold in a new model?",
        "PASS, by base rates of one model: 93.3 % negative input bias; pooled kurtosis",
        ("agreement",),
        ("universal",),
    ),
    "GT2_DataGeneralization": Question(
        "do statistics of activations hold on new data?",
        "PASS, by pooled kurtosis 4007 to 7830, which no text can fail",
        ("data",),
        ("holds on new data", "ranks of neurons hold", "top neurons stay"),
    ),
    "GT3_MethodGeneralization": Question(
        "does the method carry over to other components and features?",
        "PASS, by norms of 384 heads that are not all alike; no number neuron on one text pair",
        ("heads", "features"),
        ("head", "embedding", "feature"),
    ),
}


class Answer(NamedTuple):
    """PASS, FAIL, INCONCLUSIVE or UNTESTABLE, and why."""

    verdict: str
    why: str


def join(parts: Sequence[Conclusions]) -> Conclusions:
    """Conclusions of the slices as one, in their order."""
    return Conclusions(
        pd.concat([part.verdicts for part in parts], ignore_index=True),
        pd.concat([part.ledger for part in parts], ignore_index=True),
    )


def answer(found: pd.DataFrame, turns_on: Sequence[str]) -> Answer:
    """What a question's claims say of it.

    Of the claims that it turns on, those that could be tested: FAIL if more than a tenth are
    contradicted; else PASS if more than half are supported, or INCONCLUSIVE; UNTESTABLE if there is
    none. A claim with many subjects (features, pairs of domains) counts once a subject.

    Args:
        found: `VERDICTS` of the question's slices.
        turns_on: Beginnings of the names of claims.
    """
    own = found[found["claim"].map(lambda claim: claim.startswith(tuple(turns_on))).astype(bool)]
    counts = {word: int((own["verdict"] == word).sum()) for word in verdicts.OUTCOMES}
    said = ", ".join(f"{n} {word}" for word, n in counts.items() if n) or "no claim"
    why = f"{counted(len(own), 'claim')}: {said}" if len(own) else "nothing was asked"
    n_supported, n_contradicted = counts[verdicts.SUPPORTED], counts[verdicts.CONTRADICTED]
    tested = n_supported + n_contradicted + counts[verdicts.INCONCLUSIVE]
    if not tested:
        return Answer(UNTESTABLE, why)
    if n_contradicted > tested / 10:
        return Answer(FAIL, why)
    return Answer(PASS if n_supported > tested / 2 else OPEN, why)


def answers(parts: Mapping[str, pd.DataFrame]) -> dict[str, Answer]:
    """The answer to each question of the original.

    Args:
        parts: `VERDICTS` of each slice, by its name.
    """
    found = {}
    for name, question in QUESTIONS.items():
        own = [parts[part] for part in question.slices if part in parts]
        rows = pd.concat(own, ignore_index=True) if own else verdicts.frame([])
        found[name] = answer(rows, question.turns_on)
    return found


def summary(parts: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """The answers in the layout of the original's summary, and each claim with its numbers.

    Args:
        parts: `VERDICTS` of each slice, by its name.
    """
    given = answers(parts)
    rows = pd.concat(parts.values(), ignore_index=True)
    return {
        "Checklist": {name: one.verdict for name, one in given.items()},
        "Rationale": {name: one.why for name, one in given.items()},
        "claims": [_plain(row) for row in rows.to_dict("records")],
    }


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A verdict as JSON values."""
    known = {str(name): None if pd.isna(value) else value for name, value in row.items()}
    return {
        "claim": known["claim"],
        "subject": known["subject"],
        "by": known["by"],
        "estimate": known["estimate"],
        "unit": known["unit"],
        "ci": [known["low"], known["high"]],
        "null": known["null"],
        "effect": _less(known["estimate"], known["null"]),
        "q": known["q"],
        "n": None if known["n"] is None else int(known["n"]),
        "verdict": known["verdict"],
        "why": known["reason"] or known["why"],
    }


def _less(estimate: float | None, null: float | None) -> float | None:
    """How far the estimate is from what it would be if there were nothing."""
    return None if estimate is None or null is None else estimate - null
