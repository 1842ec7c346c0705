"""CPR and CMD: faithfulness over the size of a hypothesis, after MIB (arXiv:2504.13151).

Hypotheses of a curve keep more and more, from `baseline` (nothing) to `unscrubbed` (all). The size
x of one is the share that it keeps of the cells that `baseline` scrubs, 0..1. Its faithfulness is
f(x) = (m(x) - m(0)) / (m(1) - m(0)), which is loss recovered: the sign of m (loss, or its
negative) cancels. By the trapezoid rule over the sizes that are there,

    CPR = area under f(x), more is better;
    CMD = area under |1 - f(x)|, less is better.

f is not cut off at 0 or 1. The bars matter: where a hypothesis recovers more than all (f > 1), CMD
counts that as distance, while 1 - CPR sets it off against what others lack. Only where f <= 1
everywhere is CMD = 1 - CPR. Both depend on which sizes the curve has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Float64

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.cells import Experiment
from clampsweep.studies.scrubbing.hypotheses import BASELINE, UNSCRUBBED
from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.recovered import interval, recovered_of
from clampsweep.studies.scrubbing.tally import Means
from clampsweep.tables import Column, Schema

CURVES = Schema(
    "scrubbing curves",
    {
        "category": Column("str", "category of positions"),
        "cpr": Column("float", "area under faithfulness; null if it is undefined", null=True),
        "cpr_low": Column("float", "95 % bootstrap interval over examples, lower end", null=True),
        "cpr_high": Column("float", "the same, upper end", null=True),
        "cmd": Column("float", "area under |1 - faithfulness|", null=True),
        "cmd_low": Column("float", "95 % bootstrap interval over examples, lower end", null=True),
        "cmd_high": Column("float", "the same, upper end", null=True),
        "n_sizes": Column("int", "number of hypotheses on the curve"),
    },
    key=("category",),
)


def sizes(curve: Sequence[str], experiments: Mapping[str, Experiment], where: str) -> list[float]:
    """Size of each hypothesis of a curve, 0..1 in ascending order.

    Args:
        curve: Names, from `baseline` to `unscrubbed`.
        experiments: By name.
        where: File and key, for messages.

    Raises:
        UserError: Its ends are others, or one does not keep all that the one before keeps. (It may
            keep no more, where roles have few heads.)
    """
    if len(curve) < 2 or (curve[0], curve[-1]) != (BASELINE, UNSCRUBBED):
        raise UserError(f"{where}: got {list(curve)}; begin with {BASELINE}, end with {UNSCRUBBED}")
    for before, after in pairwise(curve):
        smaller, larger = experiments[before], experiments[after]
        lost = ((larger.cells != 0) & (smaller.cells == 0)).any()
        if lost or smaller.skip.any() or larger.skip.any():
            raise UserError(
                f"{where}: {after} does not keep all that {before} keeps; order the names so that "
                "each does"
            )
    least, most = experiments[BASELINE].kept, experiments[UNSCRUBBED].kept
    return [(experiments[name].kept - least) / (most - least) for name in curve]


def areas(
    x: Sequence[float], f: Float64[np.ndarray, "*rest size"]
) -> tuple[Float64[np.ndarray, "*rest"], Float64[np.ndarray, "*rest"]]:
    """CPR and CMD of faithfulness at some sizes.

    Args:
        x: Sizes, ascending.
        f: Faithfulness at each.
    """
    cpr, cmd = np.trapezoid(f, x, axis=-1), np.trapezoid(np.abs(1 - f), x, axis=-1)
    return np.asarray(cpr), np.asarray(cmd)


def curves_table(means: Means, curve: Sequence[str], x: Sequence[float]) -> pd.DataFrame:
    """The table `CURVES`.

    Args:
        means: Mean losses of all experiments.
        curve: Names of those on the curve; without any, the table is empty.
        x: Their sizes.
    """
    if not curve:
        return pd.DataFrame(columns=list(CURVES.columns))
    ratios, _ = recovered_of(means)
    on = [means.experiments.index(name) for name in curve]
    found = areas(x, ratios.mean[on].T)
    resampled = areas(x, ratios.resampled[:, on].transpose(0, 2, 1))
    columns: dict[str, object] = {"category": list(CATEGORIES)}
    for name, area, draws in zip(("cpr", "cmd"), found, resampled, strict=True):
        low, high = interval(draws)
        columns |= {name: area, f"{name}_low": low, f"{name}_high": high}
    return pd.DataFrame(columns).assign(n_sizes=len(curve))
