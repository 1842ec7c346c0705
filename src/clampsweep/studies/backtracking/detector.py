"""How good are the rules of events? Precision and recall on sentences labelled by hand.

A passage holds what its strongest event is. Errors in the half `tune` were looked at while the
rules were written, those in `held_out` were not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clampsweep.errors import UserError
from clampsweep.statistics import wilson
from clampsweep.studies.backtracking.events import find
from clampsweep.studies.backtracking.rules import CLASSES, STRONG, WEAK, Rules
from clampsweep.tables import Column, Schema
from clampsweep.texts.prompt_files import delimited

NONE = "none"
LABELS = (*CLASSES, NONE)
HALVES = TUNE, HELD_OUT = "tune", "held_out"
ANY = "any"  # strong or weak: what counts as an event

_COLUMNS = ("id", "split", "label", "family", "text")

_COUNTS = {
    "n": Column("int", "passages of the half"),
    "labelled": Column("int", "of these labelled so"),
    "found": Column("int", "of these the rules say so"),
    "right": Column("int", "of these both"),
}

_SHARES = {
    f"{name}{end}": Column("float", doc, null=True)
    for name, what in (
        ("precision", "right / found; null if none is found"),
        ("recall", "right / labelled; null if none is labelled"),
    )
    for end, doc in (
        ("", what),
        ("_low", f"of {name}, Wilson 95 % interval, lower end"),
        ("_high", f"of {name}, Wilson 95 % interval, upper end"),
    )
}

DETECTOR = Schema(
    "backtracking detector",
    {
        "class": Column("str", "strong, weak, uncertainty, or any: strong or weak"),
        "split": Column("str", "tune or held_out"),
        **_COUNTS,
        **_SHARES,
    },
    key=("class", "split"),
)


def read_sentences(path: Path | str) -> pd.DataFrame:
    """Labelled passages: id, split (tune, held_out), label (a class, or none), family, text, note.

    Args:
        path: A file of tab-separated values with a header.

    Raises:
        UserError: It cannot be read, or a cell is at fault; one line with file and line.
    """
    rows = delimited(path, "\t", _COLUMNS)
    if not rows:
        raise UserError(f"{path}: no sentences; write one a line, behind the header")
    seen: set[str] = set()
    for line, cells in rows:
        where = f"{path}, line {line}"
        for column, allowed in (("label", LABELS), ("split", HALVES)):
            if cells[column] not in allowed:
                words = ", ".join(allowed)
                raise UserError(f"{where}: {column}: got {cells[column]!r}; allowed: {words}")
        if not cells["text"].strip():
            raise UserError(f"{where}: text: empty; write the sentence, or delete the line")
        if cells["id"] in seen:
            raise UserError(f"{where}: id: {cells['id']!r} stands here twice; choose another")
        seen.add(cells["id"])
    return pd.DataFrame([cells for _, cells in rows])


def held(text: str, rules: Rules) -> str:
    """Class of a text's strongest event: one of `LABELS`.

    Args:
        text: A passage.
        rules: By which events are seen.
    """
    kinds = {event.kind for event in find(text, rules)}
    return next((kind for kind in CLASSES if kind in kinds), NONE)


def detector(sentences: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Counts, precision and recall of each class in each half (`DETECTOR`); shares in 0..1.

    Args:
        sentences: As `read_sentences` gives them.
        rules: Which are judged.
    """
    said = np.array([held(text, rules) for text in sentences["text"]])
    labels, halves = sentences["label"].to_numpy(), sentences["split"].to_numpy()
    rows = []
    for name in (*CLASSES, ANY):
        kinds = (STRONG, WEAK) if name == ANY else (name,)
        for half in HALVES:
            own = halves == half
            true, found = np.isin(labels[own], kinds), np.isin(said[own], kinds)
            rows.append({"class": name, "split": half, **_counted(true, found)})
    return pd.DataFrame(rows, columns=list(DETECTOR.columns))


def _counted(true: np.ndarray, found: np.ndarray) -> dict[str, Any]:
    """Counts and shares of one class in one half."""
    right = int((true & found).sum())
    counts = {
        "n": len(true),
        "labelled": int(true.sum()),
        "found": int(found.sum()),
        "right": right,
    }
    shares: dict[str, float] = {}
    for name, n in (("precision", counts["found"]), ("recall", counts["labelled"])):
        low, high = wilson(right, n)
        share = right / n if n else np.nan
        shares |= {name: share, f"{name}_low": low, f"{name}_high": high}
    return counts | shares
