"""Hooks at output projections, against the modules' own weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from clampsweep.models.hooks import hooked
from clampsweep.models.model import Model
from families import load_family
from standing import n_hooks

IDS = torch.tensor([[5, 6, 7], [8, 9, 10]])


@pytest.mark.parametrize("name", ["llama", "opt"])  # OPT runs rows and positions as one axis
@torch.inference_mode()
def test_a_hook_is_handed_rows_and_positions_before_and_after(name: str, tmp_path: Path) -> None:
    model = load_family(tmp_path, name)
    seen: dict[str, torch.Tensor] = {}
    with hooked(
        model.plain,
        model.outs,
        {1: lambda value: seen.__setitem__("before", value)},
        {1: lambda value: seen.__setitem__("after", value)},
    ):
        model.plain(input_ids=IDS)
    assert seen["before"].shape == (2, 3, model.d_mlp)
    torch.testing.assert_close(model.outs[1](seen["before"]), seen["after"])
    assert n_hooks(model.plain) == 0


@torch.inference_mode()
def test_what_a_hook_returns_takes_its_place_on_both_sides(model: Model) -> None:
    natural = model.plain(input_ids=IDS).logits
    with hooked(model.plain, model.outs, {0: torch.zeros_like}):
        zeroed = model.plain(input_ids=IDS).logits
    none = model.outs[0](torch.zeros(1, model.d_mlp, dtype=model.dtype))
    with hooked(model.plain, model.outs, {}, {0: lambda value: none.expand_as(value)}):
        replaced = model.plain(input_ids=IDS).logits
    assert not torch.allclose(zeroed, natural)
    torch.testing.assert_close(replaced, zeroed)


@torch.inference_mode()
def test_a_projection_that_is_called_by_itself_is_left_alone(model: Model) -> None:
    """Also after a pass that failed."""
    value = torch.ones(1, model.d_mlp, dtype=model.dtype)
    natural = model.outs[0](value)
    with hooked(model.plain, model.outs, {0: torch.zeros_like}, {0: torch.zeros_like}):
        assert torch.equal(model.outs[0](value), natural)
        with pytest.raises(IndexError):
            model.plain(input_ids=torch.tensor([[10_000]]))
        assert torch.equal(model.outs[0](value), natural)
