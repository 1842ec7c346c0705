"""The verdicts on a target among its controls: does it rescue more than they do; does it harm more.

A verdict is untestable where the controls do all that can be done, and where they did not run at
the target's best clamp. Definitions: docs/bcr.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from clampsweep.ledger import MATCHED_NEURONS, RANDOM_DIRECTIONS, Control, ran, skipped
from clampsweep.studies.bcr import special
from clampsweep.studies.bcr.among_controls import CONTROL_KINDS
from clampsweep.studies.bcr.headline import NOT_AT_BEST, NOT_COMPARED, NOT_SPECIAL, SPECIAL, TOO_FEW
from clampsweep.studies.bcr.phrases import which_clamp
from clampsweep.studies.bcr.special import MIN_CONTROLS, STATISTICS
from clampsweep.studies.bcr.view import Tables
from clampsweep.texts.control_table import closeness
from clampsweep.verdicts import LEVEL, Claim, Result, conclude
from clampsweep.words import counted, listed

_KINDS = {"neuron": MATCHED_NEURONS, "direction": RANDOM_DIRECTIONS}

_DOES = {"special": ("rescue", "rescued", "collapsed"), "special_harm": ("harm", "harmed", "fine")}

_WORST_FIRST = (
    special.NOTHING,
    special.CEILING,
    special.FLOOR,
    special.TOO_FEW,
    special.REACHED,
    special.CAN_TELL,
)

Judged = tuple[dict[str, Any], Sequence[Control]]  # a row of VERDICTS, and its controls


class Hindrance(NamedTuple):
    """Why there is no answer: in words, with the numbers, and whether there is nothing to ask."""

    words: str
    reason: str
    vacuous: bool = False


def claim_of(name: str, subject: str, side: str, detector: str) -> Claim:
    """A claim of this study."""
    return Claim("bcr", name, subject, side, unit="texts", by=detector)


def among_controls(view: Tables, detector: str) -> Iterator[Judged]:
    """Each target among its controls, by each claim.

    Args:
        view: The tables.
        detector: One of `view.detectors`.
    """
    for target in view.targets:
        for claim, statistic in STATISTICS.items():
            if view.special is None or view.among_controls is None:
                why = "no controls were run (config key controls)"
                yield _not_compared(claim, target, detector, why)
                continue
            rows = view.among_controls.ranks_of(detector, target, statistic)
            if rows.empty:
                yield _not_compared(claim, target, detector, "it has no controls")
            else:
                yield _compared(view, claim, target, detector, rows)


def _compared(view: Tables, claim: str, target: str, detector: str, ranks: pd.DataFrame) -> Judged:
    """The verdict on a target by a claim, from its ranks among each kind of controls."""
    hindrance = _hindrance(view, claim, target, detector, ranks)
    stands_out = bool(special.is_special(ranks, STATISTICS[claim], LEVEL)["special"].all())
    last = ranks.sort_values("q", kind="stable").iloc[-1]  # the kind it stands out from least
    above = [
        f"{row.percentile:.0f} % of {row.n_controls} {row.kind} controls"
        for row in ranks.itertuples()
    ]
    _, done, before = _DOES[claim]
    other = "harmed" if done == "rescued" else "rescued"
    row = conclude(
        claim_of(claim, target, "greater", detector),
        Result(
            estimate=float(last["observed"]),
            low=float(last["low"]),
            high=float(last["high"]),
            null=float(last["control_median"]),
            n=int(last["n_controls"]),
            p=float(last["p"]),
            q=float(last["q"]),
        ),
        hindrance.words or (SPECIAL if stands_out else NOT_SPECIAL),
        f"at most {last['observed']:.0f} more {done} than {other}, of {last['bound']} {before} "
        f"texts: above {listed(above)}",
        untestable="" if hindrance.vacuous else hindrance.reason,
        vacuous=hindrance.reason if hindrance.vacuous else "",
    )
    return row, list(_beside(view, target, ranks))


def _hindrance(
    view: Tables, claim: str, target: str, detector: str, ranks: pd.DataFrame
) -> Hindrance:
    """Why the ranks are no answer; empty where they are one."""
    rows = ranks.to_dict("records")
    obstacles = [special.obstacle(row, LEVEL) for row in rows]
    what = next(name for name in _WORST_FIRST if name in obstacles)
    if claim == "special" and what in (special.FLOOR, special.CAN_TELL):
        beside, stands_out = view.among_controls, bool((ranks["q"] < LEVEL).all())
        if beside and not stands_out and (best := beside.left_out(detector, target)):
            why = f"its controls did not run at its best clamp, {which_clamp(best)}"
            return Hindrance(NOT_AT_BEST, f"{why} (config key controls.best_clamp)")
    own = [row for row, obstacle in zip(rows, obstacles, strict=True) if obstacle == what]
    return _in_words(what, claim, own, MIN_CONTROLS * len(view.targets))


def _in_words(what: str, claim: str, ranks: Sequence[Mapping[Any, Any]], need: int) -> Hindrance:
    """An obstacle in words, with the numbers of the kinds of controls that it stands in."""
    does, done, before = _DOES[claim]
    cannot, bound = "the test cannot answer", f"the {ranks[0]['bound']} {before} texts compared"

    def of_controls(column: str) -> str:
        each = [f"{row[column]} of {counted(row['n_controls'], CONTROL_KINDS[row['kind']])}"
                for row in ranks]  # fmt: skip
        return f"{listed(each)} {does}, net,"

    match what:
        case special.NOTHING:
            words = f"no {before} text among those compared with its controls"
            return Hindrance(words, f"no baseline compared is {before}", vacuous=True)
        case special.CEILING:
            reason = f"{of_controls('n_near_bound')} all of {bound} or all but one"
            return Hindrance(f"its controls {does} nearly all there is: {cannot}", reason)
        case special.FLOOR:
            reason = f"none of {bound} was {done}, by the target or by a control"
            return Hindrance(f"neither it nor its controls {does} a text: {cannot}", reason)
        case special.REACHED:
            q = max(row["bound_q"] for row in ranks)
            reason = f"{of_controls('n_at_bound')} all of {bound}: doing so has q = {q:.2g}"
            return Hindrance(f"some of its controls {does} all there is: {cannot}", reason)
        case special.TOO_FEW:
            return Hindrance(TOO_FEW, f"it takes {need} controls of each kind")
    return Hindrance("", "")


def _not_compared(claim: str, target: str, detector: str, why: str) -> Judged:
    asked = claim_of(claim, target, "greater", detector)
    row = conclude(asked, Result(), NOT_COMPARED, why, untestable=why)
    return row, [skipped(name, why) for name in _KINDS.values()]


def _beside(view: Tables, target: str, ranks: pd.DataFrame) -> Iterator[Control]:
    """The controls that a target was ranked among, by kind."""
    numbers = dict(zip(ranks["kind"], ranks["n_controls"], strict=True))
    beside = view.among_controls
    where = [] if beside is None else [beside.where(target), beside.favour(target)]
    like = "" if view.controls is None else closeness(view.controls)
    for kind, name in _KINDS.items():
        if kind in numbers:
            said = [*where, like if kind == "neuron" else ""]
            yield ran(name, int(numbers[kind]), "; ".join(filter(None, said)))
        else:
            yield skipped(name, "none of the target's controls is of this kind")
