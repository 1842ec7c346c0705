"""Packed linear layers against torch's and transformers' own, in float32."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from clampsweep.decoder.packing import PackedLinear, pack, packable

SIZES = [(1, 1), (3, 5), (24, 40), (40, 24), (127, 129), (768, 3), (16, 2049)]
BATCHES = [(), (1,), (2,), (255,), (256,), (257,), (2, 3), (1, 7), (2, 1, 3)]

pytestmark = pytest.mark.skipif(
    not packable(torch.zeros(1, 1)), reason="torch has no oneDNN products here"
)


def _linear(n_in: int, n_out: int, bias: bool = True) -> nn.Linear:
    layer = nn.Linear(n_in, n_out, bias=bias)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(n_in + n_out)
        for one in layer.parameters():
            one.normal_()
    return layer


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("n_in", "n_out"), SIZES)
def test_a_packed_layer_equals_the_layer_for_any_shape_of_batch(
    n_in: int, n_out: int, bias: bool
) -> None:
    layer = _linear(n_in, n_out, bias)
    packed = PackedLinear(layer.weight, layer.bias)
    exact = layer.double()
    for shape in BATCHES:
        x = torch.randn(*shape, n_in, generator=torch.Generator().manual_seed(len(shape)))
        with torch.inference_mode():
            got, wanted = packed(x), exact(x.double())
        assert (got.shape, got.dtype) == ((*shape, n_out), torch.float32)
        torch.testing.assert_close(got.double(), wanted, rtol=1e-5, atol=1e-6 * n_in)


def test_a_batch_that_is_not_contiguous_is_read_right() -> None:
    layer = _linear(24, 40)
    packed = PackedLinear(layer.weight, layer.bias)
    wide = torch.randn(24, 30)
    with torch.inference_mode():
        torch.testing.assert_close(packed(wide.T), layer(wide.T), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(packed(wide.T[::3]), layer(wide.T[::3]), rtol=1e-5, atol=1e-5)


class _Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(_linear(6, 9), nn.GELU(), _linear(9, 6, bias=False))
        self.second = Conv1D(11, 6)
        self.norm = nn.LayerNorm(11)
        self.head = _linear(11, 4)
        nn.init.normal_(self.second.weight)
        nn.init.normal_(self.second.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.norm(self.second(self.first(x))))
        return found


def test_packing_replaces_every_linear_layer_but_the_one_to_leave() -> None:
    model = _Nested()
    head, x = model.head, torch.randn(5, 6)
    with torch.inference_mode():
        wanted = model(x)
        pack(model, leave=model.head)
        torch.testing.assert_close(model(x), wanted, rtol=1e-4, atol=1e-4)
    kinds = [type(one) for one in (model.first[0], model.first[2], model.second)]
    assert kinds == [PackedLinear] * 3
    assert model.head is head
    assert isinstance(model.norm, nn.LayerNorm)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_weights_of_other_dtypes_stay_as_they_are(dtype: torch.dtype) -> None:
    model = _Nested().to(dtype)
    before = [id(one) for one in model.modules()]
    pack(model, leave=None)
    assert [id(one) for one in model.modules()] == before


def test_packing_does_not_change_the_weights_that_others_hold() -> None:
    layer = _linear(24, 40)
    weight, copy = layer.weight, layer.weight.detach().clone()
    model = nn.Sequential(layer)
    pack(model, leave=None)
    with torch.inference_mode():
        model(torch.randn(300, 24))
    assert torch.equal(weight, copy)
