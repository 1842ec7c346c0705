"""Events: what is found where, by rules of the test and by those that are shipped."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep.studies.backtracking.events import Event, Span, find, sentences
from clampsweep.studies.backtracking.rules import Rule, Rules, read_rules

SHIPPED = read_rules(
    Path(__file__).parents[2] / "workflow" / "data" / "backtracking" / "rules.yaml"
)


def rule(name: str, kind: str, pattern: str, at_start: bool = False) -> Rule:
    return Rule(name, kind, re.compile(rf"\b(?:{pattern})\b"), at_start)


RULES = Rules(
    1,
    (
        rule("wait", "weak", "wait", at_start=True),
        rule("sure", "uncertainty", "not sure"),
        rule("wrong", "strong", "is wrong"),
        rule("longer", "strong", "is wrong again"),
        rule("crossing", "strong", r"stop\. that is wrong", at_start=True),
    ),
    ("Wait",),
)


def seen(text: str, rules: Rules = RULES) -> list[tuple[str, str]]:
    return [(event.rule_id, text[event.start : event.end]) for event in find(text, rules)]


def test_sentences_are_without_the_space_around_them() -> None:
    assert sentences("  It is 4.  \n\n So 5. ") == [Span(2, 10), Span(15, 20)]


def test_what_holds_no_letter_or_digit_is_no_sentence() -> None:
    assert sentences("---\n...\n*** !\n4") == [Span(14, 15)]
    assert sentences("") == []


@given(st.text(st.sampled_from("aB1 .!?…\n\\[]()$*-é\u0301") | st.characters()))
def test_sentences_hold_every_letter_and_none_twice(text: str) -> None:
    spans = sentences(text)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    inside = {at for span in spans for at in range(span.start, span.end)}
    assert all(at in inside for at, char in enumerate(text) if char.isalnum())
    assert all(text[one.start : one.end].strip() == text[one.start : one.end] for one in spans)


def test_an_event_says_rule_class_characters_and_sentence() -> None:
    text = "It is 4. Wait, it IS wrong."
    assert find(text, RULES) == [Event("wrong", "strong", 18, 26, 1, 9)]


def test_a_sentence_has_one_event_and_the_strongest() -> None:
    assert seen("Wait, not sure, it is wrong, is wrong.") == [("wrong", "is wrong")]
    assert seen("Wait, I am not sure.") == [("wait", "Wait")]
    assert seen("I am not sure.") == [("sure", "not sure")]


def test_of_those_that_begin_first_the_longest_is_taken() -> None:
    assert seen("It is wrong again.") == [("longer", "is wrong again")]


def test_each_sentence_has_its_own_event() -> None:
    assert seen("Wait. It is wrong. So.") == [("wait", "Wait"), ("wrong", "is wrong")]


def test_none_begins_inside_the_one_before() -> None:
    assert seen("Stop. That is wrong. So.") == [("crossing", "Stop. That is wrong")]


@pytest.mark.parametrize(
    "text", ["Wait, 4.", "  wait, 4.", "2. Wait, 4.", "- Wait, 4.", "**Wait**, 4.", "So.\nWait, 4."]
)
def test_the_first_word_stands_behind_numbers_and_bullets(text: str) -> None:
    assert [word.lower() for _, word in seen(text)] == ["wait"]


@pytest.mark.parametrize("text", ["So wait, 4.", '"Wait" is a word.', "They wait."])
def test_a_word_inside_a_sentence_is_not_its_first(text: str) -> None:
    assert seen(text) == []


@pytest.mark.parametrize(
    "before", ["", "İİİ. ", "cafe\u0301, \u2018a\u2019. ", "ﬁ 가 \u1100\u1161 ß Σ. "]
)
@pytest.mark.parametrize(
    "word", ["That\u2019s not right", "THAT'S NOT RIGHT", "That isn\u2019t right"]
)
def test_characters_are_those_of_the_original_text(before: str, word: str) -> None:
    text = f"{before}{word}, so 4."
    (event,) = find(text, SHIPPED)
    assert text[event.start : event.end] == word
    assert text[event.sentence_start :].startswith(word)


@given(st.text(st.sampled_from("İe\u0301 wait.")).filter(lambda text: "\n" not in text))
def test_the_same_is_found_in_composed_and_taken_apart_text(text: str) -> None:
    whole, apart = (f"{unicodedata.normalize(form, text)}\nWait, 4." for form in ("NFC", "NFD"))
    for one in (whole, apart):
        assert one[find(one, RULES)[-1].start :] == "Wait, 4."


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The sum is 9. Wait. That's not right.", "strong"),
        ("Hmm… that is not 9.", "strong"),
        ("So 9 + 8 = 18, wait, no, 17.", "strong"),
        ("Wait, 9 is odd.", "weak"),
        ("I'm not sure about the 9.", "uncertainty"),
    ],
)
def test_shipped_rules_find_one_event_of_the_class(text: str, kind: str) -> None:
    assert [event.kind for event in find(text, SHIPPED)] == [kind]


def test_doubt_is_no_backtracking_and_waiters_do_not_wait() -> None:
    assert all(event.kind == "uncertainty" for event in find("I'm not sure about 9.", SHIPPED))
    assert find("The waiter will wait. Wait for him. No apples are left.", SHIPPED) == []


def test_a_text_without_words_has_no_events() -> None:
    assert find("", SHIPPED) == []
    assert find("...\n---", SHIPPED) == []
