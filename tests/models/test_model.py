"""Twins of a loaded model."""

from __future__ import annotations

import torch

from clampsweep.models.hooks import hooked
from clampsweep.models.model import Model, twin
from standing import n_hooks


def test_a_twin_has_the_same_weights_and_none_of_the_hooks_that_stand(model: Model) -> None:
    """Such as those of a decode in the middle of which the float64 judge is made."""
    with hooked(model.plain, model.outs, {0: torch.zeros_like}, {1: torch.zeros_like}):
        standing = n_hooks(model.plain)
        other = twin(model.plain)
        assert n_hooks(model.plain) == standing > 0
    assert n_hooks(other) == 0
    pairs = zip(model.plain.parameters(), other.parameters(), strict=True)
    assert all(one is two for one, two in pairs)
    tokens = torch.tensor([model.encode("the cat ran")])
    with torch.inference_mode():
        assert torch.equal(other(tokens).logits, model.plain(tokens).logits)
    handle = other.register_forward_hook(lambda *_: None)
    assert n_hooks(model.plain) == 0, "nor are later ones shared"
    handle.remove()


def test_a_twin_of_a_model_that_has_given_hidden_states_is_the_same(model: Model) -> None:
    """transformers then leaves hooks and flags on it; the model of this test is its own."""
    tokens, plain = torch.tensor([model.encode("the cat ran")]), twin(model.plain)
    with torch.inference_mode():
        plain(tokens, output_hidden_states=True)
    other = twin(plain)
    for one, two in zip(plain.modules(), other.modules(), strict=True):
        flags = {name: value for name, value in vars(one).items() if isinstance(value, bool)}
        assert {name: vars(two)[name] for name in flags} == flags
    assert other.config.to_dict() == plain.config.to_dict()
    assert n_hooks(model.plain) == 0
