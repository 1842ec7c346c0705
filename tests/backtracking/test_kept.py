"""A prefix's keys and values in many rows, against Hugging Face's own pass over the whole text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import DynamicCache

from clampsweep.studies.backtracking.kept import PrefixRows, kept_bytes

IDS = np.random.default_rng(1).integers(2, 272, 12).tolist()
NEXT = [[5], [40], [99]]


@pytest.fixture(params=["llama", "mistral"])  # mistral: layers with a sliding window
def prefix(request, load_tiny, hugging_face) -> tuple[Any, DynamicCache]:
    """A model of Hugging Face's, and its cache of `IDS`."""
    plain = hugging_face(load_tiny(request.param))
    cache = DynamicCache(config=plain.config)
    with torch.inference_mode():
        plain(input_ids=torch.tensor([IDS]), past_key_values=cache)
    return plain, cache


def _next(plain: Any, cache: DynamicCache, tokens: list[list[int]]) -> torch.Tensor:
    with torch.inference_mode():
        found = plain(
            input_ids=torch.tensor(tokens),
            past_key_values=cache,
            position_ids=torch.full((len(tokens), 1), len(IDS)),
        )
    return found.logits[:, -1]


def test_a_token_in_each_row_reads_the_prefix_and_itself_and_no_pass_before(prefix):
    plain, cache = prefix
    rows = PrefixRows(cache, 3)
    _next(plain, rows.first(3), [[7], [8], [9]])
    found = _next(plain, rows.first(3), NEXT)
    for token, logits in zip(NEXT, found, strict=True):
        with torch.inference_mode():
            whole = plain(input_ids=torch.tensor([[*IDS, *token]])).logits[0, -1]
        torch.testing.assert_close(logits, whole, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(_next(plain, rows.first(2), NEXT[:2]), found[:2])


def test_the_cache_of_the_prefix_stays_as_it_is(prefix):
    plain, cache = prefix
    before = [layer.keys.clone() for layer in cache.layers]
    _next(plain, PrefixRows(cache, 3).first(3), NEXT)
    assert cache.get_seq_length() == len(IDS)
    for layer, keys in zip(cache.layers, before, strict=True):
        assert torch.equal(layer.keys, keys)


def test_bytes_of_a_row_by_hand(load_tiny, hugging_face):
    config = hugging_face(load_tiny("llama")).config
    cache = DynamicCache(config=config)
    row = torch.zeros(1, 2, 12, 8, dtype=torch.float64)
    cache.update(row, row, 0)
    assert kept_bytes(cache) == 2 * 2 * 12 * 8 * 8
