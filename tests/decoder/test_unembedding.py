"""The two highest logits, and all of them, against norm and unembedding applied row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from clampsweep.decoder.heads import Heads, Shifts
from clampsweep.decoder.unembedding import Unembedding

D_MODEL = 16
VOCABULARIES = [2, 100, 127, 128, 129, 2047, 2048, 2049, 2176, 5000]


class _TanhNorm(nn.Module):
    """A norm of a form that cannot be taken apart."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.5, 2, D_MODEL))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * torch.tanh(x)


NORMS = {
    "rms": lambda: LlamaRMSNorm(D_MODEL, 1e-3),
    "layer": lambda: nn.LayerNorm(D_MODEL, eps=1e-3),
    "layer without bias": lambda: nn.LayerNorm(D_MODEL, bias=False),
    "gemma": lambda: GemmaRMSNorm(D_MODEL),
    "no weight": lambda: nn.LayerNorm(D_MODEL, elementwise_affine=False),
    "tanh": _TanhNorm,
}


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    """As in a decode call."""
    with torch.inference_mode():
        yield


def _parts(
    norm: str, n_vocab: int, *, bias: bool = False, dtype: torch.dtype = torch.float64
) -> tuple[Any, nn.Linear, torch.Generator]:
    """A norm and an unembedding with random weights."""
    generator = torch.Generator().manual_seed(n_vocab)
    made, head = NORMS[norm](), nn.Linear(D_MODEL, n_vocab, bias=bias)
    for one in (*made.parameters(), *head.parameters()):
        one.copy_(torch.randn(one.shape, generator=generator))
    return made.to(dtype), head.to(dtype), generator


def _normal(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64) * 3


def _heads(unembedding: Unembedding, generator: torch.Generator, dtype: torch.dtype) -> Heads:
    """Seven rows of four bases, one base unused: none to three shifts each, two along one way."""
    directions = _normal(generator, 3, D_MODEL).to(dtype)
    shifts = Shifts(
        row=torch.tensor([0, 2, 2, 2, 4, 6, 6]),
        number=torch.tensor([1, 0, 1, 2, 2, 0, 0]),
        delta=_normal(generator, 7).to(dtype),
        directions=directions,
        unembedded=unembedding.unembed(directions),
    )
    residual = _normal(generator, 4, D_MODEL).to(dtype)
    return Heads(residual, torch.tensor([0, 0, 0, 3, 1, 1, 3]), shifts)


def _residuals(heads: Heads) -> torch.Tensor:
    """Each row's residual stream, edit by edit."""
    base = range(len(heads.residual)) if heads.base is None else heads.base.tolist()
    rows = [heads.residual[at].clone() for at in base]
    if heads.shifts is not None:
        shifts = heads.shifts
        for row, number, delta in zip(shifts.row, shifts.number, shifts.delta, strict=True):
            rows[int(row)] += delta * shifts.directions[number]
    return torch.stack(rows)


def _all(unembedding: Unembedding, heads: Heads) -> torch.Tensor:
    parts = list(unembedding.logits(heads))
    at = [step for part, _ in parts for step in range(*part.indices(len(heads)))]
    assert at == list(range(len(heads)))
    return torch.cat([logits for _, logits in parts])


def _assert_right(unembedding: Unembedding, heads: Heads, wanted: torch.Tensor) -> None:
    """`logits` are the wanted ones; `top_two` are the two highest of them."""
    close = (
        {"rtol": 1e-5, "atol": 1e-5}
        if wanted.dtype == torch.float64
        else {
            "rtol": 1e-3,
            "atol": 1e-3,
        }
    )
    torch.testing.assert_close(_all(unembedding, heads), wanted, **close)
    token, top, lead = unembedding.top_two(heads)
    ordered = wanted.sort(descending=True)
    assert torch.equal(token, ordered.indices[:, 0])
    torch.testing.assert_close(top, ordered.values[:, 0], **close)
    torch.testing.assert_close(lead, ordered.values[:, 0] - ordered.values[:, 1], **close)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n_vocab", VOCABULARIES)
@pytest.mark.parametrize("bias", [False, True])
def test_shifted_rows_equal_norm_and_unembedding_of_each_row(
    norm: str, n_vocab: int, bias: bool
) -> None:
    made, head, generator = _parts(norm, n_vocab, bias=bias)
    unembedding = Unembedding(made, head)
    heads = _heads(unembedding, generator, torch.float64)
    _assert_right(unembedding, heads, head(made(_residuals(heads))))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n_vocab", [100, 2049])
def test_single_precision_gives_the_same_logits_but_for_rounding(norm: str, n_vocab: int) -> None:
    """With packed weights, where there are such."""
    made, head, generator = _parts(norm, n_vocab, bias=True, dtype=torch.float32)
    unembedding = Unembedding(made, head)
    heads = _heads(unembedding, generator, torch.float32)
    _assert_right(unembedding, heads, head(made(_residuals(heads))))


def test_norms_of_the_two_known_forms_are_taken_apart_and_no_others() -> None:
    directions = torch.ones(1, D_MODEL, dtype=torch.float64)
    found = {}
    for norm in NORMS:
        made, head, _ = _parts(norm, 7)
        found[norm] = Unembedding(made, head).unembed(directions) is not None
    assert [norm for norm, apart in found.items() if apart] == [
        "rms",
        "layer",
        "layer without bias",
    ]


@pytest.mark.parametrize("norm", ["rms", "layer", "tanh"])
def test_rows_without_shifts_or_bases_are_their_residuals(norm: str) -> None:
    made, head, generator = _parts(norm, 300, bias=True)
    unembedding = Unembedding(made, head)
    residual = _normal(generator, 3, D_MODEL)
    for base in (None, torch.tensor([2, 2, 0, 1, 2])):
        heads = Heads(residual, base)
        assert len(heads) == (3 if base is None else 5)
        rows = residual if base is None else residual[base]
        _assert_right(unembedding, heads, head(made(rows)))


@pytest.mark.parametrize("norm", ["rms", "tanh"])
def test_parts_that_are_joined_give_the_rows_of_both(norm: str) -> None:
    made, head, generator = _parts(norm, 300)
    unembedding = Unembedding(made, head)
    one = _heads(unembedding, generator, torch.float64)
    assert one.shifts is not None
    other = Heads(_normal(generator, 2, D_MODEL), torch.tensor([1, 0, 1]), one.shifts)
    other.shifts = Shifts(
        torch.tensor([2, 0]),
        torch.tensor([1, 2]),
        torch.tensor([4.0, -5.0], dtype=torch.float64),
        one.shifts.directions,
        one.shifts.unembedded,
    )
    rows = torch.cat([_residuals(one), _residuals(other), _residuals(one)])
    _assert_right(unembedding, Heads.join([one, other, one]), head(made(rows)))


def test_more_rows_than_are_written_out_at_once() -> None:
    made, head, generator = _parts("layer", 200, bias=True)
    unembedding = Unembedding(made, head)
    residual = _normal(generator, 5, D_MODEL)
    base = torch.arange(150) % 5
    heads = _heads(unembedding, generator, torch.float64)
    assert heads.shifts is not None
    heads = Heads(residual, base, heads.shifts)
    _assert_right(unembedding, heads, head(made(_residuals(heads))))


def test_memory_that_is_used_again_leaves_no_trace() -> None:
    made, head, generator = _parts("rms", 2100)
    unembedding = Unembedding(made, head)
    for n in (2, 9, 1, 5, 9, 40, 3):
        residual = _normal(generator, n, D_MODEL)
        _assert_right(unembedding, Heads(residual), head(made(residual)))


def _ranked(n_vocab: int, logits: dict[int, float]) -> tuple[Unembedding, Heads]:
    """A row whose logits are those given, and -3 elsewhere."""
    norm = nn.LayerNorm(D_MODEL, elementwise_affine=True).double()
    head = nn.Linear(D_MODEL, n_vocab, bias=False).double()
    residual = torch.linspace(-1, 2, D_MODEL, dtype=torch.float64)[None]
    one = norm(residual)[0]
    wanted = torch.full((n_vocab,), -3.0, dtype=torch.float64)
    for token, logit in logits.items():
        wanted[token] = logit
    head.weight.copy_(wanted[:, None] * one / (one @ one))
    return Unembedding(norm, head), Heads(residual)


@pytest.mark.parametrize(
    ("best", "second", "n_vocab"),
    [
        (0, 1, 2),
        (99, 3, 100),
        (0, 127, 300),
        (127, 128, 300),
        (299, 298, 300),
        (5, 2047, 2048),
        (2047, 2048, 2049),
        (2048, 0, 2049),
        (2048, 2049, 4097),
        (4096, 4000, 4097),
        (130, 4090, 4097),
    ],
)
def test_the_lead_is_right_wherever_the_two_best_tokens_stand(
    best: int, second: int, n_vocab: int
) -> None:
    for first, other in ((best, second), (second, best)):
        unembedding, heads = _ranked(n_vocab, {first: 7.25, other: 6.75})
        token, top, lead = unembedding.top_two(heads)
        assert int(token) == first
        assert float(top) == pytest.approx(7.25)
        assert float(lead) == pytest.approx(0.5)


@pytest.mark.parametrize("others", [(1,), (130,), (2050,), (1, 130, 2050)])
def test_the_lead_of_equal_tokens_is_zero(others: tuple[int, ...]) -> None:
    unembedding, heads = _ranked(2100, dict.fromkeys((0, *others), 5.0))
    token, top, lead = unembedding.top_two(heads)
    assert int(token) in (0, *others)
    assert float(top) == pytest.approx(5)
    assert abs(float(lead)) < 1e-12


def test_logits_that_are_all_negative_do_not_lose_to_the_padding() -> None:
    unembedding, heads = _ranked(130, {129: -1.0, 0: -2.0})
    token, top, lead = unembedding.top_two(heads)
    assert (int(token), float(top), float(lead)) == (129, pytest.approx(-1), pytest.approx(1))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_row_that_is_not_finite_shows_it_and_leaves_the_others_alone(bad: float) -> None:
    made, head, generator = _parts("layer", 300, bias=True)
    unembedding = Unembedding(made, head)
    heads = _heads(unembedding, generator, torch.float64)
    assert heads.shifts is not None
    before = unembedding.top_two(heads)[0].tolist()
    heads.shifts.delta[-1] = bad
    token, top, lead = unembedding.top_two(heads)
    finite = (top.isfinite() & lead.isfinite()).tolist()
    assert finite == [True] * 6 + [False]
    assert token.tolist()[:6] == before[:6]
