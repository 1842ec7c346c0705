"""An entry's contrasts and requests."""

from __future__ import annotations

import pytest

import configs
from backtracking import entries
from backtracking.entries import entry
from clampsweep.texts.request import PromptFormat

folder = configs.folder
files_there = entries.files


def test_an_entry_without_pairs_generates_nothing_with_neurons_held():
    with pytest.raises(ValueError, match="has no pairs"):
        _ = entry(pairs=None).ablated


def test_formats_of_each_source_are_those_of_the_config():
    found = entry(written={"file": "written.yaml", "prompt_format": "chat"}).formats()
    assert PromptFormat.of(found["plain"]).kind == "chat"
    assert PromptFormat.of(found["written"]).kind == "chat"
    assert "written" not in entry(written=None, pairs=None).formats()


def test_a_title_names_model_and_contrasts():
    assert entry(written=None, pairs=None).title == "tiny, plain"
