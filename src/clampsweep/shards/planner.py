"""From works to shards: items that are on disk first, new shards for what is missing.

An item is computed once, ever: its key is the digest of rule, model, parameters and content, and a
shard's name that of its keys. So when a list grows, shrinks or is put in another order, what is
done stays as it is. `results/shards/<rule>/<id>.json` pins a shard, `<id>.parquet` is its table.
No torch here; it runs at parse time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from clampsweep.provenance import json_digest
from clampsweep.shards.shard import ID_DIGITS, Item, Keyed, Shard, item_key, read_shard
from clampsweep.shards.work import Work
from clampsweep.texts.holders import Holders
from clampsweep.texts.pinned import pin


class WorkPlan(NamedTuple):
    """Where the items of a work are pinned, and the pinned shards that hold them."""

    path: Path
    shards: list[Path]


class ShardPlanner:
    """Assigns items to shards.

    Args:
        results: The results folder.
    """

    def __init__(self, results: Path):
        self.results = results
        self._held = Holders(lambda: self._on_disk, self._finished)
        self._places: dict[str, Path] = {}  # the pinned file of each shard

    @cached_property
    def _on_disk(self) -> dict[str, frozenset[str]]:
        """Keys of each shard that was on disk at the start."""
        found = {}
        for path in sorted((self.results / "shards").glob(f"*/{'[0-9a-f]' * ID_DIGITS}.json")):
            found[path.stem] = frozenset(item.key for item in read_shard(path).items)
            self._places[path.stem] = path
        return found

    def _finished(self, shard: str) -> bool:
        return self._places[shard].with_suffix(".parquet").exists()

    def plan(self, work: Work, items: Sequence[Item]) -> WorkPlan:
        """Pin which items make up a work's table, in their order, and the shards still missing.

        A pinned shard that is not made is taken up again only if all of its items are wanted.

        Args:
            work: What is asked for.
            items: What it is done on.

        Raises:
            UserError: A shard on disk is damaged.
        """
        model = work.model.identity
        keys = [item_key(work.rule, model, work.parameters, item.content) for item in items]
        wanted = {key: Keyed(key, item.content) for key, item in zip(keys, items, strict=True)}
        missing = self._held.missing(wanted)
        for group in _cut([one for key, one in wanted.items() if key in missing], work.size):
            self._pin(Shard(work.rule, model, work.parameters, group))
        rows = [[item.name, key] for key, item in zip(keys, items, strict=True)]
        content = {"work": work.name, "rows": rows}
        file = f"{work.name.replace('/', '.')}-{json_digest(content)[:16]}.json"
        shards = [self._places[shard] for shard in self._held.of(wanted)]
        return WorkPlan(pin(self.results / "plans" / file, content), shards)

    def _pin(self, shard: Shard) -> None:
        path = self.results / "shards" / shard.rule / f"{shard.id}.json"
        self._places[shard.id] = pin(path, shard.as_json())
        self._held.add(shard.id, [item.key for item in shard.items])


def _cut(items: Sequence[Keyed], size: int) -> list[Sequence[Keyed]]:
    """Groups of about the same number of items, at most `size`."""
    n = len(items)
    count = math.ceil(n / size)
    return [items[round(at * n / count) : round((at + 1) * n / count)] for at in range(count)]
