"""Texts that end by a stop string: against Hugging Face's `generate` and one prompt at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import clampsweep.decoder.decode
from clampsweep.decoder.decode import decode
from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.rows import Decoded
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from reference import Clamp, Text, decode_alone
from tiny import N_CTX, N_LAYERS, PROMPTS, RAGGED_PROMPTS

N_NEW = 12
TEXTS = (*PROMPTS[:4], *RAGGED_PROMPTS[:2])


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


_KNOWN: dict[tuple[Any, ...], Any] = {}  # both paths are held against the same


def _once(make: Callable[..., Any], model: Model, *rest: Any) -> Any:
    """What a function makes of a model and more, made once for both paths."""
    key = (make.__name__, model.folder, *rest)
    if key not in _KNOWN:
        _KNOWN[key] = make(model, *rest)
    return _KNOWN[key]


def _strings(model: Model) -> dict[str, tuple[str, ...]]:
    """Strings that some of the texts hold, by what is particular about them."""
    found: dict[str, tuple[str, ...]] = _once(_find_strings, model)
    return found


def _find_strings(model: Model) -> dict[str, tuple[str, ...]]:
    pieces = [model.tokenizer.decode([at]) for at in range(len(model.tokenizer))]
    long = {one for one in pieces if len(one) > 1}
    texts = [model.decode(one.token_ids) for one in _decode(model, ())]
    inside = {one[1:] for one in long if any(one in text for text in texts)}
    long_ones = [text for text in texts if len(text) > 7]
    whole = [text for text in long_ones if "\N{REPLACEMENT CHARACTER}" not in text[2:7]]
    return {
        "from inside a token": tuple(sorted(inside)[:3]),
        "over several tokens": tuple(text[2:7] for text in whole[:3]),
        "overlapping": tuple(text[at : at + 3] for text in whole[:3] for at in (3, 4, 5)),
        "never said": ("ZZZ", "é", "no such text at all, and long"),
    }


def _generated(model: Model, prompt: str, strings: tuple[str, ...]) -> list[int]:
    """Tokens that Hugging Face's `generate` adds, without the end-of-sequence token."""
    ids = torch.tensor([model.encode(prompt)])
    with torch.inference_mode():
        got = model.plain.generate(
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


def test_tokens_are_those_of_hugging_faces_generate(model: Model) -> None:
    ends: dict[str, int] = {}
    for kind, strings in _strings(model).items():
        got = _decode(model, strings)
        for one, prompt in zip(got, TEXTS, strict=True):
            assert one.token_ids == _once(_generated, model, prompt, strings), kind
            ends[kind] = ends.get(kind, 0) + (one.stop_reason == "stop_string")

    assert all(ends[kind] for kind in ("from inside a token", "over several tokens", "overlapping"))
    assert not ends["never said"]


def _alone(model: Model, prompt: str, clamp: Clamp, scope: str, strings: Sequence[str]) -> Text:
    ids = model.encode(prompt)
    return decode_alone(model, ids, [clamp], scope, N_NEW, stop_strings=strings)


def _clamped(layer: int) -> list[Clamp]:
    """One clamp for each prompt."""
    return [Clamp(Neuron(layer, 3 * at), "set", 9.0 - 3 * at) for at in range(len(TEXTS))]


@pytest.mark.parametrize("layer", [0, N_LAYERS - 1])
@pytest.mark.parametrize("scope", ["all", "last"])
def test_stopped_rows_equal_one_prompt_at_a_time(model: Model, scope: str, layer: int) -> None:
    """Their last token counts once in the means, whatever the others do meanwhile."""
    clamps, strings = _clamped(layer), _strings(model)["over several tokens"]
    edits = [[edit(one.neuron, one.operation, one.value)] for one in clamps]
    got = _decode(model, strings, edits=edits, scope=scope, capture_layers=range(N_LAYERS))
    for one, prompt, clamp in zip(got, TEXTS, clamps, strict=True):
        want = _once(_alone, model, prompt, clamp, scope, strings)
        assert (one.token_ids, one.stop_reason) == (want.token_ids, want.stop_reason)
        assert one.min_margin == pytest.approx(min(want.margins), rel=1e-4, abs=1e-5)
        for at, vector in one.vectors.items():
            mean = torch.stack(want.after[at]).mean(0).numpy()
            np.testing.assert_allclose(vector, mean, rtol=1e-4, atol=1e-4)
        if want.token_ids:
            values = [float(each[clamp.neuron.index]) for each in want.before[layer]]
            assert one.natural[layer] == pytest.approx(np.mean(values), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("capture", [(), (0, 2)])
def test_the_likelihood_counts_every_token_of_a_stopped_text(
    model: Model, capture: tuple[int, ...]
) -> None:
    strings = _strings(model)["over several tokens"]
    got = _decode(model, strings, capture_layers=capture, with_nll=True)
    assert {one.stop_reason for one in got} >= {"stop_string", "max_new_tokens"}
    for one, prompt in zip(got, TEXTS, strict=True):
        ids = model.encode(prompt)
        with torch.inference_mode():
            logits = model.plain(torch.tensor([[*ids, *one.token_ids]])).logits[0, len(ids) - 1 :]
        new = torch.tensor(one.token_ids)
        want = torch.nn.functional.cross_entropy(logits[:-1], new) if one.token_ids else None
        assert one.nll_unclamped == (want and pytest.approx(float(want), rel=1e-5, abs=1e-5))


def test_sampled_texts_are_those_without_stop_strings_cut_short(model: Model) -> None:
    warm = Decoding("sample", N_NEW, temperature=2.0, top_k=20)
    prompts = [model.encode(text) for text in TEXTS]
    streams = [(at, 7) for at in range(len(TEXTS))]

    def run(decoding: Decoding) -> list[Decoded]:
        rows: list[list[Any]] = [[] for _ in prompts]
        return decode(model, prompts, rows, Scope("all"), decoding, streams=streams)

    free, strings = run(warm), ("a", "t", "o")
    stopped = 0
    for one, whole in zip(run(replace(warm, stop_strings=strings)), free, strict=True):
        said = [model.tokenizer.decode(whole.token_ids[:n]) for n in range(1, N_NEW + 1)]
        ends = [n for n, text in enumerate(said, 1) if any(part in text for part in strings)]
        n = min([*ends, len(whole.token_ids)])
        assert one.token_ids == whole.token_ids[:n]
        assert one.stop_reason == ("stop_string" if ends and ends[0] == n else whole.stop_reason)
        stopped += one.stop_reason == "stop_string"
    assert stopped >= 3


def _first_token(model: Model) -> str:
    return model.tokenizer.decode(_decode(model, (), 1, prompts=TEXTS[:1])[0].token_ids)


def test_a_stop_string_with_the_last_token_allowed_is_what_ends_the_text(model: Model) -> None:
    (one,) = _decode(model, [_first_token(model)], 1, prompts=TEXTS[:1], capture_layers=[0])
    assert (len(one.token_ids), one.stop_reason) == (1, "stop_string")
    want = decode_alone(model, model.encode(TEXTS[0]), (), "all", 1)
    np.testing.assert_allclose(one.vectors[0], want.after[0][0].numpy(), rtol=1e-4, atol=1e-4)


def test_end_of_sequence_wins_over_a_stop_string_of_its_name(model: Model) -> None:
    first = _decode(model, (), 1, prompts=TEXTS[:1])[0].token_ids[0]
    ending = replace(model, eos_ids=frozenset({first}))
    (one,) = _decode(ending, [_first_token(model)], prompts=TEXTS[:1])
    assert (one.token_ids, one.stop_reason) == ([], "eos")


def test_a_stop_string_where_the_context_ends_is_what_ends_the_text(model: Model) -> None:
    """The row's last token is run, at the context's last position, and nothing after it."""
    free = replace(model, eos_ids=frozenset())
    prompts = [[5] * (N_CTX - 1), [5] * (N_CTX - 3)]
    said = decode(free, prompts[:1], [[]], Scope("all"), Decoding("greedy", 1))[0].token_ids
    decoding = Decoding("greedy", 9, stop_strings=(free.tokenizer.decode(said),))
    got = decode(free, prompts, [[], []], Scope("all"), decoding, capture_layers=[1])
    assert (got[0].token_ids, got[0].stop_reason) == (said, "stop_string")
    want = decode_alone(free, prompts[0], (), "all", 1)
    np.testing.assert_allclose(got[0].vectors[1], want.after[1][0].numpy(), rtol=1e-4, atol=1e-4)


def test_what_the_prompt_ends_with_is_no_part_of_a_stop_string(model: Model) -> None:
    """Here we differ from Hugging Face, whose criterion looks at the prompt too."""
    string = TEXTS[0][-1] + _first_token(model)
    (one,) = _decode(model, [string], prompts=TEXTS[:1])
    assert len(one.token_ids) > 1
    assert len(_generated(model, TEXTS[0], (string,))) == 1


def test_on_tokens_is_told_every_choice_of_stopped_rows_too(model: Model) -> None:
    told: list[int] = []
    got = _decode(model, _strings(model)["over several tokens"], on_tokens=told.append)
    assert sum(told) == sum(len(one.token_ids) + (one.stop_reason == "eos") for one in got)


def test_what_a_stopped_row_would_say_next_need_not_be_finite(
    gpt2: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output weights become infinite once the first row has said what ends it."""
    strings = [_first_token(gpt2)]
    model = replace(gpt2, plain=copy.deepcopy(gpt2.plain))

    def spoil(n: int) -> None:
        head = model.plain.get_output_embeddings()
        head.weight.data.fill_(float("nan"))

    decoding = Decoding("greedy", N_NEW, stop_strings=tuple(strings))
    prompts = [model.encode(TEXTS[0])]
    (one,) = decode(model, prompts, [[]], Scope("all"), decoding, on_tokens=spoil)
    assert one.stop_reason == "stop_string"
