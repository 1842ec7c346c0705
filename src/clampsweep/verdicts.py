"""Verdicts as data: what a study concludes of a claim, one of five words by one rule for all.

A claim allows values of the estimate: those above null (side `greater`), below it (`less`), more
than a margin from it (`different`; without a margin, any other), less than it (`equivalent`). The
verdict is the first that holds:

- `vacuous`: the study says why the statistic cannot fail or has nothing to act on.
- `untestable`: the study says what the test lacks; or there is no case (n = 0), or so few that no
  q below `LEVEL` is possible; or estimate, interval, null, n or q is missing.
- `supported`: the claim allows every value in the interval, and q < `LEVEL`.
- `contradicted`: the opposite holds of every value in the interval. The border is on neither side.
- `inconclusive`: neither. No effect is a finding only where `equivalent` is claimed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from clampsweep.statistics import benjamini_hochberg
from clampsweep.tables import Column, Schema
from clampsweep.words import listed

LEVEL = 0.05  # a q value below it is sure

OUTCOMES = SUPPORTED, CONTRADICTED, INCONCLUSIVE, UNTESTABLE, VACUOUS = (
    "supported", "contradicted", "inconclusive", "untestable", "vacuous",
)  # fmt: skip

SIDES = ("greater", "less", "different", "equivalent")

VERDICTS = Schema(
    "verdicts",
    {
        "study": Column("str", "the study that concludes it"),
        "claim": Column("str", "what is asked, such as recovery, harm or special"),
        "subject": Column("str", "of what: a target, several, a plane"),
        "by": Column("str", "what it is judged by: a detector, a factor; empty if by nothing else"),
        "side": Column(
            "str",
            "what is claimed of the estimate: greater or less than null, different, equivalent",
        ),
        "margin": Column(
            "float", "how far from null still counts as equivalent, in `unit`", null=True
        ),
        "estimate": Column(
            "float", "size of the effect, in `unit`; null if there is none", null=True
        ),
        "unit": Column("str", "unit of estimate, low, high, null and margin"),
        "low": Column(
            "float", "95 % interval, lower end; of a one-sided test its 95 % bound", null=True
        ),
        "high": Column("float", "the same, upper end", null=True),
        "null": Column("float", "what the estimate would be if the claim were empty", null=True),
        "n": Column("int", "how many cases the estimate rests on, as `why` says", null=True),
        "p": Column("float", "p value of the claim's test against null", null=True),
        "q": Column("float", "p value corrected for all that was tried", null=True),
        "verdict": Column("str", "supported, contradicted, inconclusive, untestable or vacuous"),
        "reason": Column("str", "why it is untestable or vacuous; empty otherwise"),
        "words": Column("str", "the conclusion in the study's own words"),
        "why": Column("str", "what the conclusion rests on, a sentence"),
    },
    key=("study", "claim", "subject", "by"),
)

_NEEDED = ("estimate", "low", "high", "null", "n", "q")  # without one of them there is no test


@dataclass(frozen=True)
class Claim:
    """What is claimed, before a look at the result.

    Attributes:
        study: The study that asks.
        name: What is asked, such as `recovery`.
        subject: Of what.
        side: What is claimed of the estimate: one of `SIDES`.
        unit: Unit of the estimate, its interval, null and margin.
        by: What it is judged by; empty if by nothing else.
        margin: How far from null still counts as equivalent, in `unit`; needed by `equivalent`,
            allowed for `different`.
    """

    study: str
    name: str
    subject: str
    side: str
    unit: str
    by: str = ""
    margin: float | None = None

    def __post_init__(self) -> None:
        if self.side not in SIDES:
            raise ValueError(f"got side {self.side!r}; choose among {', '.join(SIDES)}")
        if self.margin is not None and self.side in ("greater", "less"):
            raise ValueError(f"a claim of side {self.side!r} has no margin")
        if self.margin is not None and not self.margin >= 0:
            raise ValueError(f"got margin {self.margin}; write 0 or more")
        if self.side == "equivalent" and not self.margin:
            raise ValueError("a claim of side 'equivalent' needs a margin above 0")


class Result(NamedTuple):
    """What a study found of a claim; None or nan where there is no number.

    Attributes:
        estimate: Size of the effect.
        low: Lower end of its 95 % interval; of a one-sided test, its 95 % bound.
        high: The same, upper end.
        null: What the estimate would be if the claim were empty.
        n: Number of cases that the estimate rests on.
        p: P value of the claim's test; of `equivalent`, the larger of two one-sided tests (TOST).
        q: That, corrected for all that was tried.
    """

    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    null: float | None = None
    n: int | None = None
    p: float | None = None
    q: float | None = None


def corrected(results: Sequence[Result]) -> list[Result]:
    """The same with q values, over one family of tests; what was not tested is left out of it.

    Args:
        results: Of the family.
    """
    known = [at for at, one in enumerate(results) if one.p is not None]
    q = benjamini_hochberg([float(results[at].p or 0) for at in known])
    found = dict(zip(known, q.tolist(), strict=True))
    return [one._replace(q=found.get(at)) for at, one in enumerate(results)]


def conclude(
    claim: Claim,
    result: Result,
    words: str,
    why: str,
    *,
    least_q: float | None = None,
    untestable: str = "",
    vacuous: str = "",
) -> dict[str, Any]:
    """A row of `VERDICTS`: the claim, its result, and the verdict on it (see above).

    Args:
        claim: What was claimed.
        result: What was found.
        words: The conclusion in the study's own words.
        why: What it rests on, a sentence.
        least_q: The smallest q that so few cases allow, if the test has one.
        untestable: What the test needs and does not have; empty if it has all.
        vacuous: Why there is nothing to test; empty if there is.

    Raises:
        ValueError: The numbers are no result: an interval upside down, a q out of 0..1.
    """
    numbers = {name: _known(value) for name, value in result._asdict().items()}
    _check_numbers(numbers)
    verdict, reason = VACUOUS, vacuous
    if not vacuous:
        reason = untestable or _lack(numbers, _known(least_q))
        verdict = UNTESTABLE if reason else _decided(claim.side, claim.margin, numbers)
    return {
        "study": claim.study,
        "claim": claim.name,
        "subject": claim.subject,
        "by": claim.by,
        "side": claim.side,
        "margin": claim.margin,
        "unit": claim.unit,
        **numbers,
        "verdict": verdict,
        "reason": reason,
        "words": words,
        "why": why,
    }


def _known(value: Any) -> Any:
    """The number, None for nan and for pandas' missing values."""
    return None if value is None or pd.isna(value) else value


def _check_numbers(numbers: Mapping[str, Any]) -> None:
    low, high = numbers["low"], numbers["high"]
    if low is not None and high is not None and low > high:
        raise ValueError(f"got an interval from {low} to {high}")
    for name in ("p", "q"):
        if numbers[name] is not None and not 0 <= numbers[name] <= 1:
            raise ValueError(f"got {name} = {numbers[name]}; it is a share of 1")


def _lack(numbers: Mapping[str, Any], least_q: float | None) -> str:
    """What a test needs and does not have; empty if it has all."""
    if numbers["n"] == 0:
        return "there is no case"
    if least_q is not None and least_q >= LEVEL:
        return f"so few cases allow no q below {least_q:.2g}"
    missing = [name for name in _NEEDED if numbers[name] is None]
    return f"there is no {listed(missing)}" if missing else ""


def _decided(side: str, margin: float | None, numbers: Mapping[str, Any]) -> str:
    """The verdict where nothing is missing."""
    low, high, null = numbers["low"], numbers["high"], numbers["null"]
    near, far = null - (margin or 0.0), null + (margin or 0.0)
    above, below, within = low > far, high < near, near < low and high < far
    allowed, opposite = {
        "greater": (above, below),
        "less": (below, above),
        "different": (above or below, within),
        "equivalent": (within, above or below),
    }[side]
    if allowed and numbers["q"] < LEVEL:
        return SUPPORTED
    return CONTRADICTED if opposite else INCONCLUSIVE


def fault(row: Mapping[str, Any]) -> str | None:
    """What is wrong with a row of `VERDICTS` that is to be kept; None if nothing is.

    A verdict must be what follows from the row's own numbers, or have a reason.
    """
    verdict, reason = row["verdict"], row["reason"]
    if verdict not in OUTCOMES:
        return f"verdict {verdict!r} is none of {listed(OUTCOMES)}"
    if not row["words"] or not row["why"]:
        return "it has no words, or does not say why"
    if (verdict in (UNTESTABLE, VACUOUS)) != bool(reason):
        return f"verdict {verdict!r} {'needs a reason' if not reason else 'needs no reason'}"
    if reason:
        return None
    numbers = {name: _known(row[name]) for name in _NEEDED}
    follows = UNTESTABLE
    if not _lack(numbers, None):
        follows = _decided(row["side"], _known(row["margin"]), numbers)
    return None if follows == verdict else f"verdict {verdict!r}, but its numbers say {follows!r}"


def frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A `VERDICTS` table of rows; numbers that a row does not give are null."""
    kinds = {"int": "Int64", "float": "float64"}
    numbers = {
        name: kinds[column.type]
        for name, column in VERDICTS.columns.items()
        if column.type in kinds
    }
    return pd.DataFrame(list(rows), columns=list(VERDICTS.columns)).astype(numbers)
