"""Processes that compare answers: a pair costs its own verdict alone, whatever a process does."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from clampsweep.studies.backtracking import math_pool
from clampsweep.studies.backtracking.math_pool import Verdict, verify

# Says whether the two are the same text, but for some answers.
FAKE = """
import json, os, signal, sys, time
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    answer, gold = json.loads(line)
    if answer == "die":
        os._exit(3)
    if answer == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if answer == "busy":
        os.kill(os.getpid(), signal.SIGPROF)  # as the kernel does after the processor time
    if answer == "wait":
        time.sleep(10**6)
    print(json.dumps("it is odd" if answer == "odd" else answer == gold), flush=True)
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A worker that does what its pairs say."""
    path = tmp_path / "worker.py"
    path.write_text(FAKE)
    monkeypatch.setattr(math_pool, "WORKER", path)
    return path


RIGHT, WRONG = Verdict(True, None), Verdict(False, None)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_verdicts_come_in_the_order_of_the_pairs(fake, workers):
    pairs = [(str(n), str(n - n % 3)) for n in range(20)]
    expected = [RIGHT if n % 3 == 0 else WRONG for n in range(20)]
    assert verify(pairs, workers, 60) == expected


def test_no_pairs_start_no_process(monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    assert verify([], 3, 60) == []


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    ("answer", "error"),
    [("die", "ended with code 3"), ("killed", "ended with code -9"), ("odd", "it is odd"),
     ("busy", "took more than 60 s")],
)  # fmt: skip
def test_a_process_that_fails_costs_its_own_pair_alone(fake, workers, answer, error):
    pairs = [("1", "1"), (answer, "1"), ("1", "2"), (answer, answer), ("2", "2")]
    found = verify(pairs, workers, 60)
    assert [one.correct for one in found] == [True, None, False, None, True]
    for one in (found[1], found[3]):
        assert error in one.error


def test_a_process_that_only_waits_is_killed(fake, monkeypatch):
    monkeypatch.setattr(math_pool, "STALLED", 1)
    found = verify([("wait", "1"), ("1", "1")], 1, 1)
    assert found == [Verdict(None, "math-verify took more than 1 s"), RIGHT]


def test_a_process_that_cannot_start_is_an_error_of_each_pair(fake):
    fake.write_text("raise SystemExit(7)")
    assert (
        verify([("1", "1"), ("1", "1")], 2, 60)
        == [Verdict(None, "math-verify ended with code 7")] * 2
    )


def test_no_process_is_left_behind(fake, tmp_path):
    fake.write_text(
        f"import os\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n{FAKE}"
    )
    verify([("1", "1"), ("odd", "1")], 1, 60)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_an_interruption_leaves_no_process_behind(fake, tmp_path, monkeypatch):
    fake.write_text(
        f"import os\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n{FAKE}"
    )

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(math_pool, "_answered", interrupted)
    with pytest.raises(KeyboardInterrupt):
        verify([("wait", "1")], 1, 60)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_the_real_process_answers_and_an_endless_pair_ends():
    pytest.importorskip("math_verify")
    begun = time.process_time()
    found = verify([(r"2\sqrt{2}", r"\sqrt{8}"), ("(10^{10})!", "3"), ("(1,2)", "[1,2]")], 2, 3)
    assert found == [RIGHT, Verdict(None, "math-verify took more than 3 s"), WRONG]
    assert time.process_time() - begun < 3  # it was not done here
