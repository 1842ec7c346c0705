"""What is run where a user's own file defines entries, and does not say which to run."""

from __future__ import annotations

import pytest
import yaml

from clampsweep.config.contract import Study
from clampsweep.config.overlay import ARGUMENTS, DEFAULT, lay_over
from clampsweep.registry import STUDIES

BASE = "run: [bcr]\nsweeps: {bcr: {values: [1, 2]}, spare: {}}\ncompute: {threads: 2}"
APART = Study("apart", parse=lambda context: context.entry, files=lambda entry: {})


def laid(**files: str) -> tuple[object, str | None]:
    """What is run, and what is said of it, of the default file and others on top of it."""
    named = {"arguments": ARGUMENTS}
    contents = {
        named.get(name, f"{name}.yaml"): yaml.safe_load(text) for name, text in files.items()
    }
    found = lay_over({DEFAULT: yaml.safe_load(BASE), **contents}, [*STUDIES, APART])
    return found.merged["run"], found.note


def test_a_file_without_run_gets_its_own_entries_made_of_sweeps_and_of_studies_sections():
    mine = "sweeps: {mine: {}, other: {}}\napart: {third: {}}"
    assert laid(mine=mine) == (
        ["mine", "other", "third"],
        "mine.yaml has no run:, so its own entries are made: mine, other, third",
    )


def test_a_change_of_an_entry_of_the_default_file_is_an_entry_too():
    assert laid(mine="sweeps: {spare: {values: [3]}}")[0] == ["spare"]


@pytest.mark.parametrize(
    "files",
    [
        {"mine": "run: [bcr]\nsweeps: {mine: {}}"},
        {"mine": "sweeps: {mine: {}}", "more": "run: [bcr]"},
        {"mine": "run: [bcr]\nsweeps: {mine: {}}", "more": "sweeps: {mine: {values: [1]}}"},
        {"mine": "sweeps: {mine: {}}", "arguments": "run: [bcr]"},
    ],
)
def test_run_in_a_file_of_the_users_or_on_the_command_line_decides(files):
    assert laid(**files) == (["bcr"], None)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"mine": "compute: {threads: 1}\nmodels: {m: {}}\npromptsets: {p: {}}"},
        {"mine": "sweeps: {}"},
        {"mine": "sweeps:"},
        {"arguments": "sweeps: {spare: {values: [3]}}"},
    ],
)
def test_files_without_entries_of_their_own_leave_the_default_run(files):
    assert laid(**files) == (["bcr"], None)


def test_entries_of_several_files_are_all_made_each_once_and_only_these_files_are_named():
    files = {"one": "sweeps: {a: {}, b: {}}", "fast": "compute: {threads: 1}"}
    assert laid(**files, two="sweeps: {b: {}, c: {}}") == (
        ["a", "b", "c"],
        "one.yaml and two.yaml have no run:, so their own entries are made: a, b, c",
    )


def test_a_file_in_place_of_the_default_one_needs_no_run_either():
    found = lay_over({"mine.yaml": {"sweeps": {"mine": {}}}}, STUDIES)
    assert found.merged["run"] == ["mine"]


def test_the_files_are_laid_over_each_other_key_by_key_and_stay_as_they_are():
    files = {DEFAULT: yaml.safe_load(BASE), "mine.yaml": {"sweeps": {"bcr": {"scope": "all"}}}}
    merged = lay_over(files, STUDIES).merged
    assert merged["sweeps"] == {"bcr": {"values": [1, 2], "scope": "all"}, "spare": {}}
    assert files[DEFAULT] == yaml.safe_load(BASE)
