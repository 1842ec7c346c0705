"""Pairs in the format of contrastive activation addition (CAA; Rimsky et al. 2023).

A JSON list of `question`, which ends with its choices, and of the letters of two of them,
`answer_matching_behavior` and `answer_not_matching_behavior`. What the files at nrimsky/CAA hold
beside the plain case: choices without the line "Choices:" (sycophancy), up to eight of them, and
letters to H (survival instinct, power seeking), no space after "(A)", spaces before letters
(raw files), choices of several lines. Files of open-ended questions have no answers; those of MMLU
and TruthfulQA have `prompt`, `correct`, `incorrect` and `category`, which becomes the topic.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clampsweep.errors import UserError, reason, shown
from clampsweep.files import write_text
from clampsweep.studies.steering.pairs import Pair
from clampsweep.texts.prompt_files import read_text

_BEHAVIOUR = ("question", "answer_matching_behavior", "answer_not_matching_behavior")
_KNOWLEDGE = ("prompt", "correct", "incorrect")  # MMLU and TruthfulQA

_LETTER = re.compile(r"\(([A-Z])\)")
_CHOICE = re.compile(r"(?:^|\n)[ \t]*\(([A-Z])\)")
_HEADING = re.compile(r"\s*^[ \t]*Choices:\s*\Z", re.MULTILINE)


def read_caa(path: Path | str) -> list[Pair]:
    """Pairs of a CAA file, in its order, with letters; answers are the texts of the choices.

    An answer that is no letter is taken as it is, as in the evaluations that CAA draws on, where
    it is " Yes" or " No".

    Args:
        path: A JSON list, or a JSON object a line (`.jsonl`).

    Raises:
        UserError: It is no such file, or an item's letter names none of its choices.
    """
    pairs = []
    for where, item in _items(Path(path)):
        keys = _KNOWLEDGE if "correct" in item else _BEHAVIOUR
        missing = [key for key in keys if not isinstance(item.get(key), str)]
        if missing == list(keys[1:]):
            raise UserError(
                f"{where}: an open-ended question, without answers; name the file with "
                f"{' and '.join(keys[1:])} (test_dataset_ab.json)"
            )
        if missing:
            raise UserError(
                f"{where}: {missing[0]}: got {shown(item.get(missing[0]))}; write a text in "
                f"quotes; an item has {', '.join(keys)}"
            )
        pairs.append(_pair(where, item, keys))
    if not pairs:
        raise UserError(f"{path}: no items; write a JSON list of {', '.join(_BEHAVIOUR)}")
    return pairs


def _items(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """Where each item stands, and the item."""
    text = read_text(path)
    try:
        if path.suffix == ".jsonl":
            items = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({reason(error)}); write a list of items") from error
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise UserError(f"{path}: no list of objects; write [{{{', '.join(_BEHAVIOUR)}}}, ...]")
    return [(f"{path}, item {number}", item) for number, item in enumerate(items, 1)]


def _topic(item: Mapping[str, Any]) -> str | None:
    topic = item.get("topic", item.get("category"))
    return topic if isinstance(topic, str) else None


def _pair(where: str, item: Mapping[str, Any], keys: Sequence[str]) -> Pair:
    question, matching, other = (item[key] for key in keys)
    topic = _topic(item)
    letters = [_LETTER.fullmatch(answer.strip()) for answer in (matching, other)]
    if not all(letters):
        return Pair(question.strip(), matching.strip(), other.strip(), topic)
    prompt, choices = parse_choices(question)
    match, nonmatch = (found.group(1) for found in letters if found)
    for letter in (match, nonmatch):
        if letter not in choices:
            allowed = ", ".join(choices) or "none"
            raise UserError(
                f"{where}: the answer is ({letter}), but the choices are {allowed}; "
                "mend the letter or the question"
            )
    return Pair(prompt, choices[match], choices[nonmatch], topic, match, nonmatch, question)


def parse_choices(question: str) -> tuple[str, dict[str, str]]:
    """A question without its choices, and the text of each choice by letter.

    The choices are the last run of lines that begin with (A), (B), ... in this order; what follows
    such a line up to the next is part of it. A last line "Choices:" before them is left out.

    Args:
        question: The text as in a CAA file; one without choices comes back whole.
    """
    marks = list(_CHOICE.finditer(question))
    first = next((at for at in reversed(range(len(marks))) if marks[at].group(1) == "A"), None)
    if first is None:
        return question.strip(), {}
    run = marks[first:]
    count = next((n for n, mark in enumerate(run) if mark.group(1) != chr(ord("A") + n)), len(run))
    ends = [mark.start() for mark in run[1:count]] + [len(question)]
    choices = {
        mark.group(1): question[mark.end() : end].strip()
        for mark, end in zip(run[:count], ends, strict=True)
    }
    return _HEADING.sub("", question[: run[0].start()]).strip(), choices


def write_caa(pairs: Sequence[Pair], path: Path | str, seed: int) -> None:
    """Write pairs as a CAA file; read back, they have the same prompts, answers and topics.

    Which answer is (A) alternates along a random order of the pairs, so each letter matches in
    half of them, rounded up for (A). Topics stand in a key of their own, which CAA passes over.

    Args:
        pairs: Their letters and questions are not used.
        path: Where; written atomically.
        seed: Of the order.

    Raises:
        UserError: The file cannot be written.
        ValueError: A pair would not be read back, as its text looks like a choice, or its answers
            are to two prompts.
    """
    turn = np.random.default_rng(seed).permutation(len(pairs)) % 2  # 0: the match is (A)
    items = [_item(pair, bool(second)) for pair, second in zip(pairs, turn, strict=True)]
    for pair, item in zip(pairs, items, strict=True):
        back = _pair("", item, _BEHAVIOUR)
        if back.content != pair.content:
            raise ValueError(f"{shown(pair.prompt)}: would be read as {shown(back.content)}")
    write_text(json.dumps(items, ensure_ascii=False, indent=4) + "\n", Path(path))


def _item(pair: Pair, second: bool) -> dict[str, str]:
    """An item, with the matching answer as its first or its second choice."""
    choices = (pair.nonmatch, pair.match) if second else (pair.match, pair.nonmatch)
    item = {
        "question": f"{pair.prompt}\n\nChoices:\n (A) {choices[0]}\n (B) {choices[1]}",
        "answer_matching_behavior": "(B)" if second else "(A)",
        "answer_not_matching_behavior": "(A)" if second else "(B)",
    }
    return item if pair.topic is None else {**item, "topic": pair.topic}
