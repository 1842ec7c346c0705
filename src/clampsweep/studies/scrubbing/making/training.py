"""Training of the study's own model by its recipe, and the curve of how its heads come about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW, Muon, Optimizer

from clampsweep.errors import UserError
from clampsweep.models.training import train
from clampsweep.studies.scrubbing.making.attention import AttentionOnly
from clampsweep.studies.scrubbing.making.drawing import begun, draw, repeated, window

EVERY = 100  # steps from one measurement of the heads to the next

PERIODS = (30, 149)  # of the random sequences that the heads are measured on

_ROWS = 4  # sequences of each measurement

_LAST_RATE = 0.05  # share of the learning rates that is left at the end


def train_model(
    recipe: Mapping[str, Any],
    natural: Int[Tensor, " token"],
    held_out: Int[Tensor, " held_token"],
    scratch: Path,
) -> tuple[AttentionOnly, pd.DataFrame]:
    """The model of a recipe, and its training curve, the table `CURVE`.

    Args:
        recipe: How it is trained.
        natural: Token ids of the training documents.
        held_out: Token ids of those held out.
        scratch: Folder for the state, named by recipe and code.

    Raises:
        UserError: The corpus is shorter than a sequence, a loss is not finite, or the operating
            system refused a file.
    """
    _check_lengths(recipe, natural, held_out)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe["seed"])
        model = AttentionOnly(recipe["vocabulary"], recipe["shape"])
    phases = [phase for phase in recipe["phases"] for _ in range(phase["steps"])]
    n_steps, (first, last) = len(phases), recipe["repeating"]
    probes = _probes(recipe, held_out)

    def step(number: int, generator: torch.Generator) -> dict[str, Tensor]:
        length, size = phases[number]["length"], phases[number]["batch"]
        share = first + (last - first) * number / n_steps
        batch = draw(natural, recipe["vocabulary"], length, size, share, generator)
        losses = _losses(model, batch.ids)
        found = {"loss": losses[batch.counted].mean()}
        is_due = number % EVERY == 0 or number == n_steps - 1
        return {**found, **measure(model, probes)} if is_due else found

    def schedule(number: int) -> float:
        left: float = (n_steps - number) / (recipe["decay"] * n_steps)
        return max(min(1.0, left), _LAST_RATE)

    optimizers = _optimizers(model, recipe["rates"])
    seed = recipe["seed"]
    measured = train(model, optimizers, step, n_steps, seed, scratch, schedule=schedule)
    tokens = torch.tensor([phase["length"] * phase["batch"] for phase in phases]).cumsum(0)
    curve = pd.DataFrame(measured).assign(step=range(n_steps), tokens=tokens.numpy())
    return model.eval(), curve


def _check_lengths(recipe: Mapping[str, Any], natural: Tensor, held_out: Tensor) -> None:
    longest = max(phase["length"] for phase in recipe["phases"])
    if longest > recipe["shape"]["n_ctx"]:
        raise UserError(
            f"recipe.phases: a length of {longest} is above shape.n_ctx, "
            f"{recipe['shape']['n_ctx']}; make it shorter"
        )
    if (found := min(len(natural), len(held_out))) < longest:
        raise UserError(
            f"recipe.corpus: got {found} tokens to train on or held out, fewer than the longest "
            f"sequence, {longest}; add packages"
        )


def _losses(model: AttentionOnly, ids: Tensor) -> Tensor:
    """Loss of each label, nats: `[batch, pos]`."""
    logits = model(ids[:, :-1])
    return functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")


def _optimizers(model: AttentionOnly, rates: Mapping[str, float]) -> list[Optimizer]:
    """Muon for what makes and reads queries, keys and values; AdamW for all else."""
    muon: list[Tensor] = []
    biases: list[Tensor] = []
    others: list[Tensor] = []
    for name, weight in model.named_parameters():
        part = name.split(".")[-2:]
        if part[0] in "qkvo" and part[1] == "weight":
            muon.append(weight)
        elif part[0] in "qk" and part[1] == "bias":
            biases.append(weight)
        else:
            others.append(weight)
    adamw: list[dict[str, Any]] = [{"params": others}]
    adamw += [{"params": biases, "lr": rates["biases"]}]
    return [
        Muon(muon, lr=rates["muon"], weight_decay=0.0),
        AdamW(adamw, lr=rates["adamw"], betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _probes(recipe: Mapping[str, Any], held_out: Tensor) -> dict[str, Tensor]:
    """What is measured on: held-out text, and random sequences, always the same ones."""
    generator = torch.Generator().manual_seed(0)
    length = max(phase["length"] for phase in recipe["phases"])
    texts = [window(held_out, length, generator) for _ in range(_ROWS)]
    found = {"natural": begun(torch.stack(texts))}
    for period in PERIODS:
        rows = [repeated(recipe["vocabulary"], period, 2 * period, generator) for _ in range(_ROWS)]
        found[f"period_{period}"] = begun(torch.stack(rows))
    return found


@torch.no_grad()
def measure(model: AttentionOnly, probes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Loss on held-out text and on second copies, nats; attention of the best heads.

    Args:
        model: At some step.
        probes: Sequences by name: `natural`, and one for each of `PERIODS`.
    """
    found = {"natural": _losses(model, probes["natural"]).mean()}
    for period in PERIODS:
        losses = _losses(model, probes[f"period_{period}"])  # [batch, pos]
        found[f"second_copy_{period}"] = losses[:, period:].mean()
        previous, induction = head_scores(model, probes[f"period_{period}"], period)
        found[f"previous_{period}"] = previous[0].max()
        found[f"induction_{period}"] = induction[1].max()
    return found


def head_scores(
    model: AttentionOnly, ids: Int[Tensor, "batch pos"], period: int
) -> tuple[Tensor, Tensor]:
    """Mean attention to the previous token, and to the one after the last copy: `[layer, head]`.

    Args:
        model: At some step.
        ids: `BEGIN`, then random tokens twice.
        period: After so many they come again.
    """
    patterns = model.patterns(ids[:, :-1])  # [layer, batch, head, query, key]
    previous = patterns.diagonal(-1, -2, -1).mean((1, 3))
    # The query at t has seen its token at t - period, and what followed at t - period + 1.
    after = patterns.diagonal(1 - period, -2, -1)[..., 2:]  # [layer, batch, head, query]
    return previous, after.mean((1, 3))
