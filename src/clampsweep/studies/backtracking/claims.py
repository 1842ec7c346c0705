"""What is concluded of an entry: each claim with its numbers, its control and its harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from clampsweep.ledger import (
    HELD_OUT_PROMPTS,
    LABEL_PERMUTATIONS,
    Conclusions,
    Control,
    conclusions,
    ran,
    skipped,
)
from clampsweep.studies.backtracking.causal_claims import causal_claims
from clampsweep.studies.backtracking.contrast import Contrast, lacking, row_of
from clampsweep.studies.backtracking.held_areas import PERMUTATIONS
from clampsweep.studies.backtracking.heldout import BEFORE, DIRECTION, PERMUTED, TOP
from clampsweep.studies.backtracking.pair_claims import pair_claims
from clampsweep.studies.backtracking.pools import SPURIOUS, UNMARKED
from clampsweep.studies.backtracking.position_kinds import PRE, PRED
from clampsweep.studies.backtracking.tested import STUDY, Tested
from clampsweep.verdicts import Claim, Result, conclude, corrected

KINDS = (PRE, PRED)  # the two main positions; onset and window show what a token tells


def judge(
    contrasts: Mapping[str, Contrast],
    paired: pd.DataFrame | None,
    exits: pd.DataFrame,
) -> Conclusions:
    """Verdicts and ledger of an entry.

    Args:
        contrasts: By name.
        paired: `PAIRED`; None where nothing was generated with neurons held.
        exits: `EXITS`.
    """
    families: dict[str, list[Tested]] = {}
    for name, one in contrasts.items():
        for tested in (*_detected(name, one), *_compared(name, one), *_hard(name, one)):
            families.setdefault(tested.claim.name, []).append(tested)
        for tested in causal_claims(name, one):
            families.setdefault(tested.family, []).append(tested)
    for tested in pair_claims(paired, exits):
        families.setdefault("generation", []).append(tested)
    return conclusions(pair for family in families.values() for pair in concluded(family))


def concluded(family: Sequence[Tested]) -> list[tuple[dict[str, Any], list[Control]]]:
    """Verdicts of a family of tests, their p values corrected for one another."""
    rows = []
    for one, result in zip(family, corrected([one.result for one in family]), strict=True):
        row = conclude(
            one.claim, result, "-", one.why, untestable=one.untestable, vacuous=one.vacuous
        )
        rows.append(({**row, "words": one.words.get(row["verdict"], row["verdict"])}, one.controls))
    return rows


def _result(row: Mapping[str, Any] | None) -> Result:
    if row is None:
        return Result()
    return Result(row["estimate"], row["low"], row["high"], row["null"], int(row["n1"]), row["p"])


def _detected(name: str, one: Contrast) -> list[Tested]:
    """The top neurons' score is higher at held-out events."""
    rows = []
    for kind in KINDS:
        row = row_of(one.heldout, position_kind=kind, method=TOP, k=one.top)
        chance = row_of(one.heldout, position_kind=kind, method=PERMUTED)
        controls = [skipped(LABEL_PERMUTATIONS, one.insufficient)]
        if row is not None and chance is not None:
            said = f"ranked on permuted labels: area {chance['estimate']:.2f} on held-out events"
            controls = [
                ran(LABEL_PERMUTATIONS, PERMUTATIONS, said),
                ran(HELD_OUT_PROMPTS, int(row["n_problems"]), "problems of other templates"),
            ]
        sure = one.confirmed.get(kind, 0)
        words = {
            "supported": f"they do; {sure:,} neurons survive both corrections",
            "inconclusive": f"no effect to be seen; {sure:,} neurons survive both corrections",
            "contradicted": "they are lower at events",
        }
        rows.append(
            Tested(
                Claim(STUDY, "neurons tell events from controls", name, "greater", "area", kind),
                _result(row),
                words,
                f"the {one.top} top neurons of the split discover, on the split test",
                controls,
                untestable=lacking(one, row),
            )
        )
    return rows


def _compared(name: str, one: Contrast) -> list[Tested]:
    """They tell more than a residual direction, the token before, and the position."""
    rows = []
    for kind in KINDS:
        for other in (DIRECTION, *BEFORE):
            row = row_of(one.heldout, position_kind=kind, method=f"{TOP} less {other}")
            own = row_of(one.heldout, position_kind=kind, method=other)
            control = skipped(other, one.insufficient or "not made")
            if own is not None:
                control = ran(other, 1, f"area {own['estimate']:.2f}")
            rows.append(
                Tested(
                    Claim(
                        STUDY, f"neurons tell more than the {other}", name, "greater", "area", kind
                    ),
                    _result(row),
                    {"supported": "they do", "contradicted": "they tell less"},
                    "difference of areas on the split test, problems drawn anew",
                    [control],
                    untestable=lacking(one, row),
                )
            )
    return rows


def _hard(name: str, one: Contrast) -> list[Tested]:
    """They answer to the error: a marker after a right step leaves them cold."""
    spurious = row_of(one.heldout, position_kind=PRED, method=f"{TOP} against {SPURIOUS}")
    unmarked = row_of(one.heldout, position_kind=PRED, method=f"{TOP} against {UNMARKED}")
    no_case = one.insufficient or "only written traces have such controls"
    found = [
        Tested(
            Claim(STUDY, "neurons answer to the error", name, "greater", "area", PRED),
            _result(spurious),
            {"supported": "they do", "contradicted": "they answer to the marker"},
            "events against markers behind right steps of the same problems, split test",
            [
                ran("markers behind right steps", int(spurious["n0"]))
                if spurious
                else skipped("markers behind right steps", no_case)
            ],
            untestable="" if spurious is not None else no_case,
        )
    ]
    if unmarked is not None:
        found.append(
            Tested(
                Claim(STUDY, "neurons foretell the marker", name, "greater", "area", PRED),
                _result(unmarked),
                {},
                "events against the same errors without a marker, split test",
                [ran("errors without a marker", int(unmarked["n0"]))],
                vacuous="up to the onset both texts are the same, and what the model computes too",
            )
        )
    return found
