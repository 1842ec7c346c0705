"""Speed of clamp sweeps: tokens per second of this decoder and of what else a user could pick.

    python benchmarks/sweep.py [--rounds 3] [--prompts 32]

One process, one machine, interleaved: in every round each contender runs once, so that a machine
that slows down slows all of them. Ratios are of the same round; their median is printed. Every
contender decodes greedily, with the same model, clamp values and prompts.

Contenders:
    published   one `TransformerBridge.generate` per combination, then `run_with_cache` over the
                text for the vectors; a few combinations are timed, the rest extrapolated
    bridge      `TransformerBridge.generate` over many rows, a hook that gives each its own value
    hf          Hugging Face `generate` over many rows, left-padded, the same hook
    ours        `clampsweep.decoder.decode.decode`
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers

from clampsweep.decoder.decode import decode
from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.nodes import Nodes
from clampsweep.models.loading import load
from clampsweep.models.model import Model
from clampsweep.models.spec import ModelSpec
from clampsweep.names import Neuron, hook_post, parse_neuron
from clampsweep.strict_yaml import read_yaml
from clampsweep.texts import promptset
from clampsweep.texts.request import Decoding

VALUES = (-100, -50, -25, -10, -5, -3, -1, 0, 3, 5, 10, 25, 50, 100)
N_NEW = 50
Combination = tuple[list[int], float]
Contender = Callable[[Sequence[Combination], Neuron], int]


def main() -> None:
    """Run the rounds and print the table."""
    options = _options()
    model, prompts = load_default(options.threads)
    print(machine(options.threads), flush=True)
    bench = Bench(model, prompts, options.rows)
    bench.choose_rows()
    for neuron in options.neurons:
        bench.rounds(parse_neuron(neuron), options.rounds, options.prompts)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\npeak memory of this process, all contenders in it: {peak:.1f} GB")


def load_default(threads: int) -> tuple[Model, list[list[int]]]:
    """The default run's model, and its prompts' token ids, shortest first."""
    config = read_yaml(Path("config/config.yaml"))
    sweep = config["sweeps"]["bcr"]
    spec = ModelSpec(where="benchmark", name=sweep["model"], **config["models"][sweep["model"]])
    model = load(f"resources/models/{spec.name}", spec, threads, "cpu")
    texts = promptset.read(config["promptsets"][sweep["promptset"]]["path"], "grid")["text"]
    return model, sorted((model.encode(text) for text in texts), key=len)


def generate_alone(
    model: Model,
    prompt: list[int],
    neuron: Neuron,
    value: float | None,
    n: int,
    *,
    vectors: bool = False,
) -> list[int]:
    """New tokens of one combination, EOS included; with a further pass for its vectors if asked.

    With the value None nothing is clamped.
    """
    bridge, name = model.bridge, hook_post(neuron.layer)

    def clamp(activation: torch.Tensor, hook: object) -> torch.Tensor:
        if value is not None:
            activation[:, :, neuron.index] = value
        return activation

    with torch.inference_mode(), bridge.hooks(fwd_hooks=[(name, clamp)]):
        ids = bridge.generate(
            torch.tensor([prompt]),
            max_new_tokens=n,
            do_sample=False,
            prepend_bos=False,
            return_type="tokens",
            verbose=False,
        )
        if vectors:
            bridge.run_with_cache(ids, names_filter=name)
    new: list[int] = ids[0, len(prompt) :].tolist()
    return new


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed of clamp sweeps against alternatives")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=32, help="prompts of a round of ours")
    parser.add_argument("--rows", type=int, default=384, help="rows decoded side by side by ours")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--neurons", nargs="+", default=["L29N1479", "L15N100"])
    return parser.parse_args()


def machine(threads: int) -> str:
    """The machine in general terms, and its measured peak."""
    return (
        f"{platform.machine()}, {threads} threads, torch {torch.__version__}, "
        f"transformers {transformers.__version__}, peak {_peak():.0f} GFLOP/s (float32 product)"
    )


def _peak() -> float:
    """Best rate of a float32 matrix product, in GFLOP/s."""
    one = torch.randn(2048, 2048)
    rates = []
    for _ in range(10):
        start = time.perf_counter()
        one @ one
        rates.append(2 * 2048**3 / (time.perf_counter() - start) / 1e9)
    return max(rates)


class Bench:
    """The contenders, over one loaded model."""

    def __init__(self, model: Model, prompts: list[list[int]], rows: int):
        self.model, self.prompts, self.rows = model, prompts, rows
        self.plain, self.out = model.plain, model.outs
        self.hf_rows = self.bridge_rows = 112

    def spread(self, n: int) -> list[Combination]:
        """All values of `n` prompts, spread evenly over the lengths."""
        step = len(self.prompts) / n
        chosen = [self.prompts[int(at * step)] for at in range(n)]
        return [(prompt, value) for prompt in chosen for value in VALUES]

    def choose_rows(self) -> None:
        """Give each batched contender its best batch size."""
        neuron = Neuron(self.model.n_layers - 1, 0)
        for name in ("hf", "bridge"):
            rates = {}
            for n in (4, 8, 16):
                setattr(self, f"{name}_rows", n * len(VALUES))
                rates[n * len(VALUES)] = self._rate(getattr(self, name), self.spread(n), neuron, 12)
            best = max(rates, key=lambda rows: rates[rows])
            setattr(self, f"{name}_rows", best)
            said = ", ".join(f"{rows}: {rate:.0f}" for rows, rate in rates.items())
            print(f"{name}: tokens/s by rows (12 new tokens): {said}; taking {best}", flush=True)

    def rounds(self, neuron: Neuron, n_rounds: int, n_prompts: int) -> None:
        """Time every contender in turn and print rates and ratios."""
        work = {
            "published": (self.published, self.spread(1)[::5]),
            "bridge": (self.bridge, self.spread(max(1, self.bridge_rows // len(VALUES)))),
            "hf": (self.hf, self.spread(max(1, self.hf_rows // len(VALUES)))),
            "ours": (self.ours, self.spread(n_prompts)),
        }
        rates: dict[str, list[float]] = {name: [] for name in work}
        for number in range(n_rounds):
            for name, (contender, combinations) in work.items():
                rates[name].append(self._rate(contender, combinations, neuron))
            said = ", ".join(f"{name} {each[-1]:.0f}" for name, each in rates.items())
            print(f"{neuron} round {number + 1}: {said}", flush=True)
        print(f"\n{neuron}, {len(VALUES)} values, {N_NEW} new tokens at most")
        print("| contender | tokens/s (median) | ours is faster by (median of rounds; all) |")
        print("|---|---|---|")
        for name, each in rates.items():
            ratios = [ours / one for ours, one in zip(rates["ours"], each, strict=True)]
            every = ", ".join(f"{one:.2f}" for one in ratios)
            print(
                f"| {name} | {statistics.median(each):.0f} | {statistics.median(ratios):.2f}x "
                f"({every}) |"
            )
        self._shares(neuron, statistics.median(rates["ours"]))

    def _rate(
        self, contender: Contender, combinations: Sequence[Combination], neuron: Neuron, n: int = 0
    ) -> float:
        self.n_new = n or N_NEW
        start = time.perf_counter()
        tokens = contender(combinations, neuron)
        return tokens / (time.perf_counter() - start)

    def _shares(self, neuron: Neuron, rate: float) -> None:
        """What sharing saved in the last round, and the arithmetic rate that this comes to."""
        cfg, counted = self.model.adapter.cfg, self.counted
        weights = sum(one.numel() for one in self.plain.parameters())
        unembed = cfg.d_vocab * cfg.d_model
        tied = self.plain.get_input_embeddings().weight is self.plain.get_output_embeddings().weight
        blocks = (weights - unembed * (1 if tied else 2)) / self.model.n_layers
        below = neuron.layer + 1
        above = self.model.n_layers - below
        per_token = (
            counted["node"] * below * blocks
            + counted["row"] * above * blocks
            + counted["row" if above else "node"] * unembed
            + counted["prompt"] * below * blocks
            + counted["row_prompt"] * above * blocks
        ) / counted["row"]
        print(
            f"rows per node (what sharing saves below the clamp): "
            f"{counted['row'] / counted['node']:.2f}; {2 * per_token / 1e9:.3f} GFLOP a token, "
            f"{2 * per_token * rate / 1e9:.0f} GFLOP/s\n"
        )

    # Contenders: each returns the number of tokens it chose, the end-of-sequence token included

    def published(self, combinations: Sequence[Combination], neuron: Neuron) -> int:
        """One combination at a time, as the published scripts do."""
        return sum(
            len(generate_alone(self.model, prompt, neuron, value, self.n_new, vectors=True))
            for prompt, value in combinations
        )

    def bridge(self, combinations: Sequence[Combination], neuron: Neuron) -> int:
        """Rows of one prompt length side by side, as the bridge wants them."""
        total = 0
        for part in _chunks(combinations, self.bridge_rows):
            values = torch.tensor([value for _, value in part], dtype=torch.float32)

            def clamp(activation: torch.Tensor, hook: object, v: torch.Tensor = values) -> Any:
                activation[:, :, neuron.index] = v[:, None]
                return activation

            width = max(len(prompt) for prompt, _ in part)
            tokens, mask = _left_padded(part, width, self._pad())
            bridge = self.model.bridge
            with (
                torch.inference_mode(),
                bridge.hooks(fwd_hooks=[(hook_post(neuron.layer), clamp)]),
            ):
                ids = bridge.generate(
                    tokens,
                    attention_mask=mask,
                    max_new_tokens=self.n_new,
                    do_sample=False,
                    prepend_bos=False,
                    return_type="tokens",
                    verbose=False,
                )
            total += self._count(ids[:, width:])
        return total

    def hf(self, combinations: Sequence[Combination], neuron: Neuron) -> int:
        """Hugging Face's own generate, left-padded."""
        total = 0
        for part in _chunks(combinations, self.hf_rows):
            values = torch.tensor([value for _, value in part], dtype=torch.float32)

            def clamp(module: Any, args: Any, v: torch.Tensor = values) -> None:
                args[0][:, :, neuron.index] = v[:, None]

            width = max(len(prompt) for prompt, _ in part)
            tokens, mask = _left_padded(part, width, self._pad())
            handle = self.out[neuron.layer].register_forward_pre_hook(clamp)
            with torch.inference_mode():
                ids = self.plain.generate(
                    tokens,
                    attention_mask=mask,
                    max_new_tokens=self.n_new,
                    do_sample=False,
                    pad_token_id=self._pad(),
                )
            handle.remove()
            total += self._count(ids[:, width:])
        return total

    def ours(self, combinations: Sequence[Combination], neuron: Neuron) -> int:
        """This project's decoder, vectors included."""
        total = 0
        self.counted = {"node": 0, "row": 0, "prompt": 0, "row_prompt": 0}
        with _counted(self.counted):
            for part in _chunks(combinations, self.rows):
                decoded = decode(
                    self.model,
                    [prompt for prompt, _ in part],
                    [[edit(neuron, "set", value)] for _, value in part],
                    Scope("all"),
                    Decoding("greedy", self.n_new),
                    capture_layers=[neuron.layer],
                )
                total += sum(len(one.token_ids) + (one.stop_reason == "eos") for one in decoded)
                self.counted["row_prompt"] += sum(len(prompt) for prompt, _ in part)
                self.counted["prompt"] += sum(map(len, {tuple(prompt) for prompt, _ in part}))
        return total

    def _pad(self) -> int:
        return min(self.model.eos_ids)

    def _count(self, ids: torch.Tensor) -> int:
        ended = torch.isin(ids, torch.tensor(sorted(self.model.eos_ids)))
        return int((ended.cumsum(1) - ended.long() == 0).sum())


def _chunks(combinations: Sequence[Combination], rows: int) -> list[Sequence[Combination]]:
    return [combinations[start : start + rows] for start in range(0, len(combinations), rows)]


def _left_padded(
    part: Sequence[Combination], width: int, pad: int
) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = [[pad] * (width - len(prompt)) + prompt for prompt, _ in part]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt, _ in part]
    return torch.tensor(tokens), torch.tensor(mask)


@contextmanager
def _counted(counts: dict[str, int]) -> Iterator[None]:
    """Count the nodes and rows of every step."""
    step = Nodes.step

    def counting(nodes: Nodes) -> Any:
        counts["node"] += len(nodes.node_token)
        counts["row"] += len(nodes.rows)
        return step(nodes)

    Nodes.step = counting  # type: ignore[method-assign]
    try:
        yield
    finally:
        Nodes.step = step  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
