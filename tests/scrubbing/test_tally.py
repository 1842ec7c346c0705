from __future__ import annotations

import numpy as np
import pandas as pd

from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.tally import Tally
from scrubbing.tallied import NAMES, losses, tally

FOUND = losses()


def test_mean_variance_and_counts_are_those_of_all_positions_together():
    total = tally(FOUND)
    for c in range(len(CATEGORIES) - 1):
        chosen = FOUND.flags[:, c]
        assert total.count[c] == chosen.sum()
        assert total.n_examples[c] == chosen.any(1).sum()
        for e in range(len(NAMES)):
            every = FOUND.nll[:, e].astype(float)[chosen]
            assert np.isclose(total.means.mean[e, c], every.mean())
            assert np.isclose(total.variance[e, c], every.var(ddof=1))
    assert np.isnan(total.means.mean[:, -1]).all() and np.isnan(total.variance[:, -1]).all()
    assert (np.isfinite(total.variance).all(0)).sum() == len(CATEGORIES) - 1


def test_a_resample_is_the_examples_written_out_as_often_as_they_are_drawn():
    total = tally(FOUND, seed=3, n_resamples=5)
    times = np.stack([np.random.default_rng([3, i]).poisson(1, 5) for i in range(30)], 1)
    for r in range(5):
        drawn = np.repeat(np.arange(30), times[r])
        for c in range(len(CATEGORIES) - 1):
            chosen = FOUND.flags[drawn, c]
            every = np.moveaxis(FOUND.nll.astype(float)[drawn], 1, 0)[:, chosen]
            assert np.allclose(total.means.resampled[r, :, c], every.mean(1))


def test_order_and_blocks_of_examples_do_not_matter():
    one, other = tally(FOUND, n_resamples=20), Tally(NAMES, n_resamples=20)
    for block in (FOUND.frames[20:], FOUND.frames[:3], FOUND.frames[3:20]):
        other.add(pd.concat(block).sample(frac=1, random_state=0))
    assert np.allclose(one.means.mean, other.means.mean, equal_nan=True)
    assert np.allclose(one.means.resampled, other.means.resampled, equal_nan=True)
    assert np.allclose(one.variance, other.variance, equal_nan=True)
    assert (one.n_examples == other.n_examples).all()


def test_its_size_does_not_grow_with_the_examples():
    few, many = Tally(NAMES, n_resamples=9), Tally(NAMES, n_resamples=9)
    few.add(FOUND.frames[0])
    many.add(pd.concat(FOUND.frames))
    sizes = [
        sum(part.nbytes for part in vars(one).values() if isinstance(part, np.ndarray))
        for one in (few, many)
    ]
    assert sizes[0] == sizes[1]
    kept = {type(part) for part in vars(many).values()}
    assert kept == {tuple, int, np.ndarray}  # names, the seed, and sums


def test_the_spread_of_resamples_is_the_standard_error_over_examples():
    found = losses(n=200)
    total = tally(found, n_resamples=1000)
    means = found.nll[:, 1].astype(float).mean(1)  # as many positions in each
    expected = means.std(ddof=1) / np.sqrt(200)
    assert 0.9 < total.means.resampled[:, 1, 0].std() / expected < 1.1
