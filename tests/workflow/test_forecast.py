"""What is said before and after a run holds, of a first run, a dry one, one with nothing to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from harness import PROMPTS, Project, Run

N = len(PROMPTS)
WHERE = "Results: results/s/summary.md"
TIME = r"Time: about \d+ (s|minutes) in all"


def said(run: Run) -> list[str]:
    """The lines of the plan and of what came of it."""
    start = ("Texts:", "Other work:", "Models", "Time:", "Results:", "Nothing to do:")
    return [line for line in run.output.splitlines() if line.startswith(start)]


def test_a_first_run_says_what_it_makes_and_then_what_it_made(
    first_run: tuple[Project, Run],
) -> None:
    texts, models, time, results, outcome = said(first_run[1])
    assert texts == f"Texts: {4 * N} new, 0 reused."
    assert models == "Models to fetch or make first: tiny."
    assert re.fullmatch(rf"{TIME} \(a guess: no text was made here yet\)\.", time)
    assert results == WHERE
    made = rf"Texts: {4 * N} made, 0 reused"
    assert re.fullmatch(rf"{made}\. Time: \d+ \w+ \(expected: about \d+ \w+\)\.", outcome)
    plan = first_run[1].output.index(texts)
    assert plan < first_run[1].output.index("Finished jobid") < first_run[1].output.index(outcome)


def test_a_plan_counts_what_a_longer_list_of_values_adds(finished: Project) -> None:
    finished.sweep["values"] += [7]
    folders = ("results/**/*", "logs/**/*", "resources/**/*")
    before = finished.states(*folders)
    lines = said(finished.write().run("-n").checked())
    assert said(finished.run("-n", "--quiet").checked()) == lines
    assert lines[0] == f"Texts: {N} new, {4 * N} reused."
    assert re.fullmatch(rf"{TIME}\.", lines[1])  # by the first run's texts
    assert lines[2:] == [WHERE]
    after = finished.states(*folders)
    new = {str(Path(name).parent) for name in after.keys() - before.keys()}
    assert new == {"results/plans", "results/batches"}
    assert after.items() >= before.items()


def test_a_plan_with_nothing_to_do_is_one_line(finished: Project) -> None:
    done = f"Nothing to do: {4 * N} texts and all results are there. {WHERE}"
    assert said(finished.run("-n", "--quiet").checked()) == [done]
    assert said(finished.run().checked()) == [done]


def test_a_run_of_a_single_file_plans_nothing(finished: Project) -> None:
    assert said(finished.run("-n", "results/s/rates.parquet").checked()) == []


def test_texts_that_other_code_made_are_new(finished: Project) -> None:
    finished.append("src/clampsweep/decoder/decode.py", "# other code")
    assert said(finished.run("-n", "--quiet").checked())[0] == f"Texts: {4 * N} new, 0 reused."


@pytest.mark.parametrize("prompts", ["local", "url"])
def test_texts_that_follow_from_others_are_bounded(fresh: Project, prompts: str) -> None:
    fresh.sweep["neurons"] = {"select": "consistent", "layer": "last", "top": 2}
    fresh.sweep["values"] = [1, 2]
    fresh.sweep["controls"] = {"count": 3, "seed": 0, "values": [1], "prompts": 2}
    if prompts == "url":
        where = {"url": "https://nowhere.invalid/grid.txt", "sha256": "0" * 64, "format": "grid"}
        fresh.config["promptsets"]["grid"] = where
    line = said(fresh.write().run("-n", "--quiet").checked())[0]
    if prompts == "url":
        assert line == "Texts: 0 new, 0 reused; those of s and s/controls are not known yet."
    else:
        more = 2 * 2 * N + (2 * 3 * 2) * (1 + 1) * 2  # 3 neurons and 3 directions, at 2 values
        follow = "of s and s/controls, whose neurons follow from the first texts"
        assert line == f"Texts: {N} new, 0 reused; up to {more} more {follow}."
