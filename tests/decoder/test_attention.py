"""`attend`, as Hugging Face calls it, against softmax attention written out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch

from clampsweep.decoder.attention import Layout, PackedPass, UnsupportedError, attend, running
from clampsweep.decoder.key_values import KeyValues, PromptTokens

D_HEAD = 4


def _softmax_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
) -> torch.Tensor:
    """One query [head, d_head] over keys and values [kv_head, position, d_head]."""
    out = torch.zeros_like(query)
    heads = len(query) // len(key)
    for head, vector in enumerate(query):
        weights = (key[head // heads] @ vector * scale).exp()
        out[head] = weights @ value[head // heads] / weights.sum()
    return out


class _Packed(NamedTuple):
    """Packed tokens of four query heads and two key heads: [1, head, token, d_head] each."""

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor


def _packed(n: int) -> _Packed:
    generator = torch.Generator().manual_seed(n)
    return _Packed(
        *(
            torch.randn(1, heads, n, D_HEAD, generator=generator, dtype=torch.float64)
            for heads in (4, 2, 2)
        )
    )


class _Stores(NamedTuple):
    """Layer 3 is kept in one place and layer 4 in another."""

    below: KeyValues
    above: KeyValues
    packed: PackedPass


def _two_stores() -> _Stores:
    """A pass over prompts 0 and 1, of three tokens and one."""
    group = torch.tensor([0, 1, 2])
    below, above = (KeyValues(range(3, 5), (3, 1, 7), group, 9, 8, torch.float64) for _ in range(2))
    prompts = PromptTokens(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 2, 0]))
    layouts = [Layout(below, prompts)] * 4 + [Layout(above, prompts)]
    return _Stores(below, above, PackedPass(layouts))


@pytest.mark.parametrize("scaling", [None, 1.0, 0.2])
def test_attend_takes_the_layout_of_its_layer_and_scales(scaling: float | None) -> None:
    stores = _two_stores()
    module = SimpleNamespace(layer_idx=4)
    query, key, value = _packed(4)
    inert = {"dropout": 0.0, "use_cache": False, "sliding_window": None, "is_causal": None}
    with running(stores.packed):
        got, weights = attend(module, query, key, value, None, scaling=scaling, **inert)
    assert (got.shape, weights) == ((1, 4, 4, D_HEAD), None)
    scale = D_HEAD**-0.5 if scaling is None else scaling
    for token, seen in enumerate([[0], [0, 1], [0, 1, 2], [3]]):
        wanted = _softmax_attention(query[0, :, token], key[0][:, seen], value[0][:, seen], scale)
        torch.testing.assert_close(got[0, token], wanted)
    assert stores.below._prompt is None, "the other layers' store is not touched"


@pytest.mark.parametrize("scaling", [None, 0.2])
def test_attend_goes_on_from_the_prompts_with_one_token_a_row(scaling: float | None) -> None:
    stores = _two_stores()
    module, store = SimpleNamespace(layer_idx=4), stores.above
    prompt = _packed(11)
    group = torch.tensor([0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 2])
    position = torch.tensor([0, 1, 2, 0, 0, 1, 2, 3, 4, 5, 6])
    layout = Layout(store, PromptTokens(group, position))
    with running(PackedPass([layout] * 5)):
        attend(module, *prompt, None, scaling=scaling)
    store.grow()
    newest = _packed(3)
    with running(PackedPass([Layout(store)] * 5)):
        got, _ = attend(module, *newest, None, scaling=scaling)
    scale = D_HEAD**-0.5 if scaling is None else scaling
    for row in range(3):
        key, value = (
            torch.cat([old[0][:, group == row], new[0][:, [row]]], 1)
            for old, new in ((prompt.key, newest.key), (prompt.value, newest.value))
        )
        wanted = _softmax_attention(newest.query[0, :, row], key, value, scale)
        torch.testing.assert_close(got[0, row], wanted)


@pytest.mark.parametrize(
    ("mask", "options", "named"),
    [
        (None, {"softcap": 30.0, "dropout": 0.0}, "softcap"),
        (None, {"s_aux": torch.zeros(4)}, "s_aux"),
        (torch.zeros(1, 1, 4, 4), {}, "attention_mask"),
    ],
)
def test_an_option_that_is_not_known_is_refused(
    mask: torch.Tensor | None, options: dict[str, Any], named: str
) -> None:
    module = SimpleNamespace(layer_idx=3)
    with running(_two_stores().packed), pytest.raises(UnsupportedError, match=named):
        attend(module, *_packed(4), mask, **options)


def test_a_pass_notes_how_many_layers_attended_and_the_shortest_window() -> None:
    stores = _two_stores()
    with running(stores.packed):
        for layer, window in ((3, None), (4, 9), (3, 7), (4, 12)):
            attend(SimpleNamespace(layer_idx=layer), *_packed(4), sliding_window=window)
    assert (stores.packed.n_layers, stores.packed.window) == (4, 7)
    with pytest.raises(LookupError):
        attend(SimpleNamespace(layer_idx=3), *_packed(4))
