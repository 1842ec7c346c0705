from __future__ import annotations

import pickle

import numpy as np

from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.tally import Tally
from scrubbing.tallied import NAMES, add, losses, tally

FOUND = losses()


def test_mean_variance_and_counts_are_those_of_all_positions_together():
    total = tally(FOUND)
    for c in range(len(CATEGORIES) - 1):
        chosen = FOUND.flags[:, c]
        assert (total.count[:, c] == chosen.sum()).all()
        assert (total.n_examples[:, c] == chosen.any(1).sum()).all()
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


def test_order_and_blocks_of_examples_and_of_experiments_do_not_matter():
    one, other = tally(FOUND, n_resamples=20), Tally(NAMES, n_resamples=20)
    for block in (range(20, 30), range(3), range(3, 20)):
        for row in (2, 0, 3, 1):
            own = list(reversed(block))
            other.add(NAMES[row], own, FOUND.nll[own, row], FOUND.flags[own])
    assert np.allclose(one.means.mean, other.means.mean, equal_nan=True)
    assert np.allclose(one.means.resampled, other.means.resampled, equal_nan=True)
    assert np.allclose(one.variance, other.variance, equal_nan=True)
    assert (one.n_examples == other.n_examples).all()


def test_its_size_does_not_grow_with_the_examples_that_were_taken_in():
    few, many = Tally(NAMES, n_resamples=9), Tally(NAMES, n_resamples=9)
    add(few, FOUND, [0])
    for example in range(30):
        add(many, FOUND, [example])
    assert len(pickle.dumps(few)) == len(pickle.dumps(many))


def test_the_spread_of_resamples_is_the_standard_error_over_examples():
    found = losses(n=200)
    total = tally(found, n_resamples=1000)
    means = found.nll[:, 1].astype(float).mean(1)  # as many positions in each
    expected = means.std(ddof=1) / np.sqrt(200)
    assert 0.9 < total.means.resampled[:, 1, 0].std() / expected < 1.1
