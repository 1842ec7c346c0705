"""Rows of a batch that are decoded in one call, how, and how long it may take."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from clampsweep.decoder.decode import decode
from clampsweep.decoder.interventions import Scope
from clampsweep.decoder.rows import Decoded
from clampsweep.generation.changes import Supplies, changes
from clampsweep.models.model import Model
from clampsweep.names import layers_in
from clampsweep.texts.combination import Combination, stream
from clampsweep.texts.request import Decoding

log = logging.getLogger(__name__)

_SAMPLE = 128  # rows that are timed for an estimate; twice as many are worth one

_STEPS = 4  # tokens of each, after its first


def estimate(
    model: Model,
    parts: Sequence[Sequence[Combination]],
    tokens: Mapping[str, Sequence[int]],
    given: Supplies,
) -> None:
    """Say how long the parts will take, by a few tokens of some of their rows."""
    rows = sum(map(len, parts))
    if rows < 2 * _SAMPLE:
        return
    sample = max(parts, key=len)[:_SAMPLE]

    def seconds(part: Sequence[Combination], n_new: int) -> float:
        decoding = replace(part[0].decoding, max_new_tokens=n_new)
        start = time.perf_counter()
        decode_part(model, part, tokens, given, decoding, lambda n: None)
        return time.perf_counter() - start

    seconds(sample[:2], 1)  # what is done once does not count
    prompt = seconds(sample, 1)
    token = max(0.0, seconds(sample, 1 + _STEPS) - prompt) / _STEPS
    most = sum(one.decoding.max_new_tokens for part in parts for one in part)
    total = (prompt * rows + token * most) / len(sample)
    said = f"about {total / 60:.0f} minutes" if total >= 90 else f"about {total:.0f} s"
    log.info("%d combinations, at most %d tokens: %s", rows, most, said)


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
