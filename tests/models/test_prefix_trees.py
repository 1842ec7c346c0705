"""What sequences share, read once: against tries by brute force and Hugging Face's own passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import families
from clampsweep.models import prefix_trees
from clampsweep.models.capture import Rows, capture
from clampsweep.models.model import Model
from clampsweep.models.prefix_trees import trees
from clampsweep.names import MLP_POST, HookPoint, hook_points
from reference import post_activations
from tiny import N_LAYERS

_DRAWN = np.random.default_rng(0).integers(2, 200, 60).tolist()
BASE = _DRAWN[:28]
SEQUENCES = [
    BASE,
    [*BASE[:20], 5, 6, 7, 8],
    BASE[:25],  # all of it stands in another
    [*BASE[:20], 5, 6, 9],
    [*BASE[:27], 3, 4, 2, 1],
    [*BASE[:10], *_DRAWN[28:40]],
    [*BASE[:27], 3],
    BASE,  # twice
]
POINTS = hook_points(MLP_POST, range(N_LAYERS))


def test_a_tree_by_hand(llama: Model) -> None:
    (tree,) = trees(llama, [[5, 6, 7], [5, 6, 8, 9], [5, 6, 7], [5, 6]])
    assert tree.ids == [5, 6, 7, 8, 9]
    assert tree.positions == [0, 1, 2, 2, 3]
    assert tree.parents == [-1, 0, 1, 1, 3]
    assert tree.paths == {3: [0, 1], 0: [0, 1, 2], 2: [0, 1, 2], 1: [0, 1, 3, 4]}
    mask = tree.inputs(llama)["attention_mask"][0, 0]
    sees = [[0], [0, 1], [0, 1, 2], [0, 1, 3], [0, 1, 3, 4]]
    assert [row.nonzero()[:, 0].tolist() for row in mask == 0] == sees


def test_a_node_for_each_beginning_and_no_other(llama: Model) -> None:
    (tree,) = trees(llama, SEQUENCES[1:4])
    wanted = {tuple(one[:n]) for one in SEQUENCES[1:4] for n in range(1, len(one) + 1)}
    assert len(tree.ids) == len(wanted)


def test_trees_are_no_larger_than_is_read_at_once(llama: Model, monkeypatch) -> None:
    monkeypatch.setattr(prefix_trees, "_NODES", 34)
    found = trees(llama, SEQUENCES)
    assert len(found) > 1 and max(len(tree.ids) for tree in found) <= 34
    assert sorted(number for tree in found for number in tree.paths) == list(range(len(SEQUENCES)))


def test_where_little_is_shared_there_are_none(llama: Model) -> None:
    apart = [_DRAWN[start : start + 12] for start in range(0, 48, 12)]
    assert trees(llama, apart) == []
    assert trees(llama, [[*_DRAWN[:2], *one] for one in apart]) == []
    assert trees(llama, []) == []


def test_no_tree_is_longer_than_the_context(llama: Model) -> None:
    long = [[*_DRAWN[:40], at, at + 1] for at in range(5, 20)]
    for tree in trees(llama, long):
        assert len(tree.ids) + 42 <= llama.n_ctx


def _captured(model: Model) -> tuple[dict[tuple[int, int, HookPoint], torch.Tensor], int]:
    """Vectors of all positions, and how many tokens Hugging Face's model was given for them."""
    got: dict[tuple[int, int, HookPoint], torch.Tensor] = {}
    given: list[int] = []

    def receive(rows: Rows, point: HookPoint, vectors: torch.Tensor) -> None:
        for number, position, vector in zip(*rows, vectors, strict=True):
            got[int(number), int(position), point] = vector.clone()

    def count(module: Any, args: Any, kwargs: Any) -> None:
        given.append(kwargs["input_ids"].numel())

    together = prefix_trees.trees(model, SEQUENCES)
    points = hook_points(MLP_POST, range(model.n_layers))
    passes = capture(model, SEQUENCES, None, points, receive, torch.float64)
    handle = model.plain.register_forward_pre_hook(count, with_kwargs=True)
    assert sum(passes) == len(SEQUENCES)
    handle.remove()
    assert len(got) == sum(map(len, SEQUENCES)) * model.n_layers
    assert bool(together) == (sum(given) < sum(map(len, SEQUENCES)))
    return got, sum(given)


def test_what_is_captured_is_what_each_sequence_gives_alone(
    model: Model, hugging_face: Callable[[Model], Any]
) -> None:
    got, given = _captured(model)
    assert given < 0.75 * sum(map(len, SEQUENCES)), "shared beginnings were read more than once"
    for number, sequence in enumerate(SEQUENCES):
        wanted = post_activations(hugging_face(model), sequence)
        for at in range(len(sequence)):
            for point in POINTS:
                exact = wanted[point.layer][at].double()
                torch.testing.assert_close(got[number, at, point], exact, rtol=1e-9, atol=1e-9)


# Windows, ALiBi, recurrent layers and attention that goes by a row's order.
@pytest.mark.parametrize(
    "name", ["gpt_neo", "mistral-window", "gemma3_text", "bloom", "mpt", "lfm2", "qwen3_5_text"]
)
def test_models_that_go_by_a_rows_order_read_sequences_apart(tmp_path: Path, name: str) -> None:
    model = families.load_family(tmp_path, name)
    assert trees(model, SEQUENCES) == []


@pytest.mark.parametrize("name", ["falcon", "phi3", "olmo2", "opt-post-norm"])
def test_families_that_read_trees_give_what_they_give_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    model = families.load_family(tmp_path, name)
    got, _ = _captured(model)
    monkeypatch.setattr(prefix_trees, "_WORTH", 0.0)
    wanted, _ = _captured(model)
    for key, vector in wanted.items():
        torch.testing.assert_close(got[key], vector, rtol=1e-9, atol=1e-9)


def test_rotations_that_depend_on_the_length_are_read_apart(tmp_path: Path) -> None:
    model = families.load_family(tmp_path, "llama-dynamic")
    assert trees(model, [one[:12] for one in SEQUENCES]) == []
