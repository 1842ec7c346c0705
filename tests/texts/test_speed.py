"""How fast texts were made: which earlier ones an estimate goes by."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from clampsweep.texts import speed
from clampsweep.texts.cost import Load
from clampsweep.texts.speed import Pace

PACE = Pace("b", "m", "cpu", 2, 3, False, 100.0, 1.0)


def rate(paces, layer, *, model="m", sampled=False, device="auto", threads=2):
    load = Load(layer, 1, 1.0, 1, 1.0, 1.0, sampled)
    return speed.rate(paces, model, load, device, threads)


def test_the_parts_most_like_a_load_decide_its_rate() -> None:
    paces = [
        replace(PACE, model="other", seconds=1000.0),
        replace(PACE, layer=2, seconds=4.0),
        replace(PACE, layer=2, flops=300.0, seconds=4.0),
        PACE,
    ]
    assert rate(paces, 3) == 100
    assert rate(paces, 2) == 50  # 25 and 75
    assert rate(paces, None) == 75
    assert rate(paces, 3, model="new") == 50
    assert rate([], 3) is None


def test_one_part_that_was_held_up_does_not_count() -> None:
    assert rate([PACE, replace(PACE, seconds=1000.0), PACE], 3) == 100


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
    one, two, many = map(speed.guess.__wrapped__, (1, 2, 99))
    assert (two / one, many / one) == (2, 4)
