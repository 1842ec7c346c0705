"""Blocks of values, and their sums, for tests of statistics of activations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from clampsweep import tables
from clampsweep.models.moments import Sums
from clampsweep.models.moments_schema import MOMENTS
from clampsweep.shards.planner import ShardPlanner
from clampsweep.shards.shard import KEY, Item, of_shard, read_shard
from clampsweep.shards.work import OwnModel, Work
from clampsweep.studies.universal.places import GATE, HOOKS, POST


def sums_of(values: np.ndarray) -> Sums:
    """Sums of [block, pos, neuron]."""
    away = values - values.mean(1, keepdims=True)
    n = np.full(values[:, 0].shape, float(values.shape[1]))
    powers = ((away**k).sum(1) for k in (2, 3, 4))
    return Sums(n, (values > 0).sum(1).astype(float), values.mean(1), *powers)


def exchangeable(
    rng: np.random.Generator, n_blocks: int = 8, n_pos: int = 40, n_neurons: int = 60
) -> np.ndarray:
    """Values of blocks that differ by chance: each has its own size of outliers."""
    size = np.exp(0.3 * rng.normal(size=(n_blocks, 1, 1)))
    return rng.normal(size=(n_blocks, n_pos, n_neurons)) * np.where(
        rng.random((n_blocks, n_pos, n_neurons)) < 0.1, 3 * size, 1
    )


def write_shards(
    folder: Path, values: dict[tuple[str, str], np.ndarray], per_shard: int = 3
) -> tuple[Path, list[Path]]:
    """Moments of two layers of neurons in shards, with their plan.

    Args:
        folder: Where results go.
        values: Of a domain and a kind of activation, [block, pos, neuron]; an even number of
            neurons, the first half of them of layer 0.
        per_shard: Blocks in a shard.
    """
    domains = {domain: len(one) for (domain, _), one in values.items()}
    items = [Item(f"{d}/{b:02d}", [d, b]) for d, n in domains.items() for b in range(n)]
    work = Work(
        "one/moments", "universal_moments", OwnModel("tiny"), tuple(items), MOMENTS, per_shard
    )
    plan = ShardPlanner(folder).plan(work, items)
    paths = []
    for path in plan.shards:
        rows = []
        for item in read_shard(path).items:
            domain, block = item.content
            for var in HOOKS:
                if (domain, var) in values:
                    rows.append(
                        _rows(values[domain, var], block, HOOKS[var]).assign(**{KEY: item.key})
                    )
        table = pd.concat(rows, ignore_index=True).sample(frac=1, random_state=0)  # in any order
        tables.write(table, path.with_suffix(".parquet"), of_shard(MOMENTS), {"code": "c"})
        paths.append(path.with_suffix(".parquet"))
    return plan.path, paths


def _rows(values: np.ndarray, block: int, name: str) -> pd.DataFrame:
    sums = sums_of(values)
    half = values.shape[2] // 2
    counts = {name: getattr(sums, name)[block].astype(int) for name in ("n", "n_positive")}
    others = {name: getattr(sums, name)[block] for name in ("mean", "sum2", "sum3", "sum4")}
    place = {"layer": np.repeat([0, 1], half), "neuron": np.tile(np.arange(half), 2)}
    return pd.DataFrame({"hook_point": name, **place, **counts, **others})


def two_domains(seed: int = 0, heavier: float = 1.0) -> dict[tuple[str, str], np.ndarray]:
    """Gate and post of domains `known` and `new`; post of the new one has other outliers."""
    rng, found = np.random.default_rng(seed), {}
    for domain in ("known", "new"):
        found[domain, GATE] = exchangeable(rng)
        post = exchangeable(rng)
        if domain == "new":
            post = np.where(np.abs(post) > 3, heavier * post, post)
        found[domain, POST] = post
    return found
