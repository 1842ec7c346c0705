"""The checked config: entries by study, and over all of them their texts, files and inputs."""

from __future__ import annotations

from dataclasses import dataclass, field

import configs
from clampsweep.config.contract import Study
from clampsweep.config.entries import Compute, Config
from configs import BASE, IMPORTED, as_sweep, changed, parse, sweep

folder = configs.folder


@dataclass(frozen=True)
class Entry:
    """An entry that says what it wants and keeps."""

    name: str
    wants: tuple[str, ...] = ()
    keeps: dict[str, str] = field(default_factory=dict)
    reads: tuple[str, ...] = ()


def study(name: str) -> Study:
    return Study(
        name,
        parse=lambda context: None,
        files=lambda entry: {f"{entry.name}/{file}": what for file, what in entry.keeps.items()},
        requests=lambda entry: {f"{entry.name}{part}": (name, part) for part in entry.wants},
        inputs=lambda entry: entry.reads,
    )


# Of two studies: `a` is an entry of both, `b` of the first, `c` of the second and not run.
ENTRIES = {
    "one": {
        "a": Entry("a", ("", "/more"), {"x.md": "words"}, ("in.tsv",)),
        "b": Entry("b", ("",), {"x.md": "other words"}),
    },
    "two": {
        "a": Entry("a", ("/two",), {"y.md": "figures"}, ("facts.yaml",)),
        "c": Entry("c", ("",), {"x.md": "not made"}, ("gone.tsv",)),
    },
}


def config(*run: str) -> Config:
    studies = (study("one"), study("two"))
    return Config(run, {}, {}, ENTRIES, Compute(1, "cpu", 1, 1), studies)


def test_names_are_those_of_all_entries_each_once_run_or_not():
    assert config("b").names == ("a", "b", "c")


def test_the_entries_of_a_study_are_those_that_are_run_in_the_order_of_the_run():
    assert list(config("b", "a").of("one")) == ["b", "a"]
    assert config("b", "a").of("two") == {"a": ENTRIES["two"]["a"]}
    assert config("c").of("one") == {}


def test_the_requests_of_a_run_are_those_of_its_entries_by_every_study():
    assert config("b", "a").requests() == {
        "b": ("one", ""),
        "a": ("one", ""),
        "a/more": ("one", "/more"),
        "a/two": ("two", "/two"),
    }


def test_the_requests_of_an_entry_are_had_by_its_name_though_it_is_not_run():
    assert config("a").requests(["c"]) == {"c": ("two", "")}
    assert config("a").requests([]) == {}


def test_the_files_of_a_run_are_those_of_its_entries_by_every_study():
    assert config("a", "b").files == {
        "a/x.md": "words",
        "b/x.md": "other words",
        "a/y.md": "figures",
    }
    assert config("c").files == {"c/x.md": "not made"}


def test_the_inputs_of_a_run_are_those_of_its_entries_by_every_study():
    assert config("a", "b").inputs == ["in.tsv", "facts.yaml"]
    assert config("b").inputs == []


def test_a_config_that_was_parsed_asks_for_what_is_run_and_nothing_else():
    overlay = changed(changed(IMPORTED, as_sweep()), sweep("controls: {}"))
    parsed = parse(config=BASE, overlay=overlay)
    assert parsed.run == ("main",)
    assert parsed.names == ("main", "old", "new")
    assert list(parsed.of("bcr")) == ["main"]
    assert list(parsed.requests()) == ["main", "main/controls"]
    assert list(parsed.requests(parsed.names)) == ["main", "main/controls", "new"]
    assert {file.partition("/")[0] for file in parsed.files} == {"main", "detectors"}
    assert parsed.inputs == []
    again = parse(config=BASE, overlay=changed(overlay, "run: [old]"))
    assert (again.requests(), again.inputs) == ({}, ["old.tsv"])


def test_an_entrys_folder_is_described_by_all_studies_with_the_figures_in_one_line():
    entries = {
        "one": {"a": Entry("a", keeps={"x.md": "words", "figures/x.svg": "a figure"})},
        "two": {"a": Entry("a", keeps={"y/z.parquet": "a table", "figures/y.svg": "another"})},
    }
    both = Config(("a",), {}, {}, entries, Compute(1, "cpu", 1, 1), (study("one"), study("two")))
    said = both.described("a")
    assert list(said) == ["x.md", "y/z.parquet", "figures/"] and said["y/z.parquet"] == "a table"
