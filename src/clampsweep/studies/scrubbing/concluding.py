"""From the shards of an entry to all that follows from its losses: tables and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from clampsweep.ledger import Conclusions
from clampsweep.studies.scrubbing.data import read_data
from clampsweep.studies.scrubbing.faithfulness import CURVES, curves_table
from clampsweep.studies.scrubbing.hypotheses import Listed
from clampsweep.studies.scrubbing.judge import judge
from clampsweep.studies.scrubbing.recovered import RECOVERED, recovered_table
from clampsweep.studies.scrubbing.resolved import read_resolved
from clampsweep.studies.scrubbing.tallying import CELL_HARM, cell_harm, tally_losses
from clampsweep.studies.scrubbing.two_heads import TWO_HEADS, two_heads


class Concluded(NamedTuple):
    """What follows from an entry's losses.

    Attributes:
        table: `RECOVERED`.
        curves: `CURVES`.
        two_heads: `TWO_HEADS`.
        cell_harm: `CELL_HARM`.
        concluded: Verdicts, and the ledger of their controls.
    """

    table: pd.DataFrame
    curves: pd.DataFrame
    two_heads: pd.DataFrame
    cell_harm: pd.DataFrame
    concluded: Conclusions


TABLES = {"table": RECOVERED, "curves": CURVES, "two_heads": TWO_HEADS, "cell_harm": CELL_HARM}
"""Schema of each, but of verdicts and ledger."""


def conclude(files: Mapping[str, Any], listed: Listed, pair: Sequence[str], seed: int) -> Concluded:
    """Add an entry's losses up, and conclude.

    Args:
        files: `losses` and `cells`, the tables of their shards, and `losses_plan`, `cells_plan`;
            `examples` with its neighbours; `hypotheses`, what was resolved.
        listed: The hypotheses.
        pair: Experiments that scrub one head each.
        seed: Of the bootstrap.

    Raises:
        UserError: A file is missing or damaged, or no shard holds an item.
    """
    data, resolved = read_data(Path(files["examples"]).parent), read_resolved(files["hypotheses"])
    losses, cells = ([Path(path) for path in files[name]] for name in ("losses", "cells"))
    names, curve = list(resolved["experiments"]), resolved["curve"]
    tally = tally_losses(Path(files["losses_plan"]), losses, data, names, seed)
    means = tally.means
    return Concluded(
        table=recovered_table(tally),
        curves=curves_table(means, list(curve), list(curve.values())),
        two_heads=two_heads(means, *pair),
        cell_harm=cell_harm(Path(files["cells_plan"]), cells, data, seed),
        concluded=judge(tally, listed.hypotheses, pair),
    )
