"""Scrubbing attribution, token by token: how much worse an example's tokens are predicted.

For one example, two experiments are run with many draws. A token's `dloss` is the mean over draws
of its loss under the second minus that under the first: above 0 where what the second scrubs helps
to predict it. (Differences of attention have the other sign: first minus second.) The first token
is not predicted; it has 0. Both experiments get the same draws, where they have draws of the same
number, so `se` is that of paired differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float64, Int

from clampsweep.studies.scrubbing.cells import Experiment
from clampsweep.studies.scrubbing.engine import Engine
from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.samplers import Pool
from clampsweep.studies.scrubbing.scrub import draws_of


class Attribution(NamedTuple):
    """Of each token of an example, the first among them.

    Attributes:
        dloss: Mean over draws of second - first, nats.
        se: Standard error of that; nan for one draw.
    """

    dloss: Float64[np.ndarray, " token"]
    se: Float64[np.ndarray, " token"]


def attribution(
    engine: Engine,
    pool: Pool,
    index: int,
    first: Experiment,
    second: Experiment,
    n_draws: int,
) -> Attribution:
    """How much worse each token of an example is predicted under the second experiment.

    Args:
        engine: Over all examples.
        pool: What is drawn from.
        index: Number of the example.
        first: Such as `unscrubbed`.
        second: Such as one that scrubs a head.
        n_draws: Number of draws.
    """
    example, differences = engine.example(index), []
    for repeat in range(n_draws):
        with torch.inference_mode():
            before, after = (
                example.nll(one, draws_of(one, pool, index, repeat)) for one in (first, second)
            )
        differences.append((after.double() - before.double()).numpy())
        example.forget()
    each = np.pad(np.array(differences), ((0, 0), (1, 0)))  # [draw, token]: 0 for the first
    se = each.std(0, ddof=1) / n_draws**0.5 if n_draws > 1 else np.full(each.shape[1], np.nan)
    return Attribution(each.mean(0), se)


def attribution_table(
    found: Attribution,
    index: int,
    names: Sequence[str],
    tokens: Int[np.ndarray, " token"],
    flags: Bool[np.ndarray, "category label"],
    n_draws: int,
) -> pd.DataFrame:
    """Rows of `SAA` of an example.

    Args:
        found: What `attribution` gives.
        index: Number of the example.
        names: Of the first experiment and the second.
        tokens: Of the example.
        flags: Whether a label is in a category, in the order of `CATEGORIES`.
        n_draws: Number of draws.
    """
    own = ["; ".join(np.array(list(CATEGORIES))[label]) for label in flags.T]
    return pd.DataFrame(
        {
            "example": index,
            "first": names[0],
            "second": names[1],
            "position": np.arange(len(tokens)),
            "token": tokens,
            "categories": ["", *own],
            "dloss": found.dloss,
            "se": found.se,
            "n_draws": n_draws,
        }
    )
