"""Chosen positions at hook points, against Hugging Face's modules hooked by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from clampsweep.errors import UserError
from clampsweep.models.capture import Rows, capture, neuron_values
from clampsweep.models.model import Model
from clampsweep.names import MLP_POST, PATTERN, RESID_POST, HookPoint, Neuron, hook_points
from reference import post_activations
from shapes import unchecked
from standing import n_hooks
from tiny import N_LAYERS

# Three of a length, and two others: some in whole, some in part, one not at all.
SEQUENCES = [[5, 6, 7, 8], [30, 2, 31], [9, 10, 40, 12], [9, 8, 7, 6], [77]]
POSITIONS: list[list[int]] = [[3, 0], [0, 1, 2], [], [2], [0]]
POST = hook_points(MLP_POST, range(N_LAYERS))
Key = tuple[int, int, HookPoint]


def _captured(
    model: Model,
    positions: Sequence[Sequence[int]] | None,
    points: Sequence[HookPoint],
    **options: Any,
) -> dict[Key, torch.Tensor]:
    got: dict[Key, torch.Tensor] = {}

    def receive(rows: Rows, point: HookPoint, vectors: torch.Tensor) -> None:
        assert len(rows.sequences) == len(rows.positions) == len(vectors)
        for number, position, vector in zip(*rows, vectors, strict=True):
            key = int(number), int(position), point
            assert key not in got, "each once"
            got[key] = vector.clone()

    done = list(capture(model, SEQUENCES, positions, points, receive, **options))
    assert sum(done) == len(SEQUENCES)
    return got


@pytest.mark.parametrize("rows", [1, 2, 32])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("positions", [None, POSITIONS], ids=["all", "chosen"])
def test_vectors_are_those_of_the_chosen_positions_in_the_type_asked_for(
    model: Model,
    hugging_face: Callable[[Model], Any],
    positions: list[list[int]] | None,
    dtype: torch.dtype,
    rows: int,
) -> None:
    got = _captured(model, positions, POST, dtype=dtype, rows_per_forward=rows)
    some = positions or [list(range(len(one))) for one in SEQUENCES]
    assert set(got) == {(n, at, p) for n, one in enumerate(some) for at in one for p in POST}
    for number, sequence in enumerate(SEQUENCES):
        wanted = post_activations(hugging_face(model), sequence)
        for at in some[number]:
            for point in POST:
                vector = got[number, at, point]
                assert vector.dtype == dtype
                exact = wanted[point.layer][at].to(vector)
                torch.testing.assert_close(vector, exact, rtol=1e-3, atol=1e-5)


def test_values_of_neurons_are_those_of_the_chosen_positions(
    model: Model, hugging_face: Callable[[Model], Any]
) -> None:
    neurons = [Neuron(0, 3), Neuron(2, 5), Neuron(0, 0)]
    found = neuron_values(model, SEQUENCES, POSITIONS, neurons)
    for sequence, positions, values in zip(SEQUENCES, POSITIONS, found, strict=True):
        assert set(values) == {(at, neuron) for at in positions for neuron in neurons}
        wanted = post_activations(hugging_face(model), sequence)
        for (at, neuron), value in values.items():
            exact = float(wanted[neuron.layer][at, neuron.index])
            assert value == pytest.approx(exact, rel=1e-9, abs=1e-12)


def test_attention_is_handed_over_by_query_head_and_key(llama: Model) -> None:
    got = _captured(llama, POSITIONS, [HookPoint(1, PATTERN)])
    for (number, position, _), pattern in got.items():
        assert pattern.shape == (4, len(SEQUENCES[number]))  # [head, key]
        torch.testing.assert_close(pattern.sum(1), torch.ones(4))
        assert (pattern[:, position + 1 :] == 0).all()


def test_a_consumer_that_fails_leaves_no_hook(gpt2: Model) -> None:
    def fail(*everything: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(capture(gpt2, SEQUENCES, None, POST, fail))
    assert n_hooks(gpt2.plain) == 0


# What is refused


def _refusal(model: Model, positions: list[list[int]] | None, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        _captured(model, positions, hook_points(RESID_POST, [1]), **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("wrong", [-1, 3, 4])
def test_a_position_outside_its_sequence_is_named(gpt2: Model, wrong: int) -> None:
    positions = [[0], [0, wrong], [0], [0], [0]]
    said = _refusal(gpt2, positions)
    assert "positions of sequence 1" in said
    assert f"got {wrong}, outside 0 to 2" in said


def test_a_position_that_stands_twice_is_named(gpt2: Model) -> None:
    assert "sequence 3: got one twice" in _refusal(gpt2, [[], [], [], [1, 1], []])


@contextmanager
def _spiked(model: Model, value: float, positions: slice) -> Iterator[None]:
    """A tiny GPT-2 whose layer 1 gives a value in coordinate 3, but in the pass of the trial."""

    def spike(module: Any, args: Any, output: Any) -> Any:
        values = output[0] if isinstance(output, tuple) else output
        if values.shape[1] > max(map(len, SEQUENCES)):
            return output
        values = values.clone()
        values[:, positions, 3] = value
        return (values, *output[1:]) if isinstance(output, tuple) else values

    handle = model.plain.transformer.h[1].register_forward_hook(spike)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize("value", [65505.0, -65505.0, 1e30, float("inf"), float("nan")])
@pytest.mark.parametrize("positions", [None, POSITIONS], ids=["all", "chosen"])
def test_a_value_beyond_float16_is_refused_with_its_hook_point_and_a_remedy(
    gpt2: Model, value: float, positions: list[list[int]] | None
) -> None:
    with _spiked(gpt2, value, slice(None)):
        said = _refusal(gpt2, positions, dtype=torch.float16)
    assert "blocks.1.hook_resid_post" in said
    assert "float16, which ends at 65504; capture it in float32" in said


def test_float32_holds_what_float16_does_not(gpt2: Model) -> None:
    with _spiked(gpt2, 1e30, slice(None)):
        got = _captured(gpt2, POSITIONS, hook_points(RESID_POST, [1]), dtype=torch.float32)
    assert all(vector[3] == torch.tensor(1e30) for vector in got.values())


def test_the_largest_float16_fits(gpt2: Model) -> None:
    with _spiked(gpt2, 65504.0, slice(None)):
        got = _captured(gpt2, None, hook_points(RESID_POST, [1]), dtype=torch.float16)
    assert all(vector[3] == 65504 for vector in got.values())


def test_a_value_beyond_float16_at_a_position_that_is_not_chosen_does_no_harm(gpt2: Model) -> None:
    later = [list(range(1, len(one))) for one in SEQUENCES]
    with _spiked(gpt2, 1e6, slice(0, 1)):
        got = _captured(gpt2, later, hook_points(RESID_POST, [1]), dtype=torch.float16)
    assert all(vector.isfinite().all() for vector in got.values())


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"points": [str(POST[0])]}, TypeError, "hook point: got 'blocks.0.mlp.hook_post'; write"),
        ({"points": POST[0]}, TypeError, "hook points: got HookPoint(layer=0"),
        ({"positions": [[0]]}, ValueError, "positions: got 1 for 5 sequences; write one list"),
        ({"rows_per_forward": 0}, ValueError, "rows_per_forward: got 0; allowed: 1 or more"),
        ({"sequences": ["a", "b"], "positions": None}, TypeError, "sequences[0]: got 'a'; write"),
    ],
)
def test_what_cannot_be_captured_is_refused_in_one_line(
    gpt2: Model, changed: dict[str, Any], kind: type[Exception], said: str
) -> None:
    given = {"sequences": SEQUENCES, "positions": POSITIONS, "points": POST, **changed}
    with unchecked(), pytest.raises(kind) as caught:
        list(capture(gpt2, receive=lambda *_: None, **given))
    assert type(caught.value) is kind and str(caught.value).startswith(said)
