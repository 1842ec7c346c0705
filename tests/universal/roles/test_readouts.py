from __future__ import annotations

import numpy as np
import torch
from scipy import special, stats

from clampsweep.studies.universal.roles.readouts import log_probability, readout

LOGITS = torch.tensor(
    np.random.default_rng(1).normal(0, 3, (150, 30))
)  # more than are done at once
FOLLOWING = torch.tensor(np.random.default_rng(2).integers(0, 30, 150))


def test_entropy_rank_and_loss_are_scipys():
    found = readout(LOGITS, FOLLOWING)
    shares = special.softmax(LOGITS.numpy(), axis=1)
    np.testing.assert_allclose(found.entropy, stats.entropy(shares, axis=1), rtol=1e-10)
    own = shares[np.arange(150), FOLLOWING.numpy()]
    np.testing.assert_allclose(found.loss, -np.log(own), rtol=1e-10)
    ranks = 31 - stats.rankdata(shares, axis=1)[np.arange(150), FOLLOWING.numpy()]
    np.testing.assert_allclose(1 / found.reciprocal_rank, ranks)


def test_all_tokens_alike():
    found = readout(torch.zeros(1, 8).double(), torch.tensor([3]))
    np.testing.assert_allclose([found.entropy[0], found.loss[0]], np.log(8))
    assert found.reciprocal_rank[0] == 1


def test_log_probability_of_tokens_is_their_mean():
    found = log_probability(LOGITS, torch.tensor([4, 7]))
    wanted = special.log_softmax(LOGITS.numpy(), axis=1)[:, [4, 7]].mean(1)
    np.testing.assert_allclose(found, wanted)
