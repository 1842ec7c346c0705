"""The choice of a token against other libraries, and near-ties against float64, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import clampsweep.choice
import clampsweep.decoding
import tiny
from clampsweep.choice import choose
from clampsweep.config import Decoding
from clampsweep.decoding import decode
from clampsweep.errors import UserError
from clampsweep.interventions import Scope, edit
from clampsweep.models import Model
from clampsweep.names import Neuron
from clampsweep.texts import Decoded
from reference import SAMPLED, Clamp, Text, decode_alone, draw, warped
from tiny import ARCHITECTURES, PROMPTS, RAGGED_PROMPTS

WARM = SAMPLED[0]
GREEDY = Decoding("greedy", 7)


@pytest.mark.parametrize("decoding", SAMPLED, ids=str)
def test_choose_picks_each_token_as_often_as_its_probability_says(decoding: Decoding) -> None:
    """A grid of uniforms gives each kept token its share, to within one point of the grid."""
    n = 4000
    grid = (np.arange(n) + 0.5) / n
    for seed in range(5):
        logits = torch.randn(30, generator=torch.Generator().manual_seed(seed)) * 2
        chances = warped(logits, decoding)
        tokens, *_ = choose(logits.expand(n, -1), grid, decoding)
        counts = np.bincount(tokens.numpy(), minlength=30)
        assert set(np.flatnonzero(counts)) <= set(np.flatnonzero(chances))
        np.testing.assert_allclose(counts, n * chances, atol=1.01)


@pytest.mark.parametrize("decoding", SAMPLED, ids=str)
def test_choose_keeps_the_tokens_that_transformers_keeps(decoding: Decoding) -> None:
    """The extreme uniforms reach the likeliest and the least likely kept token, no further."""
    ends = np.array([0.0, np.nextafter(1.0, 0.0)])
    for seed in range(50):
        logits = torch.randn(40, generator=torch.Generator().manual_seed(seed)) * 3
        chances = warped(logits, decoding)
        tokens, *_ = choose(logits.expand(2, -1), ends, decoding)
        assert int(tokens[0]) == int(chances.argmax())
        assert chances[int(tokens[1])] > 0
        if decoding.top_k == 5 or decoding.top_p == 0.8:
            assert chances[int(tokens[1])] == chances[chances > 0].min()


def test_choose_never_picks_a_token_of_no_probability() -> None:
    logits = torch.full((2, 5), -torch.inf)
    logits[:, 2], logits[:, 4] = 0.0, 1.0
    tokens, *_ = choose(logits, np.array([0.0, np.nextafter(1.0, 0.0)]), Decoding("sample", 1))
    assert tokens.tolist() == [4, 2]


def test_a_small_top_p_keeps_the_likeliest_token() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0]]).expand(9, -1)
    tokens, *_ = choose(logits, np.linspace(0, 0.99, 9), Decoding("sample", 1, top_p=1e-9))
    assert set(tokens.tolist()) == {1}


def test_rows_of_choose_do_not_mix() -> None:
    logits = torch.randn(20, 30, generator=torch.Generator().manual_seed(0)) * 2
    uniforms = np.random.default_rng(1).random(20)
    for decoding in SAMPLED:
        together, margins, _ = choose(logits, uniforms, decoding)
        for at in range(20):
            token, margin, _ = choose(logits[at : at + 1], uniforms[at : at + 1], decoding)
            assert (int(token), float(margin)) == (int(together[at]), float(margins[at]))
            assert int(token) == draw(logits[at], float(uniforms[at]), decoding)


def test_greedy_choice_is_the_highest_logit_and_the_margin_its_lead() -> None:
    logits = torch.tensor([[0.0, 5.0, 3.5], [2.0, -1.0, 1.75]])
    tokens, margins, _ = choose(logits, None, GREEDY)
    assert tokens.tolist() == [1, 0]
    assert margins.tolist() == [1.5, 0.25]


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("uniforms", [None, np.array([0.5, 0.5])], ids=["greedy", "sample"])
def test_logits_that_are_not_finite_are_refused_in_one_line(
    bad: float, uniforms: np.ndarray | None
) -> None:
    logits = torch.zeros(2, 5)
    logits[1, 3] = bad
    with pytest.raises(UserError, match="not finite") as error:
        choose(logits, uniforms, GREEDY if uniforms is None else WARM)
    assert "\n" not in str(error.value)


# Which choices are certain


def _certain(
    logits: Sequence[float], uniform: float | None, decoding: Decoding, near: float
) -> bool:
    draws = None if uniform is None else np.array([uniform])
    *_, uncertain = choose(torch.tensor([list(logits)]), draws, decoding, near)
    return not bool(uncertain)


def test_a_greedy_choice_is_certain_if_its_lead_is_not_below_the_error() -> None:
    for lead, certain in ((0.0, False), (0.0625, False), (0.125, True), (3.0, True)):
        assert _certain([1.0, 2.0, 2.0 + lead], None, GREEDY, 0.125) is certain


def test_each_row_has_an_error_of_its_own() -> None:
    logits = torch.tensor([[0.0, 1.0]]).expand(3, -1)
    near = torch.tensor([0.5, 1.5, 0.9])
    assert choose(logits, None, GREEDY, near)[2].tolist() == [False, True, False]
    draws = np.full(3, 0.5)
    assert choose(logits, draws, Decoding("sample", 1), near / 5)[2].tolist() == [
        False,
        True,
        False,
    ]


def _log(*chances: float) -> list[float]:
    return np.log(chances).tolist()


# Sums of the first three: 0.5, 0.8, 0.95.
HALVES = _log(0.5, 0.3, 0.15, 0.05)


@pytest.mark.parametrize(
    ("uniform", "certain"),
    [(0.3, True), (0.499, False), (0.501, False), (0.65, True), (0.799, False)],
)
def test_a_draw_beside_a_bound_is_uncertain(uniform: float, certain: bool) -> None:
    assert _certain(HALVES, uniform, Decoding("sample", 1), 0.01) is certain
    assert _certain(HALVES, uniform, Decoding("sample", 1), 0.0)


def test_the_temperature_divides_the_error() -> None:
    """0.49 is 0.01 from the bound."""
    for temperature, certain in ((1.0, False), (4.0, True)):
        logits = [temperature * one for one in HALVES]
        assert _certain(logits, 0.49, Decoding("sample", 1, temperature), 0.02) is certain


@pytest.mark.parametrize(("uniform", "certain"), [(0.2, False), (0.55, False), (0.9, True)])
def test_a_token_whose_neighbour_is_as_likely_is_uncertain(uniform: float, certain: bool) -> None:
    """The first two, at 0.4 and 0.399, might change places; the third is well below."""
    logits = _log(0.4, 0.399, 0.15, 0.051)
    assert _certain(logits, uniform, Decoding("sample", 1), 0.01) is certain


def test_neighbours_that_the_cut_parts_are_compared_too() -> None:
    """Of 0.25 and 0.249, the top two hold the first alone."""
    logits = _log(0.45, 0.25, 0.249, 0.051)
    assert not _certain(logits, 0.9, Decoding("sample", 1, top_k=2), 0.01)
    assert _certain(logits, 0.3, Decoding("sample", 1, top_k=2), 0.01)


@pytest.mark.parametrize(
    ("top_p", "uniform", "certain"),
    [(0.7, 0.65, False), (0.7, 0.55, True), (0.799, 0.6, False), (0.799, 0.3, True)],
)
def test_a_sum_beside_top_p_is_uncertain_where_the_draw_hangs_on_it(
    top_p: float, uniform: float, certain: bool
) -> None:
    """0.7 keeps 0.8 in any case: a draw of 0.52 is beside 0.5. 0.799 might keep 0.8 or 0.95."""
    decoding = Decoding("sample", 1, top_p=top_p)
    assert _certain(HALVES, uniform, decoding, 0.03 if top_p == 0.7 else 0.01) is certain


def test_a_top_p_of_one_cuts_nothing_and_makes_nothing_uncertain() -> None:
    assert _certain(HALVES, 0.3, Decoding("sample", 1, top_p=1.0), 0.01)


@pytest.mark.parametrize("top_p", [0.9, 0.95])
def test_most_draws_from_a_long_tail_are_certain_at_a_top_p(top_p: float) -> None:
    """Zipf's law over 50,000 tokens, roughly as a language model's; the error is the default."""
    logits = -torch.arange(1, 50_001).double().log()[None].expand(50, -1) * 1.3
    uniforms = np.random.default_rng(0).random(50)
    *_, uncertain = choose(logits, uniforms, Decoding("sample", 1, top_p=top_p), 2e-4)
    assert float(uncertain.float().mean()) < 0.5


@pytest.mark.parametrize("decoding", [GREEDY, *SAMPLED], ids=str)
def test_errors_within_the_bound_never_change_a_choice_that_is_certain(decoding: Decoding) -> None:
    """Gaps of logits are off by less than the bound: each logit by less than its half."""
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    n = 4000
    for n_vocab, near in ((4, 0.05), (12, 0.02), (12, 0.3), (40, 0.002)):
        logits = torch.randn(n, n_vocab, generator=generator, dtype=torch.float64) * 2
        logits[::3] = (logits[::3] / near / 2).round() * near * 2  # many ties
        uniforms = None if decoding.method == "greedy" else rng.random(n)
        tokens, _, uncertain = choose(logits, uniforms, decoding, near)
        assert int(uncertain.sum()) > 0
        if near < 0.3:
            assert int(uncertain.sum()) < 0.9 * n
        for trial in range(6):
            noise = torch.rand(logits.shape, generator=generator, dtype=torch.float64) - 0.5
            noise = noise.sign() / 2 if trial % 2 else noise
            other, *_ = choose(logits + noise * near * (1 - 1e-9), uniforms, decoding)
            assert not bool(((other != tokens) & ~uncertain).any())


@pytest.mark.parametrize("decoding", [GREEDY, *SAMPLED], ids=str)
def test_errors_beyond_the_bound_do_change_choices(decoding: Decoding) -> None:
    """So that the test above says something."""
    generator, n = torch.Generator().manual_seed(0), 4000
    logits = torch.randn(n, 12, generator=generator, dtype=torch.float64) * 2
    uniforms = None if decoding.method == "greedy" else np.random.default_rng(0).random(n)
    tokens, _, uncertain = choose(logits, uniforms, decoding, 0.001)
    noise = torch.randn(logits.shape, generator=generator, dtype=torch.float64)
    other, *_ = choose(logits + noise, uniforms, decoding)
    assert bool(((other != tokens) & ~uncertain).any())


# Near-ties in single precision

N_NEW = 5
LOW, HIGH = 3, 271  # tokens that get the logit of another one
Rows = list[tuple[str, tuple[Clamp, ...]]]


def _rows() -> Rows:
    clamps = [
        (),
        (Clamp(Neuron(2, 3), "set", -20.0),),
        (Clamp(Neuron(1, 17), "add", 12.0),),
        (Clamp(Neuron(2, 24), "scale", 15.0), Clamp(Neuron(2, 31), "set", 7.5)),
    ]
    prompts = (PROMPTS[0], RAGGED_PROMPTS[0], PROMPTS[1])
    return [(prompts[at // 2], clamps[at % 4]) for at in range(6)]


def _others() -> Rows:
    """Rows for company, with the same prompts."""
    return [(prompt, (Clamp(Neuron(2, 9), "set", 30.0),)) for prompt, _ in _rows()[::2]]


def _tied(load_tiny: Callable[..., Model], architecture: str, tie: str) -> tuple[Model, Model]:
    """A model that often says one of two tokens whose logits tie: in float32, in float64."""
    weights = tiny.random_model(architecture)
    head = weights.get_output_embeddings().weight
    rows, name = _rows(), f"{architecture}-{tie}"
    plain = load_tiny(architecture)
    said = [token for one in _alone(plain, rows, GREEDY) for token in one.token_ids]
    often = max(set(said) - {LOW, HIGH}, key=said.count)
    copy = HIGH if tie == "higher" else LOW
    with torch.no_grad():
        head[copy] = head[often]
        if tie == "near":
            torch.manual_seed(1)
            head[copy] += head[copy] * torch.randn(head.shape[1]) * 1e-6
    wide, narrow = (
        load_tiny(architecture, model=weights, name=name, dtype=dtype)
        for dtype in ("float64", "float32")
    )
    return narrow, wide


def _lowest(logits: torch.Tensor, step: int) -> int:
    """The highest logit, of equal ones the lowest id."""
    return int((logits >= logits.max() - 1e-9).nonzero()[0])


_ALONE: dict[tuple[Any, ...], Text] = {}  # both paths are held against the same runs


def _alone(
    model: Model,
    rows: Rows,
    decoding: Decoding,
    uniforms: np.ndarray | None = None,
    scope: str = "all",
) -> list[Text]:
    texts = []
    for at, (prompt, clamps) in enumerate(rows):

        def drawn(logits: torch.Tensor, step: int, at: int = at) -> int:
            assert uniforms is not None
            return draw(logits, uniforms[at, step], decoding)

        pick = _lowest if uniforms is None else drawn
        key = (model.folder, at, prompt, clamps, scope, str(decoding))
        if key not in _ALONE:
            ids = model.encode(prompt)
            _ALONE[key] = decode_alone(model, ids, clamps, scope, N_NEW, pick)
        texts.append(_ALONE[key])
    return texts


def _decode(
    model: Model,
    rows: Rows,
    uniforms: np.ndarray | None = None,
    decoding: Decoding = Decoding("greedy", N_NEW),  # noqa: B008 (frozen)
    scope: str = "all",
) -> list[Decoded]:
    return decode(
        model,
        [model.encode(prompt) for prompt, _ in rows],
        [[edit(one.neuron, one.operation, one.value) for one in row] for _, row in rows],
        Scope.parse(scope),
        decoding,
        uniforms=uniforms,
    )


@pytest.fixture(params=["fast", "general"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either path of the decoder."""
    if request.param == "general":
        monkeypatch.setattr(clampsweep.decoding, "fast_path", lambda *ignored: "as the test says")
    return str(request.param)


def _batches(n: int) -> dict[str, list[list[int]]]:
    """Ways to run n rows, as lists of calls; numbers from n on are rows for company."""
    order = np.random.default_rng(0).permutation(n).tolist()
    return {
        "together": [list(range(n))],
        "reversed": [list(range(n))[::-1]],
        "in two": [order[: n // 3], order[n // 3 :]],
        "one by one": [[at] for at in range(n)],
        "in company": [[n, *range(n), n + 1, n + 2]],
    }


@pytest.mark.parametrize(
    ("architecture", "tie"),
    [("gpt2", "lower"), ("gpt2", "near"), ("llama", "near"), ("neox", "higher")],
)
def test_ties_are_decided_alike_in_every_batch_and_by_any_number_of_threads(
    load_tiny: Callable[..., Model], path: str, architecture: str, tie: str
) -> None:
    """Equal logits: the lower id. Others, of which float32 knows nothing: as float64 says."""
    narrow, wide = _tied(load_tiny, architecture, tie)
    rows = _rows()
    every = rows + _others()
    wanted = [one.token_ids for one in _alone(wide, rows, GREEDY)]
    said = {token for text in wanted for token in text}
    assert LOW in said if tie == "lower" else tie == "near" or HIGH not in said
    before = torch.get_num_threads()
    try:
        for threads in (1, 2) if tie == "lower" else (1,):
            torch.set_num_threads(threads)
            for name, calls in _batches(len(rows)).items():
                if threads == 2 and name != "together":
                    continue
                for call in calls:
                    got = _decode(narrow, [every[at] for at in call])
                    for at, one in zip(call, got, strict=True):
                        if at < len(rows):
                            assert one.token_ids == wanted[at], (name, threads, at)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_sampled_ties_are_decided_alike_in_every_batch(
    load_tiny: Callable[..., Model], path: str, architecture: str
) -> None:
    narrow, wide = _tied(load_tiny, architecture, "lower")
    rows = _rows()
    uniforms = np.random.default_rng(4).random((len(rows), N_NEW))
    decoding = Decoding("sample", N_NEW, temperature=1.5, top_k=20, top_p=0.9)
    wanted = [one.token_ids for one in _alone(wide, rows, decoding, uniforms)]
    for name in ("together", "reversed", "one by one"):
        for call in _batches(len(rows))[name]:
            got = _decode(narrow, [rows[at] for at in call], uniforms[call], decoding)
            assert [one.token_ids for one in got] == [wanted[at] for at in call], name


@pytest.mark.parametrize(
    ("architecture", "scope"),
    [
        *[("gpt2", scope) for scope in ("prompt", "generated", "last", "last_cached", "0,8,10")],
        *[(architecture, "all") for architecture in ARCHITECTURES],
    ],
)
def test_steps_that_are_all_decided_in_float64_give_the_texts_and_margins_of_float64(
    load_tiny: Callable[..., Model],
    path: str,
    monkeypatch: pytest.MonkeyPatch,
    architecture: str,
    scope: str,
) -> None:
    monkeypatch.setattr(clampsweep.choice, "NEAR_TIE", 1000.0)
    rows = _rows()
    got = _decode(load_tiny(architecture, dtype="float32"), rows, scope=scope)
    wanted = _alone(load_tiny(architecture), rows, GREEDY, scope=scope)
    rel = 1e-4 if architecture == "llama" else 1e-8  # its norms round to float32 in any case
    for one, want in zip(got, wanted, strict=True):
        assert one.token_ids == want.token_ids
        assert one.stop_reason == want.stop_reason
        assert one.min_margin == pytest.approx(min(want.margins), rel=rel)


@pytest.mark.parametrize("decoding", SAMPLED[2:5], ids=str)
def test_draws_that_are_all_decided_in_float64_give_the_texts_of_float64(
    load_tiny: Callable[..., Model],
    path: str,
    monkeypatch: pytest.MonkeyPatch,
    decoding: Decoding,
) -> None:
    monkeypatch.setattr(clampsweep.choice, "NEAR_TIE", 1000.0)
    rows, decoding = _rows(), replace(decoding, max_new_tokens=N_NEW)
    uniforms = np.random.default_rng(7).random((len(rows), N_NEW))
    got = _decode(load_tiny("gpt2", dtype="float32"), rows, uniforms, decoding)
    wanted = _alone(load_tiny("gpt2"), rows, decoding, uniforms)
    assert [one.token_ids for one in got] == [one.token_ids for one in wanted]


def test_only_near_ties_are_computed_again(
    load_tiny: Callable[..., Model], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Any] = []

    def counted(model: Model) -> None:
        judged.append(model)

    monkeypatch.setattr(clampsweep.choice, "exact", counted)
    narrow, _ = _tied(load_tiny, "gpt2", "lower")
    free = [one.min_margin for one in _decode(load_tiny("gpt2", dtype="float32"), _rows())]
    assert min(margin for margin in free if margin is not None) > 1e-3
    assert not judged
    _decode(narrow, _rows())
    assert judged


def test_many_rows_are_sampled_as_few_are(load_tiny: Callable[..., Model]) -> None:
    """More rows than logits are written out for at once."""
    model, rows = load_tiny("gpt2"), _rows() * 12
    uniforms = np.random.default_rng(2).random((len(rows), N_NEW))
    decoding = Decoding("sample", N_NEW, temperature=2.0)
    got = _decode(model, rows, uniforms, decoding)
    few = [
        _decode(model, rows[at : at + 18], uniforms[at : at + 18], decoding)
        for at in range(0, len(rows), 18)
    ]
    assert [one.token_ids for one in got] == [one.token_ids for part in few for one in part]
