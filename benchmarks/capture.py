"""Cost of capturing activations: time against a bare forward pass over the same texts.

    python benchmarks/capture.py [--rounds 5] [--threads 1]

One process, one machine, in turn: each capture runs right after a bare pass of its own, and its
ratio is to that pass. The median of the rounds' ratios is printed. A bare pass is Hugging Face's
model over the same batches, with logits of the newest position only and no cache: what capture
runs, without hooks.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from sweep import load_default, machine

from clampsweep.models.activations import newest_logits_only
from clampsweep.models.capture import capture
from clampsweep.models.capture_table import write_capture
from clampsweep.models.model import Model
from clampsweep.models.moments_table import block_moments
from clampsweep.names import MLP_POST, RESID_POST, hook_points

LENGTH = 256  # tokens of a text
N_CHOSEN = 16  # positions of a text, where not all
LIMITS = {"one layer": 1.15, "all layers": 1.3}


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description="Cost of capturing activations")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--texts", type=int, default=8, help=f"texts of {LENGTH} tokens")
    parser.add_argument("--rows", type=int, default=8, help="texts in one pass")
    options = parser.parse_args()
    model, prompts = load_default(options.threads)
    print(machine(options.threads), flush=True)
    endless = itertools.cycle(itertools.chain(*prompts))
    texts = [list(itertools.islice(endless, LENGTH)) for _ in range(options.texts)]
    with tempfile.TemporaryDirectory() as folder:
        Bench(model, texts, options.rows, Path(folder)).rounds(options.rounds)


class Seconds(NamedTuple):
    """Time on the clock, and of this process on CPUs: neighbours lengthen the latter less."""

    wall: float
    cpu: float


class Bench:
    """Ways to capture, over one loaded model and the same texts."""

    def __init__(self, model: Model, texts: list[list[int]], rows: int, folder: Path):
        self.model, self.texts, self.rows, self.folder = model, texts, rows, folder
        step = LENGTH // N_CHOSEN
        self.chosen = [list(range(step - 1, LENGTH, step))] * len(texts)
        self.all_layers = list(range(model.n_layers))

    def rounds(self, n_rounds: int) -> None:
        """Time each capture after a bare pass, and print the ratios."""
        middle, every = [self.model.n_layers // 2], self.all_layers
        half, single = torch.float16, torch.float32
        ways: dict[str, Callable[[], int]] = {
            "one layer, all positions, float32, handed on": lambda: self.hand_on(middle, single),
            "one layer, all positions, float16, table": lambda: self.write(middle, half),
            "all layers, all positions, float32, handed on": lambda: self.hand_on(every, single),
            "all layers, all positions, float16, handed on": lambda: self.hand_on(every, half),
            "all layers, all positions, float16, table": lambda: self.write(every, half),
            "all layers, all positions, float32, table": lambda: self.write(every, single),
            f"all layers, {N_CHOSEN} positions, float16, table": lambda: self.write(
                every, half, self.chosen
            ),
            "all layers, all positions, moments of hook_post": self.moments,
        }
        self.bare()  # warm
        ratios: dict[str, list[Seconds]] = {name: [] for name in ways}
        sizes: dict[str, int] = {}
        for number in range(n_rounds):
            for name, way in ways.items():
                bare, _ = timed(self.bare)
                taken, sizes[name] = timed(way)
                ratios[name].append(Seconds(taken.wall / bare.wall, taken.cpu / bare.cpu))
            rate = len(self.texts) * LENGTH / bare.wall
            print(f"round {number + 1}: bare {rate:.0f} tokens/s", flush=True)
        self._print(ratios, sizes)

    def _print(self, ratios: dict[str, list[Seconds]], sizes: dict[str, int]) -> None:
        weights = sum(one.numel() for one in self.model.plain.parameters())
        print(
            f"\n{MLP_POST} and {RESID_POST} of {len(self.texts)} texts of {LENGTH} tokens, "
            f"{self.rows} in a pass; a token's pass is about {2 * weights / 1e9:.2f} GFLOP\n"
            "| captured | KB a token | time of a bare pass (median; all) | CPU time |\n"
            "|---|---|---|---|"
        )
        for name, each in ratios.items():
            size = sizes[name] / len(self.texts) / LENGTH / 1e3
            every = ", ".join(f"{one.wall:.2f}" for one in each)
            wall, cpu = (statistics.median(part) for part in zip(*each, strict=True))
            print(f"| {name} | {size:.1f} | {wall:.2f}x ({every}) | {cpu:.2f}x |")
        for layers, limit in LIMITS.items():
            over = [
                name
                for name, each in ratios.items()
                if name.startswith(layers) and statistics.median(one.wall for one in each) > limit
            ]
            print(f"{layers}: at most {limit}x: {'no: ' + '; '.join(over) if over else 'yes'}")

    # What is timed: each returns the bytes that it captured

    def bare(self) -> int:
        """Nothing captured."""
        keep = newest_logits_only(self.model)
        for start in range(0, len(self.texts), self.rows):
            tokens = torch.tensor(self.texts[start : start + self.rows])
            with torch.inference_mode():
                self.model.plain(input_ids=tokens, use_cache=False, **keep)
        return 0

    def hand_on(self, layers: Sequence[int], dtype: torch.dtype) -> int:
        """Handed to a function that counts them."""
        sizes: list[int] = []
        points = [*hook_points(MLP_POST, layers), *hook_points(RESID_POST, layers)]
        for _ in capture(
            self.model,
            self.texts,
            None,
            points,
            lambda rows, point, vectors: sizes.append(vectors.nbytes),
            dtype,
            self.rows,
        ):
            pass
        return sum(sizes)

    def write(
        self,
        layers: Sequence[int],
        dtype: torch.dtype,
        chosen: list[list[int]] | None = None,
    ) -> int:
        """Written to two tables, synced to the disk."""
        names = [str(number) for number in range(len(self.texts))]
        outputs = {name: self.folder / f"{name}.parquet" for name in (MLP_POST, RESID_POST)}
        write_capture(
            self.model,
            dict(zip(names, self.texts, strict=True)),
            dict(zip(names, chosen, strict=True)) if chosen else None,
            layers,
            outputs,
            {},
            dtype,
            self.rows,
        )
        return sum(path.stat().st_size for path in outputs.values())

    def moments(self) -> int:
        """Added up in float64."""
        points = hook_points(MLP_POST, self.all_layers)
        table = block_moments(self.model, self.texts, None, points, "0", self.rows)
        return 6 * 8 * len(table)


def timed(action: Callable[[], int]) -> tuple[Seconds, int]:
    """How long something takes, and what it returns."""
    wall, cpu = time.perf_counter(), time.process_time()
    got = action()
    return Seconds(time.perf_counter() - wall, time.process_time() - cpu), got


if __name__ == "__main__":
    main()
