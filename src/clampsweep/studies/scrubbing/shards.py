"""What the jobs of shards compute, item by item: losses, cells, attributions, attention, totals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Any

import pandas as pd
import torch

from clampsweep.shards.shard import Keyed, Shard
from clampsweep.studies.scrubbing.attention_means import (
    attention_mean,
    attention_table,
    totals_table,
)
from clampsweep.studies.scrubbing.cells import (
    REFERENCE,
    Experiment,
    Source,
    unscrubbed,
    upstream_name,
)
from clampsweep.studies.scrubbing.data import Data
from clampsweep.studies.scrubbing.engine import Engine
from clampsweep.studies.scrubbing.hypotheses import CHANNELS
from clampsweep.studies.scrubbing.items import experiment_of
from clampsweep.studies.scrubbing.masks import categories
from clampsweep.studies.scrubbing.roles import Roles, resolve, scores_of
from clampsweep.studies.scrubbing.saa import attribution, attribution_table
from clampsweep.studies.scrubbing.samplers import Pool
from clampsweep.studies.scrubbing.scrub import scrub
from clampsweep.studies.scrubbing.weights import Weights

Rows = Iterator[tuple[str, pd.DataFrame]]


class Bench:
    """A model, the examples, and the parameters of a work, for the functions below.

    Args:
        weights: Of the model.
        data: Examples, lists and heads.
        parameters: `seed` of the draws, `thresholds` of the roles.
    """

    def __init__(self, weights: Weights, data: Data, parameters: Mapping[str, Any]):
        self.weights, self.data = weights, data
        self.seed = int(parameters["seed"])
        self.roles: Roles = resolve(scores_of(data.heads), parameters["thresholds"])
        self.pool = Pool(data.tokens, self.seed)
        self.engine = Engine(weights, torch.from_numpy(data.tokens))

    @property
    def induction(self) -> list[int]:
        """The induction heads of layer 1, or all of its heads if there are none."""
        return list(self.roles.heads["induction"]) or list(range(self.weights.n_heads))

    def experiment(self, content: Mapping[str, Any]) -> Experiment:
        """An item's experiment, its draws known to be possible."""
        found = experiment_of(content, self.roles, content.get("name", "hypothesis"))
        if found.draws:
            self.pool.check(found.sampler, found.name)
        return found


def losses(bench: Bench, items: list[Keyed]) -> Rows:
    """Rows of `LOSSES` of each item; what stands on the same examples is scrubbed together."""

    def block(item: Keyed) -> tuple[int, int]:
        return item.content["first"], item.content["n"]

    for (first, n), group in groupby(sorted(items, key=block), key=block):
        own = list(group)
        listed = [bench.experiment(one.content) for one in own]
        examples = range(first, first + n)
        found = list(scrub(bench.weights, bench.data.tokens, listed, examples, bench.seed))
        for row, item in enumerate(own):
            yield (
                item.key,
                pd.DataFrame(
                    {
                        "example": examples,
                        "draws": [
                            [one.draws[row][d] for d in sorted(one.draws[row])] for one in found
                        ],
                        "nll": [one.nll[row] for one in found],
                    }
                ),
            )


def cells(bench: Bench, items: list[Keyed]) -> Rows:
    """Rows of `CELLS`: each input of the induction heads scrubbed alone, minus nothing scrubbed."""
    n_heads = bench.weights.n_heads
    empty = unscrubbed(n_heads)
    places = [(h, c, u) for h in bench.induction for c in range(3) for u in range(1 + n_heads)]
    listed = [empty]
    for place in places:
        scrubbed = empty.cells.copy()
        scrubbed[place] = 1
        listed.append(empty._replace(sources=(REFERENCE, Source(1)), cells=scrubbed))
    for item in items:
        first, n = item.content["first"], item.content["n"]
        found = scrub(bench.weights, bench.data.tokens, listed, range(first, first + n), bench.seed)
        rows = []
        for one in found:
            rows += [
                (h, CHANNELS[c], upstream_name(u), one.example, nll - one.nll[0])
                for (h, c, u), nll in zip(places, one.nll[1:], strict=True)
            ]
        yield (
            item.key,
            pd.DataFrame(rows, columns=["head", "channel", "upstream", "example", "dloss"]),
        )


def attributions(bench: Bench, items: list[Keyed]) -> Rows:
    """Rows of `SAA` of each item."""
    for item in items:
        index, n_draws = item.content["example"], item.content["n_draws"]
        first, second = (bench.experiment(item.content[which]) for which in ("first", "second"))
        found = attribution(bench.engine, bench.pool, index, first, second, n_draws)
        tokens, names = bench.data.tokens[index], (first.name, second.name)
        flags = categories(tokens, bench.data.lists)
        yield item.key, attribution_table(found, index, names, tokens, flags, n_draws)


def attentions(bench: Bench, items: list[Keyed]) -> Rows:
    """Rows of `ATTENTION` of each item: of both experiments, and of first - second."""
    for item in items:
        index, n_draws = item.content["example"], item.content["n_draws"]
        pair = [bench.experiment(item.content[which]) for which in ("first", "second")]
        one, other = (
            attention_mean(bench.engine, bench.pool, index, each, n_draws) for each in pair
        )
        first, second = (each.name for each in pair)
        parts = [(one, first, ""), (other, second, ""), (one - other, first, second)]
        heads, n_tokens = bench.induction, item.content["n_tokens"]
        rows = [
            attention_table(mean, index, a, b, heads=heads, n_tokens=n_tokens)
            for mean, a, b in parts
        ]
        yield item.key, pd.concat(rows, ignore_index=True)


def totals(bench: Bench, items: list[Keyed]) -> Rows:
    """Rows of `TOTALS` of each item."""
    for item in items:
        index, one = item.content["example"], bench.experiment(item.content)
        mean = attention_mean(bench.engine, bench.pool, index, one, item.content["n_draws"])
        tokens = bench.data.tokens[index, :-1]
        yield item.key, totals_table(mean, index, item.content["name"], tokens, bench.induction)


COMPUTED: Mapping[str, Callable[[Bench, list[Keyed]], Rows]] = {
    "scrubbing_losses": losses,
    "scrubbing_cells": cells,
    "scrubbing_saa": attributions,
    "scrubbing_attention": attentions,
    "scrubbing_totals": totals,
}
"""By the rule that makes the shard."""


def compute(weights: Weights, shard: Shard, data: Data) -> Rows:
    """Each item's key and rows, for `generation.shard`.

    Args:
        weights: Of the model.
        shard: Its items.
        data: Examples, lists and heads.
    """
    bench = Bench(weights, data, shard.parameters)
    yield from COMPUTED[shard.rule](bench, list(shard.items))
