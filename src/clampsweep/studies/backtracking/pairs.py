"""Texts before and after the top neurons are held at zero, with the same random numbers.

A text and its partner share problem and seed, so they part only where the change makes another
token likely (common random numbers).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64

from clampsweep.statistics import cluster_bootstrap, mcnemar_exact, sign_flip
from clampsweep.studies.backtracking import answers
from clampsweep.studies.backtracking.equivalence import compare
from clampsweep.studies.backtracking.events import find
from clampsweep.studies.backtracking.found_events import COUNTED
from clampsweep.studies.backtracking.rules import Rules
from clampsweep.studies.backtracking.sets import RANDOM, TOP
from clampsweep.tables import Column, Schema

BEFORE = "before"

TEXTS = Schema(
    "backtracking paired texts",
    {
        "problem_id": Column("str", "the problem"),
        "seed": Column("int", "of sampling"),
        "condition": Column("str", "before; top or random: neurons held at zero"),
        "draw": Column("int", "number of the random set; 0 otherwise"),
        "n_events": Column("int", "events that the rules see"),
        "first_event": Column("int", "first character of the first event; null if none", null=True),
        "correct": Column("bool", "whether the answer is right; null if not known", null=True),
        "n_tokens": Column("int", "tokens of the text"),
        "rep_4": Column("float", "share of 4-grams of tokens that were there before", null=True),
        "loop_coverage": Column("float", "share of its tokens in a loop at its end", null=True),
        "nll": Column("float", "mean NLL of its tokens under the unchanged model, nats", null=True),
        "text": Column("str", "the text"),
    },
    key=("problem_id", "seed", "condition", "draw"),
)

PAIRED = Schema(
    "backtracking paired",
    {
        "condition": Column("str", "top or random"),
        "measure": Column("str", "what is compared"),
        "unit": Column("str", "of before, after and difference"),
        "before": Column("float", "mean before"),
        "after": Column("float", "mean after"),
        "difference": Column("float", "after less before"),
        "low": Column("float", "95 % interval over problems, lower end", null=True),
        "high": Column("float", "upper end", null=True),
        "gained": Column(
            "int", "pairs in which only after has it; of yes-or-no measures", null=True
        ),
        "lost": Column("int", "pairs in which only before has it", null=True),
        "n": Column("int", "pairs"),
        "n_problems": Column("int", "problems"),
        "p": Column("float", "McNemar, exact; of means, signs of problems flipped", null=True),
    },
    key=("condition", "measure"),
)

_MEASURES: Mapping[str, str] = {
    "any event": "share",
    "events": "per 1,000 tokens",
    "correct": "share",
    "length": "tokens",
    "rep_4": "share",
    "loop_coverage": "share",
    "nll": "nats",
}
_YES_OR_NO = ("any event", "correct")


def texts(
    generations: pd.DataFrame,
    metrics: pd.DataFrame,
    prompts: pd.DataFrame,
    rules: Rules,
    targets: Sequence[str],
) -> pd.DataFrame:
    """The table `TEXTS`.

    Args:
        generations: `GENERATIONS` of the request.
        metrics: Its `TEXT_METRICS`.
        prompts: Its `PROMPTS`.
        rules: By which events are seen.
        targets: Names of the sets, the top one first.
    """
    condition = {
        name: (TOP if at == 0 else RANDOM, max(0, at - 1)) for at, name in enumerate(targets)
    }
    gold = {
        row["prompt_id"]: answers.gold(
            {str(at): None if pd.isna(cell) else str(cell) for at, cell in row.items()}
        )
        for row in prompts.to_dict("records")
    }
    rows = []
    both = generations.merge(metrics[["key", "prompt_id", "rep_4", "loop_coverage"]])
    for row in both.to_dict("records"):
        found = [one for one in find(row["text"], rules) if one.kind in COUNTED]
        name, draw = (BEFORE, 0) if row["operation"] == "none" else condition[row["target"]]
        rows.append(
            {
                "problem_id": row["prompt_id"],
                "seed": int(row["seed"]),
                "condition": name,
                "draw": draw,
                "n_events": len(found),
                "first_event": found[0].start if found else None,
                "n_tokens": int(row["n_new_tokens"]),
                "rep_4": row["rep_4"],
                "loop_coverage": row["loop_coverage"],
                "nll": row["nll_unclamped"],
                "text": row["text"],
            }
        )
    judged = compare(
        [(answers.extract(row["text"]).answer, gold[row["problem_id"]]) for row in rows]
    )
    frame = pd.DataFrame(rows, columns=[name for name in TEXTS.columns if name != "correct"])
    frame["correct"] = pd.array([one.correct for one in judged], dtype="boolean")
    return frame.astype({"first_event": "Int64"})[list(TEXTS.columns)]


def paired(table: pd.DataFrame) -> pd.DataFrame:
    """The table `PAIRED` of `TEXTS`: after against before, of the top set and of random ones."""
    rows = []
    measured = _measured(table)
    before = measured[measured["condition"] == BEFORE].drop(columns=["condition", "draw"])
    for condition in (TOP, RANDOM):
        after = measured[measured["condition"] == condition]
        both = after.merge(before, on=["problem_id", "seed"], suffixes=("_after", "_before"))
        if not len(both):
            continue
        for measure, unit in _MEASURES.items():
            rows.append(
                {
                    "condition": condition,
                    "measure": measure,
                    "unit": unit,
                    **_compared(both, measure),
                }
            )
    return pd.DataFrame(rows, columns=list(PAIRED.columns))


def _measured(table: pd.DataFrame) -> pd.DataFrame:
    """What is compared, of each text."""
    return pd.DataFrame(
        {
            **{name: table[name] for name in ("problem_id", "seed", "condition", "draw")},
            "any event": (table["n_events"] > 0).astype(float),
            "events": 1000 * table["n_events"] / table["n_tokens"].clip(lower=1),
            "correct": table["correct"].astype("Float64").astype(float),
            "length": table["n_tokens"].astype(float),
            **{name: table[name].astype(float) for name in ("rep_4", "loop_coverage", "nll")},
        }
    )


def _compared(both: pd.DataFrame, measure: str) -> dict[str, Any]:
    """A measure after against before."""
    known = both.dropna(subset=[f"{measure}_after", f"{measure}_before"])
    after = known[f"{measure}_after"].to_numpy(float)
    before = known[f"{measure}_before"].to_numpy(float)
    gaps = after - before
    problems = pd.factorize(known["problem_id"])[0]
    found: dict[str, Any] = {
        "before": float(before.mean()) if len(known) else float("nan"),
        "after": float(after.mean()) if len(known) else float("nan"),
        "difference": float(gaps.mean()) if len(known) else float("nan"),
        "n": len(known),
        "n_problems": int(known["problem_id"].nunique()),
    }
    if not len(known):
        return {**{name: 0.0 if name != "n" else 0 for name in found}, "n": 0, "n_problems": 0}
    n = found["n_problems"]
    sums = np.bincount(problems, gaps, minlength=n)[:, None]
    if n > 1:
        sizes = np.bincount(problems, minlength=n).astype(float)[:, None]
        low, high = cluster_bootstrap(sums, sizes)[0]
        found |= {"low": float(low), "high": float(high)}
    if measure in _YES_OR_NO:
        gained, lost = int((gaps > 0).sum()), int((gaps < 0).sum())
        return found | {"gained": gained, "lost": lost, "p": mcnemar_exact(gained, lost)}
    return found | {"p": _flipped(sums)}


def _flipped(sums: Float64[np.ndarray, "problem one"]) -> float:
    return float(sign_flip(np.round(sums, 9))[0])
