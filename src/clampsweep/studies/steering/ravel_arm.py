"""RAVEL at one layer: methods fitted on train entities, and tried on test entities."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from clampsweep.models.model import Model
from clampsweep.names import MLP_POST, RESID_POST
from clampsweep.studies.steering.ravel_data import TRAIN, Item, Ravel
from clampsweep.studies.steering.ravel_methods import (
    Labelled,
    Method,
    SaeLike,
    diff_means,
    full,
    neurons,
    numbered,
    pca,
    random_subspace,
    sae,
)
from clampsweep.studies.steering.ravel_pairs import CAUSE
from clampsweep.studies.steering.ravel_prompts import Asked, asked
from clampsweep.studies.steering.ravel_runs import Held
from clampsweep.studies.steering.ravel_scores import swap_rows, writes_plainly
from clampsweep.studies.steering.ravel_trained import Aim, Training, das, dbm

log = logging.getLogger(__name__)


class Fit(NamedTuple):
    """What methods are fitted with.

    Attributes:
        size: Dimensions, features or coordinates of each method that is told how many.
        das: How DAS is learnt; None to leave it out.
        dbm: How DBM is learnt; None to leave it out.
        seed: Of the random subspace.
    """

    size: int
    das: Training | None
    dbm: Training | None
    seed: int


class Arm(NamedTuple):
    """What comes of it.

    Attributes:
        swaps: Rows of `RAVEL_SWAPS`.
        flops: Floating-point operations, without those of attention scores.
    """

    swaps: pd.DataFrame
    flops: float


def prompts_of(model: Model, ravel: Ravel, pairs: pd.DataFrame) -> list[Asked]:
    """The prompts that pairs need, of bases and of sources, each once.

    Args:
        model: Loaded model.
        ravel: Of the pairs' kind.
        pairs: Rows of `RAVEL_PAIRS`.
    """
    templates = {one.text: one for one in (*ravel.templates, *ravel.neutral)}
    keys = zip(
        [*pairs["base"], *pairs["source"]],
        [*pairs["template"], *pairs["source_template"]],
        strict=True,
    )
    wanted = [
        Item(entity, ravel.splits[entity], templates[text], ())
        for entity, text in dict.fromkeys(keys)
    ]
    return asked(model, wanted)


def run_arm(
    model: Model,
    ravel: Ravel,
    known: pd.DataFrame,
    train: pd.DataFrame,
    test: pd.DataFrame,
    layer: int,
    fit: Fit,
    autoencoder: SaeLike | None = None,
) -> Arm:
    """Every method at a layer: fitted on pairs of train entities, tried on those of test entities.

    Args:
        model: Loaded model.
        ravel: Of one kind.
        known: Rows of `RAVEL_KNOWN` of that kind.
        train: Rows of `RAVEL_PAIRS`, to fit to.
        test: The same, to score.
        layer: Layer after which vectors are swapped.
        fit: Sizes, steps and seeds.
        autoencoder: Of the residual stream after the layer; None to leave it out.
    """
    prompts = prompts_of(model, ravel, pd.concat([train, test], ignore_index=True))
    held = Held(model, layer, prompts)
    number_of = {one.item.key: number for number, one in enumerate(prompts)}
    at_neurons = writes_plainly(model, layer)
    if not at_neurons:
        log.info("no neurons of the MLP: what they write is not added as it is")
    methods = {}
    for target, own in train.groupby("target", sort=False):
        values = _values(known, str(target))
        data = {
            point: _labelled(held, values, point)
            for point in ((RESID_POST, MLP_POST) if at_neurons else (RESID_POST,))
        }
        aims = aims_of(own, number_of)
        methods[str(target)] = list(_methods(held, data, aims, fit, autoencoder))
    return Arm(swap_rows(held, number_of, test, methods), held.flops)


def _methods(
    held: Held,
    data: Mapping[str, Labelled],
    aims: Sequence[Aim],
    fit: Fit,
    autoencoder: SaeLike | None,
) -> Iterator[Method]:
    """The methods of a target."""
    residual, size = data[RESID_POST], fit.size
    yield full()
    yield random_subspace(residual.vectors.shape[1], size, fit.seed)
    yield diff_means(residual, size)
    yield pca(residual, size)
    yield pca(residual, size, chosen=True)
    yield neurons(residual, size)
    if MLP_POST in data:
        yield neurons(data[MLP_POST], size, MLP_POST)
    if autoencoder is not None:
        yield sae(autoencoder, residual, size)
    if fit.das is not None:
        yield das(held, aims, size, fit.das)
    if fit.dbm is not None:
        yield dbm(held, aims, fit.dbm)


def _values(known: pd.DataFrame, attribute: str) -> dict[str, str]:
    """The value of an attribute of each train entity, as the model says it."""
    own = known[known["known"] & (known["attribute"] == attribute) & (known["split"] == TRAIN)]
    return dict(zip(own["entity"], own["answer"].str.strip(), strict=True))


def _labelled(held: Held, values: Mapping[str, str], point: str) -> Labelled:
    """Vectors of train entities, in whatever prompts are held, with the value of an attribute."""
    entities = {number: one.item.entity for number, one in enumerate(held.prompts)}
    rows = [number for number, entity in entities.items() if entity in values]
    labels = numbered([values[entities[number]] for number in rows])
    return Labelled(held.vectors[point][rows], labels)


def aims_of(pairs: pd.DataFrame, number_of: Mapping[tuple[str, str], int]) -> list[Aim]:
    """Pairs as numbers of prompts, with the token that shall come.

    Args:
        pairs: Rows of `RAVEL_PAIRS` of one target.
        number_of: By entity and template, the number of the prompt.
    """
    return [
        Aim(
            number_of[row["base"], row["template"]],
            number_of[row["source"], row["source_template"]],
            int(row["source_token" if row["aim"] == CAUSE else "base_token"]),
            row["aim"] == CAUSE,
        )
        for row in pairs.to_dict("records")
    ]
