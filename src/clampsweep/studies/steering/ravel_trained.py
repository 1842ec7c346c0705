"""Swaps that are learnt by gradient: a subspace (DAS), and a mask over coordinates (DBM).

Both lower the cross-entropy of what a pair asks for behind the swap: of `cause` pairs the source's
answer, of `isolate` pairs the base's own, equally often (the multi-task form of both). Source:
arXiv 2402.17700, section 4.3; DAS is arXiv 2303.02536.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal

from clampsweep.decoder.final_norm import wide
from clampsweep.names import RESID_POST
from clampsweep.studies.steering.ravel_methods import Method, Swap, coordinates, within
from clampsweep.studies.steering.ravel_runs import Held

log = logging.getLogger(__name__)

DAS, DBM = "das", "dbm"
_HOT, _COLD = 1.0, 0.02  # temperature of a mask, first and last


class Aim(NamedTuple):
    """A pair as numbers.

    Attributes:
        base: Number of the base's prompt.
        source: Of the prompt that the source's vector is taken from.
        token: What shall come.
        cause: Whether that is the source's answer.
    """

    base: int
    source: int
    token: int
    cause: bool


class Training(NamedTuple):
    """How long and how fast it is learnt.

    Attributes:
        steps: Steps.
        batch: Pairs of a step.
        rate: Step size of Adam.
        seed: Of the draws.
    """

    steps: int
    batch: int
    rate: float
    seed: int


def das(held: Held, aims: Sequence[Aim], size: int, training: Training) -> Method:
    """A subspace of so many dimensions, learnt: distributed alignment search.

    Args:
        held: Prompts at the layer.
        aims: Pairs to learn from.
        size: Dimensions.
        training: Steps, pairs of each, step size, seed.
    """
    width = held.vectors[RESID_POST].shape[1]
    like = held.vectors[RESID_POST]
    rotation = nn.Linear(width, size, bias=False, device=like.device, dtype=like.dtype)
    drawn = np.random.default_rng(training.seed).standard_normal((width, size))
    with torch.random.fork_rng(devices=[]):  # the axes that it lacks are drawn by torch
        torch.manual_seed(training.seed)
        orthogonal(rotation)
        rotation.weight = torch.from_numpy(np.linalg.qr(drawn)[0].T.copy()).to(like)
    parameters = list(rotation.parameters())
    _learn(held, aims, lambda done: within(rotation.weight.T), parameters, training)
    return Method(DAS, size, within(rotation.weight.detach().T.clone()))


def dbm(held: Held, aims: Sequence[Aim], training: Training, sparsity: float = 0.01) -> Method:
    """A mask over the coordinates of the residual stream, learnt: differential binary masking.

    It cools from smooth to sharp while it is learnt; what is above one half is swapped whole.

    Args:
        held: Prompts at the layer.
        aims: Pairs to learn from.
        training: Steps, pairs of each, step size, seed.
        sparsity: Nats that all coordinates together cost.
    """
    like = held.vectors[RESID_POST]
    mask = nn.Parameter(torch.zeros(like.shape[1], device=like.device, dtype=like.dtype))

    def smooth(done: float) -> Tensor:
        return torch.sigmoid(mask / (_HOT * (_COLD / _HOT) ** done))

    def swap_at(done: float) -> Swap:
        share = smooth(done)
        return lambda base, source: base + share * (source - base)

    def cost(done: float) -> Tensor:
        return sparsity * smooth(done).mean()

    _learn(held, aims, swap_at, [mask], training, cost)
    chosen = np.flatnonzero(mask.detach().cpu().numpy() > 0)
    return Method(DBM, len(chosen), coordinates(chosen))


def _learn(
    held: Held,
    aims: Sequence[Aim],
    swap_at: Callable[[float], Swap],
    parameters: list[nn.Parameter],
    training: Training,
    cost: Callable[[float], Tensor] | None = None,
) -> None:
    """Take the steps; `swap_at` is given how much of them is done, 0 to 1."""
    optimizer = torch.optim.Adam(parameters, lr=training.rate)
    vectors = held.vectors[RESID_POST]
    losses = []
    for step, some in enumerate(_batches(held, aims, training)):
        done = step / max(1, training.steps - 1)
        swap = swap_at(done)
        bases, sources = [one.base for one in some], [one.source for one in some]
        wanted = torch.tensor([one.token for one in some], device=vectors.device)
        before = held.flops
        with torch.enable_grad():
            logits = held.swapped(bases, swap(vectors[bases], vectors[sources]))
            loss = nn.functional.cross_entropy(wide(logits), wanted)
            whole = loss if cost is None else loss + cost(done)
            # Only of these: the model's weights gather no gradients.
            gradients = torch.autograd.grad(whole, parameters)
        held.flops += held.flops - before  # the way back costs as much, without weights' gradients
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        losses.append(float(loss.detach()))
    if losses:
        ends = max(2, len(losses) // 10)  # of both aims
        first, last = np.mean(losses[:ends]), np.mean(losses[-ends:])
        log.info("%d steps: loss %.2f to %.2f nats", len(losses), first, last)


def _batches(held: Held, aims: Sequence[Aim], training: Training) -> Iterator[list[Aim]]:
    """Pairs of each step: of one aim and one shape, in turn and by lot, each pair equally often."""
    groups: dict[bool, dict[int, list[Aim]]] = {}
    for one in aims:
        groups.setdefault(one.cause, {}).setdefault(held.shape(one.base), []).append(one)
    rng = np.random.default_rng([training.seed, 1])
    kinds = sorted(groups, reverse=True)  # cause first
    for step in range(training.steps):
        shapes = list(groups[kinds[step % len(kinds)]].values())
        sizes = np.array([len(shape) for shape in shapes], dtype=float)
        shape = shapes[rng.choice(len(shapes), p=sizes / sizes.sum())]
        chosen = rng.choice(len(shape), min(training.batch, len(shape)), replace=False)
        yield [shape[at] for at in chosen.tolist()]
