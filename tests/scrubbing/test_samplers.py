from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.samplers import UNCOND, Pool, Sampler, parse_sampler

TOKENS = np.array([[0, 1, 2], [0, 1, 3], [0, 2, 2], [0, 1, 2], [0, 4, 5]])


@given(st.integers(2, 30), st.integers(0, 5), st.data())
def test_an_unconditional_draw_is_some_other_example(n, seed, data):
    pool = Pool(np.zeros((n, 3), int), seed)
    reference = data.draw(st.integers(0, n - 1))
    found = pool.draw(UNCOND, 1, reference)
    assert 0 <= found < n and found != reference


def test_all_other_examples_are_as_likely():
    pool = Pool(TOKENS, seed=0)
    counts = np.bincount([pool.draw(UNCOND, 1, 2, repeat) for repeat in range(4000)], minlength=5)
    assert counts[2] == 0
    assert (abs(counts[[0, 1, 3, 4]] - 1000) < 4 * np.sqrt(750)).all()  # four standard deviations


def test_draws_depend_on_seed_number_example_and_repeat_and_on_nothing_else():
    wide = Pool(np.zeros((10**6, 3), int), seed=0)
    base = wide.draw(UNCOND, 1, 7)
    changed = [wide.draw(UNCOND, 2, 7), wide.draw(UNCOND, 1, 8), wide.draw(UNCOND, 1, 7, 1)]
    changed.append(Pool(np.zeros((10**6, 3), int), seed=1).draw(UNCOND, 1, 7))
    assert base not in changed and len(set(changed)) == 4
    for _ in range(3):  # nothing was used up
        assert wide.draw(UNCOND, 1, 7) == base


def test_exact_and_fixed_are_no_chance():
    pool = Pool(TOKENS, seed=0)
    assert [pool.draw(Sampler("exact"), 1, i) for i in range(5)] == list(range(5))
    assert {pool.draw(Sampler("fixed", "3"), draw, i) for draw in (1, 2) for i in range(5)} == {3}


@pytest.mark.parametrize(
    ("feature", "alike"),
    [
        ("first-token", {0: {1, 3}, 1: {0, 3}, 2: {2}, 3: {0, 1}, 4: {4}}),
        ("last-token", {0: {2, 3}, 1: {1}, 2: {0, 3}, 3: {0, 2}, 4: {4}}),
        ("n-distinct", {0: {1, 3, 4}, 1: {0, 3, 4}, 2: {2}, 3: {0, 1, 4}, 4: {0, 1, 3}}),
    ],
)
def test_func_draws_among_all_that_agree_and_the_lonely_stay(feature, alike):
    pool = Pool(TOKENS, seed=0)
    found = {
        i: {pool.draw(Sampler("func", feature), 1, i, repeat) for repeat in range(60)}
        for i in range(5)
    }
    assert found == alike


@pytest.mark.parametrize(
    ("sampler", "n", "message"),
    [
        (Sampler("fixed", "5"), 5, "x: fixed(5): there are examples 0 to 4"),
        (UNCOND, 1, "x: uncond: draws need at least 2 examples, got 1"),
        (Sampler("func", "first-token"), 1, "x: func: draws need at least 2 examples"),
    ],
)
def test_too_few_examples_are_one_line(sampler, n, message):
    with pytest.raises(UserError, match=re.escape(message)):
        Pool(TOKENS[:n], seed=0).check(sampler, "x")


def test_a_text_stands_for_one_sampler():
    assert parse_sampler("fixed(12)", "x") == Sampler("fixed", "12")
    assert parse_sampler("exact", "x") == Sampler("exact")
    with pytest.raises(UserError, match=re.escape("x: got 'fixed(-1)'; write exact, uncond")):
        parse_sampler("fixed(-1)", "x")
