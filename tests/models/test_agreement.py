"""How far values are apart, in units of the largest wanted."""

from __future__ import annotations

import pytest
import torch

from clampsweep.models.agreement import agree, difference, tolerance


def test_the_difference_is_a_share_of_the_largest_value_wanted() -> None:
    wanted = torch.tensor([[1.0, -8.0], [2.0, 4.0]])
    got = torch.tensor([[1.0, -6.0], [2.5, 4.0]])
    assert difference(got, wanted) == 2 / 8
    assert difference(wanted, wanted) == 0


@pytest.mark.parametrize(
    ("dtype", "share"), [("float64", 1e-3), ("float32", 1e-3), ("bfloat16", 0.1), ("float16", 0.1)]
)
def test_half_precision_may_be_further_apart(dtype: str, share: float) -> None:
    assert tolerance(getattr(torch, dtype)) == share


def test_ways_agree_or_the_log_says_why_not(caplog: pytest.LogCaptureFixture) -> None:
    wanted = torch.tensor([1.0, -2.0])

    def broken() -> tuple[torch.Tensor, torch.Tensor]:
        raise ValueError("no such layer")

    with caplog.at_level("INFO"):
        assert agree("rows run alone", lambda: (wanted * (1 + 1e-5), wanted), torch.float32)
        assert not caplog.text
        assert not agree("rows run alone", lambda: (wanted * 1.1, wanted), torch.float32)
        assert not agree("rows run alone", lambda: (wanted * torch.nan, wanted), torch.float32)
        assert not agree("rows run alone", broken, torch.float32)
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "rows run alone: logits are off by 0.1"
    assert said[2].startswith("rows run alone:") and "no such layer" in said[2]
