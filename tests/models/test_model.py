"""Twins of a loaded model."""

from __future__ import annotations

import torch

from clampsweep.models.hooks import hooked
from clampsweep.models.model import Model, twin


def _hooks(plain: torch.nn.Module) -> int:
    return sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in plain.modules())


def test_a_twin_has_the_same_weights_and_none_of_the_hooks_that_stand(model: Model) -> None:
    """Such as those of a decode in the middle of which the float64 judge is made."""
    with hooked(model.plain, model.outs, {0: torch.zeros_like}, {1: torch.zeros_like}):
        standing = _hooks(model.plain)
        other = twin(model.plain)
        assert _hooks(model.plain) == standing > 0
    assert _hooks(other) == 0
    pairs = zip(model.plain.parameters(), other.parameters(), strict=True)
    assert all(one is two for one, two in pairs)
    tokens = torch.tensor([model.encode("the cat ran")])
    with torch.inference_mode():
        assert torch.equal(other(tokens).logits, model.plain(tokens).logits)
    handle = other.register_forward_hook(lambda *_: None)
    assert _hooks(model.plain) == 0, "nor are later ones shared"
    handle.remove()


def test_a_twin_of_a_model_that_has_given_hidden_states_is_the_same(model: Model) -> None:
    """transformers then notes on it that its hooks are installed."""
    tokens = torch.tensor([model.encode("the cat ran")])
    with torch.inference_mode():
        model.plain(tokens, output_hidden_states=True)
    other = twin(model.plain)
    for one, two in zip(model.plain.modules(), other.modules(), strict=True):
        flags = {name: value for name, value in vars(one).items() if isinstance(value, bool)}
        assert {name: vars(two)[name] for name in flags} == flags
    assert other.config.to_dict() == model.plain.config.to_dict()
