"""How good are the collapse detectors? Precision, recall and calibration on labelled texts.

The texts come from real runs and were labelled by reading (`workflow/data/bcr/README.md`). A text
is broken if its label is not `coherent`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from clampsweep.errors import UserError
from clampsweep.provenance import text_digest
from clampsweep.statistics import wilson
from clampsweep.studies.bcr.rates import RATES
from clampsweep.tables import Column, Schema
from clampsweep.texts import collapse
from clampsweep.texts.metrics import distinct_share, further, published, texts_and_tokens
from clampsweep.texts.prompt_files import read_text

_SHARE = {
    "k": Column("int", "texts of which it is true"),
    "n": Column("int", "texts looked at"),
    "share": Column("float", "k / n; null if n is 0", null=True),
    "low": Column("float", "Wilson 95 % interval, lower end", null=True),
    "high": Column("float", "Wilson 95 % interval, upper end", null=True),
}

DETECTOR_QUALITY = Schema(
    "detector_quality",
    {
        "detector": RATES.columns["detector"],
        "measure": Column(
            "str",
            "precision (broken among flagged), recall (flagged among broken), false_alarm (flagged "
            "among coherent), missed (broken among not flagged), recall_<label>",
        ),
        **_SHARE,
    },
    key=("detector", "measure"),
)

CALIBRATION = Schema(
    "calibration",
    {
        "score": Column("str", "text metric"),
        "bin": Column("int", "fifth of the texts by the score, from 0; equal scores share one"),
        "low_value": Column("float", "lowest value in the bin"),
        "high_value": Column("float", "highest value in the bin"),
        **_SHARE,
    },
    key=("score", "bin"),
)

LABELS = ("coherent", "loop", "noise", "off_language")

SCORES = ("nll_unclamped", "loop_coverage", "rep_4", "distinct_2", "zlib_ratio", "token_entropy")

_BINS = 5

_FOLDS = 10

_COLUMNS = ("prompt_id", "text", "token_ids", "nll_unclamped", "label")


def read_labelled(path: Path | str) -> pd.DataFrame:
    """Labelled texts: prompt_id, text, token_ids, nll_unclamped (nats), label; and any other field.

    Args:
        path: A file of JSON objects, one per line.

    Raises:
        UserError: The file cannot be read, a field is missing, or a label is unknown.
    """
    # Not splitlines: a text in JSON may hold U+2028 and its like as they are.
    lines = enumerate(read_text(path).split("\n"), 1)
    rows = [_row(line, f"{path}, line {number}") for number, line in lines if line.strip()]
    if not rows:
        raise UserError(f"{path}: no texts; write one JSON object per line")
    return pd.DataFrame(rows)


def _row(line: str, where: str) -> dict[str, Any]:
    """One labelled text."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UserError(f"{where}: not JSON: {error}") from error
    if not isinstance(row, dict):
        raise UserError(f"{where}: got {line.strip()[:40]!r}; write a JSON object")
    missing = [name for name in _COLUMNS if name not in row]
    if missing:
        raise UserError(f"{where}: lacks the field {missing[0]!r}; needed: {', '.join(_COLUMNS)}")
    if row["label"] not in LABELS:
        raise UserError(f"{where}: label {row['label']!r}; allowed: {', '.join(LABELS)}")
    return row


def quality(labelled: pd.DataFrame, detectors: Sequence[str]) -> pd.DataFrame:
    """Precision, recall and the rest of each detector (`DETECTOR_QUALITY`).

    Shares in 0..1 with Wilson 95 % intervals. `coherence` has two bounds that were chosen on these
    texts; it is judged with bounds that were chosen without the text's prompt (`held_out`).

    Args:
        labelled: As `read_labelled` gives it.
        detectors: Keys of `collapse.DETECTORS`.
    """
    broken = (labelled["label"] != "coherent").to_numpy()
    rows = []
    for detector in detectors:
        fitted = detector == "coherence"
        flagged = held_out(labelled) if fitted else collapse.flags(labelled, detector)
        shares = {
            "precision": (flagged & broken, flagged),
            "recall": (flagged & broken, broken),
            "false_alarm": (flagged & ~broken, ~broken),
            "missed": (~flagged & broken, ~flagged),
        }
        for label in LABELS[1:]:
            own = (labelled["label"] == label).to_numpy()
            shares[f"recall_{label}"] = (flagged & own, own)
        for measure, (part, whole) in shares.items():
            rows.append({"detector": detector, "measure": measure, **_share(part, whole)})
    return pd.DataFrame(rows, columns=list(DETECTOR_QUALITY.columns))


def held_out(labelled: pd.DataFrame) -> np.ndarray:
    """What `coherence` says of each text, by bounds chosen on other prompts: bool, shape [n].

    Args:
        labelled: As `read_labelled` gives it.
    """
    found = (labelled["text"].str.strip() == "").to_numpy(bool, copy=True)  # blank: collapsed
    names = sorted(set(labelled["prompt_id"]), key=text_digest)
    for fold in range(_FOLDS):
        test = labelled["prompt_id"].isin(names[fold::_FOLDS]).to_numpy()
        if test.any():
            pairs, surprise = bounds(labelled[~test])
            distinct, nll = _distinct_and_nll(labelled[test])
            found[test] |= (distinct <= pairs) | (nll >= surprise)
    return found


class Bounds(NamedTuple):
    """Bounds of `coherence`: at most so many distinct pairs, at least so many nats."""

    distinct_2: float
    nll: float


class Scores(NamedTuple):
    """The two numbers of each text that `coherence` looks at, float of shape [n]."""

    distinct_2: np.ndarray
    nll: np.ndarray


def bounds(labelled: pd.DataFrame) -> Bounds:
    """Bounds of `coherence` that part coherent from broken texts best: distinct_2, nll (nats).

    Of all pairs of values that occur, the one with the highest mean of recall and specificity;
    of equals, the one that flags fewer.

    Args:
        labelled: As `read_labelled` gives it.
    """
    broken = (labelled["label"] != "coherent").to_numpy()
    distinct, nll = _distinct_and_nll(labelled)
    best, highest = Bounds(0.0, 0.0), -1.0
    for pairs in np.unique(distinct):
        for surprise in np.unique(nll)[::-1]:
            flagged = (distinct <= pairs) | (nll >= surprise)
            score = flagged[broken].mean() + (~flagged[~broken]).mean()
            if score > highest + 1e-9:
                best, highest = Bounds(float(pairs), float(surprise)), float(score)
    return best


def _distinct_and_nll(labelled: pd.DataFrame) -> Scores:
    """The two numbers that `coherence` looks at; a text of one token has only distinct pairs."""
    pairs = [distinct_share(list(ids), 2) for ids in labelled["token_ids"]]
    distinct = np.array([1.0 if share is None else share for share in pairs])
    return Scores(distinct, labelled["nll_unclamped"].to_numpy(dtype=float))


def calibration(labelled: pd.DataFrame) -> pd.DataFrame:
    """Share of broken texts in each fifth of every score (`CALIBRATION`).

    Texts of equal score share a fifth, that of their middle: many zeros leave other fifths empty.

    Args:
        labelled: As `read_labelled` gives it.
    """
    broken = (labelled["label"] != "coherent").to_numpy()
    rows = []
    for score, values in _scores(labelled).items():
        known = np.flatnonzero(~np.isnan(values))
        if not len(known):
            continue
        place = (_BINS * (rankdata(values[known]) - 0.5) / len(known)).astype(int)
        for number in np.unique(place):
            own = known[place == number]
            inside = np.zeros(len(values), bool)
            inside[own] = True
            rows.append({
                "score": score,
                "bin": int(number),
                "low_value": float(values[own].min()),
                "high_value": float(values[own].max()),
                **_share(inside & broken, inside),
            })  # fmt: skip
    return pd.DataFrame(rows, columns=list(CALIBRATION.columns))


def _scores(labelled: pd.DataFrame) -> dict[str, np.ndarray]:
    """Each score of every text; NaN where it is not defined."""
    rows = [{**published(text), **further(text, ids)} for text, ids in texts_and_tokens(labelled)]
    metrics = pd.DataFrame(rows).assign(nll_unclamped=labelled["nll_unclamped"].to_numpy())
    return {name: metrics[name].to_numpy(dtype=float, na_value=np.nan) for name in SCORES}


def _share(part: np.ndarray, whole: np.ndarray) -> dict[str, float]:
    k, n = int(part.sum()), int(whole.sum())
    low, high = wilson(k, n)
    return {"k": k, "n": n, "share": k / n if n else np.nan, "low": low, "high": high}
