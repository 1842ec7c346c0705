"""Make one pinned shard: load the model once, work on its items, write one table."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.files import alone
from clampsweep.models.loading import load
from clampsweep.models.model import Model
from clampsweep.models.spec import ModelSpec
from clampsweep.provenance import record
from clampsweep.shards.shard import KEY, Shard, of_shard, read_shard
from clampsweep.tables import Schema

log = logging.getLogger(__name__)

_LINES = 10  # of progress in a job's log

Append = Callable[[Mapping[str, object]], None]

Rows = tuple[str, pd.DataFrame]  # an item's key, and its rows without the item's name


def make_shard(
    compute: Callable[[Model, Shard], Iterable[Rows]],
    schema: Schema,
    shard: Path,
    model_folder: Path,
    spec: ModelSpec,
    threads: int,
    device: str,
    code: str,
    output: Path,
) -> None:
    """Make a shard's table, atomically: a kill loses this shard and nothing else.

    While another job is at work on the shard, this one waits, and lets its table stand.

    Args:
        compute: Yields every item's key and rows, items in any order; of an item without
            rows, an empty frame with the columns.
        schema: The table's that shards are gathered into.
        shard: The pinned shard.
        model_folder: What `fetch_model` made.
        spec: The model's config entry.
        threads: CPU threads.
        device: `auto`, `cpu` or `cuda`.
        code: Code digest, for the footer.
        output: Where the table goes.

    Raises:
        UserError: The shard or the model's folder is damaged, or the disk is full.
    """

    def loaded(content: Shard) -> tuple[Iterable[Rows], str]:
        model = load(model_folder, spec, threads, device, neurons=spec.d_mlp > 0)
        return compute(model, content), model.manifest["digest"]

    _make(loaded, schema, shard, code, output)


def make_wide_shard(
    write: Callable[[Model, Shard, Append], None],
    schema: Schema,
    shard: Path,
    model_folder: Path,
    spec: ModelSpec,
    threads: int,
    device: str,
    code: str,
    output: Path,
) -> None:
    """The same for a table of wide vectors, which is never whole in memory.

    Args:
        write: Appends row groups, each a list or an array for each column of `of_shard(schema)`.
        schema: The table's; a column of it is WIDE.
        shard: The pinned shard.
        model_folder: What `fetch_model` made.
        spec: The model's config entry.
        threads: CPU threads.
        device: `auto`, `cpu` or `cuda`.
        code: Code digest, for the footer.
        output: Where the table goes.

    Raises:
        UserError: The shard or the model's folder is damaged, or the disk is full.
    """

    def made(content: Shard, stored: Schema, facts: Mapping[str, object]) -> None:
        model = load(model_folder, spec, threads, device, neurons=spec.d_mlp > 0)
        footer = {**facts, "model": model.manifest["digest"]}
        with tables.appending(output, stored, footer) as append:
            write(model, content, append)

    _alone(made, schema, shard, code, output)


def make_own_shard(
    compute: Callable[[Shard], Iterable[Rows]],
    schema: Schema,
    shard: Path,
    code: str,
    output: Path,
) -> None:
    """The same where `compute` loads the model, as a study does with an `OwnModel`."""
    _make(lambda content: (compute(content), content.model), schema, shard, code, output)


def _make(
    loaded: Callable[[Shard], tuple[Iterable[Rows], str]],
    schema: Schema,
    shard: Path,
    code: str,
    output: Path,
) -> None:
    """Make a table of what a function gives: rows, and the model's digest for the footer."""

    def made(content: Shard, stored: Schema, facts: Mapping[str, object]) -> None:
        found, digest = loaded(content)
        tables.write(_collect(found, content), output, stored, {**facts, "model": digest})

    _alone(made, schema, shard, code, output)


def _alone(
    make: Callable[[Shard, Schema, Mapping[str, object]], None],
    schema: Schema,
    shard: Path,
    code: str,
    output: Path,
) -> None:
    """Have a table made while no other job makes it, and not at all if another one has meanwhile.

    Args:
        make: Given the shard, its columns, and what the footer says, writes the table.
        schema: The table's that shards are gathered into.
        shard: The pinned shard.
        code: Code digest, for the footer.
        output: Where the table goes.
    """
    content, stored = read_shard(shard), of_shard(schema)
    with alone(output.with_name(f".{output.stem}.lock")):
        facts = record(shard=shard.stem, model_identity=content.model, code=code)
        if _is_made(output, stored, facts):
            log.info("another job made this shard meanwhile")
            return
        make(content, stored, facts)


def _is_made(output: Path, schema: Schema, facts: Mapping[str, object]) -> bool:
    """Whether the table is there and whole, made by the same code and libraries."""
    try:
        tables.read(output, schema)
    except UserError:
        return False
    return facts.items() <= tables.footer(output).items()


def _collect(found: Iterable[Rows], shard: Shard) -> pd.DataFrame:
    """Rows of all items, each once; says how far the work is, and how long the rest will take."""
    keys = [item.key for item in shard.items]
    made = list(_said(found, len(keys)))
    if sorted(key for key, _ in made) != sorted(keys):
        raise ValueError(f"{len(made)} items came back, not each of the shard's {len(keys)} once")
    parts = dict(made)
    return pd.concat([parts[key].assign(**{KEY: key}) for key in keys], ignore_index=True)


def _said(found: Iterable[Rows], n: int) -> Iterator[Rows]:
    """The same, with a bar, and some lines for the log: how many are done, and their rate."""
    start = time.perf_counter()
    with tqdm(total=n, unit="item", mininterval=1) as bar:
        for done, one in enumerate(found, 1):
            yield one
            bar.update()
            if done * _LINES // n > (done - 1) * _LINES // n:
                pace = (time.perf_counter() - start) / done
                left = pace * (n - done)
                log.info("%d of %d items done, %.3g s each, %.0f s left", done, n, pace, left)
