"""Damaged RAVEL files are refused in one line that names the file and what is wrong."""

from __future__ import annotations

import gzip
import json

import pytest

from clampsweep.errors import UserError
from clampsweep.studies.steering.ravel_data import read_ravel
from clampsweep.studies.steering.ravel_files import read_object
from steering.ravel_planted import KIND, write_ravel

NAMES = ("entity_attributes", "attribute_to_prompts", "entity_to_split", "prompt_to_split")


def _path(folder, name):
    return folder / f"ravel_{KIND}_{name}.json"


def _refused(folder):
    with pytest.raises(UserError) as caught:
        read_ravel(folder, KIND)
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_missing_or_cut_off_is_named(tmp_path, name):
    path = _path(write_ravel(tmp_path), name)
    content = path.read_bytes()
    for damage in (content[: len(content) // 2], b"", b"\xff\xfe", b"[]", b"{}", b"3"):
        path.write_bytes(damage)
        assert path.name in _refused(tmp_path)
    path.unlink()
    assert f"{path.name}: no such file, nor {path.name}.gz" in _refused(tmp_path)
    packed = gzip.compress(content)
    path.with_name(f"{path.name}.gz").write_bytes(packed[:-9])
    assert f"{path.name}.gz: damaged" in _refused(tmp_path)
    path.with_name(f"{path.name}.gz").write_bytes(packed)
    assert len(read_ravel(tmp_path, KIND).answers) == 48


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("entity_attributes", lambda it: it["c"].pop("A"), "'c'.*each entity has the attributes"),
        ("entity_attributes", lambda it: it["c"].update(A=3), "'c': A: got 3"),
        ("entity_attributes", lambda it: it["c"].update(A=" , "), "'c': A: got ' , '"),
        ("entity_attributes", lambda it: it.update(c=[1]), "'c'"),
        ("entity_attributes", lambda it: it.pop("c"), "entity_to_split.json: has 'c'"),
        ("entity_to_split", lambda it: it.pop("c"), "entity_to_split.json: lacks 'c'"),
        ("entity_to_split", lambda it: it.update(c="dev"), "got split 'dev'; allowed: train, val"),
        ("prompt_to_split", lambda it: it.update({"%s?": "val"}), r"has '%s\?'"),
        ("attribute_to_prompts", lambda it: it["A"].append("none"), "A: got prompt 'none'"),
        ("attribute_to_prompts", lambda it: it["A"].append("%s %s"), "A: got prompt '%s %s'"),
        ("attribute_to_prompts", lambda it: it["B"].append("%s#"), "B: got prompt '%s#'"),
        ("attribute_to_prompts", lambda it: it.update(C=[]), "got attribute 'C'"),
        ("attribute_to_prompts", lambda it: it.update(A="x"), "got attribute 'A'"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, name, change, said):
    path = _path(write_ravel(tmp_path), name)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=said):
        read_ravel(tmp_path, KIND)


def test_a_name_that_stands_twice_is_not_passed_over(tmp_path):
    (tmp_path / "some.json").write_text('{"Lima": 1, "Rome": 2, "Lima": 3}')
    with pytest.raises(UserError, match=r"some.json: damaged \('Lima' stands twice\)"):
        read_object(tmp_path, "some.json")
