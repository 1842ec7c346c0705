"""Cost of a shard of activations: time against a bare forward pass over the same traces.

    python benchmarks/backtracking_capture.py [--rounds 5] [--threads 1]

One process, one machine, in turn: each shard is captured and written right after a bare pass of its
own, and its ratio is to that pass; the median of the rounds' ratios must be at most 1.5. A bare
pass is Hugging Face's model over the same traces, one at a time where they are of different
lengths, with logits of the newest position only and no cache. Of each trace three places are
captured at all position kinds, 32 positions each, in all layers.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sweep import load_default, machine

from clampsweep import tables
from clampsweep.models.activations import newest_logits_only
from clampsweep.models.model import Model
from clampsweep.shards.shard import Keyed, Shard, of_shard
from clampsweep.studies.backtracking.activations import write
from clampsweep.studies.backtracking.position_kinds import positions
from clampsweep.studies.backtracking.tables import ACTIVATIONS

LENGTHS = range(90, 138, 3)  # tokens of the traces, no two alike
ONSETS = (0.4, 0.6, 0.8)  # of a trace: where its places are
WINDOW = 12  # tokens on either side of an onset
LIMIT = 1.5  # times a bare pass


def main() -> None:
    """Run the rounds and print what they give."""
    parser = argparse.ArgumentParser(description="Cost of a shard of activations")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    model, prompts = load_default(options.threads)
    endless = itertools.cycle(itertools.chain(*prompts))
    traces = [list(itertools.islice(endless, length)) for length in LENGTHS]
    print(machine(options.threads), flush=True)
    bare(model, traces)  # warm
    ratios = []
    for number in range(options.rounds):
        plain, own = seconds(bare, model, traces), seconds(capture, model, traces)
        ratios.append(own / plain)
        rates = [sum(LENGTHS) / one for one in (plain, own)]
        print(
            f"round {number + 1}: bare {rates[0]:.0f} tokens/s, shard {rates[1]:.0f} tokens/s, "
            f"{ratios[-1]:.2f}x",
            flush=True,
        )
    ratio = statistics.median(ratios)
    print(f"median {ratio:.2f}x; at most {LIMIT}x: {'yes' if ratio <= LIMIT else 'no'}")


def bare(model: Model, traces: list[list[int]]) -> None:
    """The model alone."""
    keep = newest_logits_only(model)
    for ids in traces:
        with torch.inference_mode():
            model.plain(input_ids=torch.tensor([ids]), use_cache=False, **keep)


def capture(model: Model, traces: list[list[int]]) -> None:
    """A shard, written to a file."""
    items = [
        Keyed(str(number), {"ids": ids, "places": [place(int(at * len(ids))) for at in ONSETS]})
        for number, ids in enumerate(traces)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shard.parquet"
        with tables.appending(path, of_shard(ACTIVATIONS), {}) as append:
            write(model, Shard("backtracking_activations", "benchmark", {}, items), append)


def place(onset: int) -> dict[str, Any]:
    """Positions of a place."""
    sample = {"sentence": onset, "onset": onset}
    window = {"window_start": onset - WINDOW, "window_end": onset + WINDOW}
    return {"place": onset, **positions(sample | window)}


def seconds(action: Callable[..., None], *args: object) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    action(*args)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
