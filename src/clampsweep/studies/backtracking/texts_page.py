"""A page of texts before and after neurons are held at zero, side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd

from clampsweep.html_page import filled
from clampsweep.studies.backtracking.events import Span, find, sentences
from clampsweep.studies.backtracking.found_events import COUNTED
from clampsweep.studies.backtracking.pairs import BEFORE
from clampsweep.studies.backtracking.rules import Rules
from clampsweep.studies.backtracking.sets import RANDOM, TOP

SAME, PARTS, EVENT = 1, 2, 4  # of a piece of text, added up

_WORD = 40  # characters that a word may have which is marked as a whole
_NUMBERS = ("n_events", "n_tokens", "rep_4", "loop_coverage", "nll")
_AGAINST = {TOP: "top neurons at zero", RANDOM: "a random set at zero"}


def texts_page(
    texts: pd.DataFrame, title: str, about: str, template: str, rules: Rules | None = None
) -> str:
    """The page as HTML.

    Beside the top set the first random one is shown, if there is any.

    Args:
        texts: A `TEXTS` table.
        title: Plain text.
        about: Plain text; an empty line parts paragraphs.
        template: Content of `workflow/data/backtracking/texts.html`.
        rules: By which events are seen; without them the sentence of the first one is marked.
    """
    data = {"against": _AGAINST, "pairs": list(_pairs(texts, rules)), "all": rules is not None}
    return filled(template, title, about, data)


def _pairs(texts: pd.DataFrame, rules: Rules | None) -> Iterator[dict[str, Any]]:
    """Texts that are compared, by problem and seed."""
    for _, own in texts.groupby(["problem_id", "seed"], sort=False):
        by_condition = {
            row["condition"]: row
            for row in own.sort_values("draw", ascending=False).to_dict("records")
        }  # of random sets the first
        if BEFORE not in by_condition:
            continue
        for condition in (TOP, RANDOM):
            if condition in by_condition:
                rows = by_condition[BEFORE], by_condition[condition]
                yield {
                    "problem": str(rows[0]["problem_id"]),
                    "seed": int(rows[0]["seed"]),
                    "against": condition,
                    **_compared(*rows, rules),
                }


def _compared(
    before: Mapping[Any, Any], after: Mapping[Any, Any], rules: Rules | None
) -> dict[str, Any]:
    """Two texts in pieces, and what is known of each."""
    cut = parting(before["text"], after["text"])
    return {
        "same": before["text"] == after["text"],
        "share": cut / max(1, len(before["text"])),
        "sides": [
            {
                "pieces": pieces(row["text"], cut, _events(row, rules)),
                "ends": cut >= len(row["text"]),
                "correct": None if pd.isna(row["correct"]) else bool(row["correct"]),
                **{name: _number(row[name]) for name in _NUMBERS},
            }
            for row in (before, after)
        ],
    }


def _number(value: Any) -> float | None:
    return None if pd.isna(value) or not math.isfinite(value) else float(f"{value:.4g}")


def _events(row: Mapping[Any, Any], rules: Rules | None) -> list[Span]:
    """Characters of the events of a text."""
    if rules is not None:
        return [Span(one.start, one.end) for one in find(row["text"], rules) if one.kind in COUNTED]
    if pd.isna(row["first_event"]):
        return []
    first = int(row["first_event"])
    ends = [one.end for one in sentences(row["text"]) if one.start <= first < one.end]
    return [Span(first, ends[0] if ends else len(row["text"]))]


def parting(one: str, other: str) -> int:
    """Character from which two texts differ, the beginning of its word if that is near.

    Args:
        one: A text.
        other: Another.

    Returns:
        The length of the shorter text, if the other goes on where it ends.
    """
    ends = min(len(one), len(other))
    cut = next((at for at in range(ends) if one[at] != other[at]), ends)
    if cut == ends:
        return cut
    back = cut
    while back > max(0, cut - _WORD) and not one[back - 1].isspace():
        back -= 1
    return back if back == 0 or one[back - 1].isspace() else cut


def pieces(text: str, cut: int, events: Sequence[Span]) -> list[tuple[int, str]]:
    """A text in pieces, each with what it is: `SAME`, `PARTS` and `EVENT`, added up.

    Args:
        text: The text.
        cut: Character from which it differs from the other.
        events: Where its events are.
    """
    end = cut
    while end < min(len(text), cut + _WORD) and not (end > cut and text[end].isspace()):
        end += 1
    ends = {0, cut, end, len(text), *(at for event in events for at in event)}
    bounds = sorted(at for at in ends if at <= len(text))
    return [(_kind(first, cut, end, events), text[first:last]) for first, last in pairwise(bounds)]


def _kind(first: int, cut: int, end: int, events: Sequence[Span]) -> int:
    """What a piece is that begins at a character."""
    is_event = any(one.start <= first < one.end for one in events)
    return SAME * (first < cut) + PARTS * (cut <= first < end) + EVENT * is_event
