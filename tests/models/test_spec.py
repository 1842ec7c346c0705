"""An entry of `models`: its identity follows what decides the model's outputs, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from clampsweep.errors import UserError
from clampsweep.models.spec import ModelSpec, folder_digest
from configs import HUB, LOADING, PYPI, SIZES

# The fields of a `ModelSpec` that `entry | SIZES | LOADING` leaves open.
NAMED = {"where": "config.yaml: models.tiny", "name": "tiny"}
MADE = {"source": "made", "by": "maps", "recipe": {"seed": 0, "sizes": {"layers": 2, "heads": 8}}}
SOURCES = {"hub": HUB, "pypi": PYPI, "path": {"source": "path", "path": "tiny"}, "made": MADE}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder with a model's folder `tiny`."""
    monkeypatch.chdir(tmp_path)
    Path("tiny").mkdir()
    Path("tiny/config.json").write_text("{}")
    folder_digest.cache_clear()
    return tmp_path


@pytest.fixture(params=SOURCES)
def spec(request):
    return ModelSpec(**NAMED, **SOURCES[request.param], **SIZES, **LOADING)


@pytest.mark.parametrize(
    "change",
    [{"dtype": "float64"}, {"prepend_bos": True}, {"weight_processing": "compatibility"}],
    ids=str,
)
def test_the_identity_changes_with_how_a_model_is_loaded(spec, change):
    assert dataclasses.replace(spec, **change).identity != spec.identity


@pytest.mark.parametrize(
    "change",
    [{"name": "other"}, {"licence": "MIT"}, {"where": "overlay.yaml: models.tiny"}],
    ids=str,
)
def test_the_identity_does_not_change_with_what_a_model_is_called(spec, change):
    assert dataclasses.replace(spec, **change).identity == spec.identity


@pytest.mark.parametrize("change", [{"revision": "f" * 40}, {"repo": "who/else"}], ids=str)
def test_the_identity_of_a_hub_model_changes_with_repo_and_revision(change):
    spec = ModelSpec(**NAMED, **HUB, **SIZES, **LOADING)
    assert dataclasses.replace(spec, **change).identity != spec.identity


def test_the_identity_of_a_wheels_model_is_that_of_the_file():
    spec = ModelSpec(**NAMED, **PYPI, **SIZES, **LOADING)
    assert dataclasses.replace(spec, sha256="f" * 64).identity != spec.identity
    assert dataclasses.replace(spec, package="some-model==0.2").identity == spec.identity


@pytest.mark.parametrize(
    "change",
    [
        {"by": "other"},
        {"recipe": {"seed": 1, "sizes": {"layers": 2, "heads": 8}}},
        {"recipe": {"seed": 0, "sizes": {"layers": 2, "heads": 4}}},
        {"recipe": {"seed": 0, "sizes": {"layers": 2, "heads": 8}, "steps": None}},
    ],
    ids=str,
)
def test_the_identity_and_folder_of_a_made_model_change_with_study_and_recipe(change):
    spec = ModelSpec(**NAMED, **MADE, **SIZES, **LOADING)
    other = dataclasses.replace(spec, **change)
    assert other.identity != spec.identity
    assert other.made != spec.made


def test_a_made_models_folder_changes_with_nothing_else():
    """How it is loaded is no part of how it is made, nor is the order in which a recipe stands."""
    spec = ModelSpec(**NAMED, **MADE, **SIZES, **LOADING)
    turned = {"sizes": {"heads": 8, "layers": 2}, "seed": 0}
    other = dataclasses.replace(spec, dtype="float64", name="other", d_mlp=0, recipe=turned)
    assert other.made == spec.made
    assert dataclasses.replace(spec, recipe=turned).identity == spec.identity


def path_spec(folder: str) -> ModelSpec:
    folder_digest.cache_clear()
    return ModelSpec(**NAMED, source="path", path=folder, **SIZES, **LOADING)


def test_the_identity_of_a_folder_is_its_content_not_its_place():
    shutil.copytree("tiny", "moved/here")
    assert path_spec("moved/here").identity == path_spec("tiny").identity


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_the_identity_of_a_folder_changes_with_each_files_content(name):
    Path("tiny", name).write_text("one")
    before = path_spec("tiny").identity
    Path("tiny", name).write_text("two")
    after = path_spec("tiny").identity
    Path("tiny", name).write_text("one")
    assert after != before
    assert path_spec("tiny").identity == before


def test_the_identity_of_a_folder_changes_when_two_files_swap_their_content():
    Path("tiny/vocab.json").write_text("one")
    Path("tiny/tokenizer.json").write_text("two")
    before = path_spec("tiny").identity
    Path("tiny/vocab.json").write_text("two")
    Path("tiny/tokenizer.json").write_text("one")
    assert path_spec("tiny").identity != before


def test_identities_differ_between_sources_that_hold_the_same_words():
    specs = [ModelSpec(**NAMED, **entry, **SIZES, **LOADING) for entry in SOURCES.values()]
    assert len({spec.identity for spec in specs}) == len(SOURCES)


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("hub", f"who/what@{HUB['revision']}"),
        ("pypi", "some-model==0.1/m/m.gguf"),
        ("path", "tiny"),
        ("made", "resources/made/maps-18d26a16f75f5704"),
    ],
)
def test_the_origin_says_what_is_fetched(source, origin):
    assert ModelSpec(**NAMED, **SOURCES[source], **SIZES, **LOADING).origin == origin


def test_the_parameters_of_a_rule_name_the_entry_but_not_the_file_that_it_stands_in(spec):
    moved = dataclasses.replace(spec, where="overlay.yaml: models.tiny")
    assert moved.fetching() == spec.fetching()
    again = ModelSpec(**spec.fetching())
    assert again == dataclasses.replace(spec, where="models.tiny")


def test_what_a_model_is_loaded_by_changes_with_how_it_is_loaded_and_not_with_its_origin(spec):
    same = {"name": "other", "licence": "MIT", "where": "o.yaml: models.x", "revision": "f" * 40}
    assert dataclasses.replace(spec, **same).loading() == spec.loading()
    for change in ({"dtype": "float64"}, {"prepend_bos": True}, {"n_layers": 4}):
        assert dataclasses.replace(spec, **change).loading() != spec.loading()


def test_a_folder_that_was_fetched_for_the_entry_is_accepted(spec, tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"identity": spec.identity}))
    spec.check_fetched(tmp_path)


def test_a_folder_of_another_model_is_refused_by_saying_what_to_delete(spec, tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"identity": "0" * 32}))
    with pytest.raises(UserError) as caught:
        spec.check_fetched(tmp_path)
    assert "of another model than config.yaml: models.tiny names" in str(caught.value)
    assert f"delete {tmp_path} and run again" in str(caught.value)
