"""Norms taken apart against the modules themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from clampsweep.decoder.final_norm import FinalNorm, wide

D_MODEL = 16


def _weighted(norm: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in norm.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
    return norm.double()


KNOWN: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "rms": ("rms", lambda: LlamaRMSNorm(D_MODEL, 1e-3)),
    "layer": ("layer", lambda: nn.LayerNorm(D_MODEL, eps=1e-3)),
    "layer without bias": ("layer", lambda: nn.LayerNorm(D_MODEL, bias=False)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_gain_scale_and_shift_together_are_the_norm(name: str) -> None:
    form, make = KNOWN[name]
    module = _weighted(make())
    norm = FinalNorm(module)
    assert norm.form == form
    x = torch.randn(5, D_MODEL, generator=torch.Generator().manual_seed(1)).double() * 4 - 1
    with torch.inference_mode():
        got = norm.gained(x) / norm.scale(x)[:, None]
        got = got if norm.shift is None else got + norm.shift
        torch.testing.assert_close(got, module(x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(norm.gained(3 * x), 3 * norm.gained(x))  # linear
        torch.testing.assert_close(norm.whole(x), module(x))


@pytest.mark.parametrize(
    "make", [lambda: GemmaRMSNorm(D_MODEL), lambda: nn.LayerNorm(D_MODEL, elementwise_affine=False)]
)
def test_another_norm_has_no_form_and_is_applied_whole(make: Callable[[], nn.Module]) -> None:
    module = _weighted(make())
    norm = FinalNorm(module)
    assert norm.form is None
    x = torch.randn(2, D_MODEL, generator=torch.Generator().manual_seed(1)).double()
    with torch.inference_mode():
        assert torch.equal(norm.whole(x), module(x))


def test_the_norm_is_a_copy_without_hooks_put_on_the_module_later() -> None:
    module = _weighted(nn.LayerNorm(D_MODEL))
    norm = FinalNorm(module)
    module.register_forward_hook(lambda module, args, output: output * 0)
    x = torch.ones(1, D_MODEL).double().cumsum(1)
    assert bool(norm.whole(x).any())


def test_half_precision_is_widened_and_double_kept() -> None:
    dtypes = [torch.bfloat16, torch.float16, torch.float32, torch.float64]
    got = [wide(torch.ones(1, dtype=dtype)).dtype for dtype in dtypes]
    assert got == [torch.float32, torch.float32, torch.float32, torch.float64]
