"""What top-k and top-p keep, against transformers, and against logits that are off by a little."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clampsweep.decoder import cuts
from clampsweep.decoder.cuts import cut, listed
from clampsweep.texts.request import Decoding
from reference import SAMPLED, warped

CUTS = [decoding for decoding in SAMPLED if decoding.top_k or decoding.top_p]


def _logits(n: int, n_vocab: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, n_vocab, generator=generator, dtype=torch.float64) * 3


def _near(n: int, near: float) -> torch.Tensor:
    return torch.full((n, 1), near, dtype=torch.float64)


@pytest.mark.parametrize("decoding", CUTS, ids=str)
@pytest.mark.parametrize("first", [1, 5, 40])
def test_tokens_are_kept_that_transformers_keeps(
    decoding: Decoding, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ranks are summed before the rest."""
    monkeypatch.setattr(cuts, "_FIRST", first)
    logits = _logits(30, 40, 0)
    exact = cut(logits, decoding, _near(30, 0))
    wanted = np.stack([warped(row, decoding) > 0 for row in logits])
    np.testing.assert_array_equal(exact.kept.numpy(), wanted)


@pytest.mark.parametrize("decoding", CUTS, ids=str)
@pytest.mark.parametrize("near", [0.0, 0.01, 0.3])
def test_what_is_sure_is_kept_and_what_is_kept_may_be(decoding: Decoding, near: float) -> None:
    """Without errors nothing is in doubt; with large ones something is, if anything is cut."""
    found = cut(_logits(50, 12, 1), decoding, _near(50, near))
    assert not bool((found.sure & ~found.kept).any())
    assert not bool((found.kept & ~found.maybe).any())
    doubtful = bool((found.maybe & ~found.sure).any())
    if near != 0.01:
        assert doubtful == (near > 0 and not bool(found.sure.all()))


@pytest.mark.parametrize("decoding", CUTS, ids=str)
def test_logits_off_by_less_than_the_bound_keep_all_that_is_sure_and_no_more_than_may_be(
    decoding: Decoding,
) -> None:
    """Gaps of logits are off by less than `near`: each logit by less than its half."""
    near, logits = 0.1, _logits(200, 12, 2)
    found = cut(logits, decoding, _near(200, near))
    generator = torch.Generator().manual_seed(3)
    for _ in range(10):
        error = torch.rand(logits.shape, generator=generator, dtype=torch.float64) - 0.5
        moved = cut(logits + error * near, decoding, _near(200, 0))
        assert not bool((found.sure & ~moved.kept).any())
        assert not bool((moved.kept & ~found.maybe).any())


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_the_chosen_tokens_of_a_row_are_listed_by_id(share: float) -> None:
    generator = torch.Generator().manual_seed(4)
    chosen = torch.rand(20, 30, generator=generator) < share
    chosen[torch.arange(20), torch.randint(30, (20,), generator=generator)] = True  # at least one
    ids, there = listed(chosen)
    for row, own, real in zip(chosen.tolist(), ids.tolist(), there.tolist(), strict=True):
        wanted = [token for token, one in enumerate(row) if one]
        assert [token for token, one in zip(own, real, strict=True) if one] == wanted
    assert ids.shape == there.shape == (20, max(2, int(chosen.sum(-1).max())))
