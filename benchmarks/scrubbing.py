"""Speed of the scrubbing engine against the same experiments through the bridge's hooks.

    python benchmarks/scrubbing.py [--rounds 3] [--threads 1] [--examples 8]

One process, one machine, in turn; both give the same losses, which is checked first. The model has
the shape of the study's own (2 layers, 8 heads of 32, 2,048 tokens) and random weights: time does
not depend on them. Examples have 301 tokens. Both sides get all experiments of an example at once;
the hook route runs examples in batches, and each draw and each reference once for each experiment,
as one writes it by hand; with `kept`, what it has caught is kept from one experiment to the next.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sweep import machine

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/scrubbing")]

import bridge_route  # noqa: E402

from clampsweep.studies.scrubbing.cells import Experiment  # noqa: E402
from clampsweep.studies.scrubbing.reading import read  # noqa: E402
from clampsweep.studies.scrubbing.roles import Roles  # noqa: E402
from clampsweep.studies.scrubbing.samplers import Pool  # noqa: E402
from clampsweep.studies.scrubbing.scrub import draws_of, scrub  # noqa: E402
from clampsweep.studies.scrubbing.variants import experiments  # noqa: E402
from clampsweep.studies.scrubbing.weights import from_model  # noqa: E402
from tiny import tiny_tokenizer  # noqa: E402

NAMES = (
    "unscrubbed", "baseline", "ev", "eq", "pth-k", "all", "ev+", "eq+", "pth-k+", "all+",
)  # fmt: skip
ROLES = Roles(8, {"prev": (0, 4), "self": (1, 2, 3), "induction": (3, 1, 6, 0, 2)}, {})
D_VOCAB, LENGTH = 2048, 301
EQUAL = 5e-5  # nats
N_POOL = 64


def main() -> None:
    """Check that both say the same, run the rounds, and print the ratios."""
    parser = argparse.ArgumentParser(description="Scrubbing engine against hooks")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--examples", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(machine(options.threads), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        Bench(Path(folder), options.examples).rounds(options.rounds)


class Bench:
    """Both ways over one model and the same examples."""

    def __init__(self, folder: Path, n_examples: int):
        plain = random_model()
        plain.save_pretrained(folder)
        tiny_tokenizer().save_pretrained(folder)
        self.weights, self.bridge = from_model(plain), bridge_route.boot_split(folder)
        listed = read(ROOT / "workflow/data/scrubbing/hypotheses.yaml").hypotheses
        by_name = {one.name: one for one in experiments(listed, ROLES)}
        self.experiments = [by_name[name] for name in NAMES]
        self.tokens = np.random.default_rng(0).integers(1, D_VOCAB, (N_POOL, LENGTH))
        self.n_examples = n_examples

    def rounds(self, n_rounds: int) -> None:
        """Time each way in turn, and print the medians of the ratios."""
        ways: dict[str, Callable[[], np.ndarray]] = {
            "hooks": self.hooks,
            "hooks, kept": lambda: self.hooks(kept=True),
        }
        off = max(float(abs(self.engine() - way()).max()) for way in ways.values())
        print(f"largest difference of a loss: {off:.1e} nats")
        if not off < EQUAL:
            raise SystemExit("the two routes differ")
        runs = self.n_examples * len(self.experiments)
        ratios: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(n_rounds):
            own = seconds(self.engine)
            text = f"round {number + 1}: engine {1e3 * own / runs:.1f} ms CPU"
            for name, way in ways.items():
                taken = seconds(way)
                ratios[name].append(taken / own)
                text += f", {name} {1e3 * taken / runs:.1f}"
            print(f"{text} for an example and experiment", flush=True)
        for name, each in ratios.items():
            print(f"engine against {name}: {statistics.median(each):.1f} times as fast")

    def engine(self) -> np.ndarray:
        """Losses by the engine, [example, experiment, pos]."""
        found = scrub(self.weights, self.tokens, self.experiments, range(self.n_examples), seed=0)
        return np.stack([one.nll for one in found])

    def hooks(self, kept: bool = False) -> np.ndarray:
        """Losses through the bridge's hooks, in one batch."""
        pool, tokens = Pool(self.tokens, 0), torch.from_numpy(self.tokens)
        found, caught = [], {} if kept else None
        with torch.inference_mode():
            for experiment in self.experiments:
                drawn = others(experiment, pool, self.n_examples)
                draws = {draw: tokens[at] for draw, at in drawn.items()}
                some = tokens[: self.n_examples]
                found.append(bridge_route.nll(self.bridge, some, experiment, draws, caught))
        return torch.stack(found, 1).numpy()


def others(experiment: Experiment, pool: Pool, n: int) -> dict[int, list[int]]:
    """Number of each draw -> the examples that it is from, for the first n examples."""
    each = [draws_of(experiment, pool, index) for index in range(n)]
    return {draw: [one[draw] for one in each] for draw in experiment.draws}


def random_model() -> Any:
    """A GPT-NeoX of the study's shape, without MLPs that write, with random weights."""
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    torch.manual_seed(0)
    config = GPTNeoXConfig(
        vocab_size=D_VOCAB,
        hidden_size=256,
        intermediate_size=1,
        num_hidden_layers=2,
        num_attention_heads=8,
        max_position_embeddings=LENGTH,
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0, "partial_rotary_factor": 1},
        use_parallel_residual=False,
        tie_word_embeddings=False,
        initializer_range=0.1,
    )
    model = GPTNeoXForCausalLM(config).eval()
    with torch.no_grad():
        for layer in model.gpt_neox.layers:
            for weight in layer.mlp.parameters():
                weight.zero_()
    return model


def seconds(way: Callable[[], np.ndarray]) -> float:
    """CPU time of this process that something takes."""
    start = time.process_time()
    way()
    return time.process_time() - start


if __name__ == "__main__":
    main()
