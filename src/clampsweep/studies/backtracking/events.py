"""Backtracking events of a text, by rules: where it says that it turns back (docs/backtracking.md).

One event a sentence, of the strongest class that is there; of these the one that begins first, and
of those that begin there the longest. A text is what a model put out: prompts hold no events.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from clampsweep.studies.backtracking.folding import fold
from clampsweep.studies.backtracking.rules import CLASSES, Rule, Rules
from clampsweep.studies.backtracking.sentence_ends import cuts

_BULLET = re.compile(r"(?:[^\S\n]|[-*_>#•(]|\d{1,3}[.)]\s)*")  # what stands before a first word


class Span(NamedTuple):
    """Characters from `start` to before `end`."""

    start: int
    end: int


class Event(NamedTuple):
    """Where a rule saw an event.

    Attributes:
        rule_id: The rule.
        kind: Its class: strong, weak, or uncertainty, which is listed and counts as none.
        start: First character, in the original text.
        end: End, exclusive; it may lie in the next sentence ("Wait. That's not right.").
        sentence: Number of the sentence in which it begins, as `sentences` gives them.
        sentence_start: First character of that sentence.
    """

    rule_id: str
    kind: str
    start: int
    end: int
    sentence: int
    sentence_start: int


def sentences(text: str) -> list[Span]:
    """Sentences in their order, without the spaces around; each has a letter or a digit.

    Args:
        text: Any.
    """
    found, begin = [], 0
    for end in cuts(text):
        whole = text[begin:end]
        start = begin + len(whole) - len(whole.lstrip())
        if any(char.isalnum() for char in whole):
            found.append(Span(start, begin + len(whole.rstrip())))
        begin = end
    return found


def find(text: str, rules: Rules) -> list[Event]:
    """Events in their order, at most one a sentence; none begins inside the one before.

    Args:
        text: A model's output.
        rules: As `read_rules` gives them.
    """
    spans, best = sentences(text), dict[int, Event]()
    for event in _candidates(text, spans, rules):
        if event.sentence not in best or _before(event, best[event.sentence]):
            best[event.sentence] = event
    found: list[Event] = []
    for number in sorted(best):
        if not found or best[number].start >= found[-1].end:
            found.append(best[number])
    return found


def _before(one: Event, other: Event) -> bool:
    """Whether an event of a sentence is taken rather than another; of equals the first rule's."""
    first, second = ((CLASSES.index(event.kind), event.start, -event.end) for event in (one, other))
    return first < second


def _candidates(text: str, spans: Sequence[Span], rules: Rules) -> Iterator[Event]:
    """Whatever a rule sees, in the original text's characters."""
    folded = fold(text)
    starts = [span.start for span in spans]
    firsts = [bisect_left(folded.starts, start) for start in starts]
    for rule in rules.rules:
        for match in _matches(rule, folded.text, firsts):
            start, end = folded.starts[match.start()], folded.ends[match.end() - 1]
            number = bisect_right(starts, start) - 1
            if number >= 0 and start < spans[number].end:
                yield Event(rule.id, rule.kind, start, end, number, starts[number])


def _matches(rule: Rule, text: str, firsts: Sequence[int]) -> Iterator[re.Match[str]]:
    """Places of a folded text that a rule sees.

    Args:
        rule: The rule.
        text: The folded text.
        firsts: First character of each sentence.
    """
    if not rule.at_start:
        yield from rule.pattern.finditer(text)
        return
    for first in firsts:
        bullet = _BULLET.match(text, first)
        if match := rule.pattern.match(text, bullet.end() if bullet else first):
            yield match
