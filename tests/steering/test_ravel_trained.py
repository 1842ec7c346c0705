"""Swaps that are learnt find what is planted, on entities that were not learnt from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clampsweep.names import RESID_POST
from clampsweep.studies.steering.ravel_arm import aims_of, prompts_of
from clampsweep.studies.steering.ravel_pairs import pairs
from clampsweep.studies.steering.ravel_runs import Held
from clampsweep.studies.steering.ravel_trained import Training, das, dbm
from steering.ravel_planted import D_MODEL, LAYER, A, B

LONG = Training(steps=60, batch=16, rate=0.1, seed=0)


@pytest.fixture(scope="module")
def learnt_from(planted, letters, known):
    """Prompts held, and pairs of the target A."""
    own = pairs(known, ("A", "B"), "train", 96, 0)
    prompts = prompts_of(planted, letters, own)
    held = Held(planted, LAYER, prompts)
    number_of = {one.item.key: number for number, one in enumerate(prompts)}
    return held, aims_of(own[own["target"] == "A"], number_of)


def _differences(held):
    """How vectors of two entities with the same B, or the same A, differ."""
    place = {one.item.key: held.vectors[RESID_POST][n] for n, one in enumerate(held.prompts)}
    text = "%s#"
    # a, b, c, d: A = 0, B = 4 to 7; e is A = 1, B = 4.
    return place["e", text] - place["a", text], place["b", text] - place["a", text]


@pytest.mark.parametrize("name", ["das", "dbm"])
def test_what_is_learnt_takes_the_targets_value_and_leaves_the_other(learnt_from, name):
    held, aims = learnt_from
    before = held.flops
    method = das(held, aims, 4, LONG) if name == "das" else dbm(held, aims, LONG)
    assert held.flops > before
    in_a, in_b = _differences(held)
    nothing = torch.zeros_like(in_a)
    # The swap is linear: of a difference in A most goes over, of one in B little.
    assert float(method.swap(nothing, in_a)[A] @ in_a[A]) > 0.7 * float(in_a @ in_a)
    assert float(method.swap(nothing, in_b)[B] @ in_b[B]) < 0.3 * float(in_b @ in_b)


def test_a_learnt_subspace_has_orthonormal_axes_and_its_size(learnt_from):
    held, aims = learnt_from
    method = das(held, aims, 3, Training(5, 8, 0.05, 1))
    eye = torch.eye(D_MODEL).double()
    found = method.swap(0 * eye, eye).numpy()
    assert method.size == 3
    assert np.allclose(found @ found, found, atol=1e-9)
    assert np.trace(found) == pytest.approx(3)


def test_without_steps_nothing_is_learnt_and_a_seed_gives_the_same_again(learnt_from):
    held, aims = learnt_from
    eye = torch.eye(D_MODEL).double()

    def projector(training):
        return das(held, aims, 2, training).swap(0 * eye, eye)

    none = projector(Training(0, 8, 0.05, 1))
    drawn = np.linalg.qr(np.random.default_rng(1).standard_normal((D_MODEL, 2)))[0]
    assert np.allclose(none.numpy(), drawn @ drawn.T)
    some = projector(Training(4, 8, 0.05, 1))
    assert torch.equal(some, projector(Training(4, 8, 0.05, 1)))
    assert not torch.allclose(some, none, atol=1e-3)
    assert dbm(held, aims, Training(0, 8, 0.05, 1)).size == 0
    assert all(one.grad is None for one in held.model.plain.parameters())


def test_a_mask_that_costs_much_stays_empty(learnt_from):
    held, aims = learnt_from
    assert dbm(held, aims, LONG._replace(steps=20), sparsity=1e5).size == 0
