"""The choice of a token against other libraries, and near-ties against float64, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch

import clampsweep.decoder.choice
import clampsweep.decoder.decode
import tiny
from clampsweep.decoder.choice import choose, gumbel
from clampsweep.decoder.decode import decode
from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.rows import Decoded
from clampsweep.errors import UserError
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from reference import SAMPLED, Clamp, Text, decode_alone, draw, noise, warped
from tiny import ARCHITECTURES, PROMPTS, RAGGED_PROMPTS

WARM = SAMPLED[0]
GREEDY = Decoding("greedy", 7)


def _noise(n: int, n_vocab: int, seed: int = 0) -> torch.Tensor:
    """Of n streams."""
    return torch.from_numpy(np.stack([gumbel((seed, at), 0, n_vocab) for at in range(n)]))


def test_noise_is_standard_gumbel_and_fixed_by_stream_and_step() -> None:
    streams = [((0,), 0), ((0,), 1), ((1,), 0), ((2**31, 7, 0, 9), 0), ((2**33, 7, 0, 9), 0)]
    found = [gumbel(stream, step, 20_000) for stream, step in streams]
    for one, (stream, step) in zip(found, streams, strict=True):
        assert scipy.stats.kstest(one, "gumbel_r").pvalue > 0.01
        np.testing.assert_array_equal(gumbel(stream, step, 20_000), one)
        np.testing.assert_allclose(one, noise(stream, step, 20_000), rtol=1e-12)
    assert np.abs(np.corrcoef(found) - np.eye(len(found))).max() < 0.03


def test_noise_of_many_tokens_holds_no_number_twice() -> None:
    """Which tells tokens of one chance in a million apart; float32 repeats one in ten."""
    found = gumbel((5,), 3, 1_000_000)
    assert np.isfinite(found).all()
    assert len(np.unique(found)) == len(found)


@pytest.mark.parametrize("decoding", SAMPLED, ids=str)
def test_choose_picks_each_token_as_often_as_its_probability_says(decoding: Decoding) -> None:
    """Chi-square against transformers' probabilities; what these cut away never wins."""
    n = 6000
    noises = _noise(n, 30)
    for seed in range(3):
        logits = torch.randn(30, generator=torch.Generator().manual_seed(seed)) * 2
        chances = warped(logits, decoding)
        tokens, *_ = choose(logits.expand(n, -1), noises, decoding)
        counts = np.bincount(tokens.numpy(), minlength=30)
        assert set(np.flatnonzero(counts)) <= set(np.flatnonzero(chances))
        common = n * chances >= 5
        seen = [*counts[common], counts[~common].sum() + 1e-9]
        wanted = [*(n * chances[common]), n * chances[~common].sum() + 1e-9]
        assert scipy.stats.chisquare(seen, wanted).pvalue > 0.002


@pytest.mark.parametrize("decoding", SAMPLED, ids=str)
def test_choose_keeps_the_tokens_that_transformers_keeps(decoding: Decoding) -> None:
    """Noise on one token alone makes it win, if it is kept; else the likeliest wins."""
    for seed in range(50):
        logits = torch.randn(40, generator=torch.Generator().manual_seed(seed)) * 3
        chances = warped(logits, decoding)
        tokens, *_ = choose(logits.expand(40, -1), torch.eye(40).double() * 100, decoding)
        kept = np.flatnonzero(tokens.numpy() == np.arange(40))
        assert kept.tolist() == np.flatnonzero(chances).tolist()
        assert set(tokens.tolist()) == set(kept)


@pytest.mark.parametrize(
    ("decoding", "kept"),
    [
        (Decoding("sample", 1, top_k=3), [0, 1, 4]),
        (Decoding("sample", 1, top_k=2), [0, 4]),
        (Decoding("sample", 1, top_p=0.41), [0, 4]),
        (Decoding("sample", 1, top_p=0.39), [4]),
    ],
    ids=str,
)
def test_of_equal_logits_at_a_cut_the_lower_ids_are_kept(
    decoding: Decoding, kept: list[int]
) -> None:
    logits = torch.tensor([_log(0.2, 0.2, 0.1, 0.1, 0.4)])
    tokens, *_ = choose(logits.expand(5, -1), torch.eye(5).double() * 100, decoding)
    assert sorted(set(tokens.tolist())) == kept


def test_choose_never_picks_a_token_of_no_probability() -> None:
    logits = torch.full((3, 5), -torch.inf)
    logits[:, 2], logits[:, 4] = 0.0, 1.0
    noises = torch.tensor([[50.0, 0, 0, 0, 0], [0, 50, 5, 50, 0], [0, 0, 0, 0, 0]]).double()
    for decoding in SAMPLED[:3]:
        tokens, *_ = choose(logits, noises, decoding)
        assert tokens.tolist() == [4, 2, 4]


def test_a_small_top_p_keeps_the_likeliest_token() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0]]).expand(90, -1)
    tokens, *_ = choose(logits, _noise(90, 3), Decoding("sample", 1, top_p=1e-9))
    assert set(tokens.tolist()) == {1}


@pytest.mark.parametrize("decoding", SAMPLED, ids=str)
def test_rows_of_choose_do_not_mix(decoding: Decoding) -> None:
    logits = torch.randn(200, 30, generator=torch.Generator().manual_seed(0)) * 2
    noises = _noise(200, 30)
    together, leads, _ = choose(logits, noises, decoding)
    for at in range(200):
        token, lead, _ = choose(logits[at : at + 1], noises[at : at + 1], decoding)
        assert (int(token), float(lead)) == (int(together[at]), float(leads[at]))
        assert int(token) == draw(logits[at], noises[at].tolist(), decoding)


@pytest.mark.parametrize("shift", [0.01, 0.3, 2.0])
def test_one_noise_couples_the_draws_of_similar_distributions(shift: float) -> None:
    """At a total variation distance of d at least (1 - d) / (1 + d) of the draws agree."""
    n, decoding = 4000, Decoding("sample", 1)
    generator, noises = torch.Generator().manual_seed(0), _noise(n, 50)
    one = torch.randn(50, generator=generator)
    two = one + shift * torch.randn(50, generator=generator)
    distance = np.abs(warped(one, decoding) - warped(two, decoding)).sum() / 2
    drawn = [choose(logits.expand(n, -1), noises, decoding)[0] for logits in (one, two)]
    agreeing = float((drawn[0] == drawn[1]).double().mean())
    assert agreeing > (1 - distance) / (1 + distance) - 2 / n**0.5
    assert agreeing <= 1 - distance + 2 / n**0.5


def test_greedy_choice_is_the_highest_logit_and_the_margin_its_lead() -> None:
    logits = torch.tensor([[0.0, 5.0, 3.5], [2.0, -1.0, 1.75]])
    tokens, margins, _ = choose(logits, None, GREEDY)
    assert tokens.tolist() == [1, 0]
    assert margins.tolist() == [1.5, 0.25]


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("decoding", [GREEDY, *SAMPLED], ids=str)
def test_logits_that_are_not_finite_are_refused_in_one_line(bad: float, decoding: Decoding) -> None:
    logits = torch.zeros(2, 5)
    logits[1, 3] = bad
    with pytest.raises(UserError, match="not finite") as error:
        choose(logits, None if decoding == GREEDY else _noise(2, 5), decoding)
    assert "\n" not in str(error.value)


# Which choices are certain


def _certain(
    logits: Sequence[float], noises: Sequence[float] | None, decoding: Decoding, near: float
) -> bool:
    own = None if noises is None else torch.tensor([list(noises)]).double()
    *_, uncertain = choose(torch.tensor([list(logits)]).double(), own, decoding, near)
    return not bool(uncertain)


def test_a_greedy_choice_is_certain_if_its_lead_is_not_below_the_error() -> None:
    for lead, certain in ((0.0, False), (0.0625, False), (0.125, True), (3.0, True)):
        assert _certain([1.0, 2.0, 2.0 + lead], None, GREEDY, 0.125) is certain


def test_each_row_has_an_error_of_its_own() -> None:
    logits = torch.tensor([[0.0, 1.0]]).expand(3, -1)
    near = torch.tensor([0.5, 1.5, 0.9])
    assert choose(logits, None, GREEDY, near)[2].tolist() == [False, True, False]
    noises = torch.zeros(3, 2).double()
    for decoding in SAMPLED[:4]:
        assert choose(logits, noises, decoding, near)[2].tolist() == [False, True, False]


def _log(*chances: float) -> list[float]:
    return np.log(chances).tolist()


@pytest.mark.parametrize(
    ("noises", "best", "lead"),
    [([0.0, 0.0, 0.5], 2, 3.0), ([2.0, 0.0, 0.5], 0, 1.0), ([0.0, 3.0, 3.5], 2, 4.0)],
)
@pytest.mark.parametrize("decoding", [Decoding("sample", 1, 2.0), Decoding("sample", 1, 2.0, 3)])
def test_a_draw_is_certain_if_its_lead_is_not_below_the_error(
    noises: list[float], best: int, lead: float, decoding: Decoding
) -> None:
    """By hand: twice the noise is added to the logits."""
    logits = [1.0, 0.0, 3.0]
    own = torch.tensor([noises]).double()
    token, found, _ = choose(torch.tensor([logits]).double(), own, decoding)
    assert (int(token), float(found)) == (best, lead)
    assert _certain(logits, noises, decoding, lead)
    assert not _certain(logits, noises, decoding, lead + 1e-6)


# Sums: 0.5, 0.8, 0.95, 1. Logits differ by 0.51, 0.69 and 1.10.
HALVES = _log(0.5, 0.3, 0.15, 0.05)
CLOSE = _log(0.45, 0.25, 0.249, 0.051)  # the second and third differ by 0.004


@pytest.mark.parametrize(
    ("top_k", "noises", "certain"),
    [
        (2, [0, 0, 0, 0], True),  # the first wins whether the second or the third is kept
        (2, [0, 3, 0, 0], False),  # the second wins, but might be cut
        (2, [0, 0, 3, 0], False),  # the third would win if it were kept
        (2, [0, 0, 0, 9], True),  # the fourth is cut in any case
        (1, [0, 9, 0, 0], True),
        (3, [0, 3, 0, 0], True),
        (3, [0, 0, 3, 0], True),
        (4, [0, 0, 0, 9], True),
    ],
)
def test_a_top_k_that_parts_like_tokens_is_uncertain_where_the_draw_hangs_on_it(
    top_k: int, noises: list[float], certain: bool
) -> None:
    decoding = Decoding("sample", 1, top_k=top_k)
    assert _certain(CLOSE, noises, decoding, 0.01) is certain
    assert _certain(CLOSE, noises, decoding, 0.001)


@pytest.mark.parametrize(
    ("top_p", "noises", "certain"),
    [
        (0.799, [0, 0, 0, 0], True),
        (0.799, [0, 3, 0, 0], True),  # the second is kept in any case
        (0.799, [0, 0, 3, 0], False),  # the third if 0.8 is taken for less than 0.799
        (0.801, [0, 0, 3, 0], False),  # or for more than 0.801
        (0.799, [0, 0, 0, 9], True),
        (0.7, [0, 0, 3, 0], True),
        (0.9, [0, 0, 3, 0], True),
        (0.9999, [0, 0, 0, 9], True),
        (1.0, [0, 0, 0, 9], True),
    ],
)
def test_a_sum_beside_top_p_is_uncertain_where_the_draw_hangs_on_it(
    top_p: float, noises: list[float], certain: bool
) -> None:
    """Errors of 0.02 nats may move 0.8 by 0.005 at most."""
    decoding = Decoding("sample", 1, top_p=top_p)
    assert _certain(HALVES, noises, decoding, 0.02) is certain
    assert _certain(HALVES, noises, decoding, 0.002)


def test_the_temperature_divides_the_error_of_sums() -> None:
    for temperature, certain in ((1.0, False), (8.0, True)):
        logits = [temperature * one for one in HALVES]
        decoding = Decoding("sample", 1, temperature, top_p=0.799)
        assert _certain(logits, [0, 0, 3, 0], decoding, 0.02) is certain


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_of_draws_from_many_tokens_only_the_share_of_the_error_is_uncertain(
    temperature: float,
) -> None:
    """The gap of the two best of equal tokens is exponential: below x in a share x of draws."""
    n, near = 2000, 0.02
    logits = torch.randn(1, 5000, generator=torch.Generator().manual_seed(0)).expand(n, -1)
    decoding = Decoding("sample", 1, temperature)
    *_, uncertain = choose(logits * 0.1, _noise(n, 5000), decoding, near)
    wanted = near / temperature
    assert float(uncertain.double().mean()) == pytest.approx(wanted, abs=4 * (wanted / n) ** 0.5)


@pytest.mark.parametrize("top_p", [0.5, 0.9, 0.95])
def test_nearly_all_draws_from_a_long_tail_are_certain_at_a_top_p(top_p: float) -> None:
    """Zipf's law over 50,000 tokens, roughly as a language model's; the error is the default."""
    logits = -torch.arange(1, 50_001).double().log()[None].expand(100, -1) * 1.1
    *_, uncertain = choose(logits, _noise(100, 50_000), Decoding("sample", 1, top_p=top_p), 2e-4)
    assert float(uncertain.double().mean()) < 0.02


@pytest.mark.parametrize("decoding", [GREEDY, *SAMPLED], ids=str)
def test_errors_within_the_bound_never_change_a_choice_that_is_certain(decoding: Decoding) -> None:
    """Gaps of logits are off by less than the bound: each logit by less than its half."""
    generator = torch.Generator().manual_seed(0)
    n = 4000
    for n_vocab, near in ((4, 0.05), (12, 0.02), (12, 0.3), (40, 0.002)):
        logits = torch.randn(n, n_vocab, generator=generator, dtype=torch.float64) * 2
        logits[::3] = (logits[::3] / near / 2).round() * near * 2  # many ties
        noises = None if decoding.method == "greedy" else _noise(n, n_vocab)
        tokens, _, uncertain = choose(logits, noises, decoding, near)
        assert int(uncertain.sum()) > 0
        assert torch.equal(choose(logits, noises, decoding)[0], tokens)
        if near < 0.3:
            assert int(uncertain.sum()) < 0.25 * n
        for trial in range(6):
            error = torch.rand(logits.shape, generator=generator, dtype=torch.float64) - 0.5
            error = error.sign() / 2 if trial % 2 else error
            other, *_ = choose(logits + error * near * (1 - 1e-9), noises, decoding)
            assert not bool(((other != tokens) & ~uncertain).any())


@pytest.mark.parametrize("decoding", SAMPLED, ids=str)
def test_rounding_to_float32_changes_no_draw_that_is_certain(decoding: Decoding) -> None:
    logits = torch.randn(3000, 50, generator=torch.Generator().manual_seed(2)).double() * 8
    logits += torch.rand(logits.shape, generator=torch.Generator().manual_seed(3)).double() * 1e-6
    wanted, *_ = choose(logits, _noise(3000, 50), decoding)
    tokens, _, uncertain = choose(logits.float(), _noise(3000, 50), decoding, 1e-5)
    assert bool((tokens == wanted)[~uncertain].all())
    assert float(uncertain.double().mean()) < 0.001


@pytest.mark.parametrize("decoding", [GREEDY, *SAMPLED], ids=str)
def test_errors_beyond_the_bound_do_change_choices(decoding: Decoding) -> None:
    """So that the test above says something."""
    generator, n = torch.Generator().manual_seed(0), 4000
    logits = torch.randn(n, 12, generator=generator, dtype=torch.float64) * 2
    noises = None if decoding.method == "greedy" else _noise(n, 12)
    tokens, _, uncertain = choose(logits, noises, decoding, 0.001)
    error = torch.randn(logits.shape, generator=generator, dtype=torch.float64)
    other, *_ = choose(logits + error, noises, decoding)
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
    streams: Sequence[tuple[int, ...]] | None = None,
    scope: str = "all",
) -> list[Text]:
    texts = []
    for at, (prompt, clamps) in enumerate(rows):

        def drawn(logits: torch.Tensor, step: int, at: int = at) -> int:
            assert streams is not None
            return draw(logits, noise(streams[at], step, len(logits)), decoding)

        pick = _lowest if streams is None else drawn
        own = None if streams is None else streams[at]
        key = (model.folder, own, prompt, clamps, scope, str(decoding))
        if key not in _ALONE:
            ids = model.encode(prompt)
            _ALONE[key] = decode_alone(model, ids, clamps, scope, N_NEW, pick)
        texts.append(_ALONE[key])
    return texts


def _decode(
    model: Model,
    rows: Rows,
    streams: Sequence[tuple[int, ...]] | None = None,
    decoding: Decoding = Decoding("greedy", N_NEW),  # noqa: B008 (frozen)
    scope: str = "all",
) -> list[Decoded]:
    return decode(
        model,
        [model.encode(prompt) for prompt, _ in rows],
        [[edit(one.neuron, one.operation, one.value) for one in row] for _, row in rows],
        Scope.parse(scope),
        decoding,
        streams=streams,
    )


@pytest.fixture(params=["fast", "general"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either path of the decoder."""
    if request.param == "general":
        monkeypatch.setattr(
            clampsweep.decoder.decode, "fast_path", lambda *ignored: "as the test says"
        )
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
    streams = [(4, at) for at in range(len(rows))]
    decoding = Decoding("sample", N_NEW, temperature=1.5, top_k=20, top_p=0.9)
    wanted = [one.token_ids for one in _alone(wide, rows, decoding, streams)]
    for name in ("together", "reversed", "one by one"):
        for call in _batches(len(rows))[name]:
            own = [streams[at] for at in call]
            got = _decode(narrow, [rows[at] for at in call], own, decoding)
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
    monkeypatch.setattr(clampsweep.decoder.choice, "NEAR_TIE", 1000.0)
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
    monkeypatch.setattr(clampsweep.decoder.choice, "NEAR_TIE", 1000.0)
    rows, decoding = _rows(), replace(decoding, max_new_tokens=N_NEW)
    streams = [(7, at // 2) for at in range(len(rows))]  # two rows share each
    got = _decode(load_tiny("gpt2", dtype="float32"), rows, streams, decoding)
    wanted = _alone(load_tiny("gpt2"), rows, decoding, streams)
    assert [one.token_ids for one in got] == [one.token_ids for one in wanted]


def test_only_near_ties_are_computed_again(
    load_tiny: Callable[..., Model], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Any] = []

    def counted(model: Model) -> None:
        judged.append(model)

    monkeypatch.setattr(clampsweep.decoder.choice, "exact", counted)
    narrow, _ = _tied(load_tiny, "gpt2", "lower")
    free = [one.min_margin for one in _decode(load_tiny("gpt2", dtype="float32"), _rows())]
    assert min(margin for margin in free if margin is not None) > 1e-3
    assert not judged
    _decode(narrow, _rows())
    assert judged


def test_many_rows_are_sampled_as_few_are(load_tiny: Callable[..., Model]) -> None:
    """More rows than logits are written out for at once."""
    model, rows = load_tiny("gpt2"), _rows() * 12
    streams = [(2, at % 50) for at in range(len(rows))]
    decoding = Decoding("sample", N_NEW, temperature=2.0)
    got = _decode(model, rows, streams, decoding)
    few = [
        _decode(model, rows[at : at + 18], streams[at : at + 18], decoding)
        for at in range(0, len(rows), 18)
    ]
    assert [one.token_ids for one in got] == [one.token_ids for part in few for one in part]
