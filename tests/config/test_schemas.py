"""Schemas joined: each study's keys in an entry of `sweeps`, or a section of its own."""

from __future__ import annotations

import pytest
import yaml
from jsonschema import Draft202012Validator

from clampsweep.config.checker import Checker
from clampsweep.config.contract import Study
from clampsweep.config.schemas import join
from clampsweep.errors import UserError
from clampsweep.registry import STUDIES
from clampsweep.strict_yaml import read_yaml
from configs import SCHEMAS


def nothing(*_):
    raise AssertionError("the schemas are joined without parsing")


SHARING = Study("sharing", nothing, nothing, sweep_keys=frozenset({"colour"}))
APART = Study("apart", nothing, nothing)
WRITTEN = {
    "config": {
        "type": "object",
        "properties": {"sweeps": {"additionalProperties": {"$ref": "#/$defs/sweep"}}},
        "additionalProperties": False,
        "$defs": {
            "sweep": {"properties": {"model": {"type": "string"}}, "additionalProperties": False}
        },
    },
    "common": {"$defs": {"name": {"type": "string", "pattern": "^[a-z]+\\Z"}}},
    "sharing": {"$defs": {"sweep": {"properties": {"colour": {"enum": ["red"]}}}}},
    "apart": {
        "$defs": {"entry": {"properties": {"n": {"type": "integer"}}, "required": ["n"]}},
    },
}


@pytest.fixture
def schemas(tmp_path):
    """Function from studies to their schemas, joined to a small one of the config."""
    for name, content in WRITTEN.items():
        (tmp_path / f"{name}.schema.yaml").write_text(yaml.safe_dump(content))
    return lambda *studies: join(tmp_path, studies)


def fault(schemas, content):
    """The line with which a config is refused; None if it is accepted."""
    try:
        return Checker({"file": content}, schemas).check(content, "config", ())
    except UserError as error:
        return str(error)


def test_a_studys_keys_are_known_in_an_entry_of_sweeps_and_checked_by_its_own_schema(schemas):
    joined = schemas(SHARING)
    assert fault(joined, {"sweeps": {"a": {"model": "m", "colour": "red"}}}) is None
    wrong = fault(joined, {"sweeps": {"a": {"colour": "blue"}}})
    assert wrong == "file: sweeps.a.colour: got 'blue'; allowed: red"


def test_the_keys_of_a_study_that_is_not_there_are_unknown(schemas):
    wrong = fault(schemas(APART), {"sweeps": {"a": {"colour": "red"}}})
    assert wrong == "file: sweeps.a.colour: unknown key; allowed: model"


def test_a_study_without_keys_of_sweeps_has_a_section_whose_entries_its_own_schema_checks(schemas):
    joined = schemas(APART, SHARING)
    assert fault(joined, {"apart": {"a": {"n": 1}, "b": {"n": 2}}}) is None
    assert (
        fault(joined, {"apart": {"a": {"n": "x"}}}) == "file: apart.a.n: got 'x'; expected integer"
    )
    assert "lacks the key 'n'" in fault(joined, {"apart": {"a": {}}})
    assert "it must match" in fault(joined, {"apart": {"a b": {"n": 1}}})
    assert "unknown key" in fault(joined, {"sharing": {}})


def test_the_section_of_a_study_that_is_not_there_is_unknown(schemas):
    wrong = fault(schemas(SHARING), {"apart": {"a": {"n": 1}}})
    assert wrong == "file: apart: unknown key; allowed: sweeps"


def test_joining_leaves_the_files_as_they_are(schemas, tmp_path):
    schemas(APART, SHARING)
    schemas(SHARING)
    for name, content in WRITTEN.items():
        assert read_yaml(tmp_path / f"{name}.schema.yaml") == content


def test_a_study_without_a_schema_file_is_one_line_with_the_file(schemas):
    with pytest.raises(UserError, match=r"other\.schema\.yaml: .*No such file") as caught:
        schemas(Study("other", nothing, nothing))
    assert "\n" not in str(caught.value)


# Those of the repository

SHIPPED = join(SCHEMAS, STUDIES)


def references(part):
    """Every `$ref` in a schema."""
    if isinstance(part, dict):
        yield from (value for key, value in part.items() if key == "$ref")
    for value in (
        part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    ):
        yield from references(value)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_schema_is_one_and_what_it_refers_to_is_there(name):
    Draft202012Validator.check_schema(SHIPPED[name])
    for reference in references(SHIPPED[name]):
        file, _, place = reference.partition("#")
        found = SHIPPED[file.removesuffix(".schema.yaml") or name]
        for word in place.strip("/").split("/"):
            assert word in found, f"{name}: {reference}"
            found = found[word]


def test_every_schema_file_is_joined():
    files = {path.name.removesuffix(".schema.yaml") for path in SCHEMAS.glob("*.yaml")}
    assert files == set(SHIPPED)


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_a_study_says_of_all_its_keys_of_an_entry_of_sweeps_that_they_are_its_own(study):
    described = SHIPPED[study.name]["$defs"].get("sweep", {}).get("properties", {})
    assert set(described) == study.sweep_keys
    plain = read_yaml(SCHEMAS / "config.schema.yaml")["$defs"]["sweep"]["properties"]
    assert not study.sweep_keys & set(plain)


def test_no_key_of_an_entry_of_sweeps_is_two_studies():
    keys = [key for study in STUDIES for key in study.sweep_keys]
    assert len(keys) == len(set(keys)) > 0
