"""RAVEL's files that the study holds, and what is odd in them."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from clampsweep.errors import UserError
from clampsweep.studies.steering.ravel_data import (
    SPLITS,
    Template,
    draw_entities,
    items,
    mended,
    read_ravel,
    templates_of,
)
from steering.ravel_planted import KIND, write_ravel

DATA = Path(__file__).parents[2] / "workflow" / "data" / "steering" / "ravel"


RETAIN = ("ɹiˈteɪn", "ɹɪˈteɪn")  # noqa: RUF001


def _raw(name):
    return json.loads(gzip.decompress((DATA / f"{name}.json.gz").read_bytes()))


def _words(text):
    """Its words, each between spaces."""
    return f" {' '.join(re.findall('[a-z0-9_]+', text.lower()))} "


@pytest.fixture(scope="module")
def city():
    return read_ravel(DATA, "city")


def test_cities_and_verbs_are_as_many_as_the_paper_says(city):
    verb = read_ravel(DATA, "verb")
    assert len(city.answers) == 3552
    assert len(verb.answers) == 986
    assert Counter(city.splits.values()) == {"train": 1787, "val": 818, "test": 947}
    assert (len(city.templates), len(verb.templates)) == (273, 359)
    assert city.askable == ("Continent", "Country", "Language", "Timezone")
    assert verb.askable == ("Past Tense", "Singular")
    assert city.neutral == ()  # the prompts from Wikipedia are not held here


def test_all_values_are_kept_but_for_what_is_mended_and_parted(city):
    raw = _raw("ravel_city_entity_attributes")
    for entity, own in raw.items():
        for name, value in own.items():
            got = city.answers[entity][name]
            if name == "Language" and ("," in value or not value.isascii()):
                assert len(got) == len(set(map(str.strip, value.split(","))))
            else:
                assert got == (value,)
    odd = {text for own in city.answers.values() for text in own["Language"] if not text.isascii()}
    assert odd == {"Aimará", "Ketšua", "Guaraní"}
    assert read_ravel(DATA, "verb").answers["retain"]["Pronunciation"] == RETAIN


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("Ket¬öua", "Ketšua"), ("Aimar√°", "Aimará"), ("Guaraní", "Guaraní"), ("√2", "√2")],
)
def test_what_was_saved_in_the_wrong_encoding_is_mended_and_nothing_else(wrong, right):
    assert mended(wrong) == right


def test_prompts_that_go_on_in_another_form_are_not_asked(city):
    for split in SPLITS:
        own = templates_of(city, "Timezone", split)
        assert own
        assert not [one for one in own if "UTC" in one.text]
        assert {one.split for one in own} == {split}


@pytest.mark.parametrize("name", ["Latitude", "Definition", "Weather"])
def test_what_cannot_be_judged_is_refused_in_one_line(city, name):
    with pytest.raises(UserError, match=rf"got '{name}': .*allowed: Continent, Country"):
        templates_of(city, name, "train")


def test_no_item_has_its_answer_in_the_prompt_and_no_other_is_left_out(city):
    entities = draw_entities(city, "train", 60, 0)
    entities += ["Paris", "Beijing", "Kuwait"]
    for name in city.askable:
        templates = templates_of(city, name, "train")
        found = {one.key: one for one in items(city, entities, templates)}
        for template in templates:
            for entity in entities:
                prompt = _words(template.filled(entity))
                held = [one for one in city.answers[entity][name] if _words(one) in prompt]
                assert ((entity, template.text) in found) is not bool(held)


def test_an_answer_begins_with_a_space_where_a_word_would(city):
    def answer(text):
        return items(city, ["Lima"], [Template(text, "Country", "train")])[0].answers

    assert answer("%s is a city in the country of") == (" Peru",)
    assert answer("city: %s, country:") == (" Peru",)
    for text in ('{"city": "%s", "country": "', "the country of %s is (", "of %s is "):
        assert answer(text) == ("Peru",)


def test_fewer_entities_of_a_seed_are_the_first_of_more(city):
    some, more = (draw_entities(city, "test", n, 3) for n in (20, 50))
    assert more[:20] == some
    assert len(set(more)) == 50
    assert {city.splits[one] for one in more} == {"test"}
    assert draw_entities(city, "test", 20, 4) != some
    assert len(draw_entities(city, "val", 10**6, 0)) == 818


def test_prompts_that_ask_for_nothing_are_of_their_entitys_split(tmp_path):
    write_ravel(tmp_path)
    path = tmp_path / f"wikipedia_{KIND}_entity_prompts.json"
    rows = {"born in %s in": {"split": "test", "entity": "a"},
            "to %s.": {"split": "val", "entity": None}}  # fmt: skip
    path.write_text(json.dumps(rows))
    assert read_ravel(tmp_path, KIND).neutral == (
        Template("born in %s in", "", "train", "a"),
        Template("to %s.", "", "val", ""),
    )
    for damage in ({"split": "dev", "entity": None}, {"split": "val", "entity": "?"}, []):
        path.write_text(json.dumps({"to %s.": damage}))
        with pytest.raises(UserError, match=r"wikipedia_letter_entity_prompts.json: got 'to %s.'"):
            read_ravel(tmp_path, KIND)
