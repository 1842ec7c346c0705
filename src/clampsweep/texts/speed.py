"""How long texts take: what they cost, and how fast earlier ones went on this machine.

A line for each part of a batch that was decoded stands in `logs/speed.jsonl`, for estimates only:
no result depends on it, and without it the first estimate is a guess. No torch here.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from clampsweep.texts.combination import Combination
from clampsweep.texts.request import Decoding

log = logging.getLogger(__name__)

FILE = Path("logs/speed.jsonl")

_NEWEST = 8  # parts of a kind that count
_BYTES = 200_000  # of the file's end that are read

_CHARACTERS = 4  # of a prompt for each of its tokens
_APART = 0.75  # v clamps of a neuron give about v ** 0.75 different texts: measured, 2 to 13 clamps
_DRAWING = 2.0  # what drawing a token costs, noise and all, against its logits: measured
_GUESS = 1.55  # decoding against small products in numpy, texts that end early included: measured


class Size(NamedTuple):
    """Parameters of a model: of its layers, and of its unembedding."""

    n_layers: int
    blocks: float
    unembedding: float

    @classmethod
    def of(cls, folder: Path, n_layers: int, d_mlp: int) -> Self:
        """Sizes of a fetched model; a guess by its layers and neurons where it is not there.

        Args:
            folder: `resources/models/<name>`.
            n_layers: Its layers.
            d_mlp: Its neurons per layer.
        """
        sizes = [size for path in folder.glob("*.safetensors") for size in _sizes(path)]
        if not sizes:
            d_model = (d_mlp or 3 * 1024) / 3
            return cls(n_layers, n_layers * d_model * (3 * d_mlp + 3 * d_model), 50_000 * d_model)
        unembedding = max(sizes)  # the vocabulary's: once, or twice where it is not tied
        blocks = sum(size for size in sizes if size != unembedding)
        return cls(n_layers, blocks, unembedding)


class Load(NamedTuple):
    """Texts to generate, of one model and one lowest layer that is changed.

    Attributes:
        layer: That layer; None of baselines.
        rows: Texts.
        nodes: About how many of them differ; the others share the work below the layer.
        tokens: New tokens, at most, of all rows.
        read: Tokens of the prompts, about, each prompt once.
        read_apart: The same, each prompt as often as its rows are computed apart.
        sampled: Whether tokens are drawn.
    """

    layer: int | None
    rows: int
    nodes: float
    tokens: int
    read: float
    read_apart: float
    sampled: bool

    @classmethod
    def of(cls, combinations: Sequence[Combination]) -> Self:
        """The load of some combinations with the same layer."""
        alike = Counter((one.prompt, one.target, one.seed) for one in combinations)
        prompts = {one.prompt for one in combinations}
        touched = (one.prompt for one in combinations if one.scope != "generated")
        return cls(
            combinations[0].layer,
            len(combinations),
            sum(n**_APART for n in alike.values()),
            sum(one.decoding.max_new_tokens for one in combinations),
            sum(map(len, prompts)) / _CHARACTERS,
            sum(map(len, touched)) / _CHARACTERS,
            combinations[0].decoding.method == "sample",
        )

    @classmethod
    def alike(cls, values: int, decoding: Decoding, scope: str, prompts: Sequence[str]) -> Self:
        """The load of one target that nobody knows yet, with some values on every prompt.

        Args:
            values: Their number.
            decoding: How tokens are chosen, and how many.
            scope: Positions that are changed.
            prompts: Texts of the prompts.
        """
        rows, read = values * len(prompts), sum(map(len, prompts)) / _CHARACTERS
        apart = 0 if scope == "generated" else values * read
        nodes, tokens = len(prompts) * values**_APART, rows * decoding.max_new_tokens
        return cls(None, rows, nodes, tokens, read, apart, decoding.method == "sample")

    def times(self, n: float, layer: int) -> Self:
        """So many of it, in a layer: other targets or seeds on the same prompts."""
        many = {name: round(n * getattr(self, name)) for name in ("rows", "tokens")}
        nodes, apart = n * self.nodes, n * self.read_apart
        return self._replace(layer=layer, nodes=nodes, read_apart=apart, **many)

    def flops(self, size: Size) -> float:
        """Floating-point operations that it takes, about (docs/decoder.md)."""
        layer = size.n_layers - 1 if self.layer is None else self.layer
        below, share = (layer + 1) / size.n_layers, self.nodes / (self.rows or 1)
        above = 1 - below
        per_token = size.blocks * (below * share + above)
        per_token += size.unembedding * (1 if above else share)
        per_token += _DRAWING * size.unembedding if self.sampled else 0
        # Of rows that part below the last layer, the unclamped likelihood is one more pass.
        per_token += (size.blocks + size.unembedding) * share if above else 0
        reading = size.blocks * (below * self.read + above * self.read_apart)
        return 2 * (per_token * self.tokens + reading)


def loads(combinations: Iterable[Combination]) -> list[Load]:
    """The loads of some combinations, by layer."""
    by_layer: dict[int | None, list[Combination]] = {}
    for one in combinations:
        by_layer.setdefault(one.layer, []).append(one)
    return [Load.of(group) for group in by_layer.values()]


@dataclass(frozen=True)
class Pace:
    """How long a part took.

    Attributes:
        batch: Its batch.
        model: The model's identity.
        device: `cpu` or `cuda`.
        threads: CPU threads.
        layer: Lowest layer that was changed; None of baselines.
        sampled: Whether tokens were drawn.
        flops: `Load.flops`.
        seconds: From its start to its tables on the disk.
    """

    batch: str
    model: str
    device: str
    threads: int
    layer: int | None
    sampled: bool
    flops: float
    seconds: float


def note(path: Path, pace: Pace) -> None:
    """Add a pace to a file of them; where it cannot be written, it is lost."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(pace)) + "\n")
    except OSError as error:
        log.info("how long this took is not noted: %s", error)


def read(path: Path) -> list[Pace]:
    """The paces of a file, the newest last; damaged lines are left out."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [pace for line in lines if (pace := _parse(line))]


def rate(paces: Sequence[Pace], model: str, load: Load, device: str, threads: int) -> float | None:
    """FLOPs per second of the newest parts that are most like a load; None if none is.

    Args:
        paces: What was measured.
        model: The model's identity.
        load: What will be decoded.
        device: `cpu`, `cuda`, or `auto` for any.
        threads: CPU threads of a job.
    """
    here = [pace for pace in paces if device in ("auto", pace.device)]
    same = [pace for pace in here if pace.model == model]
    kind = (load.layer, load.sampled)
    for group in ([pace for pace in same if (pace.layer, pace.sampled) == kind], same, here):
        if group:
            newest = group[-_NEWEST:]
            seconds = sum(
                pace.seconds * (pace.threads / threads if pace.device == "cpu" else 1)
                for pace in newest
            )
            return sum(pace.flops for pace in newest) / seconds
    return None


def guess(threads: int) -> float:
    """FLOPs per second that decoding may reach on this machine's CPU, in a fifth of a second.

    Args:
        threads: CPU threads of a job.
    """
    # So small that numpy uses one thread: what other programs do then matters little.
    a, b = np.ones((200, 64, 64), np.float32), np.ones((64, 64), np.float32)
    fastest = float("inf")
    for _ in range(40):
        start = time.perf_counter()
        a @ b
        fastest = min(fastest, time.perf_counter() - start)
        time.sleep(0.003)
    return _GUESS * 2 * a.size * 64 / fastest * min(threads, os.cpu_count() or 1)


def duration(seconds: float) -> str:
    """A time in words: `about 40 s`, `about 12 minutes`, `about 3.5 hours`."""
    if seconds < 90:
        return f"about {max(1, seconds):.0f} s"
    if seconds < 2 * 3600:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {seconds / 3600:.1f} hours"


def _parse(line: str) -> Pace | None:
    """A line of the file; None if it is damaged."""
    try:
        pace = Pace(**json.loads(line))
        return pace if pace.flops > 0 and pace.seconds > 0 else None
    except (ValueError, TypeError):
        return None


def _sizes(weights: Path) -> list[int]:
    """Sizes of the tensors of a safetensors file, by its header; none if it has none."""
    try:
        with weights.open("rb") as file:
            header: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return [prod(one["shape"]) for name, one in header.items() if name != "__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError):
        return []
