"""What the model loses without its universal neurons, against as many neurons of like weights.

A set of neurons is held at its mean, or at 0, at every position; loss and KL divergence from the
model as it is, over the next tokens of each sequence (arXiv 2508.00903).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.hooks import hooked
from clampsweep.models.model import Model
from clampsweep.studies.universal.agreed_tables import ABLATION, SETS, UNIVERSAL
from clampsweep.studies.universal.contrasts import Population, match
from clampsweep.studies.universal.excess import PLACE
from clampsweep.studies.universal.no_rows import no_rows

_POOL = 20  # nearest neurons that a set draws from

Ablated = Mapping[int, tuple[Int[Tensor, " some"], Float[Tensor, " some"]]]


class Changed(NamedTuple):
    """Of a sequence, means over its predicted tokens, nats."""

    loss: float
    kl: float


def sets_of(population: Population, seed: int) -> list[Int[np.ndarray, " _"]]:
    """`SETS` random sets of neurons of like weights, as large as the universal set if it can be.

    Each universal neuron draws one of the nearest `_POOL` of its layer that the set does not have.

    Args:
        population: Neurons, the universal ones chosen.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    sets = match(population, _pool(population))
    found = []
    for _ in range(SETS):
        taken: list[int] = []
        for near in rng.permutation(sets.like):
            free = [int(one) for one in rng.permutation(near) if int(one) not in taken]
            taken += free[:1]
        found.append(np.array(sorted(taken), dtype=np.int64))
    return found


def _pool(population: Population) -> int:
    """How many near neurons there are for each universal one: `_POOL`, or those of its layer."""
    layers = population.layer[population.chosen]
    rest = population.layer[~population.chosen]
    return min([_POOL, *(int((rest == layer).sum()) for layer in np.unique(layers))])


def ablations(
    model: Model,
    tokens: pd.DataFrame,
    skip: int,
    neurons: pd.DataFrame,
    post: pd.DataFrame,
    number: int,
    seed: int,
) -> pd.DataFrame:
    """The table `ABLATION`.

    Args:
        model: Loaded model.
        tokens: The entry's `TOKENS`.
        skip: First positions of a sequence whose predictions do not count.
        neurons: `layer`, `neuron`, `universal` and `w_out_norm`.
        post: Mean of each neuron's post-activation (`layer`, `neuron`, `mean`).
        number: Sequences, spread evenly over the table.
        seed: Of the sets.
    """
    table = neurons.merge(post[[*PLACE, "mean"]], on=PLACE)
    chosen = table["universal"].to_numpy(bool)
    if not chosen.any():
        return no_rows(ABLATION)
    norm = table["w_out_norm"].to_numpy(float)
    population = Population(table["layer"].to_numpy(), norm, chosen)
    groups = [np.flatnonzero(chosen), *sets_of(population, seed)]
    some = tokens.iloc[np.unique(np.linspace(0, len(tokens) - 1, number).round().astype(int))]
    rows = []
    for _, one in tqdm(some.iterrows(), total=len(some), unit="sequence", mininterval=1):
        ids = torch.tensor([[int(at) for at in one["tokens"]]], device=model.device)
        natural = logits(model, ids, {})
        for held, number_of, group, changed in _each(model, ids, natural, groups, table, skip):
            place = {"domain": one["domain"], "seq_id": one["seq_id"]}
            of = {"held": held, "set": number_of, "n_neurons": len(group)}
            rows.append({**of, **place, **changed._asdict()})
    return pd.DataFrame(rows, columns=list(ABLATION.columns))


def _each(
    model: Model,
    ids: Int[Tensor, "one pos"],
    natural: Float[Tensor, "pos vocabulary"],
    groups: Sequence[Int[np.ndarray, " _"]],
    table: pd.DataFrame,
    skip: int,
) -> Iterator[tuple[str, int, Int[np.ndarray, " neuron"], Changed]]:
    """Each set held at its mean, and at 0."""
    for at, group in enumerate(groups, UNIVERSAL):
        for held in ("mean", "zero"):
            values = table["mean"].to_numpy(float) * (held == "mean")
            without = logits(model, ids, _edits(model, table.iloc[group], values[group]))
            yield held, at, group, changes(natural[skip:], without[skip:], ids[0, skip:])


def _edits(
    model: Model, own: pd.DataFrame, values: Float64[np.ndarray, " neuron"]
) -> dict[int, tuple[Tensor, Tensor]]:
    """By layer, neurons and what they are held at."""
    layers = own["layer"].to_numpy()
    found = {}
    for layer in np.unique(layers):
        some = layers == layer
        at = torch.tensor(own["neuron"].to_numpy()[some], device=model.device)
        held = torch.tensor(values[some], device=model.device, dtype=model.dtype)
        found[int(layer)] = at, held
    return found


def logits(
    model: Model, ids: Int[Tensor, "one pos"], edits: Ablated
) -> Float[Tensor, "pos vocabulary"]:
    """Logits of a sequence with some neurons held.

    Args:
        model: Loaded model.
        ids: One sequence.
        edits: By layer, neurons and values.
    """

    def hold(layer: int, activation: Tensor) -> Tensor:
        at, values = edits[layer]
        held = activation.clone()
        held[:, :, at] = values
        return held

    before = {layer: partial(hold, layer) for layer in edits}
    with torch.inference_mode(), hooked(model.plain, model.outs, before):
        found: Tensor = model.plain(input_ids=ids, use_cache=False).logits[0]
    return found


def changes(
    natural: Float[Tensor, "pos vocabulary"],
    without: Float[Tensor, "pos vocabulary"],
    ids: Int[Tensor, " pos"],
) -> Changed:
    """Mean loss less the natural one, and mean KL(natural || without), nats per predicted token.

    Args:
        natural: Logits of the model as it is.
        without: Logits with neurons held.
        ids: The tokens; each is predicted from the position before.
    """
    logs = natural[:-1].double().log_softmax(-1), without[:-1].double().log_softmax(-1)
    losses = [-one.gather(-1, ids[1:, None]).mean() for one in logs]
    kl = (logs[0].exp() * (logs[0] - logs[1])).sum(-1).mean()
    return Changed(float(losses[1] - losses[0]), float(kl))
