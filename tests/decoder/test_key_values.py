"""Shared keys and values against softmax attention written out, text by text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from clampsweep.decoder.key_values import KeyValues, PromptTokens

LAYERS = range(3, 5)
D_HEAD, SCALE = 4, 0.37
LENGTHS = (3, 1, 7)


def _softmax_attention(
    query: torch.Tensor, keys: list[torch.Tensor], values: list[torch.Tensor]
) -> torch.Tensor:
    """One query [head, d_head] over a text's keys and values, each [kv_head, d_head]."""
    out = torch.zeros_like(query)
    all_keys, all_values = torch.stack(keys), torch.stack(values)  # [position, kv_head, d_head]
    heads = len(query) // len(keys[0])
    for head, one in enumerate(query):
        weights = (all_keys[:, head // heads] @ one * SCALE).exp()
        out[head] = weights @ all_values[:, head // heads] / weights.sum()
    return out


@dataclass
class _Row:
    """A text of its own: every key and value that its newest token attends to, by layer."""

    prompt: int
    keys: dict[int, list[torch.Tensor]]
    values: dict[int, list[torch.Tensor]]

    def copy(self) -> _Row:
        return _Row(
            self.prompt,
            {layer: list(all_) for layer, all_ in self.keys.items()},
            {layer: list(all_) for layer, all_ in self.values.items()},
        )


@dataclass
class _Texts:
    """`KeyValues` beside a plain copy of what it should hold, both fed the same numbers."""

    heads: int
    kv_heads: int
    n_new: int
    group: list[int]
    seed: int = 0
    n_slots: int = 9
    rows: list[_Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)
        group = torch.tensor(self.group)
        self.store = KeyValues(LAYERS, LENGTHS, group, self.n_slots, self.n_new, torch.float64)

    def normal(self, n: int, heads: int) -> torch.Tensor:
        return torch.randn(n, heads, D_HEAD, generator=self.generator, dtype=torch.float64)

    def fill(self, parts: list[list[int]]) -> None:
        """Run the prompts, some at a time; check each token's attention."""
        prompts = [_Row(at, {}, {}) for at in range(len(LENGTHS))]
        for part in parts:
            group = torch.tensor([at for at in part for _ in range(LENGTHS[at])])
            position = torch.tensor([step for at in part for step in range(LENGTHS[at])])
            for layer in LAYERS:
                query = self.normal(len(group), self.heads)
                key, value = (self.normal(len(group), self.kv_heads) for _ in range(2))
                got = self.store.fill(
                    layer, PromptTokens(group, position), query, key, value, SCALE
                )
                for token, at in enumerate(group.tolist()):
                    keys = prompts[at].keys.setdefault(layer, [])
                    values = prompts[at].values.setdefault(layer, [])
                    keys.append(key[token])
                    values.append(value[token])
                    torch.testing.assert_close(
                        got[token], _softmax_attention(query[token], keys, values)
                    )
        self.rows = [prompts[at].copy() for at in self.group]

    def step(self) -> None:
        """One more token of every row; check the attention of each."""
        self.store.grow()
        n = len(self.rows)
        for layer in LAYERS:
            query = self.normal(n, self.heads)
            key, value = (self.normal(n, self.kv_heads) for _ in range(2))
            got = self.store.step(layer, query, key, value, SCALE)
            for at, row in enumerate(self.rows):
                row.keys[layer].append(key[at])
                row.values[layer].append(value[at])
                wanted = _softmax_attention(query[at], row.keys[layer], row.values[layer])
                torch.testing.assert_close(got[at], wanted)

    def reorder(self, parent: list[int]) -> None:
        """Rows split and end, in both."""
        number = self.store.reorder(np.array(parent))
        assert sorted(number.tolist()) == list(range(len(parent)))
        rows: list[Any] = [None] * len(parent)
        for new, old in zip(number.tolist(), parent, strict=True):
            rows[new] = self.rows[old].copy()
        self.rows = rows
        assert self.store.group.tolist() == [row.prompt for row in rows]


@pytest.mark.parametrize(("heads", "kv_heads"), [(2, 2), (4, 2), (6, 1)])
def test_steps_equal_plain_attention_while_rows_split_and_end_at_random(
    heads: int, kv_heads: int
) -> None:
    """More than 64 tokens, so the memory grows; prompts lose all their rows on the way."""
    texts = _Texts(heads, kv_heads, 200, [0, 1, 2], seed=heads)
    texts.fill([[0, 1, 2]])
    rng = np.random.default_rng(heads)
    counts = set()
    for _ in range(70):
        texts.step()
        n = int(rng.integers(1, texts.n_slots + 1))
        texts.reorder(rng.integers(0, len(texts.rows), n).tolist())
        counts.add(len({row.prompt for row in texts.rows}))
    texts.step()
    assert texts.store.n_new == 71
    assert 1 in counts


@pytest.mark.parametrize("n_new", [1, 3, 300])
def test_memory_grows_whatever_was_expected(n_new: int) -> None:
    texts = _Texts(2, 1, n_new, [0, 0, 1, 2], n_slots=4)
    texts.fill([[0, 1, 2]])
    for _ in range(140):
        texts.step()
    texts.reorder([3, 1, 1])
    texts.step()


@pytest.mark.parametrize("parts", [[[0, 1, 2]], [[0], [1, 2]], [[0, 1], [2]], [[0], [1], [2]]])
def test_prompts_may_run_in_several_passes(parts: list[list[int]]) -> None:
    texts = _Texts(4, 2, 8, [0, 0, 1, 2, 2, 2])
    texts.fill(parts)
    texts.step()


@pytest.mark.parametrize("group", [[0, 1, 2], [0, 2], [2, 1, 0], [1, 1, 1, 1], [2, 0, 2, 1, 0]])
def test_rows_attend_to_the_prompt_of_their_group(group: list[int]) -> None:
    """One row per prompt in order has a way of its own; all others are set side by side."""
    texts = _Texts(4, 2, 8, group)
    texts.fill([[0, 1, 2]])
    texts.step()
    texts.step()


def test_the_first_continuation_stays_and_the_others_take_free_places() -> None:
    """Worked out by hand: parents 1 and 3 of four rows, 1 three times."""
    store = KeyValues(range(1), [2, 2], torch.tensor([0, 0, 1, 1]), 4, 8, torch.float64)
    number = store.reorder(np.array([1, 3, 1, 1]))
    assert number.tolist() == [1, 3, 0, 2]
    assert store.group.tolist() == [0, 0, 0, 1]
    number = store.reorder(np.array([3, 0]))
    assert number.tolist() == [1, 0]
    assert store.group.tolist() == [0, 1]


def test_a_step_before_the_prompts_is_refused() -> None:
    texts = _Texts(2, 2, 8, [0, 1, 2])
    texts.store.grow()
    numbers = [texts.normal(3, 2) for _ in range(3)]
    with pytest.raises(RuntimeError, match="before the prompts"):
        texts.store.step(LAYERS.start, *numbers, SCALE)
