"""The process that runs math-verify, as it is started: lines in, lines out."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from clampsweep.studies.backtracking import math_worker
from patience import PATIENCE

pytest.importorskip("math_verify")


def answers(pairs, seconds="60"):
    """What it says to pairs, and how it ended."""
    run = subprocess.run(
        [sys.executable, "-P", math_worker.__file__, seconds],
        input="".join(json.dumps(pair) + "\n" for pair in pairs),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return [json.loads(line) for line in run.stdout.splitlines()], run.returncode


def test_each_pair_gets_a_line_and_the_end_of_the_pairs_ends_it():
    pairs = [[r"2\sqrt{2}", r"\sqrt{8}"], ["(x+1)^2", "x^2+2x+1"], ["(1,2)", "[1,2]"]]
    assert answers(pairs) == (["ready", True, True, False], 0)
    assert answers([]) == (["ready"], 0)


def test_what_never_ends_is_stopped_by_the_kernel():
    said, code = answers([["(10^{10})!", "3"], ["1", "1"]], seconds="1")
    assert (said, code) == (["ready"], -signal.SIGPROF)


def test_no_answer_ends_it():
    odd = ["", "}", r"\frac{1", "\\", "\x00", r"\begin{x}", "__import__('os')", "\u2603", "{" * 99]
    pairs = [pair for answer in odd for pair in ([answer, "1"], ["1", answer])]
    said, code = answers([*pairs, ["1", "1"]])
    assert (said[0], said[-1], len(said), code) == ("ready", True, len(pairs) + 2, 0)
