"""The same prompts in the model's own chat format, without a clamp: does the collapse go away?

A model tuned on chats that is given raw text may end it at once, or loop. Where the chat format
alone makes collapsed baselines fine, a clamp that does so mends the prompt's form.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from clampsweep.statistics import mcnemar_exact, sign_flip, wilson
from clampsweep.studies.bcr.rates import RATES, changes
from clampsweep.studies.bcr.recovery import clusters
from clampsweep.tables import Column, Schema
from clampsweep.texts import collapse

_RATES = (
    *("n_rescued", "rescue_rate", "rescue_low", "rescue_high", "n_fine_baseline"),
    *("n_harmed", "harm_rate", "harm_low", "harm_high", "net", "mcnemar_p", "cluster_p"),
)  # rescued: collapsed raw and fine in the chat format; harmed is the reverse

CHAT_BASELINES = Schema(
    "chat_baselines",
    {
        "detector": RATES.columns["detector"],
        "n": Column("int", "number of pairs of a raw and a chat baseline (prompts x seeds)"),
        "n_clusters": RATES.columns["n_clusters"],
        "n_collapsed_baseline": Column("int", "raw baselines that are collapsed"),
        "n_blank_baseline": Column("int", "of these, blank"),
        "n_blank_rescued": Column("int", "of the blank ones, fine in the chat format"),
        **{name: RATES.columns[name] for name in _RATES},
        "n_collapsed_chat": Column("int", "collapsed in the chat format, of all"),
        "n_blank_chat": Column("int", "of these, blank"),
    },
    key=("detector",),
)


def chat_baselines(
    generations: pd.DataFrame,
    chats: pd.DataFrame,
    prompts: pd.DataFrame,
    detectors: Sequence[str],
) -> pd.DataFrame:
    """Collapse of the baselines in the chat format, beside the raw ones (`CHAT_BASELINES`).

    Args:
        generations: The sweep's `GENERATIONS`; its baselines are compared with.
        chats: `GENERATIONS` of the same prompts and seeds without intervention, as chats.
        prompts: The sweep's `PROMPTS`.
        detectors: Keys of `collapse.DETECTORS`.

    Raises:
        UserError: A detector needs token ids that are not there.
    """
    raw = generations[generations["operation"] == "none"]
    rows = []
    for detector in detectors:
        theirs = _flags(chats, detector).add_suffix("_chat")
        pairs = _flags(raw, detector).join(theirs, how="inner", validate="one_to_one")
        rows.append({"detector": detector, **_counts(pairs.reset_index(), prompts)})
    return pd.DataFrame(rows, columns=list(CHAT_BASELINES.columns))


def _flags(baselines: pd.DataFrame, detector: str) -> pd.DataFrame:
    """Whether each baseline is collapsed, and whether it is blank, by prompt_id and seed."""
    facts = {
        "collapsed": collapse.flags(baselines, detector),
        "blank": blank(baselines).to_numpy(dtype=bool),
    }
    seeds = baselines["seed"].fillna(-1).astype(int)  # none of a greedy baseline
    return pd.DataFrame(facts, index=pd.MultiIndex.from_arrays([baselines["prompt_id"], seeds]))


def blank(generations: pd.DataFrame) -> pd.Series[bool]:
    """Whether each text is blank: empty, or white space only."""
    return generations["text"].str.strip().eq("")


def _counts(pairs: pd.DataFrame, prompts: pd.DataFrame) -> dict[str, float]:
    """What becomes of one detector's raw baselines, and the tests of the change."""
    before, after = pairs["collapsed"], pairs["collapsed_chat"]
    rescued, harmed = before & ~after, ~before & after
    counts = {
        "n": len(pairs),
        **changes(before, after),
        "n_blank_baseline": int(pairs["blank"].sum()),
        "n_blank_rescued": int((pairs["blank"] & rescued).sum()),
        "n_collapsed_chat": int(after.sum()),
        "n_blank_chat": int(pairs["blank_chat"].sum()),
    }
    nets = (rescued.astype(int) - harmed.astype(int)).groupby(clusters(pairs, prompts)).sum()
    return {
        **counts,
        **_rate("rescue", counts["n_rescued"], counts["n_collapsed_baseline"]),
        **_rate("harm", counts["n_harmed"], counts["n_fine_baseline"]),
        "n_clusters": len(nets),
        "mcnemar_p": mcnemar_exact(counts["n_rescued"], counts["n_harmed"]),
        "cluster_p": float(sign_flip(nets.to_numpy(dtype=float)[:, None])[0]),
    }


def _rate(name: str, part: int, whole: int) -> dict[str, float]:
    """A share with its Wilson interval; nan of no whole."""
    low, high = wilson(part, whole)
    rate = part / whole if whole else np.nan
    return {f"{name}_rate": rate, f"{name}_low": low, f"{name}_high": high}
