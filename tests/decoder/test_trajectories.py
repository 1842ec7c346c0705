"""The fast path's check against the bridge, and what becomes of a model that fails it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clampsweep.decoder.attention import UnsupportedError
from clampsweep.decoder.decode import decode, fast_path
from clampsweep.decoder.engine import Engine
from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.rows import Decoded
from clampsweep.decoder.trajectories import check
from clampsweep.models.fetching import fetch
from clampsweep.models.loading import Model, load
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from reference import Clamp, decode_alone
from tiny import ARCHITECTURES, PROMPTS, RAGGED_PROMPTS, make_tiny

N_NEW = 8
GREEDY = Decoding("greedy", N_NEW)


def _engine(model: Model) -> Engine:
    engine = fast_path(model, [[]], Scope("all"))
    assert isinstance(engine, Engine)
    return engine


def _texts(found: list[Decoded]) -> list[list[int]]:
    return [one.token_ids for one in found]


def _fresh(folder: Path, architecture: str, dtype: str = "float64") -> Model:
    """A model of this test alone, whose weights it may change."""
    spec = make_tiny(folder / "source", architecture, dtype=dtype)
    fetch(spec, folder / "model")
    return load(folder / "model", spec, threads=1, device="cpu")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_check_passes_for_a_model_that_fits(
    load_tiny: Callable[..., Model], architecture: str, dtype: str
) -> None:
    check(_engine(load_tiny(architecture, dtype=dtype)))


_CHANGED = {
    "first mlp": "transformer.h.0.mlp.c_proj.weight",
    "last mlp": "transformer.h.2.mlp.c_proj.weight",
    "attention": "transformer.h.1.attn.c_attn.weight",
    "norm": "transformer.ln_f.weight",
    "positions": "transformer.wpe.weight",
    "unembedding": "lm_head.weight",
}


@pytest.mark.parametrize("part", _CHANGED)
def test_a_plain_model_of_other_weights_is_found_out_and_not_used(
    tmp_path: Path, part: str
) -> None:
    model = _fresh(tmp_path, "gpt2")
    parameter = dict(model.plain.named_parameters())[_CHANGED[part]]
    parameter.data = parameter.data * 1.2  # memory of its own: the bridge's stays
    with pytest.raises(UnsupportedError, match="off by"):
        check(Engine(model))
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
