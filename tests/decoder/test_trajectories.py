"""The fast path's check against the plain model, and what becomes of a model that fails it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import pytest
import torch

import clampsweep.decoder.decode
from clampsweep.decoder.attention import UnsupportedError
from clampsweep.decoder.decode import decode, fast_path
from clampsweep.decoder.engine import Engine
from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.rows import Decoded
from clampsweep.decoder.trajectories import check
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from reference import Clamp, decode_alone
from tiny import ARCHITECTURES, PROMPTS, RAGGED_PROMPTS

N_NEW = 8
GREEDY = Decoding("greedy", N_NEW)


def _engine(model: Model) -> Engine:
    engine = fast_path(model, [[]], Scope("all"))
    assert isinstance(engine, Engine)
    return engine


def _texts(found: list[Decoded]) -> list[list[int]]:
    return [one.token_ids for one in found]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_check_passes_for_a_model_that_fits(
    load_tiny: Callable[..., Model], architecture: str, dtype: str
) -> None:
    check(_engine(load_tiny(architecture, dtype=dtype)))


def _changed_twin(plain: Any, name: str) -> Any:
    """A model with one weight other than in the given one, which stays as it is."""
    other = copy.deepcopy(plain)
    with torch.no_grad():
        other.get_parameter(name).mul_(1.2)
    return other


_CHANGED = {
    "first mlp": "transformer.h.0.mlp.c_proj.weight",
    "last mlp": "transformer.h.2.mlp.c_proj.weight",
    "attention": "transformer.h.1.attn.c_attn.weight",
    "norm": "transformer.ln_f.weight",
    "positions": "transformer.wpe.weight",
    "unembedding": "lm_head.weight",
}


@pytest.mark.parametrize("part", _CHANGED)
def test_an_engine_of_other_weights_is_found_out_and_not_used(
    load_tiny: Callable[..., Model], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    model = load_tiny("gpt2", seed=1)

    class Wrong(Engine):
        """An engine one of whose weights differs from the model's."""

        def __init__(self, model: Model):
            plain = _changed_twin(model.plain, _CHANGED[part])
            super().__init__(replace(model, plain=plain))
            self.model = model

    with pytest.raises(UnsupportedError, match="off by"):
        check(Wrong(model))
    monkeypatch.setattr(clampsweep.decoder.decode, "Engine", Wrong)
    monkeypatch.setattr(clampsweep.decoder.decode, "_ENGINES", WeakKeyDictionary())
    clamp = Clamp(Neuron(1, 4), "set", 9.0)
    prompts = [model.encode(text) for text in (PROMPTS[0], RAGGED_PROMPTS[0])]
    change = [edit(clamp.neuron, "set", 9.0)]
    assert "off by" in str(fast_path(model, [change], Scope("all")))
    got = decode(model, prompts, [change, []], Scope("all"), GREEDY)
    wanted = [
        decode_alone(model, prompt, clamps, "all", N_NEW)
        for prompt, clamps in zip(prompts, ([clamp], []), strict=True)
    ]
    assert _texts(got) == [one.token_ids for one in wanted]
