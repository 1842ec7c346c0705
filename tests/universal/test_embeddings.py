"""Kurtosis of embedding dimensions: scipy's, and a basis that means something is found."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from clampsweep.studies.universal.embeddings import (
    Centred,
    embeddings,
    known_rows,
    rotated,
)
from clampsweep.studies.universal.rotation import ORTHOGONAL, rotation

GENERATOR = torch.Generator().manual_seed(0)
RNG = np.random.default_rng(0)


def basis_of(width):
    return torch.from_numpy(rotation(ORTHOGONAL, width, RNG, np.float64)).float()


def test_kurtosis_is_scipys_in_any_basis():
    rows = torch.randn(2500, 6, generator=GENERATOR) ** 3 + 1  # more than are taken at once
    own = Centred.of(rows)
    assert own.kurtosis() == pytest.approx(stats.kurtosis(rows.double(), fisher=False), rel=1e-5)
    basis = basis_of(6)
    turned = (rows.double() @ basis.double()).numpy()
    assert own.kurtosis(basis) == pytest.approx(stats.kurtosis(turned, fisher=False), rel=1e-4)


def test_a_random_basis_is_orthogonal_and_another_one_each_time():
    one, two = basis_of(8), basis_of(8)
    assert torch.allclose(one @ one.T, torch.eye(8), atol=1e-5)
    assert not torch.allclose(one, two)


def test_a_dimension_of_its_own_is_beyond_random_bases_and_gaussian_ones_are_not():
    rows = torch.randn(2000, 12, generator=GENERATOR)
    none = embeddings(rows, rotated(rows, 40, seed=0))
    assert none["beyond"].sum() <= 1
    rows[:20, 5] *= 12  # a few tokens far out along one dimension
    found = embeddings(rows, rotated(rows, 40, seed=0))
    assert found.loc[found["beyond"], "dimension"].tolist() == [5]


def test_turned_at_random_the_same_embedding_has_no_dimension_beyond():
    rows = torch.randn(2000, 12, generator=GENERATOR)
    rows[:20, 5] *= 12
    turned = rows @ basis_of(12)
    assert not embeddings(turned, rotated(turned, 40, seed=1))["beyond"].sum() > 1


def test_rows_that_no_token_has_are_left_out(gpt2):
    rows = known_rows(gpt2)
    assert len(rows) == len(gpt2.tokenizer)
    weight = gpt2.plain.transformer.wte.weight.detach().float()
    assert np.array_equal(rows.numpy(), weight[: len(rows)].numpy())


def test_of_a_large_vocabulary_tokens_are_drawn_the_same_for_a_seed(gpt2):
    every, few = known_rows(gpt2), known_rows(gpt2, seed=3, most=9)
    places = [(every == row).all(1).nonzero().flatten().tolist() for row in few]
    assert len(few) == 9 and all(len(place) == 1 for place in places)
    assert len({place[0] for place in places}) == 9 and places == sorted(places)
    assert torch.equal(few, known_rows(gpt2, seed=3, most=9))
    assert not torch.equal(few, known_rows(gpt2, seed=4, most=9))
    assert torch.equal(every, known_rows(gpt2, seed=4, most=len(every)))
