"""Are the decoder's tokens right? Against one text at a time, and against float64.

    python benchmarks/exact.py [--prompts 10] [--neurons L29N1479 L15N100]

Two oracles that share no code with the decoder:

    one at a time   `TransformerBridge.generate` in float32, one combination at a time, as published
    float64         Hugging Face's model in float64 over the finished text, clamped by a hook of our
                    own: every token must be the one of the highest logit

Rows that differ from the first oracle must have a `min_margin` under 1e-3 nats; they are listed.
The run fails if another one differs, or if one token is not float64's.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sweep import VALUES, generate_alone, load_default
from tqdm import tqdm

from clampsweep.decoder.decode import decode
from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.rows import Decoded
from clampsweep.models.model import Model
from clampsweep.names import Neuron, parse_neuron
from clampsweep.texts.request import Decoding

NEAR_TIE = 1e-3  # nats


def main() -> int:
    """Compare, print, and return 1 if something is wrong."""
    options = _options()
    model, prompts = load_default(options.threads)
    step = len(prompts) / options.prompts
    chosen = [prompts[int(at * step)] for at in range(options.prompts)]
    twin = copy.deepcopy(model.plain).double()
    wrong = 0
    for name in options.neurons:
        neuron = parse_neuron(name)
        rows = [(prompt, float(value)) for prompt in chosen for value in VALUES]
        found = decode(
            model,
            [prompt for prompt, _ in rows],
            [[edit(neuron, "set", value)] for _, value in rows],
            Scope("all"),
            Decoding("greedy", options.new_tokens),
        )
        wrong += _float64(model, twin, neuron, rows, found, options.new_tokens)
        if not options.float64_only:
            wrong += _one_at_a_time(model, neuron, rows, found, options.new_tokens)
    return int(wrong > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The decoder's tokens against two oracles")
    parser.add_argument("--prompts", type=int, default=10)
    parser.add_argument("--new-tokens", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--neurons", nargs="+", default=["L29N1479", "L15N100"])
    parser.add_argument("--float64-only", action="store_true", help="skip one at a time")
    return parser.parse_args()


def _one_at_a_time(
    model: Model,
    neuron: Neuron,
    rows: Sequence[tuple[list[int], float]],
    found: Sequence[Decoded],
    n_new: int,
) -> int:
    """Number of rows that differ without a near-tie."""
    differing = []
    start = time.perf_counter()
    for at, (prompt, value) in enumerate(tqdm(rows, unit="text", desc=f"{neuron} one at a time")):
        ids = generate_alone(model, prompt, neuron, value, n_new)
        got = found[at].token_ids
        ended = [min(model.eos_ids)] if found[at].stop_reason == "eos" else []
        if ids != [*got, *ended]:
            differing.append(at)
    took = time.perf_counter() - start
    print(f"{neuron}: {len(rows)} rows one at a time in {took:.0f} s, {len(differing)} differ")
    wrong = 0
    for at in differing:
        margin = found[at].min_margin
        wrong += margin is None or margin >= NEAR_TIE
        print(f"  value {rows[at][1]:g}, prompt {rows[at][0]}: min_margin {margin:.2g} nats")
    near = sum(one.min_margin is not None and one.min_margin < NEAR_TIE for one in found)
    print(f"  {near} rows have a min_margin under {NEAR_TIE:g} nats; {wrong} unexplained")
    return wrong


def _float64(
    model: Model,
    twin: Any,
    neuron: Neuron,
    rows: Sequence[tuple[list[int], float]],
    found: Sequence[Decoded],
    n_new: int,
) -> int:
    """Number of tokens that are not float64's choice."""
    out = model.part(f"blocks.{neuron.layer}.mlp.out", twin)
    wrong = steps = 0
    errors = []
    for (prompt, value), one in tqdm(
        list(zip(rows, found, strict=True)), unit="text", desc=f"{neuron} float64"
    ):

        def clamp(module: Any, args: Any, value: float = value) -> tuple[torch.Tensor]:
            changed = args[0].clone()
            changed[..., neuron.index] = value
            return (changed,)

        handle = out.register_forward_pre_hook(clamp)
        with torch.inference_mode():
            ids = torch.tensor([[*prompt, *one.token_ids]])
            logits = twin(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 :]
        handle.remove()
        ended = [min(model.eos_ids)] if one.stop_reason == "eos" else []
        chosen = [*one.token_ids, *ended][:n_new]
        logits = logits[: len(chosen)]
        wrong += int((logits.argmax(-1) != torch.tensor(chosen)).sum())
        steps += len(chosen)
        two = logits.topk(2).values
        margin = float((two[:, 0] - two[:, 1]).min())
        errors.append(abs(margin - (one.min_margin or 0.0)))
    print(
        f"{neuron}: {steps} tokens of {len(rows)} texts, {wrong} are not float64's choice; "
        f"largest error of a min_margin {max(errors):.1e} nats"
    )
    return wrong


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main())
