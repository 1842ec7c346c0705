"""Slices of an entry: what is always made, what only if asked, in the summary's order."""

from __future__ import annotations

import configs
from clampsweep.studies.universal.slices import judged, slices_of
from universal import entries
from universal.entries import entry

folder = configs.folder
texts = entries.texts


def test_features_roles_and_a_reference_are_there_if_asked(folder):
    assert set(slices_of(entry())) == {"texts", "agreement", "data", "weights", "heads"}
    assert set(slices_of(entry(roles={}))) - set(slices_of(entry())) == {"roles"}
    assert set(slices_of(entry(features={}))) - set(slices_of(entry())) == {"features"}
    (folder / "neurons.csv").write_text("layer,neuron\n")
    asked = entry(reference="neurons.csv")
    assert set(slices_of(asked)) - set(slices_of(entry())) == {"reference"}
    assert "reference" in judged(asked)


def test_the_summary_has_all_that_conclude_and_not_the_texts():
    found = entry(features={}, roles={})
    assert set(judged(found)) == set(slices_of(found)) - {"texts"}
    assert judged(found)[0] == "agreement"  # GT1 first
