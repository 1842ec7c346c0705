"""Are the decoder's tokens right? Against one text at a time, and against float64.

    python benchmarks/exact.py [--prompts 10] [--neurons L29N1479 L15N100]
    python benchmarks/exact.py --configfile config/gemma3_270m.yaml --by generate

Two oracles that share no code with the decoder, on every prompt with each value and unclamped:

    one at a time   in float32: `TransformerBridge.generate`, as published (`--by bridge`), or
                    Hugging Face's own `generate` with a hook (`--by generate`)
    float64         Hugging Face's model in float64 over the finished text, clamped by a hook of our
                    own: every token must be the one of the highest logit

With `--configfile` model, prompts, neurons and values are those of the first entry that is run.
Rows that differ from the first oracle must have a `min_margin` under 1e-3 nats; they are listed.
The run fails if another one differs, or if one token is not float64's.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from sweep import VALUES, generate_alone, load_default
from tqdm import tqdm

from clampsweep.decoder.decode import decode, fast_path
from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.rows import Decoded
from clampsweep.explorer.desk import read_config
from clampsweep.models.loading import load
from clampsweep.models.model import Model
from clampsweep.names import Neuron, parse_neuron
from clampsweep.texts import promptset
from clampsweep.texts.request import Decoding

NEAR_TIE = 1e-3  # nats

Row = tuple[list[int], float | None]  # a prompt, and the value that its text is clamped to


class Case(NamedTuple):
    """What is compared."""

    model: Model
    prompts: list[list[int]]
    neurons: Sequence[str]
    values: Sequence[float]


def main() -> int:
    """Compare, print, and return 1 if something is wrong."""
    options = _options()
    case = _configured(options) if options.configfile else _default(options)
    model, n_new = case.model, options.new_tokens
    path = fast_path(model, [[]], Scope("all"), max(map(len, case.prompts)) + n_new)
    print(f"general decoder: {path}" if isinstance(path, str) else "fast decoder", flush=True)
    twin = copy.deepcopy(model.plain).double()
    wrong = 0
    for name in case.neurons:
        neuron = parse_neuron(name)
        rows = [(prompt, value) for prompt in case.prompts for value in (None, *case.values)]
        found = decode(
            model,
            [prompt for prompt, _ in rows],
            [[] if value is None else [edit(neuron, "set", value)] for _, value in rows],
            Scope("all"),
            Decoding("greedy", n_new),
        )
        wrong += _float64(model, twin, neuron, rows, found, n_new)
        if not options.float64_only:
            alone = generate_alone if options.by == "bridge" else _generate
            wrong += _one_at_a_time(alone, model, neuron, rows, found, n_new)
    return int(wrong > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The decoder's tokens against two oracles")
    parser.add_argument("--prompts", type=int, default=10)
    parser.add_argument("--new-tokens", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--neurons", nargs="+", default=["L29N1479", "L15N100"])
    parser.add_argument("--configfile", help="laid over config/config.yaml; its model was fetched")
    parser.add_argument("--by", choices=["bridge", "generate"], default="bridge")
    parser.add_argument("--float64-only", action="store_true", help="skip one at a time")
    return parser.parse_args()


def _default(options: argparse.Namespace) -> Case:
    """The default run's model and prompts, the neurons of the options."""
    model, prompts = load_default(options.threads)
    step = len(prompts) / options.prompts
    chosen = [prompts[int(at * step)] for at in range(options.prompts)]
    return Case(model, chosen, options.neurons, [float(value) for value in VALUES])


def _configured(options: argparse.Namespace) -> Case:
    """What the first entry of a config asks for."""
    config = read_config(["config/config.yaml", options.configfile])
    request = config.requests()[config.run[0]]
    folder = Path("resources/models") / request.model.name
    model = load(folder, request.model, options.threads, "cpu")
    texts = promptset.read(Path(request.promptset.path or ""), request.promptset.format)["text"]
    prompts = [model.encode(text) for text in texts[: options.prompts]]
    neurons, values = request.targets, [value for value in request.values if value is not None]
    if not isinstance(neurons, tuple) or request.operation != "set":
        raise SystemExit(f"error: {options.configfile}: an entry that sets named neurons is needed")
    return Case(model, prompts, neurons, values)


def _clamp(value: float | None, neuron: Neuron) -> Callable[[Any, Any], Any]:
    """A hook before the output projection; it leaves all as it is where there is no value."""

    def hook(module: Any, args: Any) -> tuple[torch.Tensor] | None:
        if value is None:
            return None
        changed = args[0].clone()  # [batch, pos, neuron]
        changed[..., neuron.index] = value
        return (changed,)

    return hook


def _generate(
    model: Model, prompt: list[int], neuron: Neuron, value: float | None, n: int
) -> list[int]:
    """New tokens by Hugging Face's own `generate`, EOS included."""
    handle = model.outs[neuron.layer].register_forward_pre_hook(_clamp(value, neuron))
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        text = model.plain.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=n, do_sample=False
        )
    handle.remove()
    new: list[int] = text[0, len(prompt) :].tolist()
    return new


def _one_at_a_time(
    alone: Callable[..., list[int]],
    model: Model,
    neuron: Neuron,
    rows: Sequence[Row],
    found: Sequence[Decoded],
    n_new: int,
) -> int:
    """Number of rows that differ without a near-tie."""
    differing = []
    start = time.perf_counter()
    for at, (prompt, value) in enumerate(tqdm(rows, unit="text", desc=f"{neuron} one at a time")):
        ids = alone(model, prompt, neuron, value, n_new)
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
        print(f"  value {rows[at][1]}, prompt {rows[at][0]}: min_margin {margin:.2g} nats")
    near = sum(one.min_margin is not None and one.min_margin < NEAR_TIE for one in found)
    print(f"  {near} rows have a min_margin under {NEAR_TIE:g} nats; {wrong} unexplained")
    return wrong


def _float64(
    model: Model,
    twin: Any,
    neuron: Neuron,
    rows: Sequence[Row],
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
        handle = out.register_forward_pre_hook(_clamp(value, neuron))
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
