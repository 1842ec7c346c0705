"""Templates of written traces: what is shipped keeps its promises, and faults are one line."""

from __future__ import annotations

import copy
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from backtracking.shipped import DATA, RULES, TEMPLATES
from clampsweep.errors import UserError
from clampsweep.studies.backtracking.events import find, sentences
from clampsweep.studies.backtracking.splits import SPLITS
from clampsweep.studies.backtracking.templates import read_templates

SHIPPED = yaml.safe_load((DATA / "written.yaml").read_text("utf-8"))

NUMBERS = re.compile(
    r"\b(one|two|three|four|five|six|seven|eight|nine|ten|twelve|dozen|half|twice|double|first|second"
    r"|third|once|hundred|thousand|zero|none)\b"
)


def test_each_split_has_four_families_or_more_and_there_are_twelve() -> None:
    assert all(len(TEMPLATES.of(split)) >= 4 for split in SPLITS)
    assert len({family.name for family in TEMPLATES.families}) >= 12


def test_each_split_has_problems_of_3_4_and_5_steps_and_a_division_somewhere() -> None:
    for split in SPLITS:
        families = TEMPLATES.of(split)
        assert {len(family.steps) for family in families} == {3, 4, 5}
        signs = {step.calc.sign for family in families for step in family.steps}
        assert signs == set("+-*/")


def test_no_sentence_and_no_words_of_a_question_or_step_are_of_two_splits() -> None:
    pools = []
    for split in SPLITS:
        own = {text for pool in TEMPLATES.wordings[split] for text in pool}
        families = TEMPLATES.of(split)
        own |= {family.question for family in families}
        own |= {step.text for family in families for step in family.steps}
        pools.append(own)
    assert all(not one & other for one, other in combinations(pools, 2))


def test_there_are_twelve_markers_and_endings_and_six_of_doubt_in_each_split() -> None:
    wordings = TEMPLATES.wordings.values()
    assert sum(len(one.markers) for one in wordings) >= 12
    assert sum(len(one.tails) for one in wordings) >= 12
    assert all(len({*one.too_large, *one.too_small}) >= 6 for one in wordings)


@pytest.mark.parametrize("split", SPLITS)
def test_every_marker_is_one_strong_event_that_begins_with_the_sentence(split: str) -> None:
    for marker in TEMPLATES.wordings[split].markers:
        text = f"So 4, as we said. {marker} So 5."
        assert [(event.kind, event.start) for event in find(text, RULES)] == [("strong", 18)]
        assert len(sentences(text)) == 3


@pytest.mark.parametrize("split", SPLITS)
def test_markers_begin_with_several_words_of_the_lexicon(split: str) -> None:
    markers = TEMPLATES.wordings[split].markers
    begun = {word for word in RULES.lexicon for marker in markers if marker.startswith(word)}
    assert len(begun) >= 5


@pytest.mark.parametrize("split", SPLITS)
def test_no_ending_is_an_event_or_says_a_number(split: str) -> None:
    wording = TEMPLATES.wordings[split]
    onsets = {word.strip(" ,").lower() for word in RULES.lexicon}
    for text in (*wording.tails, *wording.too_large, *wording.too_small):
        words = re.findall(r"[a-z']+", text.lower())
        assert 13 <= len(text.split()) <= 20
        assert not onsets & set(words), text
        assert not NUMBERS.search(text.lower()), text
        found = find(f"There are 4 + 4 = 8 rolls, {text}.", RULES)
        assert all(event.kind == "uncertainty" for event in found), text


@pytest.mark.parametrize("split", SPLITS)
def test_an_ending_of_right_steps_says_nothing_on_size_or_truth(split: str) -> None:
    hints = "right wrong correct true false mistake error large small big tiny high low sure"
    for text in TEMPLATES.wordings[split].tails:
        assert not set(hints.split()) & set(text.lower().split()), text


def changed(path: tuple[Any, ...], value: Any) -> Any:
    """The shipped templates with another value at a place."""
    content = copy.deepcopy(SHIPPED)
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return content


SHORT = "which is all"
TAILS = ("splits", "test", "tails")
BAKERY = ("families", 0)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("version",), "1", "version: got '1'"),
        (("more",), 1, "unknown key 'more'"),
        (("answer",), "So 4.", "answer: got 'So 4.'; write {answer}"),
        (("instruction",), "", "instruction: got ''"),
        (("names",), [], "names: got []"),
        (("splits", "train"), {}, "splits: unknown key 'train'; allowed: discover, select, test"),
        (("splits", "test"), None, "splits.test: got None"),
        (TAILS, SHIPPED["splits"]["test"]["tails"][:4], "splits.test.tails: got 4; write 5"),
        ((*TAILS, 1), SHORT, "splits.test.tails[1]: got 3 words; allowed: 13 to 20"),
        ((*TAILS, 0), "and 4 " + "so " * 14, "write no digit"),
        ((*TAILS, 0), SHIPPED["splits"]["select"]["tails"][0], "stands here twice"),
        (("splits", "test", "markers", 0), "Wait. No.", "markers[0]: got 'Wait. No.'; write one"),
        (("families",), SHIPPED["families"][:6], "none is of split 'select'"),
        ((*BAKERY, "name"), "library", "'library' stands here twice"),
        ((*BAKERY, "name"), "The bakery", "families[0].name: got 'The bakery'"),
        ((*BAKERY, "split"), "train", "(bakery).split: got 'train'; allowed: discover"),
        ((*BAKERY, "question"), "How many?", "(bakery).question: {a} stands in only one"),
        ((*BAKERY, "numbers", "a"), [9, 3], "numbers.a: got [9, 3]"),
        ((*BAKERY, "numbers", "a"), [0, 3], "numbers.a: got [0, 3]"),
        ((*BAKERY, "numbers", "r1"), [1, 3], "got the name 'r1'"),
        ((*BAKERY, "steps"), SHIPPED["families"][0]["steps"][:2], "got 2; write 3 to 5 steps"),
        ((*BAKERY, "steps", 0, "calc"), "a * r1", "steps[0].calc: got 'a * r1'; write two of a, b"),
        ((*BAKERY, "steps", 0, "calc"), "a ** b", "got 'a ** b'"),
        ((*BAKERY, "steps", 2, "calc"), "r1 + d", "r2 is used in no step"),
        ((*BAKERY, "steps", 0, "text"), "The trays", "write {calc} once"),
    ],
)
def test_a_fault_is_said_in_one_line(
    tmp_path: Path, path: tuple[Any, ...], value: Any, said: str
) -> None:
    file = tmp_path / "written.yaml"
    file.write_text(yaml.safe_dump(changed(path, value), allow_unicode=True), "utf-8")
    with pytest.raises(UserError) as fault:
        read_templates(file)
    assert said in str(fault.value)
    assert str(fault.value).startswith(f"{file}: ")
