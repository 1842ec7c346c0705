"""Where the heads of layer 1 look under an experiment: means over draws, differences, totals.

A difference of two experiments is first minus second: above 0 where the first looks more. (`saa`
has the other sign.) The key total of a token is the sum over queries of the attention it gets,
divided by the number of queries that can see it, T - k for key k of T: its mean attention. Tokens
with the highest totals are what a head may copy whatever comes before them: its parroting list.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64, Int

from clampsweep.studies.scrubbing.cells import Experiment
from clampsweep.studies.scrubbing.engine import Engine
from clampsweep.studies.scrubbing.samplers import Pool
from clampsweep.studies.scrubbing.scrub import draws_of
from clampsweep.studies.scrubbing.tables import ATTENTION, TOTALS

N_DRAWS = 16


def attention_mean(
    engine: Engine,
    pool: Pool,
    index: int,
    experiment: Experiment,
    n_draws: int = N_DRAWS,
    *,
    raw: bool = False,
) -> Float64[np.ndarray, "head query key"]:
    """Mean attention of the heads of layer 1 to each key.

    Args:
        engine: Over all examples.
        pool: What is drawn from.
        index: Number of the example.
        experiment: What is scrubbed.
        n_draws: Number of draws.
        raw: Whether scores before the softmax are meant; -inf for keys later than the query.
    """
    example = engine.example(index)
    n_pos = engine.forward.n_pos
    total = np.zeros((engine.weights.n_heads, n_pos, n_pos))
    for repeat in range(n_draws):
        with torch.inference_mode():
            draws = draws_of(experiment, pool, index, repeat)
            total += example.patterns(experiment, draws, raw).double().numpy()
        example.forget()
    return total / n_draws


def attention_table(
    mean: Float64[np.ndarray, "head query key"],
    index: int,
    first: str,
    second: str = "",
    *,
    heads: Sequence[int],
    n_tokens: int,
) -> pd.DataFrame:
    """Rows of `ATTENTION`: of some heads, between the first tokens of an example.

    Args:
        mean: A mean, or the difference of two.
        index: Number of the example.
        first: Name of the experiment.
        second: Name of that which was subtracted.
        heads: Of layer 1.
        n_tokens: Number of tokens.
    """
    query, key = np.tril_indices(min(n_tokens, mean.shape[1]))
    rows = [
        pd.DataFrame({"head": head, "query": query, "key": key, "mean": mean[head, query, key]})
        for head in heads
    ]
    found = pd.concat(rows, ignore_index=True)
    found = found.assign(example=index, first=first, second=second, layer=1)
    return found[[name for name in ATTENTION.columns if name != "item"]]


def key_totals(
    mean: Float64[np.ndarray, "head query key"],
) -> Float64[np.ndarray, "head key"]:
    """Sum over queries of the attention to each key, divided by the T - k that can see it.

    Args:
        mean: Patterns, not raw scores.
    """
    n_pos = mean.shape[-1]
    return np.asarray(mean.sum(1) / (n_pos - np.arange(n_pos)))


def totals_table(
    mean: Float64[np.ndarray, "head query key"],
    index: int,
    experiment: str,
    tokens: Int[np.ndarray, " pos"],
    heads: Sequence[int],
) -> pd.DataFrame:
    """Rows of `TOTALS` of an example.

    Args:
        mean: Patterns of an experiment.
        index: Number of the example.
        experiment: Its name.
        tokens: Of the example, those that look.
        heads: Of layer 1.
    """
    totals = key_totals(mean)
    rows = [
        pd.DataFrame({"head": head, "position": np.arange(len(tokens)), "token": tokens}).assign(
            total=totals[head]
        )
        for head in heads
    ]
    found = pd.concat(rows, ignore_index=True).assign(example=index, experiment=experiment)
    return found[[name for name in TOTALS.columns if name != "item"]]


def parroting(totals: pd.DataFrame, head: int, n: int, n_least: int = 3) -> pd.DataFrame:
    """Tokens that a head attends to most wherever they stand: `token`, mean `total`, `times`.

    The first place is left out: heads rest there.

    Args:
        totals: A `TOTALS` table of one experiment.
        head: Of layer 1.
        n: Number of tokens.
        n_least: Times that a token must occur.
    """
    own = totals[(totals["head"] == head) & (totals["position"] > 0)]
    found = own.groupby("token")["total"].agg(["mean", "size"]).reset_index()
    found.columns = pd.Index(["token", "total", "times"])
    ordered = found[found["times"] >= n_least].sort_values(
        ["total", "token"], ascending=[False, True]
    )
    return ordered.head(n).reset_index(drop=True)
