"""Training that a killed job takes up again where it was, with the same weights bit for bit.

What a step draws follows from the seed and the step's number alone, so that a state holds no data:
weights, optimizers, and what was measured so far. The same bits come only where torch itself gives
them twice: one thread, one machine, the CPU.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from clampsweep.errors import UserError, explain_os_error
from clampsweep.files import atomic
from clampsweep.provenance import json_digest, record

log = logging.getLogger(__name__)

Step = Callable[[int, torch.Generator], Mapping[str, Tensor]]
"""Takes the step's number, from 0, and a generator for its batch; returns scalars by name. Of
these `loss` is minimised, and all are kept."""

Measured = list[dict[str, float]]
"""What each step measured."""

_SUFFIX = ".state.safetensors"


def constant(number: int) -> float:
    """The schedule that changes nothing."""
    return 1.0


def train(
    model: nn.Module,
    optimizers: Sequence[Optimizer],
    step: Step,
    n_steps: int,
    seed: int,
    scratch: Path,
    *,
    schedule: Callable[[int], float] = constant,
    every: float = 60.0,
) -> Measured:
    """What each of `n_steps` steps measured; the model is trained in place.

    Args:
        model: Its parameters and buffers are saved and taken up again.
        optimizers: Made for its parameters, and not used before.
        step: Computes the loss of a step. It keeps nothing from one step to the next.
        n_steps: Number of steps.
        seed: Of the steps' generators, and of torch's own, which dropout draws from.
        scratch: Folder for the state, named by what decides the weights: recipe and code. The last
            state stays in it, for a job that is killed before the model is written.
        schedule: Factor of every learning rate, by the step's number.
        every: Seconds between two saved states.

    Raises:
        UserError: A loss is not finite, or the operating system refused a file.
    """
    # Before a state is taken over, whose rates are those of its step.
    rates = [group["lr"] for one in optimizers for group in one.param_groups]
    measured = _resume(model, optimizers, scratch)
    log.info("%d of %d steps are done", done := len(measured), n_steps)
    saved, bar = time.monotonic(), tqdm(total=n_steps, initial=done, unit="step", mininterval=1)
    with torch.random.fork_rng(devices=[]), bar:
        for number in range(done, n_steps):
            _set_rates(optimizers, rates, schedule(number))
            measured.append(_take(optimizers, step, number, seed))
            bar.update()
            if number + 1 == n_steps or time.monotonic() - saved >= every:
                _save(model, optimizers, measured, scratch)
                said = ", ".join(f"{name} {value:.4g}" for name, value in measured[-1].items())
                log.info("%d of %d steps done: %s", number + 1, n_steps, said)
                saved = time.monotonic()
    return measured


def _set_rates(optimizers: Sequence[Optimizer], rates: Sequence[float], factor: float) -> None:
    """Give every group of parameters its rate, times a factor."""
    groups = [group for one in optimizers for group in one.param_groups]
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate * factor


def _take(optimizers: Sequence[Optimizer], step: Step, number: int, seed: int) -> dict[str, float]:
    """Take one step; return what it measured."""
    torch.manual_seed(_mixed(seed, number, "model"))
    generator = torch.Generator().manual_seed(_mixed(seed, number, "batch"))
    for one in optimizers:
        one.zero_grad()
    measured = step(number, generator)
    if not bool(torch.isfinite(measured["loss"])):
        raise UserError(
            f"the loss of training step {number} is not finite; lower the learning rate in the "
            "model's recipe"
        )
    measured["loss"].backward()  # type: ignore[no-untyped-call]
    for one in optimizers:
        one.step()
    return {name: float(value.detach()) for name, value in measured.items()}


def _mixed(*parts: object) -> int:
    """A seed that follows from all parts, below 2^60."""
    return int(json_digest(list(parts))[:15], 16)


def _digest(data: bytes) -> str:
    """Digest of a state and of the libraries, 32 hex digits."""
    return json_digest([hashlib.sha256(data).hexdigest(), record()])[:32]


def _save(
    model: nn.Module, optimizers: Sequence[Optimizer], measured: Measured, scratch: Path
) -> None:
    """Keep the state in a file of its own; the earlier one goes when it is there."""
    tensors = {f"model/{name}": value.clone() for name, value in model.state_dict().items()}
    plain: list[list[Any]] = []  # what an optimizer keeps beside tensors, with its place
    for at, one in enumerate(optimizers):
        for weight, kept in one.state_dict()["state"].items():
            for name, value in kept.items():
                if isinstance(value, Tensor):
                    tensors[f"{at}/{weight}/{name}"] = value.clone()
                else:
                    plain.append([at, weight, name, value])
    note = {"note": json.dumps([measured, plain])}
    data = save({name: one.contiguous() for name, one in tensors.items()}, note)
    path = scratch / f"{len(measured):09d}-{_digest(data)}{_SUFFIX}"
    with atomic(path) as beside:
        beside.write_bytes(data)
    for other in scratch.glob(f"*{_SUFFIX}"):
        if other != path:
            other.unlink(missing_ok=True)


def _resume(model: nn.Module, optimizers: Sequence[Optimizer], scratch: Path) -> Measured:
    """Take over the newest state, if there is one; what its steps measured.

    One that is damaged, or that other libraries made, has another digest than its name says.
    """
    for path in sorted(scratch.glob(f"[!.]*{_SUFFIX}"), reverse=True):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise explain_os_error(error, path, "read") from error
        if path.name.endswith(f"-{_digest(data)}{_SUFFIX}"):
            return _load(model, optimizers, path)
        log.warning("%s: damaged, or made by other libraries; not taken over", path)
        path.unlink(missing_ok=True)
    return []


def _load(model: nn.Module, optimizers: Sequence[Optimizer], path: Path) -> Measured:
    """Give model and optimizers a whole state; what its steps measured."""
    weights: dict[str, Tensor] = {}
    states: list[dict[int, dict[str, Any]]] = [{} for _ in optimizers]
    with safe_open(path, framework="pt") as file:
        measured: Measured
        measured, plain = json.loads(file.metadata()["note"])
        for name in file.keys():  # noqa: SIM118 (it is no mapping)
            part, _, rest = name.partition("/")
            if part == "model":
                weights[rest] = file.get_tensor(name)
            else:
                weight, _, kind = rest.partition("/")
                plain.append([int(part), int(weight), kind, file.get_tensor(name)])
    for at, weight, kind, value in plain:
        states[at].setdefault(weight, {})[kind] = value
    model.load_state_dict(weights)
    for one, state in zip(optimizers, states, strict=True):
        one.load_state_dict({**one.state_dict(), "state": state})
    return measured
