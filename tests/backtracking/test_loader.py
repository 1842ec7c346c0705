"""A model that is loaded only where it is needed."""

from __future__ import annotations

from clampsweep.studies.backtracking.loader import loader


def test_nothing_is_loaded_before_it_is_asked_for(tiny_folder, tmp_path):
    folder, spec = tiny_folder("llama")
    loaded = loader(folder / "model.sha256", spec.loading(), 1)
    model = loaded()
    assert (model.n_layers, model.d_mlp) == (spec.n_layers, spec.d_mlp)
    loader(tmp_path / "nowhere/model.sha256", spec.loading(), 1)  # no such folder, and no fault
