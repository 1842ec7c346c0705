"""Recovery and harm: each intervened text against its prompt's baseline.

Definitions: docs/definitions.md, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from clampsweep import collapse
from clampsweep.errors import UserError
from clampsweep.statistics import benjamini_hochberg, mcnemar_exact, wilson
from clampsweep.tables import GENERATIONS, PUBLISHED_METRICS, RATES, RECOVERY

_GROUP = ["detector", "target", "operation", "scope", "value"]


def _pairs(generations: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the intervened texts and of their baselines: int, both of shape [n_pairs]."""
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
    return intervened, np.array(baselines, dtype=int)


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
    """Recovery table (`tables.RECOVERY`): one row per detector and intervened generation.

    Args:
        generations: A `tables.GENERATIONS` table. A text's baseline is the row of the same prompt
            with operation none and the same seed, or with no seed (greedy).
        text_metrics: The `tables.TEXT_METRICS` table of the same generations.
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


def rates(recovery: pd.DataFrame) -> pd.DataFrame:
    """Rescue and harm rates (`tables.RATES`) per detector and intervention, sorted by both.

    Shares in 0..1 with Wilson 95 % intervals; exact McNemar p of rescue against harm, and q after
    Benjamini-Hochberg over all rows of a detector.

    Args:
        recovery: A `tables.RECOVERY` table.
    """
    table = recovery.groupby(_GROUP, dropna=False, as_index=False).agg(
        layer=("layer", "first"),
        neuron=("neuron", "first"),
        n=("key", "size"),
        n_collapsed_baseline=("baseline_collapsed", "sum"),
        n_rescued=("intervention_improves_baseline", "sum"),
        n_harmed=("intervention_harms_baseline", "sum"),
    )
    table["n_fine_baseline"] = table["n"] - table["n_collapsed_baseline"]
    table["net"] = table["n_rescued"] - table["n_harmed"]
    for name, part, whole in (
        ("rescue", "n_rescued", "n_collapsed_baseline"),
        ("harm", "n_harmed", "n_fine_baseline"),
    ):
        table[f"{name}_rate"] = table[part] / table[whole]
        ends = [wilson(k, n) for k, n in zip(table[part], table[whole], strict=True)]
        table[[f"{name}_low", f"{name}_high"]] = np.array(ends, dtype=float).reshape(-1, 2)
    changed = zip(table["n_rescued"], table["n_harmed"], strict=True)
    table["mcnemar_p"] = np.array([mcnemar_exact(b, c) for b, c in changed], dtype=float)
    table["mcnemar_q"] = np.nan
    for _, family in table.groupby("detector")["mcnemar_p"]:
        table.loc[family.index, "mcnemar_q"] = benjamini_hochberg(family.tolist())
    return table[list(RATES.columns)]
