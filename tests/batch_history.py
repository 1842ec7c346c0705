"""Batches in a results folder: what they hold, which are finished, and what earlier runs left."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from clampsweep.texts.combination import Combination
from clampsweep.texts.planner import Planner
from clampsweep.texts.request import PromptFormat
from requested import GREEDY, SAMPLED, many


def held(results: Path) -> dict[str, set[str]]:
    """Keys of each pinned batch, as its file states them."""
    return {
        path.stem: {row["key"] for row in json.loads(path.read_text("utf-8"))["combinations"]}
        for path in (results / "batches").glob("*.json")
    }


def finish(results: Path, batch: str, which: int | None = None) -> None:
    """Make a batch's outputs, or one of the two."""
    for at, path in enumerate(Planner(results, 1).outputs(batch)):
        if which in (None, at):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def finished(results: Path, batch: str) -> bool:
    """Whether both outputs of a batch are there."""
    return all(path.exists() for path in Planner(results, 1).outputs(batch))


# Two models, two decodings, baselines and several targets and scopes.
POOL = [
    *many(4),
    *many(2, scope="last", donor=None),
    *many(2, target="L0N7", prompt="Another one"),
    *many(1, model="n"),
    *many(1, decoding=GREEDY),
    *many(2, prompt_format=PromptFormat("chat")),
    *(Combination("m", text, None, "none", None, None, SAMPLED, 0) for text in ("a", "b", "c")),
]


numbers = st.lists(st.integers(0, len(POOL) - 1), min_size=1, unique=True)


# One run of the workflow: what is wanted of the pool, the batch size, and which of its batches,
# in the order of their names, get finished.
runs = st.tuples(numbers, st.integers(1, 5), st.sets(st.integers(0, 5)))


histories = st.lists(runs, min_size=1, max_size=4)


def pooled(wanted: Iterable[int]) -> list[Combination]:
    """Combinations of the pool by their number."""
    return [POOL[at] for at in wanted]


def plan_anew(results: Path, run: Any) -> list[str]:
    """Batches that a new process assigns to a run."""
    return Planner(results, run[1]).assign(pooled(run[0]))


def play(results: Path, history: Iterable[Any]) -> Path:
    """Let earlier runs of the workflow leave their batches, some of them finished."""
    for run in history:
        for at, batch in enumerate(plan_anew(results, run)):
            if at in run[2]:
                finish(results, batch)
    return results


@pytest.fixture(scope="module")
def folders() -> Iterator[Callable[[], Path]]:
    """Function that makes an empty results folder; all are removed at the end."""
    with tempfile.TemporaryDirectory() as parent, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)  # nothing loses its power here; ten times faster
        yield lambda: Path(tempfile.mkdtemp(dir=parent))


quickly = settings(max_examples=40)
