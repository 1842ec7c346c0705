"""A shard: some items of a work, pinned to a file, and the columns of the table it becomes.

What a job needs to make one, and no more; the file is the job's input.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from clampsweep.errors import UserError
from clampsweep.files import write_text
from clampsweep.provenance import json_digest
from clampsweep.tables import Column, Schema

ID_DIGITS = 16  # hex digits of a shard's name

KEY = "item_key"  # column

_KEY = Column("str", "digest of the item's content and of what is computed on it")


class Item(NamedTuple):
    """What is computed on: its name, and its content as a JSON value, such as a prompt's text."""

    name: str
    content: Any


class Keyed(NamedTuple):
    """An item of a shard: without its name, which decides nothing."""

    key: str
    content: Any


class Shard(NamedTuple):
    """Items to work on in one job.

    Attributes:
        rule: The rule that makes it.
        model: Identity of the model.
        parameters: JSON values that decide the result.
        items: In the order of the work.
    """

    rule: str
    model: str
    parameters: Mapping[str, Any]
    items: Sequence[Keyed]

    @property
    def id(self) -> str:
        """The shard's name: the digest of its keys, `ID_DIGITS` hex digits."""
        return json_digest(sorted(item.key for item in self.items))[:ID_DIGITS]

    def as_json(self) -> dict[str, Any]:
        """JSON values from which `read_shard` makes it again."""
        return {**self._asdict(), "items": [item._asdict() for item in self.items]}


def item_key(rule: str, model: str, parameters: Mapping[str, Any], content: Any) -> str:
    """Digest of all that decides an item's rows but the code, 32 hex digits."""
    return json_digest([rule, model, parameters, content])[:32]


def read_shard(path: Path | str) -> Shard:
    """A pinned shard.

    Raises:
        UserError: The file is damaged.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        items = [Keyed(**item) for item in content.pop("items")]
        shard = Shard(**content, items=items)
        keys = [item_key(*shard[:3], item.content) for item in items]
        if keys != [item.key for item in items] or shard.id != Path(path).stem:
            raise ValueError("other items than the name says")
        return shard
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged shard file; delete it and run again") from error


def of_shard(schema: Schema) -> Schema:
    """The columns of a shard of a table: its items have no names, so `item_key` stands for them.

    Args:
        schema: The table's; the first column of its key names the item.
    """
    name, *rest = schema.key
    columns = {KEY: _KEY, **{at: one for at, one in schema.columns.items() if at != name}}
    return replace(schema, name=f"shard of {schema.name}", columns=columns, key=(KEY, *rest))


def write_items(items: Iterable[Item], path: Path) -> None:
    """Write what a study's checkpoint lists (`Named`), for `read_items`."""
    write_text(json.dumps(list(items), indent=0), path)


def read_items(path: Path | str) -> list[Item]:
    """Items that a checkpoint has listed.

    Raises:
        UserError: The file is damaged.
    """
    try:
        listed = json.loads(Path(path).read_text(encoding="utf-8"))
        return [Item(str(name), content) for name, content in listed]
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path}: damaged list of items; delete it and run again") from error
