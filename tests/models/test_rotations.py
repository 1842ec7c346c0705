"""Rotations that depend on a text's length do not carry over to the next text."""

from __future__ import annotations

import pytest
import torch

from clampsweep.models.rotations import forget, has_changing_rope
from families import FAMILIES, random_model


@pytest.mark.parametrize(
    ("name", "changing"),
    [
        ("llama", False),
        ("llama-linear", False),
        ("llama-yarn", False),
        ("llama-dynamic", True),
        ("llama-longrope", True),
        ("phi3-longrope", True),
        ("gemma3_text", False),
        ("gpt2", False),
    ],
)
def test_which_models_rotate_by_the_length_of_the_text(name: str, changing: bool) -> None:
    assert has_changing_rope(random_model(FAMILIES[name])) is changing


@torch.inference_mode()
def test_a_model_forgets_how_long_an_earlier_text_was() -> None:
    """Beyond the length that it was trained for, where it would keep the longer text's."""
    model = random_model(FAMILIES["llama-dynamic"])
    short, long = torch.arange(20)[None], torch.arange(40)[None]
    fresh = model(short).logits
    model(long)
    assert not torch.equal(model(short).logits, fresh)
    forget(model)
    assert torch.equal(model(short).logits, fresh)
