"""What sharded work a study asks for: a table, on which items, made by which of its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from clampsweep.models.spec import ModelSpec
from clampsweep.shards.shard import Item
from clampsweep.tables import Schema
from clampsweep.texts.request import Named, PromptsetSpec


@dataclass(frozen=True)
class OwnModel:
    """A model that is no entry of `models`: the study's rule reads it from files of its own.

    Attributes:
        identity: Digest of all that decides the model's outputs.
    """

    identity: str


@dataclass(frozen=True)
class Work:
    """A table that is made item by item, in shards.

    Attributes:
        name: The table's file in `results/` without its ending, such as `bcr/losses`.
        rule: The rule that makes a shard; its shards are in `results/shards/<rule>/`.
        model: The model; its rule has `shard_model` as input, or files of an `OwnModel`.
        items: What is computed on: the prompts of a promptset (content: the text), what a
            checkpoint of the study lists (`write_items`), or items that are known at once.
        schema: The table's columns; the first column of its key names the item.
        size: Most items in a shard; a change of it makes nothing stale.
        parameters: JSON values that decide the result.
    """

    name: str
    rule: str
    model: ModelSpec | OwnModel
    items: PromptsetSpec | Named | tuple[Item, ...]
    schema: Schema
    size: int
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def plain_schema(self) -> dict[str, Any]:
        """The schema as a rule's parameter, for `gather`."""
        return asdict(self.schema)
