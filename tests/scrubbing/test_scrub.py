from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.engine import Engine
from clampsweep.studies.scrubbing.reading import parse
from clampsweep.studies.scrubbing.scrub import scrub
from clampsweep.studies.scrubbing.variants import experiments
from scrubbing.models import ROLES, examples, weights

TOKENS = examples()
WHOLE = {"q": "all", "k": "all", "v": "all"}
ENTRIES = [
    {"name": "baseline", "heads": "induction", "groups": [WHOLE]},
    {"name": "naive", "heads": "induction", "groups": [{"q": "L0"}, {"v": "L0"}]},
    {"name": "edit", "edit": {"prev1": "zero"}},
    {"name": "fixed", "heads": "induction", "groups": [WHOLE], "sampler": "fixed(4)"},
    {"name": "exact", "heads": "induction", "groups": [WHOLE], "sampler": "exact"},
]
EXPERIMENTS = experiments(parse({"hypotheses": ENTRIES}, "h.yaml").hypotheses, ROLES)


def run(examples_: list[int], seed: int = 0):
    return list(scrub(weights(torch.float32), TOKENS, EXPERIMENTS, examples_, seed))


def test_the_losses_of_an_example_are_the_same_to_the_bit_in_whatever_block_it_is():
    whole = run(list(range(6)))
    parts = [*run([5, 1]), *run([0]), *run([4, 3, 2])]
    assert [one.example for one in parts] == [5, 1, 0, 4, 3, 2]
    for one in parts:
        assert np.array_equal(one.nll, whole[one.example].nll)
        assert one.draws == whole[one.example].draws


def test_losses_are_the_engines_on_the_draws_that_are_written_out():
    found = run([3])[0]
    engine = Engine(weights(torch.float32), torch.from_numpy(TOKENS))
    for row, experiment in enumerate(EXPERIMENTS):
        expected = engine.example(3).nll(experiment, found.draws[row])
        assert np.array_equal(found.nll[row], expected.numpy())
    assert found.nll.dtype == np.float32 and found.nll.shape == (6, TOKENS.shape[1] - 1)


def test_draw_one_is_the_same_example_in_every_experiment_of_the_sampler():
    found = run([3])[0].draws
    assert found[0] == {} and found[3] == {}
    assert found[1][1] == found[2][1] != 3
    assert found[4] == {1: 4} and found[5] == {1: 3}


def test_exact_draws_change_nothing_and_another_seed_does():
    found, other = run([3])[0], run([3], seed=1)[0]
    assert np.array_equal(found.nll[5], found.nll[0])
    assert np.array_equal(found.nll[0], other.nll[0])
    assert not np.array_equal(found.nll[1], other.nll[1])


def test_a_dataset_of_one_example_is_refused_in_a_line():
    with pytest.raises(UserError, match=re.escape("baseline: uncond: draws need at least 2")):
        next(scrub(weights(), TOKENS[:1], EXPERIMENTS, [0], 0))
