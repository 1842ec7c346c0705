"""Recovery and harm: each intervened text against its prompt's baseline.

Definitions: docs/bcr.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from clampsweep.errors import UserError
from clampsweep.tables import Column, Schema
from clampsweep.texts import collapse
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.metrics import PUBLISHED_METRICS
from clampsweep.texts.tables import ROW

RECOVERY = Schema(
    "recovery",
    {
        "detector": Column("str", "collapse detector"),
        **ROW,
        "baseline_collapsed": Column("bool", "the prompt's baseline is collapsed"),
        "collapsed": Column("bool", "this output is collapsed"),
        "intervention_improves_baseline": Column("bool", "baseline collapsed, this output not"),
        "intervention_harms_baseline": Column("bool", "baseline not collapsed, this output is"),
        **{
            f"delta_{name}": Column(
                "float", f"{name} minus the baseline's: {column.doc}", null=True
            )
            for name, column in PUBLISHED_METRICS.items()
        },
    },
    key=("detector", "prompt_id", "key"),
)


class _Pairs(NamedTuple):
    """Row numbers of the intervened texts and of their baselines: int, of shape [n_pairs]."""

    intervened: np.ndarray
    baselines: np.ndarray


def _pairs(generations: pd.DataFrame) -> _Pairs:
    """Every intervened text with its baseline."""
    is_baseline = generations["operation"].eq("none").to_numpy(dtype=bool)
    seeds = [None if pd.isna(seed) else int(seed) for seed in generations["seed"]]
    names = list(zip(generations["prompt_id"], seeds, strict=True))
    places = {names[row]: row for row in np.flatnonzero(is_baseline)}
    intervened = np.flatnonzero(~is_baseline)
    baselines = []
    for prompt, seed in (names[row] for row in intervened):
        place = places.get((prompt, seed), places.get((prompt, None)))
        if place is None:
            raise UserError(
                f"prompt {prompt!r} has no baseline (operation none, seed {seed}) among the "
                "generations; add it, or leave out the prompt's other texts"
            )
        baselines.append(place)
    return _Pairs(intervened, np.array(baselines, dtype=int))


def _deltas(
    generations: pd.DataFrame, text_metrics: pd.DataFrame, rows: np.ndarray, baselines: np.ndarray
) -> pd.DataFrame:
    names = list(PUBLISHED_METRICS)
    wanted = pd.MultiIndex.from_frame(generations[["prompt_id", "key"]])
    metrics = text_metrics.set_index(["prompt_id", "key"]).loc[wanted, names]
    values = metrics.to_numpy(dtype=float, na_value=np.nan)
    return pd.DataFrame(
        values[rows] - values[baselines], columns=[f"delta_{name}" for name in names]
    )


def recovery(
    generations: pd.DataFrame, text_metrics: pd.DataFrame, detectors: Sequence[str]
) -> pd.DataFrame:
    """Recovery table (`RECOVERY`): one row per detector and intervened generation.

    Args:
        generations: A `GENERATIONS` table. A text's baseline is the row of the same prompt
            with operation none and the same seed, or with no seed (greedy).
        text_metrics: The `TEXT_METRICS` table of the same generations.
        detectors: Keys of `collapse.DETECTORS`, at least one.

    Raises:
        UserError: A prompt has no baseline, or a detector needs token ids that are not there.
    """
    rows, baselines = _pairs(generations)
    shared = [name for name in RECOVERY.columns if name in GENERATIONS.columns]
    intervened = generations[shared].iloc[rows].reset_index(drop=True)
    deltas = _deltas(generations, text_metrics, rows, baselines)
    parts = []
    for detector in detectors:
        flags = collapse.flags(generations, detector)
        before, after = flags[baselines], flags[rows]
        facts = {
            "detector": pd.array([detector] * len(rows), dtype="str"),
            "baseline_collapsed": before,
            "collapsed": after,
            "intervention_improves_baseline": before & ~after,
            "intervention_harms_baseline": ~before & after,
        }
        parts.append(pd.concat([intervened.assign(**facts), deltas], axis=1))
    return pd.concat(parts, ignore_index=True)[list(RECOVERY.columns)]


def clusters(recovery: pd.DataFrame, prompts: pd.DataFrame) -> pd.Series[str]:
    """Cluster that each row belongs to: its prompt's core if every prompt has one, else the prompt.

    Args:
        recovery: A `RECOVERY` table; the answer has its index.
        prompts: The `PROMPTS` table of the same sweep.

    Raises:
        UserError: A prompt of the recovery table is not among the prompts.
    """
    column = "core" if prompts["core"].notna().all() else "prompt_id"
    found = recovery["prompt_id"].map(dict(zip(prompts["prompt_id"], prompts[column], strict=True)))
    if found.isna().any():
        unknown = recovery["prompt_id"][found.isna()].iloc[0]
        raise UserError(
            f"prompt {unknown!r} of the recovery table is not among the prompts; "
            "delete both tables and run again"
        )
    return found
