"""From config and prompts to the combinations wanted, and from those to batches of generation.

A combination is computed once, ever: its key is the digest of all that decides its text. Batches
are immutable and named by the digest of their keys; `results/batches/<id>.json` pins their content.
A key that a finished batch holds is not planned again; missing ones are packed into new batches.
No torch here; it runs at parse time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from clampsweep.provenance import json_digest
from clampsweep.texts.combination import ID_DIGITS, Combination, batch_id, batch_json, read_batch
from clampsweep.texts.holders import Holders
from clampsweep.texts.pinned import pin


class BatchFiles(NamedTuple):
    """The tables that a batch makes."""

    generations: Path
    vectors: Path


class Plan(NamedTuple):
    """Where the rows that a request wants are pinned, and the batches that hold them."""

    path: Path
    batches: list[str]


class Planner:
    """Assigns combinations to batches: those on disk first, new ones for what is missing.

    Args:
        results: The results folder.
        size: Most combinations in a batch.
    """

    def __init__(self, results: Path, size: int):
        self.results, self.size = results, size
        self._held = Holders(lambda: self.pinned, self.finished)

    @cached_property
    def pinned(self) -> dict[str, frozenset[str]]:
        """Keys of each batch that was on disk at the start."""
        return {
            path.stem: frozenset(one.key for one in read_batch(path)[1])
            for path in sorted((self.results / "batches").glob("[0-9a-f]" * ID_DIGITS + ".json"))
        }

    def finished(self, batch: str) -> bool:
        """Whether a batch's files are there."""
        return all(path.exists() for path in self.outputs(batch))

    def outputs(self, batch: str) -> BatchFiles:
        """The files that a batch makes."""
        file = f"{batch}.parquet"
        return BatchFiles(self.results / "generations" / file, self.results / "vectors" / file)

    def assign(self, combinations: Iterable[Combination]) -> list[str]:
        """Ids of the batches that hold the combinations, sorted; missing ones are pinned."""
        wanted = {one.key: one for one in combinations}
        missing = self._held.missing(wanted)
        for group in self._pack([wanted[key] for key in missing]):
            batch = batch_id(group)
            pin(self.results / "batches" / f"{batch}.json", batch_json(group))
            self._held.add(batch, [one.key for one in group])
        return self._held.of(wanted)

    def _pack(self, missing: list[Combination]) -> list[list[Combination]]:
        groups: dict[str, list[Combination]] = {}
        for one in sorted(missing, key=Combination.order):
            kind = [one.model, one.decoding.as_json(), one.prompt_format.as_json()]
            groups.setdefault(json_digest([*kind, one.target is None]), []).append(one)
        packed = []
        for _, group in sorted(groups.items()):
            count = math.ceil(len(group) / self.size)
            cuts = [round(at * len(group) / count) for at in range(count + 1)]
            packed += [group[cuts[at] : cuts[at + 1]] for at in range(count)]
        return packed


def pin_plan(
    planner: Planner, name: str, prompts: pd.DataFrame, combinations: Sequence[Combination]
) -> Plan:
    """Pin which rows make up a request's table of texts.

    Args:
        planner: Assigns the batches.
        name: The request's name, part of the file's.
        prompts: Prompt ids and texts; several ids may share a text.
        combinations: What the request wants.
    """
    batches = planner.assign(combinations)
    ids: dict[str, list[str]] = {}
    for prompt_id, text in zip(prompts["prompt_id"], prompts["text"], strict=True):
        ids.setdefault(text, []).append(prompt_id)
    unique = {one.key: one for one in combinations}
    rows = [[prompt_id, key] for key, one in unique.items() for prompt_id in ids[one.prompt]]
    content = {"sweep": name, "rows": rows}
    file = f"{name.replace('/', '.')}-{json_digest(content)[:16]}.json"
    path = planner.results / "plans" / file
    return Plan(pin(path, content), batches)
