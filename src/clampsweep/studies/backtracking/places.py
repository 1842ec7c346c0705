"""The places where activations are captured, as items of the sharded work. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from clampsweep.shards.shard import Item
from clampsweep.studies.backtracking.position_kinds import KINDS, positions


def whole_ids(traces: pd.DataFrame) -> dict[str, list[int]]:
    """Token ids of whole traces, prompt and output, by name.

    Args:
        traces: A `TRACES` table.
    """
    columns = (traces[name] for name in ("trace_id", "prompt_ids", "output_ids"))
    return {
        str(name): [*map(int, prompt), *map(int, output)]
        for name, prompt, output in zip(*columns, strict=True)
    }


def items(samples: pd.DataFrame, traces: pd.DataFrame) -> list[Item]:
    """What is captured, by trace: its token ids, and positions of each kind at each of its places.

    A trace is read up to the last of these positions; nothing behind it changes what is there.

    Args:
        samples: A `SAMPLES` table.
        traces: `TRACES` that it is made from.
    """
    ids = whole_ids(traces)
    wanted = samples.drop_duplicates(["trace_id", "onset"]).sort_values(["trace_id", "onset"])
    return [
        _item(str(name), ids[str(name)], [_place(row) for row in own.to_dict("records")])
        for name, own in wanted.groupby("trace_id")
    ]


def _item(name: str, ids: list[int], places: list[dict[str, Any]]) -> Item:
    last = max(at for place in places for kind in KINDS for at in place[kind])
    return Item(name, {"ids": ids[: last + 1], "places": places})


def _place(sample: Mapping[Any, Any]) -> dict[str, Any]:
    return {"place": int(sample["onset"]), **positions(sample)}
