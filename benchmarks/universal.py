"""Cost of a shard of moments: time against a bare forward pass over the same sequences, and memory.

    python benchmarks/universal.py [--rounds 5] [--threads 1]

One process, one machine, in turn: each shard is computed right after a bare pass of its own, and
its ratio is to that pass; the median of the rounds' ratios must be at most 1.3. A bare pass is
Hugging Face's model over the same batches, with logits of the newest position only and no cache.
Peak memory of a block of 4,096 and of one of 16,384 tokens is measured in processes of their own;
it must be the same to 5 %: a block is streamed and not kept.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from sweep import load_default, machine

from clampsweep.models.activations import newest_logits_only
from clampsweep.models.model import Model
from clampsweep.shards.shard import Keyed, Shard
from clampsweep.studies.universal.moments import moments

LENGTH, SKIP = 256, 4  # tokens of a sequence; first positions that do not count
LIMIT = 1.3  # times a bare pass
SIZES = (4096, 16_384)  # tokens of a block
ALIKE = 0.05


class Seconds(NamedTuple):
    """Time on the clock, and of this process on CPUs: neighbours lengthen the latter less."""

    wall: float
    cpu: float


def main() -> None:
    """Run the rounds and the two sizes, and print what they give."""
    parser = argparse.ArgumentParser(description="Cost of a shard of moments")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--texts", type=int, default=8, help=f"sequences of {LENGTH} tokens")
    parser.add_argument("--peak-of", type=int, help="only a block of so many tokens: its peak")
    options = parser.parse_args()
    model, prompts = load_default(options.threads)
    n_texts = (options.peak_of or options.texts * LENGTH) // LENGTH
    endless = itertools.cycle(itertools.chain(*prompts))
    texts = [list(itertools.islice(endless, LENGTH)) for _ in range(n_texts)]
    if options.peak_of:
        make(model, [texts])
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return
    print(machine(options.threads), flush=True)
    rounds(model, texts, options.rounds)
    memory(options.threads)


def rounds(model: Model, texts: list[list[int]], n_rounds: int) -> None:
    """Time shards of two blocks after bare passes over the same batches."""
    half = len(texts) // 2
    blocks = [texts[:half], texts[half:]]
    bare(model, blocks)  # warm
    ratios: list[Seconds] = []
    for number in range(n_rounds):
        plain, own = seconds(bare, model, blocks), seconds(make, model, blocks)
        ratios.append(Seconds(own.wall / plain.wall, own.cpu / plain.cpu))
        rates = [len(texts) * LENGTH / one.wall for one in (plain, own)]
        print(
            f"round {number + 1}: bare {rates[0]:.0f} tokens/s, shard {rates[1]:.0f} tokens/s, "
            f"{ratios[-1].wall:.2f}x, CPU time {ratios[-1].cpu:.2f}x",
            flush=True,
        )
    wall, cpu = (statistics.median(part) for part in zip(*ratios, strict=True))
    print(
        f"median {wall:.2f}x, CPU time {cpu:.2f}x; at most {LIMIT}x: "
        f"{'yes' if wall <= LIMIT else 'no'}"
    )


def bare(model: Model, blocks: Sequence[Sequence[Sequence[int]]]) -> None:
    """The model alone, a block a pass."""
    keep = newest_logits_only(model)
    for sequences in blocks:
        with torch.inference_mode():
            model.plain(input_ids=torch.tensor(sequences), use_cache=False, **keep)


def make(model: Model, blocks: Sequence[Sequence[Sequence[int]]]) -> None:
    """The rows of a shard of blocks."""
    items = [
        Keyed(str(number), {"sequences": sequences, "skip": SKIP})
        for number, sequences in enumerate(blocks)
    ]
    for _ in moments(model, Shard("universal_moments", "benchmark", {}, items)):
        pass


def seconds(action: Callable[..., None], *args: object) -> Seconds:
    """How long a call takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    action(*args)
    return Seconds(time.perf_counter() - wall, time.process_time() - cpu)


def memory(threads: int) -> None:
    """Peak memory of blocks of two sizes, each in a process of its own."""
    peaks = []
    for size in SIZES:
        command = [sys.executable, __file__, "--threads", str(threads), "--peak-of", str(size)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(run.stdout.split()[-1]) / 1e3)
        print(f"block of {size:,} tokens: peak {peaks[-1]:,.0f} MB", flush=True)
    alike = peaks[1] <= peaks[0] * (1 + ALIKE)
    print(f"the same to {100 * ALIKE:.0f} %: {'yes' if alike else 'no'}")


if __name__ == "__main__":
    main()
