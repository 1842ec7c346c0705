"""Rules of events: what is read, and one line for each fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clampsweep.errors import UserError
from clampsweep.studies.backtracking.rules import CLASSES, Rules, read_rules

SHIPPED = Path(__file__).parents[2] / "workflow" / "data" / "backtracking" / "rules.yaml"

GOOD: dict[str, Any] = {
    "version": 3,
    "lexicon": ["Wait", " Wait"],
    "parts": {"said": "that|this", "no": "not {said}"},
    "rules": [
        {"id": "wrong", "class": "strong", "pattern": "{said} is wrong"},
        {"id": "wait", "class": "weak", "pattern": "wait", "place": "start"},
        {"id": "nested", "class": "uncertainty", "pattern": "{no}"},
    ],
}


def reading(folder: Path, **changes: Any) -> Rules:
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}), "utf-8")
    return read_rules(path)


def one_rule(**changes: Any) -> dict[str, Any]:
    return {"rules": [{**GOOD["rules"][0], **changes}]}


def test_rules_are_read_in_their_order(tmp_path: Path) -> None:
    rules = reading(tmp_path)
    assert rules.version == 3
    assert rules.lexicon == ("Wait", " Wait")
    assert [(rule.id, rule.kind, rule.at_start) for rule in rules.rules] == [
        ("wrong", "strong", False),
        ("wait", "weak", True),
        ("nested", "uncertainty", False),
    ]


def test_parts_stand_in_their_places_and_in_each_other(tmp_path: Path) -> None:
    wrong, _, nested = (rule.pattern for rule in reading(tmp_path).rules)
    assert wrong.search("so this is wrong.")
    assert not wrong.search("that")
    assert nested.search("it is not this")


@pytest.mark.parametrize("text", ["await", "waits", "wait-list", "re-wait", "wait_"])
def test_a_pattern_sees_whole_words_only(tmp_path: Path, text: str) -> None:
    pattern = reading(tmp_path).rules[1].pattern
    assert not pattern.search(text)
    assert pattern.search(f"{text} wait, so")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 0}, "version: got 0"),
        ({"version": True}, "version: got True"),
        ({"rule": []}, "unknown key 'rule'"),
        ({"rules": []}, "write a list of rules"),
        ({"rules": ["wait"]}, "rules[0]: got 'wait'"),
        ({"rules": GOOD["rules"][:1] * 2}, "rules[1].id: 'wrong' stands here twice"),
        (one_rule(id="Wrong"), "rules[0].id: got 'Wrong'"),
        (one_rule(kind="weak"), "unknown key 'kind'"),
        ({"rules": [{"id": "a", "class": "mild", "pattern": "b"}]}, "strong, weak, uncertainty"),
        (one_rule(place="end"), "place: got 'end'; allowed: start, anywhere"),
        (one_rule(pattern=""), "(wrong).pattern: got ''"),
        (one_rule(pattern="wait("), "no regular expression (missing )"),
        (one_rule(pattern="a)|(b"), "no regular expression (unbalanced"),
        (one_rule(pattern="Wait"), "the capital 'W'"),
        (one_rule(pattern="(?:wait)?"), "finds the empty text"),
        (one_rule(pattern="{thing} is wrong"), "unknown part {thing}; parts: no, said"),
        ({"parts": {"said": "{no}", "no": "{said}"}}, "a part holds itself"),
        ({"parts": {"said": 3, "no": ""}}, "parts.said: got 3"),
        ({"lexicon": []}, "lexicon: got []"),
        ({"lexicon": ["Wait", "Wait"]}, "lexicon: 'Wait' stands here twice"),
        ({"lexicon": [" "]}, "write a list of words"),
    ],
)
def test_a_fault_is_said_in_one_line(tmp_path: Path, changes: Any, said: str) -> None:
    with pytest.raises(UserError) as fault:
        reading(tmp_path, **changes)
    assert said in str(fault.value)
    assert "rules.yaml: " in str(fault.value)
    assert "\n" not in str(fault.value)


def test_classes_of_characters_are_no_capitals(tmp_path: Path) -> None:
    pattern = reading(tmp_path, **one_rule(pattern=r"wait\S*\W\D+")).rules[0].pattern
    assert pattern.search("wait, no")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing\.yaml"):
        read_rules(tmp_path / "missing.yaml")


def test_shipped_rules_are_of_every_class_and_the_lexicon_has_each_word_with_a_space() -> None:
    rules = read_rules(SHIPPED)
    assert {rule.kind for rule in rules.rules} == set(CLASSES)
    words = set(rules.lexicon)
    assert {"Wait", "Hmm", "Oops", "Actually", "No,"} <= words
    assert {f" {word.strip()}" for word in words} <= words
    assert {word.strip() for word in words} <= words
