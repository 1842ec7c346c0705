"""What a study is: all that one need not say, and that what it says is of one piece."""

from __future__ import annotations

import pytest

from clampsweep.config.contract import Study, no_texts, nothing
from clampsweep.registry import NAMES, STUDIES


def test_a_study_that_says_no_more_than_it_must_wants_no_texts_and_reads_no_files():
    study = Study("plain", parse=lambda context: context.entry, files=lambda entry: {})
    assert (study.requests, study.inputs) == (no_texts, nothing)
    assert study.requests("an entry") == {}
    assert list(study.inputs("an entry")) == []
    assert (study.sweep_keys, study.import_key) == (frozenset(), None)


def test_studies_are_called_by_the_name_that_they_are_registered_by_each_once():
    assert tuple(study.name for study in STUDIES) == NAMES
    assert len(set(NAMES)) == len(NAMES) > 0


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_the_key_with_which_texts_are_imported_is_one_of_the_studys_own(study):
    assert study.import_key is None or study.import_key in study.sweep_keys
