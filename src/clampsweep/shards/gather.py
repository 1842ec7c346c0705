"""Gather a work's table from the shards that hold its items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.provenance import record
from clampsweep.shards.shard import KEY, of_shard, read_shard
from clampsweep.tables import Column, Schema
from clampsweep.texts.pinned import read_plan


def schema_of(values: Mapping[str, Any]) -> Schema:
    """The schema that a rule's parameter stands for (`Work.plain_schema`)."""
    columns = {name: Column(**column) for name, column in values["columns"].items()}
    return Schema(values["name"], columns, tuple(values["key"]), values["open"])


def gather(
    plan: Path,
    shards: Sequence[Path],
    schema: Schema,
    rule: str,
    shards_code: str,
    code: str,
    output: Path,
) -> None:
    """Make a work's table: the rows of each item, in the plan's order.

    The footer names the shards (`shards`) and the model's digest.

    Args:
        plan: The pinned plan: rows of item name and key.
        shards: The shards' tables, each beside its pinned shard.
        schema: The table's.
        rule: The rule that makes shards.
        shards_code: Digest of the code that makes them now.
        code: Code digest, for the footer.
        output: Where the table goes.

    Raises:
        UserError: A shard lacks an item that it should hold, or was made by other code.
    """
    rows = read_plan(plan)
    tables.check_code(shards, shards_code, rule)
    held = {item.key for path in shards for item in read_shard(path.with_suffix(".json")).items}
    for name, key in rows:
        if key not in held:
            raise UserError(
                f"{plan}: no shard holds {name!r} ({key}); delete results/shards/{rule} and run "
                "again"
            )
    models = {str(tables.footer(path)["model"]) for path in shards}
    facts = record(
        code=code, model=min(models, default=None), shards=[path.stem for path in shards]
    )
    tables.write(_rows(rows, shards, schema), output, schema, facts)


def _rows(
    wanted: Sequence[tuple[str, str]], shards: Sequence[Path], schema: Schema
) -> pd.DataFrame:
    """Rows of the wanted items under their names, in their order."""
    stored = of_shard(schema)
    if not shards:
        return pd.DataFrame(columns=list(schema.columns))
    made = pd.concat([tables.read(path, stored) for path in shards], ignore_index=True)
    made = made.drop_duplicates(list(stored.key))  # two shards may hold an item
    named = pd.DataFrame(wanted, columns=[schema.key[0], KEY])
    return named.merge(made, on=KEY)[list(schema.columns)]  # in the order of `named`
