"""What texts cost, and how fast they went: against sums by hand and files of another library."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from clampsweep.texts import speed
from clampsweep.texts.combination import Combination
from clampsweep.texts.request import Decoding
from clampsweep.texts.speed import Load, Pace, Size

SIZE = Size(4, 400.0, 100.0)
GREEDY = Decoding("greedy", 10)
PACE = Pace("b", "m", "cpu", 2, 3, False, 100.0, 1.0)


def texts(target: str | None, values: list[float | None], prompts: list[str], scope: str = "all"):
    return [
        Combination("m", prompt, target, "set", value, scope, GREEDY, None)
        for prompt in prompts
        for value in values
    ]


def rate(paces, layer, *, model="m", sampled=False, device="auto", threads=2):
    load = Load(layer, 1, 1.0, 1, 1.0, 1.0, sampled)
    return speed.rate(paces, model, load, device, threads)


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
    assert {load.layer: load.rows for load in speed.loads(wanted)} == {1: 3, None: 1}


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


def test_the_parts_most_like_a_load_decide_its_rate() -> None:
    paces = [
        replace(PACE, model="other", seconds=1000.0),
        replace(PACE, layer=2, seconds=4.0),
        replace(PACE, layer=2, flops=300.0, seconds=4.0),
        PACE,
    ]
    assert rate(paces, 3) == 100
    assert rate(paces, 2) == 50  # 400 in 8 s
    assert rate(paces, None) == pytest.approx(500 / 9)
    assert rate(paces, 3, model="new") == pytest.approx(600 / 1009)
    assert rate([], 3) is None


def test_texts_that_are_drawn_and_that_are_not_have_rates_of_their_own() -> None:
    drawn = replace(PACE, sampled=True, seconds=2.0)
    assert rate([PACE, drawn], 3) == 100
    assert rate([PACE, drawn], 3, sampled=True) == 50
    assert rate([PACE], 3, sampled=True) == 100


def test_a_cpu_of_more_threads_is_taken_to_be_faster_and_a_gpu_is_not() -> None:
    assert rate([PACE], 3, threads=4) == 200
    assert rate([replace(PACE, device="cuda")], 3, threads=4) == 100


def test_only_the_newest_parts_count_and_those_of_the_device() -> None:
    paces = [replace(PACE, seconds=1000.0), *[PACE] * 8, replace(PACE, device="cuda", seconds=0.1)]
    assert rate(paces, 3, device="cpu") == 100
    assert rate(paces, 3, device="cuda") == 1000
    assert rate(paces[:-1], 3, device="cuda") is None


def test_paces_are_read_as_noted_and_damaged_lines_left_out(tmp_path: Path) -> None:
    second = replace(PACE, layer=None)
    path = tmp_path / "logs/speed.jsonl"
    speed.note(path, PACE)
    with path.open("a") as file:
        file.write('half a li\n[1]\n{"batch": "b"}\n')
        file.write(json.dumps({**vars(PACE), "seconds": 0.0}) + "\n")
    speed.note(path, second)
    assert speed.read(path) == [PACE, second]
    assert speed.read(tmp_path / "nowhere") == []


def test_a_pace_that_cannot_be_written_is_lost_without_a_fault(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    speed.note(tmp_path / "logs/speed.jsonl", PACE)
    assert speed.read(tmp_path / "logs/speed.jsonl") == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "about 1 s"),
        (89.4, "about 89 s"),
        (90.0, "about 2 minutes"),
        (7000.0, "about 117 minutes"),
        (9000.0, "about 2.5 hours"),
    ],
)
def test_times_are_said_in_the_unit_that_fits(seconds: float, words: str) -> None:
    assert speed.duration(seconds) == words


def test_a_guess_grows_with_threads_as_far_as_there_are_cores(monkeypatch) -> None:
    times = iter(range(10_000))
    monkeypatch.setattr("clampsweep.texts.speed.time.perf_counter", lambda: next(times))
    monkeypatch.setattr("clampsweep.texts.speed.time.sleep", lambda seconds: None)
    monkeypatch.setattr("clampsweep.texts.speed.os.cpu_count", lambda: 4)
    one, two, many = map(speed.guess, (1, 2, 99))
    assert (two / one, many / one) == (2, 4)
