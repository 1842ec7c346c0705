"""Texts that end by a stop string: against Hugging Face's `generate` and one prompt at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

import clampsweep.decoder.decode
from clampsweep.decoder.decode import decode
from clampsweep.decoder.interventions import Scope
from clampsweep.decoder.rows import Decoded
from clampsweep.models.model import Model
from clampsweep.texts.request import Decoding
from tiny import PROMPTS, RAGGED_PROMPTS

N_NEW = 12
TEXTS = (*PROMPTS[:5], *RAGGED_PROMPTS[:3])


@pytest.fixture(params=["fast", "general"], autouse=True)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test here runs on both paths."""
    if request.param == "general":
        monkeypatch.setattr(
            clampsweep.decoder.decode, "fast_path", lambda *ignored: "as the test says"
        )
    return str(request.param)


def _decode(
    model: Model,
    strings: Sequence[str],
    n_new: int = N_NEW,
    *,
    prompts: Sequence[str] = TEXTS,
    edits: Any = None,
    scope: str = "all",
    **more: Any,
) -> list[Decoded]:
    return decode(
        model,
        [model.encode(text) for text in prompts],
        edits or [[] for _ in prompts],
        Scope.parse(scope),
        Decoding("greedy", n_new, stop_strings=tuple(strings)),
        **more,
    )


def _free(model: Model) -> list[str]:
    """What the prompts become without stop strings."""
    return [model.decode(one.token_ids) for one in _decode(model, ())]


def _strings(model: Model) -> dict[str, list[str]]:
    """Strings that some of the texts hold, by what is particular about them."""
    pieces = [model.tokenizer.decode([at]) for at in range(len(model.tokenizer))]
    long = {one for one in pieces if len(one) > 1}
    texts = _free(model)
    inside = {one[1:] for one in long if any(one in text for text in texts)}
    whole = [text for text in texts if "\N{REPLACEMENT CHARACTER}" not in text[2:7]]
    return {
        "from inside a token": sorted(inside)[:3],
        "over several tokens": [text[2:7] for text in whole[:4]],
        "of one character": ["t", "."],
        "overlapping": [text[at : at + 3] for text in whole[:3] for at in (3, 4, 5)],
        "of several bytes": ["é", "é.", "eé"],
        "never said": ["ZZZ", "no such text at all, and long"],
    }


def _generated(plain: Any, model: Model, prompt: str, strings: Sequence[str]) -> list[int]:
    """Tokens that Hugging Face's `generate` adds, without the end-of-sequence token."""
    ids = torch.tensor([model.encode(prompt)])
    with torch.inference_mode():
        got = plain.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=N_NEW,
            do_sample=False,
            stop_strings=list(strings),
            tokenizer=model.tokenizer,
            pad_token_id=0,
        )
    new = got[0, ids.shape[1] :].tolist()
    return new[:-1] if new and new[-1] in model.eos_ids else new


def test_tokens_are_those_of_hugging_faces_generate(
    model: Model, hugging_face: Callable[[Model], Any]
) -> None:
    ends: dict[str, int] = {}
    for kind, strings in _strings(model).items():
        got = _decode(model, strings)
        for one, prompt in zip(got, TEXTS, strict=True):
            assert one.token_ids == _generated(hugging_face(model), model, prompt, strings), kind
            ends[kind] = ends.get(kind, 0) + (one.stop_reason == "stop_string")
