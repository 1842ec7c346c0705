"""A control along a random direction goes as far in the residual stream as the neuron's own clamp.

And the same way on the fast path, on the general one and in the float64 judge.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

import clampsweep.decoder.decode
from clampsweep.decoder.decode import decode, fast_path
from clampsweep.decoder.engine import Engine
from clampsweep.decoder.exact import exact
from clampsweep.decoder.interventions import Edit, Scope, edit
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from families import PROMPTS, load_family

PLAIN = ("gpt2", "llama", "gpt_neox", "opt", "cohere", "granite", "stablelm")
NORMED = ("olmo2", "gemma3_text", "glm4", "exaone4")
OWN_CLAMP = edit(Neuron(0, 3), "set", 15.0)
CONTROL = edit(Neuron(0, 3, 4), "set", 15.0)


@contextmanager
def _seen(block: Any) -> Iterator[list[torch.Tensor]]:
    """The residual streams that a layer is given, as [token, d_model] of each pass."""
    found: list[torch.Tensor] = []

    def keep(module: Any, args: Any, kwargs: Any) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        found.append(hidden.flatten(0, -2).clone())

    # Of hooks that stand already, none changes what this one is given: it comes first.
    handle = block.register_forward_pre_hook(keep, with_kwargs=True, prepend=True)
    try:
        yield found
    finally:
        handle.remove()


def _moved(model: Model, path: str, change: Edit) -> torch.Tensor:
    """By how much a change in the first layer moves the next one's input, at each position."""
    prompt, edits = model.encode(PROMPTS[0]), ([], [change])
    block, run = _where(model, path)
    streams = []
    for each in edits:
        with _seen(block) as seen:
            run(prompt, each)
        streams.append(seen[0])
    return streams[1] - streams[0]


def _where(model: Model, path: str) -> Any:
    """A path's second layer, and what runs it on a prompt with edits."""
    if path == "judge":
        judge = exact(model)
        assert judge is not None
        return model.part("blocks.1", judge._plain), lambda prompt, edits: judge.logits(
            prompt, len(prompt), edits, Scope("all")
        )
    engine = fast_path(model, [[]], Scope("all"))
    assert isinstance(engine, Engine)
    block = engine.blocks[1] if path == "fast" else model.part("blocks.1")

    def run(prompt: list[int], edits: list[Edit]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if path == "general":
                patch.setattr(clampsweep.decoder.decode, "fast_path", lambda *ignored: "as said")
            decode(model, [prompt], [edits], Scope("all"), Decoding("greedy", 1))

    return block, run


@pytest.mark.parametrize("name", [*PLAIN, *NORMED])
def test_a_control_goes_as_far_as_the_clamp_on_every_path(name: str, tmp_path: Path) -> None:
    model = load_family(tmp_path, name)
    own, control = (
        [_moved(model, path, change) for path in ("fast", "general", "judge")]
        for change in (OWN_CLAMP, CONTROL)
    )
    for each in (own, control):
        torch.testing.assert_close(each[1], each[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(each[2], each[0], rtol=1e-5, atol=1e-6)
    ratio = control[0].norm(dim=1) / own[0].norm(dim=1)  # [pos]
    if name in PLAIN:
        torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=1e-5, atol=1e-5)
    else:  # a norm comes after both
        assert 0.5 < float(ratio.min()) <= float(ratio.max()) < 2
