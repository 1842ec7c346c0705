"""Scrub examples under all experiments, one example at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int

from clampsweep.studies.scrubbing.cells import Experiment
from clampsweep.studies.scrubbing.engine import Engine
from clampsweep.studies.scrubbing.samplers import Pool
from clampsweep.studies.scrubbing.weights import Weights


class Scrubbed(NamedTuple):
    """An example under all experiments.

    Attributes:
        example: Its number.
        nll: Loss of each token but the first, nats.
        draws: For each experiment, number of the draw -> the example that it is from.
    """

    example: int
    nll: Float32[np.ndarray, "experiment pos"]
    draws: Sequence[Mapping[int, int]]


def draws_of(experiment: Experiment, pool: Pool, reference: int, repeat: int = 0) -> dict[int, int]:
    """Number of each draw of an experiment -> the example that it is from.

    Args:
        experiment: What is scrubbed.
        pool: What is drawn from.
        reference: The example that is scrubbed.
        repeat: Which time, where an example is scrubbed again and again.
    """
    return {
        draw: pool.draw(experiment.sampler, draw, reference, repeat) for draw in experiment.draws
    }


def scrub(
    weights: Weights,
    tokens: Int[np.ndarray, "example pos"],
    experiments: Sequence[Experiment],
    examples: Sequence[int],
    seed: int,
) -> Iterator[Scrubbed]:
    """Losses of some examples; the same numbers in whatever blocks and order.

    Args:
        weights: Of the model; their dtype is what is computed in.
        tokens: Of all examples, which draws come from; each token but the first is predicted.
        experiments: What is scrubbed.
        examples: Numbers of those to scrub.
        seed: Of the draws.

    Raises:
        UserError: Model and examples do not fit, or a sampler cannot draw from so few.
    """
    pool = Pool(tokens, seed)
    for experiment in experiments:
        if experiment.draws:
            pool.check(experiment.sampler, experiment.name)
    engine = Engine(weights, torch.from_numpy(np.asarray(tokens, dtype=np.int64)))
    for index in examples:
        example, draws = engine.example(index), []
        losses = np.empty((len(experiments), tokens.shape[1] - 1), np.float32)
        for row, experiment in enumerate(experiments):
            draws.append(draws_of(experiment, pool, index))
            with torch.inference_mode():
                losses[row] = example.nll(experiment, draws[-1]).numpy()
        yield Scrubbed(index, losses, draws)
