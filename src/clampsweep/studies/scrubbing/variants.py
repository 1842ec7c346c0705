"""Variants of a hypothesis: with a draw for each path, and random ones of its size.

A random hypothesis keeps as many cells of each head's channel, but of other upstream parts: what a
hypothesis is worth that knows nothing of the circuit.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from clampsweep.studies.scrubbing.cells import REFERENCE, Experiment, compiled, unscrubbed
from clampsweep.studies.scrubbing.hypotheses import DECOHERENT, RANDOM, Hypothesis
from clampsweep.studies.scrubbing.roles import Roles


def experiments(hypotheses: Iterable[Hypothesis], roles: Roles) -> list[Experiment]:
    """`unscrubbed`, then each hypothesis with its variants.

    Args:
        hypotheses: Checked by `reading.parse`.
        roles: Of the model's heads.

    Raises:
        UserError: See `cells.compiled`.
    """
    found = [unscrubbed(roles.n_heads)]
    for hypothesis in hypotheses:
        own = compiled(hypothesis, roles)
        found += [variant(own, which) for which in hypothesis.variants.values()]
    return found


def variant(experiment: Experiment, which: str | int) -> Experiment:
    """A variant of an experiment.

    Args:
        experiment: What a hypothesis scrubs.
        which: A value of `Hypothesis.variants`: empty for the experiment itself, `DECOHERENT`, or
            the number of a random one.
    """
    if which == DECOHERENT:
        return decoherent(experiment)
    return shuffled(experiment, which) if isinstance(which, int) else experiment


def decoherent(experiment: Experiment) -> Experiment:
    """The same cells, each from a draw of its own: no two paths tell the same story.

    A cell's draw has the same number in every experiment.

    Args:
        experiment: With one draw for each group.
    """
    rows = np.concatenate([experiment.cells.reshape(-1, len(experiment.skip)), [experiment.skip]])
    sources = [REFERENCE]
    own = np.zeros_like(rows)
    for place in np.argwhere(rows != 0):
        source = experiment.sources[rows[tuple(place)]]
        draw = 1 + int(np.ravel_multi_index(tuple(place), rows.shape))
        sources.append(source._replace(draw=draw) if source.draw else source)
        own[tuple(place)] = len(sources) - 1
    cells = own[:-1].reshape(experiment.cells.shape)
    return Experiment(
        experiment.name + DECOHERENT, experiment.sampler, tuple(sources), cells, own[-1]
    )


def shuffled(experiment: Experiment, number: int) -> Experiment:
    """The same number of cells of each head's channel, of upstream parts chosen at random.

    Args:
        experiment: What a hypothesis scrubs.
        number: Of the random hypothesis; the same number gives the same one.
    """
    cells = np.random.default_rng([number]).permuted(experiment.cells, axis=2)
    return experiment._replace(name=f"{experiment.name}{RANDOM}{number}", cells=cells)
