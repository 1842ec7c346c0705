"""File times ahead of the clock are set back, in their order."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from clampsweep.clock import set_back

HOUR = 3600 * 10**9


def _make(folder: Path, ahead: Mapping[str, int]) -> dict[str, int]:
    """Files with times so many ns ahead of the clock; their times."""
    now = time.time_ns()
    for name, ns in ahead.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, ns=(now, now + ns))
    return _times(folder)


def _times(folder: Path) -> dict[str, int]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


def test_times_ahead_become_now_in_their_order_and_others_stay(tmp_path: Path) -> None:
    ahead = {"old": -HOUR, "b/second": 9 * HOUR, "first": 2 * HOUR, "b/too": 9 * HOUR, "x": 10**9}
    before = _make(tmp_path, ahead)
    assert set_back([tmp_path]) == 4
    after = _times(tmp_path)
    assert after["old"] == before["old"]
    assert after["old"] < after["x"] < after["first"] < after["b/second"] == after["b/too"]
    assert abs(after["b/too"] - time.time_ns()) < HOUR / 60
    assert set_back([tmp_path]) == 0


def test_the_difference_of_two_clocks_changes_nothing(tmp_path: Path) -> None:
    before = _make(tmp_path, {"a": 10 * 10**9, "b": 30 * 10**9, "c": -HOUR})
    assert set_back([tmp_path]) == 0
    assert _times(tmp_path) == before


def test_only_the_files_and_folders_named_are_touched(tmp_path: Path) -> None:
    before = _make(tmp_path, {"in/a": HOUR, "b": HOUR, "c": HOUR})
    assert set_back([tmp_path / "in", str(tmp_path / "b"), tmp_path / "gone"]) == 2
    after = _times(tmp_path)
    assert {name for name in after if after[name] != before[name]} == {"in/a", "b"}


@given(st.lists(st.integers(-(10**6), 10**6).map(lambda second: second * 10**9), max_size=8))
def test_no_two_files_change_their_order(tmp_path_factory, ahead: list[int]) -> None:
    folder = tmp_path_factory.mktemp("times")
    before = _make(folder, {str(at): ns for at, ns in enumerate(ahead)})
    set_back([folder])
    after = _times(folder)
    for one in before:
        for other in before:
            assert (before[one] < before[other]) == (after[one] < after[other])
