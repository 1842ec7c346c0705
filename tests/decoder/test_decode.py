"""Both paths of the decoder against one prompt at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import clampsweep.decoder.decode
import clampsweep.decoder.general
import clampsweep.decoder.layer_edits
import tiny
from clampsweep.decoder.decode import decode, fast_path
from clampsweep.decoder.engine import Engine
from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.rows import Decoded
from clampsweep.errors import UserError
from clampsweep.models.directions import random_direction
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from reference import SAMPLED, Clamp, Text, decode_alone, draw, nodes, noise, other_weights
from standing import n_hooks
from tiny import D_MLP, N_CTX, N_LAYERS, PROMPTS, RAGGED_PROMPTS, WINDOW

SCOPES = ("all", "prompt", "generated", "last", "last_cached", "0,3,8,10,13")
LAYERS = range(N_LAYERS)
N_NEW = 7
GREEDY = Decoding("greedy", N_NEW)
Rows = list[tuple[str, tuple[Clamp, ...]]]


@pytest.fixture(params=["fast", "general"], autouse=True)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test here runs on both paths; the fast one still leaves what it cannot do."""
    if request.param == "general":
        monkeypatch.setattr(
            clampsweep.decoder.decode, "fast_path", lambda *ignored: "as the test says"
        )
    return str(request.param)


# For what does not depend on the path, or takes one path in any case.
fast_only = pytest.mark.parametrize("path", ["fast"], indirect=True)


def _donor(seed: int, length: int) -> tuple[float, ...]:
    return tuple(np.random.default_rng(seed).normal(0, 15, length).tolist())


def _clamps(layer: int) -> list[Clamp]:
    """Two clamps of each operation, each of another neuron."""
    kinds: list[tuple[str, float | None, tuple[float, ...]]] = [
        ("set", -20.0, ()),
        ("set", 6.0, ()),
        ("add", 12.0, ()),
        ("add", -9.0, ()),
        ("scale", -8.0, ()),
        ("scale", 15.0, ()),
        ("mean", 7.5, ()),
        ("mean", -11.0, ()),
        ("resample", None, _donor(1, 4)),
        ("resample", None, _donor(2, 30)),
        ("zero", None, ()),
        ("zero", None, ()),
    ]
    return [
        Clamp(Neuron(layer, (3 + 7 * at) % D_MLP), operation, value, donor)
        for at, (operation, value, donor) in enumerate(kinds)
    ]


def _mixed(layer: int) -> Rows:
    """Rows of one batch: every operation beside baselines, prompts going round."""
    each: list[tuple[Clamp, ...]] = [(clamp,) for clamp in _clamps(layer)]
    each.insert(0, ())
    each.insert(7, ())
    return [(PROMPTS[at % len(PROMPTS)], clamps) for at, clamps in enumerate(each)]


def _joint() -> Rows:
    """Rows with several neurons of several layers at once, beside single ones and a baseline."""
    first, middle, last = (_clamps(layer) for layer in LAYERS)
    return [
        (PROMPTS[0], (first[0], first[3])),
        (PROMPTS[0], ()),
        (PROMPTS[1], (first[4], middle[8], last[6])),
        (PROMPTS[2], (middle[9], middle[2], last[10], last[1])),
        (PROMPTS[3], (last[5],)),
        (PROMPTS[4], (first[9], last[8])),
    ]


def _redirected() -> Rows:
    """Changes sent along random directions, in every layer, alone and beside ordinary ones."""
    first, middle, last = (_clamps(layer) for layer in LAYERS)

    def sent(clamp: Clamp, number: int) -> Clamp:
        return replace(clamp, neuron=replace(clamp.neuron, direction=number))

    return [
        (PROMPTS[0], (sent(last[0], 3),)),
        (PROMPTS[0], (last[0],)),
        (PROMPTS[0], (sent(last[0], 4),)),
        (PROMPTS[1], (sent(last[2], 0), last[5])),
        (PROMPTS[2], (sent(middle[1], 1), sent(last[4], 1))),
        (PROMPTS[2], (middle[1], sent(last[4], 2))),
        (PROMPTS[3], (sent(first[9], 5), middle[8])),
        (PROMPTS[4], (sent(first[1], 6), sent(middle[3], 6), last[1])),
        (PROMPTS[4], ()),
    ]


def _decode(model: Model, rows: Rows, scope: str, decoding: Decoding = GREEDY, **more: Any):
    return decode(
        model,
        [model.encode(prompt) for prompt, _ in rows],
        [[edit(one.neuron, one.operation, one.value, one.donor) for one in row] for _, row in rows],
        Scope.parse(scope),
        decoding,
        **more,
    )


_ALONE: dict[tuple[Any, ...], Text] = {}  # both paths are held against the same runs


def _alone(model: Model, rows: Rows, scope: str, n_new: int = N_NEW) -> list[Text]:
    texts = []
    for prompt, clamps in rows:
        key = (model.folder, model.eos_ids, prompt, clamps, scope if clamps else "", n_new)
        if key not in _ALONE:
            _ALONE[key] = decode_alone(model, model.encode(prompt), clamps, scope, n_new)
        texts.append(_ALONE[key])
    return texts


def _single(row: Sequence[Clamp], layer: int) -> Clamp | None:
    edited = [clamp for clamp in row if clamp.neuron.layer == layer]
    return edited[0] if len(edited) == 1 else None


def _same(got: Sequence[Decoded], wanted: Sequence[Text], rows: Rows) -> None:
    """Assert equality of tokens, ends, margins, mean vectors and natural values, row by row."""
    for one, want, (prompt, clamps) in zip(got, wanted, rows, strict=True):
        said = f"{prompt!r} {clamps}"
        assert one.token_ids == want.token_ids, said
        assert one.stop_reason == want.stop_reason, said
        assert one.min_margin == pytest.approx(min(want.margins), rel=1e-4, abs=1e-5), said
        assert set(one.vectors) == (set(one.natural) if want.token_ids else set()), said
        for layer, vector in one.vectors.items():
            mean = torch.stack(want.after[layer]).mean(0).numpy()
            np.testing.assert_allclose(vector, mean, rtol=1e-4, atol=1e-4, err_msg=said)
        for layer, natural in one.natural.items():
            clamp = _single(clamps, layer)
            if clamp is None or not want.token_ids:
                assert natural is None, said
            else:
                values = [float(each[clamp.neuron.index]) for each in want.before[layer]]
                assert natural == pytest.approx(np.mean(values), rel=1e-4, abs=1e-4), said


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_a_mixed_batch_equals_one_prompt_at_a_time(
    load_tiny: Callable[..., Model], architecture: str, scope: str, layer: int
) -> None:
    model, rows = load_tiny(architecture), _mixed(layer)
    got = _decode(model, rows, scope, capture_layers=LAYERS)
    _same(got, _alone(model, rows, scope), rows)


@pytest.mark.parametrize("scope", SCOPES)
def test_joint_interventions_equal_one_prompt_at_a_time(model: Model, scope: str) -> None:
    rows = _joint()
    got = _decode(model, rows, scope, capture_layers=LAYERS)
    _same(got, _alone(model, rows, scope), rows)


@pytest.mark.parametrize("scope", SCOPES)
def test_changes_along_random_directions_equal_one_prompt_at_a_time(
    model: Model, scope: str
) -> None:
    rows = _redirected()
    for part in (rows, rows[:4]):  # split at the first layer, and at the last
        got = _decode(model, part, scope, capture_layers=LAYERS)
        _same(got, _alone(model, part, scope), part)


def test_random_directions_are_fixed_and_differ() -> None:
    found = [random_direction(layer, number, 200) for layer in (0, 1) for number in (0, 1, 1)]
    assert [float(np.linalg.norm(one)) for one in found] == pytest.approx([1.0] * 6)
    np.testing.assert_array_equal(found[1], found[2])
    cosines = np.array([found[0], found[1], found[3], found[4]])
    assert np.abs(cosines @ cosines.T - np.eye(4)).max() < 0.3


@pytest.mark.parametrize("decoding", [GREEDY, SAMPLED[0]], ids=["greedy", "sampled"])
@pytest.mark.parametrize("kind", ["joint", "last layer", "baselines"])
def test_nll_is_the_cross_entropy_of_the_text_under_the_unchanged_model(
    model: Model, kind: str, decoding: Decoding
) -> None:
    rows = _joint() if kind == "joint" else _mixed(N_LAYERS - 1)
    rows = [(prompt, ()) for prompt, _ in rows] if kind == "baselines" else rows
    streams = _streams(len(rows)) if decoding != GREEDY else None
    got = _decode(model, rows, "all", decoding, streams=streams, with_nll=True)
    for one, (text, _) in zip(got, rows, strict=True):
        prompt = model.encode(text)
        if not one.token_ids:
            assert one.nll_unclamped is None
            continue
        ids = torch.tensor([[*prompt, *one.token_ids]])
        labels = ids.clone()
        labels[0, : len(prompt)] = -100
        with torch.inference_mode():
            wanted = float(model.plain(input_ids=ids, labels=labels).loss)
        assert one.nll_unclamped == pytest.approx(wanted, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("scope", "decoding"), [("all", SAMPLED[0]), ("last", GREEDY), ("generated", GREEDY)]
)
def test_the_chance_of_an_end_at_once_is_the_softmax_of_the_first_choice_under_the_rows_own_clamps(
    model: Model, scope: str, decoding: Decoding
) -> None:
    """Of all tokens that end a text, at temperature 1, whatever the decoding cuts."""
    ends = {1, 9, 40, 10**6}  # the last is beyond the vocabulary: some configs name such a one
    several, rows = replace(model, eos_ids=frozenset(ends)), [*_mixed(N_LAYERS - 1)[:5], *_joint()]
    streams = _streams(len(rows)) if decoding != GREEDY else None
    got = _decode(several, rows, scope, decoding, streams=streams)
    wanted = []
    for prompt, clamps in rows:

        def note(logits: torch.Tensor, step: int) -> int:
            wanted.append(float(logits.softmax(-1)[[1, 9, 40]].sum()))
            return int(logits.argmax())

        decode_alone(model, model.encode(prompt), clamps, scope, 1, note)
    assert [one.p_end_first for one in got] == pytest.approx(wanted, rel=1e-6, abs=0)
    clamped = len(set(wanted)) > len(PROMPTS)
    assert clamped == (scope != "generated"), "that scope begins with the first generated token"


@fast_only
@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
@pytest.mark.parametrize("scope", ["all", "last", "last_cached"])
def test_a_processed_model_equals_one_prompt_at_a_time(
    load_tiny: Callable[..., Model], architecture: str, scope: str
) -> None:
    model = load_tiny(architecture, weight_processing="compatibility")
    rows = _joint()
    got = _decode(model, rows, scope, capture_layers=LAYERS)
    _same(got, _alone(model, rows, scope), rows)


@fast_only
@pytest.mark.parametrize("scope", ["all", "last", "last_cached"])
def test_a_sliding_window_equals_one_prompt_at_a_time(
    load_tiny: Callable[..., Model], scope: str
) -> None:
    """The texts grow longer than the window."""
    model = replace(load_tiny("mistral"), eos_ids=frozenset())
    rows = _joint()
    assert len(model.encode(rows[0][0])) + 2 * N_NEW > WINDOW + 8
    got = _decode(model, rows, scope, Decoding("greedy", 2 * N_NEW), capture_layers=LAYERS)
    _same(got, _alone(model, rows, scope, 2 * N_NEW), rows)


def test_prompts_that_begin_with_bos_equal_one_prompt_at_a_time(
    load_tiny: Callable[..., Model],
) -> None:
    model = load_tiny("llama", prepend_bos=True)
    rows = _joint()
    _same(_decode(model, rows, "last", capture_layers=LAYERS), _alone(model, rows, "last"), rows)


def _ragged(layer: int) -> Rows:
    """Rows whose prompts have six to thirteen tokens, each prompt in two of them."""
    clamps = _clamps(layer)
    each: list[tuple[Clamp, ...]] = [(clamps[0],), (clamps[2],), (), (clamps[9], clamps[5])]
    prompts = (*RAGGED_PROMPTS, PROMPTS[0])
    return [(prompts[at % 6], row) for at, row in enumerate(each * 3)]


@pytest.mark.parametrize("layer", [0, 2])
@pytest.mark.parametrize("scope", ["all", "prompt", "generated", "0,3,8,10,13"])
def test_prompts_of_different_lengths_equal_one_prompt_at_a_time(
    gpt2: Model, scope: str, layer: int
) -> None:
    rows = _ragged(layer)
    assert len({len(gpt2.encode(prompt)) for prompt, _ in rows}) == 5
    got = _decode(gpt2, rows, scope, capture_layers=LAYERS)
    _same(got, _alone(gpt2, rows, scope), rows)


@pytest.mark.parametrize(("architecture", "layer"), [("llama", 0), ("llama", 2), ("neox", 1)])
def test_grouped_heads_and_rotations_serve_prompts_of_different_lengths(
    load_tiny: Callable[..., Model], architecture: str, layer: int
) -> None:
    model, rows = load_tiny(architecture), _ragged(layer)
    got = _decode(model, rows, "last_cached", capture_layers=LAYERS)
    _same(got, _alone(model, rows, "last_cached"), rows)


@pytest.mark.parametrize(("architecture", "layer"), [("gpt2", 0), ("llama", 2)])
def test_texts_of_130_tokens_equal_one_prompt_at_a_time(
    load_tiny: Callable[..., Model], architecture: str, layer: int
) -> None:
    weights = tiny.random_model(architecture, n_ctx=160)
    model = replace(load_tiny(architecture, model=weights, name="long"), eos_ids=frozenset())
    clamps = _clamps(layer)
    rows: Rows = [(PROMPTS[0], ()), (PROMPTS[0], (clamps[3],)), (RAGGED_PROMPTS[1], (clamps[5],))]
    got = _decode(model, rows, "generated", Decoding("greedy", 130), capture_layers=[1])
    assert [len(one.token_ids) for one in got] == [130] * 3
    _same(got, _alone(model, rows, "generated", 130), rows)


@pytest.mark.parametrize("architecture", ["bloom", "gemma", "olmo", "opt"])
@pytest.mark.parametrize("layer", [0, 2])
def test_other_families_equal_one_prompt_at_a_time(
    load_tiny: Callable[..., Model], architecture: str, layer: int
) -> None:
    """Whichever path they take: their norms, activations or attention have other forms."""
    weights, fields = other_weights(architecture)
    model = load_tiny("llama", model=weights, **fields)
    rows = _ragged(layer)
    _same(_decode(model, rows, "all"), _alone(model, rows, "all"), rows)


@fast_only
@pytest.mark.parametrize("layer", LAYERS)
def test_the_clamps_of_these_tests_change_texts(model: Model, layer: int) -> None:
    """So that equality with the reference says something."""
    rows = _mixed(layer)
    clamped = _decode(model, rows, "all")
    natural = _decode(model, [(prompt, ()) for prompt, _ in rows], "all")
    changed = [one.token_ids != two.token_ids for one, two in zip(clamped, natural, strict=True)]
    assert sum(changed) >= 6
    assert not changed[0]
    assert not changed[7]


def _texts(model: Model, layer: int, scope: str) -> list[tuple[list[int], str]]:
    rows = [(prompt, (clamp,)) for prompt in PROMPTS[:3] for clamp in _clamps(layer)]
    got = _decode(model, rows, scope, Decoding("greedy", 16))
    return [(one.token_ids, one.stop_reason) for one in got]


def test_all_last_and_last_cached_agree_at_the_last_layer(model: Model) -> None:
    of_all = _texts(model, N_LAYERS - 1, "all")
    assert _texts(model, N_LAYERS - 1, "last") == of_all
    assert _texts(model, N_LAYERS - 1, "last_cached") == of_all


@fast_only
@pytest.mark.parametrize("layer", range(N_LAYERS - 1))
def test_all_last_and_last_cached_each_differ_before_the_last_layer(
    model: Model, layer: int
) -> None:
    of_all, last, cached = (_texts(model, layer, scope) for scope in ("all", "last", "last_cached"))
    assert of_all != last
    assert of_all != cached
    assert last != cached


@fast_only
def test_scope_last_leaves_no_trace_in_later_steps(gpt2: Model) -> None:
    """The choice at each step is that of a first step on the text so far."""
    rows: Rows = [(PROMPTS[0], (_clamps(0)[0],))]
    whole = _decode(gpt2, rows, "last")[0].token_ids
    prompt = gpt2.encode(PROMPTS[0])
    change = [edit(Neuron(0, 3), "set", -20.0)]
    for step in range(1, len(whole)):
        fresh = decode(
            gpt2, [[*prompt, *whole[:step]]], [change], Scope("last"), Decoding("greedy", 1)
        )
        assert fresh[0].token_ids == [whole[step]]


def test_rows_are_the_same_in_any_order_and_alone(model: Model) -> None:
    rows = _mixed(1)
    order = np.random.default_rng(0).permutation(len(rows)).tolist()
    together = _decode(model, rows, "all")
    shuffled = _decode(model, [rows[at] for at in order], "all")
    for place, at in enumerate(order):
        assert shuffled[place].token_ids == together[at].token_ids
        assert _decode(model, [rows[at]], "all")[0].token_ids == together[at].token_ids


def test_no_rows_become_no_texts(gpt2: Model) -> None:
    assert _decode(gpt2, [], "all", capture_layers=LAYERS) == []


# Which path


@contextmanager
def _spied(model: Any) -> Iterator[list[torch.Tensor]]:
    """Tokens that each forward pass of a Hugging Face model is fed."""
    fed: list[torch.Tensor] = []
    handle = model.get_input_embeddings().register_forward_pre_hook(
        lambda module, args: fed.append(args[0].clone())
    )
    try:
        yield fed
    finally:
        handle.remove()


def _engine(model: Model) -> Engine:
    engine = fast_path(model, [[]], Scope("all"))
    assert isinstance(engine, Engine)
    return engine


@fast_only
@pytest.mark.parametrize("scope", SCOPES)
def test_every_scope_but_last_below_the_last_layer_takes_the_fast_path(
    model: Model, scope: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="clampsweep.decoder.decode")
    free = replace(model, eos_ids=frozenset())
    lowest: list[tuple[int, Rows]] = [(layer, _mixed(layer)) for layer in LAYERS]
    for layer, rows in [*lowest, (0, _joint()), (N_LAYERS, [(PROMPTS[0], ())])]:
        caplog.clear()
        general, fast = free.plain, _engine(free).body
        with _spied(general) as bridged, _spied(fast) as packed:
            _decode(free, rows, scope)
        if scope == "last" and layer < N_LAYERS - 1:
            assert (len(bridged), len(packed)) == (N_NEW, 0)
            assert "general decoder: scope last below the last layer" in caplog.text
        else:
            assert (len(bridged), len(packed)) == (0, N_NEW)
            assert not caplog.records


@fast_only
@pytest.mark.parametrize(
    ("architecture", "fields", "reason"),
    [
        ("gpt2", {"weight_processing": "compatibility"}, "weights are processed"),
        ("llama", {"weight_processing": "compatibility"}, "weights are processed"),
        ("mistral", {}, f"texts of up to 16 tokens exceed the attention window of {WINDOW}"),
    ],
)
def test_models_that_the_fast_path_does_not_fit_take_the_general_one(
    load_tiny: Callable[..., Model],
    caplog: pytest.LogCaptureFixture,
    architecture: str,
    fields: dict[str, str],
    reason: str,
) -> None:
    caplog.set_level("INFO", logger="clampsweep.decoder.decode")
    model = replace(load_tiny(architecture, **fields), eos_ids=frozenset())
    assert reason in str(fast_path(model, [[]], Scope("all"), longest=9 + N_NEW))
    rows: Rows = [(PROMPTS[0], (_clamps(2)[0],)), (PROMPTS[1], ())]
    with _spied(model.plain) as fed:
        _decode(model, rows, "all")
    assert len(fed) == N_NEW
    (record,) = caplog.records
    assert record.getMessage().startswith("general decoder: ")
    assert reason in record.getMessage()


# Ends


def _ending(model: Model, rows: Rows, step: int) -> Model:
    """The model with the token that the first row says at a step as its only EOS."""
    free = replace(model, eos_ids=frozenset())
    return replace(model, eos_ids=frozenset({_decode(free, rows, "all")[0].token_ids[step]}))


@fast_only
def test_some_rows_of_these_tests_end_in_eos_and_some_do_not(model: Model) -> None:
    rows: Rows = [(prompt, ()) for prompt in PROMPTS]
    ends = Counter(one.stop_reason for one in _decode(model, rows, "all", Decoding("greedy", 16)))
    assert ends["eos"] >= 1
    assert ends["max_new_tokens"] >= 3


@pytest.mark.parametrize("scope", ["all", "last"])
@pytest.mark.parametrize("step", [0, 4])
def test_eos_ends_a_row_which_is_not_fed_on(model: Model, path: str, scope: str, step: int) -> None:
    rows = _mixed(0)
    ending = _ending(model, rows, step)
    with _spied(ending.plain) as bridged, _spied(_engine(ending).body) as packed:
        got = _decode(ending, rows, scope, capture_layers=[0])
    _same(got, _alone(ending, rows, scope), rows)
    assert any(one.stop_reason == "eos" for one in got)
    assert not any(set(one.token_ids) & ending.eos_ids for one in got)
    texts = [one.token_ids for one in got]
    if path == "fast" and scope != "last":
        assert not bridged
        _assert_nodes_are_fed(packed, [ending.encode(prompt) for prompt, _ in rows], texts)
    else:
        assert not packed
        _assert_rows_are_fed(bridged, texts)
        assert not any(token in fed[:, -1] for fed in bridged[1:] for token in ending.eos_ids)


def _assert_nodes_are_fed(
    fed: list[torch.Tensor], prompts: list[list[int]], texts: list[list[int]]
) -> None:
    """Each distinct prompt once, then the newest token of each distinct text of a prompt."""
    first = [token for prompt in dict.fromkeys(map(tuple, prompts)) for token in prompt]
    assert fed[0].tolist() == [first]
    for n, tokens in enumerate(fed[1:], 1):
        newest = [text[-1] for _, text in nodes(prompts, texts, n)]
        assert sorted(tokens[0].tolist()) == sorted(newest)
    assert len(fed) == 1 + max(map(len, texts))


def _assert_rows_are_fed(fed: list[torch.Tensor], texts: list[list[int]]) -> None:
    """Every prompt, then one token of each row that has so many."""
    assert [len(tokens) for tokens in fed] == [
        sum(len(text) >= n for text in texts) for n in range(max(map(len, texts)) + 1)
    ]


def test_eos_as_the_first_token_gives_an_empty_text(model: Model) -> None:
    rows: Rows = [(PROMPTS[0], ())]
    got = _decode(_ending(model, rows, 0), rows, "all", capture_layers=LAYERS)[0]
    assert (got.token_ids, got.stop_reason, got.vectors) == ([], "eos", {})
    assert set(got.natural.values()) == {None}
    assert got.min_margin == pytest.approx(_alone(model, rows, "all", 1)[0].margins[0], rel=1e-4)


def test_any_of_several_eos_tokens_ends_a_row(gpt2: Model) -> None:
    rows: Rows = [(prompt, ()) for prompt in PROMPTS]
    free = _decode(replace(gpt2, eos_ids=frozenset()), rows, "all")
    ends = frozenset({free[0].token_ids[3], free[1].token_ids[5]})
    got = _decode(replace(gpt2, eos_ids=ends), rows, "all")
    assert [one.stop_reason for one in got[:2]] == ["eos", "eos"]
    _same(got, _alone(replace(gpt2, eos_ids=ends), rows, "all"), rows)


def test_a_model_without_eos_goes_on_to_max_new_tokens(model: Model) -> None:
    rows: Rows = [(prompt, ()) for prompt in PROMPTS]
    got = _decode(replace(model, eos_ids=frozenset()), rows, "all")
    assert {(len(one.token_ids), one.stop_reason) for one in got} == {(N_NEW, "max_new_tokens")}


@pytest.mark.parametrize("scope", ["all", "last", "last_cached"])
def test_the_end_of_the_context_ends_every_row(model: Model, scope: str) -> None:
    prompt = " ".join(PROMPTS[:5])
    rows: Rows = [(prompt, clamps) for _, clamps in _joint()[:3]]
    free = replace(model, eos_ids=frozenset())
    n_prompt = len(free.encode(prompt))
    assert N_CTX - 20 < n_prompt < N_CTX - 5
    got = _decode(free, rows, scope, Decoding("greedy", 1000), capture_layers=LAYERS)
    assert {(len(one.token_ids), one.stop_reason) for one in got} == {(N_CTX - n_prompt, "context")}
    _same(got, _alone(free, rows, scope, 1000), rows)


@pytest.mark.parametrize("scope", ["all", "generated"])
def test_rows_reach_the_end_of_the_context_at_different_steps(model: Model, scope: str) -> None:
    free = replace(model, eos_ids=frozenset())
    ends = (PROMPTS[5], RAGGED_PROMPTS[0], PROMPTS[5], RAGGED_PROMPTS[4], PROMPTS[5], PROMPTS[0])
    edits = [clamps for _, clamps in _joint()]
    rows: Rows = [
        (" ".join([*PROMPTS[:4], end]), clamps) for end, clamps in zip(ends, edits, strict=True)
    ]
    room = [N_CTX - len(free.encode(prompt)) for prompt, _ in rows]
    assert len(set(room)) >= 3
    got = _decode(free, rows, scope, Decoding("greedy", max(room)), capture_layers=LAYERS)
    assert [len(one.token_ids) for one in got] == room
    assert {one.stop_reason for one in got} == {"context", "max_new_tokens"}
    _same(got, _alone(free, rows, scope, max(room)), rows)


def test_a_prompt_one_short_of_the_context_gets_one_token(gpt2: Model) -> None:
    free = replace(gpt2, eos_ids=frozenset())
    prompt = [5] * (N_CTX - 1)
    got = decode(free, [prompt], [[]], Scope("all"), GREEDY, capture_layers=[0])[0]
    assert (len(got.token_ids), got.stop_reason) == (1, "context")
    full = decode(free, [prompt], [[]], Scope("all"), Decoding("greedy", 1))[0]
    assert (full.token_ids, full.stop_reason) == (got.token_ids, "max_new_tokens")


def test_on_tokens_is_told_every_choice(model: Model) -> None:
    told: list[int] = []
    rows: Rows = [(prompt, ()) for prompt in PROMPTS]
    got = _decode(model, rows, "all", Decoding("greedy", 16), on_tokens=told.append)
    assert sum(told) == sum(len(one.token_ids) + (one.stop_reason == "eos") for one in got)


# Capture


def test_vectors_are_of_the_layers_asked_for(model: Model) -> None:
    rows = _mixed(2)
    without = _decode(model, rows, "all")
    assert all(one.vectors == {} and one.natural == {} for one in without)
    got = _decode(model, rows, "all", capture_layers=[1])
    assert all(set(one.natural) == {1} for one in got)
    assert {one.natural[1] for one in got} == {None}, "the edits are in layer 2"
    assert all(one.vectors[1].shape == (D_MLP,) for one in got if one.token_ids)
    assert [one.token_ids for one in got] == [one.token_ids for one in without]


def test_a_set_neuron_shows_its_value_in_the_vector_and_not_in_the_natural_value(
    model: Model,
) -> None:
    rows: Rows = [(PROMPTS[0], (Clamp(Neuron(1, 4), "set", -20.0),))]
    got = _decode(replace(model, eos_ids=frozenset()), rows, "all", capture_layers=[1])[0]
    assert got.vectors[1][4] == pytest.approx(-20)
    assert got.natural[1] is not None
    assert got.natural[1] > -19


# Hooks


def test_no_hook_remains_after_decode(model: Model) -> None:
    tokens = torch.tensor([model.encode(PROMPTS[0])])
    before = model.plain(tokens).logits
    _decode(model, _joint(), "all", capture_layers=LAYERS)
    assert n_hooks(model.plain) == 0
    assert torch.equal(model.plain(tokens).logits, before)


def test_no_hook_remains_after_an_exception_midway(model: Model) -> None:
    told: list[int] = []

    def stop(n: int) -> None:
        told.append(n)
        if len(told) == 3:
            raise KeyboardInterrupt

    tokens = torch.tensor([model.encode(PROMPTS[0])])
    before = model.plain(tokens).logits
    with pytest.raises(KeyboardInterrupt):
        _decode(model, _joint(), "all", capture_layers=LAYERS, on_tokens=stop)
    assert n_hooks(model.plain) == 0
    assert torch.equal(model.plain(tokens).logits, before)
    assert torch.is_grad_enabled()


@fast_only
def test_no_activation_of_the_plain_model_is_edited_in_place(model: Model) -> None:
    """Held against copies; above the lowest edit the output projections get changed ones."""
    engine = _engine(model)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    replaced: dict[int, list[bool]] = {layer: [] for layer in LAYERS}

    def before(module: Any, args: tuple[torch.Tensor]) -> None:
        if args[0].ndim == 3:  # not the unit vectors that `Engine.direction` runs
            seen.append((args[0], args[0].clone()))

    def after(layer: int) -> Callable[..., None]:
        def at_layer(module: Any, args: tuple[torch.Tensor], output: Any) -> None:
            if args[0].ndim == 3:
                replaced[layer].append(args[0] is not seen[-1][0])

        return at_layer

    handles = [out.register_forward_pre_hook(before) for out in engine.outs]
    handles += [out.register_forward_hook(after(layer)) for layer, out in enumerate(engine.outs)]
    _decode(model, _joint(), "all", capture_layers=LAYERS)
    for handle in handles:
        handle.remove()
    assert len(seen) == 3 * (1 + N_NEW)
    assert all(torch.equal(activation, copy) for activation, copy in seen)
    assert {layer: set(each) for layer, each in replaced.items()} == {
        0: {False},
        1: {True},
        2: {True},
    }


@pytest.mark.parametrize("path", ["general"], indirect=True)
def test_the_activation_is_never_edited_in_place(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def watched(activation: torch.Tensor, *rest: Any) -> torch.Tensor:
        natural = activation.clone()
        changed = clampsweep.decoder.layer_edits.apply(activation, *rest)
        calls.append((torch.equal(activation, natural), torch.equal(changed, natural)))
        return changed

    monkeypatch.setattr(clampsweep.decoder.general, "apply", watched)
    _decode(model, _joint(), "all", capture_layers=LAYERS)
    assert calls
    assert all(kept for kept, _ in calls)
    assert not any(same for _, same in calls)


def test_weights_and_generator_are_left_alone(gpt2: Model) -> None:
    weights = {name: one.clone() for name, one in gpt2.plain.state_dict().items()}
    torch.manual_seed(5)
    state = torch.get_rng_state()
    decoding = Decoding("sample", 5)
    _decode(gpt2, _mixed(1), "all", decoding, streams=[(4,)] * 14)
    assert torch.equal(torch.get_rng_state(), state)
    for name, one in gpt2.plain.state_dict().items():
        assert torch.equal(one, weights[name]), name


# Sampling

WARM = SAMPLED[0]


def _streams(n: int, seed: int = 0) -> list[tuple[int, ...]]:
    return [(seed, at) for at in range(n)]


def test_a_clamp_beyond_the_dtype_is_refused(load_tiny: Callable[..., Model]) -> None:
    rows: Rows = [(PROMPTS[0], (Clamp(Neuron(2, 0), "set", 3e38),))]
    with pytest.raises(UserError, match="not finite"):
        _decode(load_tiny("gpt2", dtype="float32"), rows, "all")


@pytest.mark.parametrize("decoding", SAMPLED, ids=str)
def test_sampled_batches_equal_one_prompt_at_a_time(model: Model, decoding: Decoding) -> None:
    rows, scope = _joint(), "last" if decoding.top_p is None else "all"
    streams = _streams(len(rows))
    got = _decode(model, rows, scope, decoding, streams=streams)
    for one, (prompt, clamps), stream in zip(got, rows, streams, strict=True):

        def drawn(logits: torch.Tensor, step: int, stream: tuple[int, ...] = stream) -> int:
            return draw(logits, noise(stream, step, len(logits)), decoding)

        key = (model.folder, prompt, clamps, scope, str(decoding), stream)
        if key not in _ALONE:
            ids = model.encode(prompt)
            _ALONE[key] = decode_alone(model, ids, clamps, scope, N_NEW, pick=drawn)
        want = _ALONE[key]
        assert (one.token_ids, one.stop_reason) == (want.token_ids, want.stop_reason)
        assert one.min_margin is None


def test_sampled_rows_are_the_same_in_any_order_split_and_alone(model: Model) -> None:
    rows = _mixed(1)
    streams = _streams(len(rows), seed=3)
    together = [one.token_ids for one in _decode(model, rows, "all", WARM, streams=streams)]
    order = np.random.default_rng(0).permutation(len(rows))
    for part in (order, order[:5], order[5:], *order[:, None]):
        own = [streams[at] for at in part]
        got = _decode(model, [rows[at] for at in part], "all", WARM, streams=own)
        assert [one.token_ids for one in got] == [together[at] for at in part]


def test_sampled_texts_depend_on_the_stream(model: Model) -> None:
    rows: Rows = [(PROMPTS[0], ())] * 8
    got = _decode(model, rows, "all", WARM, streams=_streams(8))
    assert len({tuple(one.token_ids) for one in got}) > 4


def test_rows_of_one_stream_draw_alike(model: Model) -> None:
    """A clamp that changes nothing gives its baseline's text, beside rows of other streams."""
    nothing = (Clamp(Neuron(1, 4), "add", 0.0),)
    rows: Rows = [(PROMPTS[at % 2], nothing if at % 3 else ()) for at in range(12)]
    streams = [(at % 2, at % 4) for at in range(12)]
    got = [tuple(one.token_ids) for one in _decode(model, rows, "all", WARM, streams=streams)]
    each = {(at % 2, stream): got[at] for at, stream in enumerate(streams)}
    assert got == [each[at % 2, stream] for at, stream in enumerate(streams)]
    assert len(set(got)) == len(each) == 4


def test_sampling_from_the_likeliest_token_alone_is_greedy(model: Model) -> None:
    rows = _mixed(0)
    greedy = _decode(model, rows, "all")
    decoding = Decoding("sample", N_NEW, temperature=3.0, top_k=1)
    sampled = _decode(model, rows, "all", decoding, streams=_streams(len(rows)))
    assert [one.token_ids for one in sampled] == [one.token_ids for one in greedy]
