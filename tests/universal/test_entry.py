"""An entry: what is known of it before any job, and which slices it has."""

from __future__ import annotations

import configs
from clampsweep.registry import STUDIES
from clampsweep.studies.universal.study import files, inputs, works
from universal import entries
from universal.entries import entry

folder = configs.folder
texts = entries.texts


def test_an_entry_asks_for_moments_of_its_blocks_and_no_texts():
    (work,) = works(entry())
    assert (work.name, work.rule) == ("one/moments", "universal_moments")
    study = {one.name: one for one in STUDIES}["universal"]
    assert study.requests(entry()) == {}


def test_what_is_not_asked_leaves_no_file():
    assert not [file for file in files(entry()) if "features" in file or "roles" in file]
    kept = files(entry(features={}, roles={}))
    assert "one/un_features.parquet" in kept
    assert "one/un_roles.parquet" in kept


def test_a_published_table_is_an_input():
    assert inputs(entry()) == []
    assert inputs(entry(reference="prose.txt")) == ["prose.txt"]


def test_the_moments_of_parse_time_are_those_that_jobs_write(gpt2):
    from clampsweep.models.moments_table import block_moments
    from clampsweep.names import MLP_POST, HookPoint

    table = block_moments(gpt2, [[2, 3, 4]], None, [HookPoint(0, MLP_POST)], "prose/00")
    (work,) = works(entry())
    assert set(table.columns) == set(work.schema.columns)
