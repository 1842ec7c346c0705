"""Rows of a batch that are decoded in one call, and how."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clampsweep.decoder.decode import decode
from clampsweep.decoder.interventions import Scope
from clampsweep.decoder.rows import Decoded
from clampsweep.generation.changes import Supplies, changes
from clampsweep.models.model import Model
from clampsweep.names import layers_in
from clampsweep.texts.combination import Combination, stream
from clampsweep.texts.request import Decoding


def cut(
    combinations: Sequence[Combination], tokens: Mapping[str, Sequence[int]], rows: int
) -> list[list[Combination]]:
    """Rows that are decoded in one call: of one scope and the same edited layers.

    The rows of a prompt stay together, because they share most of their work, and prompts of like
    length stand side by side.
    """
    groups: dict[tuple[Any, ...], list[Combination]] = {}
    for one in combinations:
        groups.setdefault((one.scope or "", layers_in(one.target)), []).append(one)
    parts: list[list[Combination]] = []
    for _, group in sorted(groups.items()):
        parts.append([])
        by_prompt = sorted(group, key=lambda one: (len(tokens[one.prompt]), one.prompt))
        for _, each in itertools.groupby(by_prompt, key=lambda one: one.prompt):
            mine = list(each)
            if parts[-1] and len(parts[-1]) + len(mine) > rows:
                parts.append([])
            for start in range(0, len(mine), rows):
                if start:
                    parts.append([])
                parts[-1] += mine[start : start + rows]
    return parts


def decode_part(
    model: Model,
    part: Sequence[Combination],
    tokens: Mapping[str, Sequence[int]],
    given: Supplies,
    decoding: Decoding,
    on_tokens: Callable[[int], object],
) -> list[Decoded]:
    """Decode the rows of one part; of baselines every layer is captured."""
    return decode(
        model,
        [tokens[one.prompt] for one in part],
        [changes(one, given) for one in part],
        Scope.parse(part[0].scope or "all"),
        decoding,
        streams=(
            [stream(one.prompt, one.seed) for one in part] if decoding.method == "sample" else None
        ),
        capture_layers=layers_in(part[0].target) or tuple(range(model.n_layers)),
        on_tokens=on_tokens,
        with_nll=True,
    )
