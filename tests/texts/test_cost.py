"""What texts cost: against sums by hand and files of another library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from clampsweep.texts.combination import Combination
from clampsweep.texts.cost import Load, Size, loads
from clampsweep.texts.request import Decoding

SIZE = Size(4, 400.0, 100.0)
GREEDY = Decoding("greedy", 10)


def texts(target: str | None, values: list[float | None], prompts: list[str], scope: str = "all"):
    return [
        Combination("m", prompt, target, "set", value, scope, GREEDY, None)
        for prompt in prompts
        for value in values
    ]


def test_drawing_a_token_costs_two_more_unembeddings() -> None:
    load = Load.of(texts(None, [None], ["a" * 40]))
    drawn = load._replace(sampled=True)
    assert drawn.flops(SIZE) - load.flops(SIZE) == 2 * 2 * 100 * 10


def test_baselines_cost_two_operations_per_parameter_and_token() -> None:
    load = Load.of(texts(None, [None], ["a" * 40, "b" * 80]))
    read = (40 + 80) / 4
    assert load.flops(SIZE) == 2 * (500 * 2 * 10 + 400 * read)


def test_rows_of_a_prompt_share_all_layers_below_the_last_clamp() -> None:
    load = Load.of(texts("L3N1", [float(n) for n in range(16)], ["a" * 40]))
    different = 16**0.75  # 8 of 16
    assert load.flops(SIZE) == 2 * (500 * different * 10 + 400 * 10)


def test_rows_run_apart_above_the_clamp_and_prompts_with_them() -> None:
    load = Load.of(texts("L0N1", [float(n) for n in range(16)], ["a" * 40]))
    shared, apart, likelihood = 100 * 8, 300 * 16, 500 * 8
    per_step = shared + apart + 100 * 16 + likelihood
    assert load.flops(SIZE) == 2 * (per_step * 10 + 100 * 10 + 300 * 10 * 16)
    generated = Load.of(texts("L0N1", [float(n) for n in range(16)], ["a" * 40], "generated"))
    assert load.flops(SIZE) - generated.flops(SIZE) == 2 * 300 * 10 * 16


def test_clamps_of_different_neurons_share_nothing_for_long() -> None:
    one = texts("L3N1", [1.0, 2.0], ["a"])
    assert Load.of([*one, *texts("L3N2", [1.0, 2.0], ["a"])]).nodes == 2 * Load.of(one).nodes


@given(values=st.integers(1, 5), targets=st.integers(1, 4), layer=st.integers(0, 3))
def test_targets_not_known_yet_cost_what_they_cost_when_they_are(values, targets, layer) -> None:
    prompts = ["a" * 12, "b" * 28]
    clamps = [float(n) for n in range(values)]
    known = [one for n in range(targets) for one in texts(f"L{layer}N{n}", clamps, prompts)]
    unknown = Load.alike(values, GREEDY, "all", prompts).times(targets, layer)
    assert unknown.flops(SIZE) == pytest.approx(Load.of(known).flops(SIZE))
    assert (unknown.rows, unknown.tokens) == (len(known), 10 * len(known))


def test_texts_of_each_layer_are_a_load_of_their_own() -> None:
    wanted = [
        *texts("L1N1", [1.0], ["a"]),
        *texts(None, [None], ["a"]),
        *texts("L1N2", [2.0], "ab"),
    ]
    assert {load.layer: load.rows for load in loads(wanted)} == {1: 3, None: 1}


@pytest.mark.parametrize("tied", [True, False])
def test_sizes_are_those_of_the_tensors_of_a_fetched_model(tmp_path: Path, tied: bool) -> None:
    inner = {"a": np.zeros((4, 5)), "b": np.zeros(7)}
    save_file({**inner, "embed": np.zeros((50, 4))}, tmp_path / "model-1.safetensors")
    if not tied:
        save_file({"unembed": np.zeros((50, 4))}, tmp_path / "model-2.safetensors")
    assert Size.of(tmp_path, 2, 5) == Size(2, 27, 200)


def test_a_model_that_is_not_there_yet_is_guessed_within_a_third(tmp_path: Path) -> None:
    size = Size.of(tmp_path, 30, 1536)  # SmolLM2-135M
    assert size.blocks == pytest.approx(106.2e6, rel=0.33)
    assert size.unembedding == pytest.approx(28.3e6, rel=0.33)


def test_a_damaged_model_is_guessed(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 20)
    assert Size.of(tmp_path, 30, 1536) == Size.of(tmp_path / "nowhere", 30, 1536)
