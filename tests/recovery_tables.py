"""Recovery tables from arrays of flags, for the tests of statistics: many tables in one call.

Detectors are computed apart from each other, so a table with 200 of them is 200 simulated tables.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from clampsweep.studies.bcr.recovery import RECOVERY
from clampsweep.texts.promptset import PROMPTS
from factories import frame, prompt


def prompt_names(n_prompts: int, n_cores: int = 1) -> list[str]:
    """Names such as `c0/p5`; prompts go round the cores."""
    return [f"c{i % n_cores}/p{i}" for i in range(n_prompts)]


def prompts(names: Sequence[str], with_cores: bool = True) -> pd.DataFrame:
    """Prompts table; a prompt's core is its name up to the `/`."""
    rows = [prompt("Say it.", p, core=p.split("/")[0] if with_cores else None) for p in names]
    return frame(rows, PROMPTS)


def build(
    before: np.ndarray,
    after: np.ndarray,
    names: Sequence[str],
    targets: Sequence[str],
    values: Sequence[float],
) -> pd.DataFrame:
    """Recovery table of detectors `d0`, `d1`, ...; the operation is `set`.

    Args:
        before: Whether each baseline is collapsed, bool [detector, prompt].
        after: Whether each output is, bool [detector, target, value, prompt].
        names: The prompts.
        targets: The targets, such as `L1N2`.
        values: What they are set to.
    """
    detector, target, value, name = (place.ravel() for place in np.indices(after.shape))
    start, end = before[detector, name], after.ravel()
    labels = [f"{t}={v:g}" for t in targets for v in values]

    def named(words: Sequence[str], places: np.ndarray) -> pd.Series[str]:
        return pd.Series(words, dtype="str").take(places).reset_index(drop=True)

    facts = {
        "detector": named([f"d{i}" for i in range(len(before))], detector),
        "prompt_id": named(names, name),
        "key": named(labels, target * len(values) + value),
        "target": named(targets, target),
        "layer": pd.array([1], dtype="Int64").take(np.zeros_like(target)),
        "neuron": pd.array(range(len(targets)), dtype="Int64").take(target),
        "operation": named(["set"], np.zeros_like(target)),
        "value": np.array(values, dtype=float)[value],
        "scope": named(["all"], np.zeros_like(target)),
        "seed": pd.array([pd.NA], dtype="Int64").take(np.zeros_like(target)),
        "baseline_collapsed": start,
        "collapsed": end,
        "intervention_improves_baseline": start & ~end,
        "intervention_harms_baseline": ~start & end,
    }
    return pd.DataFrame(facts).reindex(columns=list(RECOVERY.columns))


def by_chance(
    seed: int,
    n_tables: int,
    names: Sequence[str],
    targets: Sequence[str],
    values: Sequence[float],
) -> pd.DataFrame:
    """Recovery table of clamps that do nothing to texts whose cores move together.

    A core has a rate of collapse at the baseline and one at each clamp, all drawn from one law, so
    its net is as likely one way as the other.
    """
    rng = np.random.default_rng(seed)
    core = np.unique([name.split("/")[0] for name in names], return_inverse=True)[1]
    places = (n_tables, len(targets), len(values), core.max() + 1)
    before = rng.random((n_tables, len(names))) < rng.random((n_tables, places[-1]))[:, core]
    after = rng.random((*places[:-1], len(names))) < rng.random(places)[..., core]
    return build(before, after, names, targets, values)
