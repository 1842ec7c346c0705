"""Templates of our written traces, read from a file of YAML and checked.

Every family of problems, marker and ending belongs to one split, so that what is found on one is
tested on words that it never saw.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from clampsweep.errors import UserError
from clampsweep.strict_yaml import read_yaml
from clampsweep.studies.backtracking.calculations import Calc, names_of, parse_calc
from clampsweep.studies.backtracking.rules import only_keys
from clampsweep.studies.backtracking.splits import SPLITS

CALC, ANSWER, WHO = "{calc}", "{answer}", "{who}"
FEWEST, MOST = 13, 20  # words of an ending: 12 tokens before a marker lie in it

_KEYS = ("version", "instruction", "answer", "names", "splits", "families")
_FAMILY_KEYS = ("name", "split", "question", "numbers", "steps")
_STEP_KEYS = ("text", "calc")
_STEPS = (3, 5)  # fewest and most of a problem
_only = partial(only_keys, may_be_empty=False)
_PLACE = re.compile(r"\{(\w+)\}")


class Step(NamedTuple):
    """A step's words, in which `{calc}` stands for its calculation."""

    text: str
    calc: Calc


class Story(NamedTuple):
    """Problems of one kind.

    Attributes:
        name: Its name.
        split: The split that it belongs to.
        question: With `{who}` and the names of numbers in braces.
        numbers: Smallest and largest of each.
        steps: In their order; the last one's result is the answer.
    """

    name: str
    split: str
    question: str
    numbers: Mapping[str, tuple[int, int]]
    steps: tuple[Step, ...]


class Wording(NamedTuple):
    """Sentences of a split: markers, and endings of steps, of them two kinds that say doubt."""

    markers: tuple[str, ...]
    tails: tuple[str, ...]
    too_large: tuple[str, ...]
    too_small: tuple[str, ...]


class Templates(NamedTuple):
    """All templates.

    Attributes:
        where: The file, for messages.
        version: Of the file.
        instruction: What follows each question.
        answer: What ends each trace, with `{answer}`.
        names: For `{who}`.
        wordings: Sentences of each split.
        families: Of all splits.
    """

    where: str
    version: int
    instruction: str
    answer: str
    names: tuple[str, ...]
    wordings: Mapping[str, Wording]
    families: tuple[Story, ...]

    def of(self, split: str) -> list[Story]:
        """Families of a split."""
        return [family for family in self.families if family.split == split]


def read_templates(path: Path | str) -> Templates:
    """Templates of a file.

    Raises:
        UserError: It cannot be read, or one is at fault; one line with its key.
    """
    content, where = read_yaml(path), str(path)
    _only(content, _KEYS, where)
    version = content.get("version")
    if type(version) is not int or version < 1:
        raise UserError(f"{where}: version: got {version!r}; write a whole number, 1 or more")
    answer = _text(content.get("answer"), f"{where}: answer")
    if answer.count(ANSWER) != 1:
        raise UserError(f"{where}: answer: got {answer!r}; write {ANSWER} in it, once")
    splits: Any = content.get("splits")
    _only(splits, SPLITS, f"{where}: splits")
    families = [
        _family(one, f"{where}: families[{at}]")
        for at, one in enumerate(_list(content.get("families"), f"{where}: families"))
    ]
    _once([family.name for family in families], f"{where}: families")
    for split in SPLITS:
        if split not in {family.split for family in families}:
            raise UserError(f"{where}: families: none is of split {split!r}; write one")
    return Templates(
        where,
        version,
        _text(content.get("instruction"), f"{where}: instruction"),
        answer,
        _texts(content.get("names"), f"{where}: names"),
        _wordings(splits, f"{where}: splits"),
        tuple(families),
    )


def _wordings(content: Mapping[str, Any], where: str) -> dict[str, Wording]:
    """Sentences of each split; none stands in two."""
    found, seen = {}, list[str]()
    for split in SPLITS:
        own: Any = content.get(split)
        _only(own, Wording._fields, f"{where}.{split}")
        pools = {name: _texts(own.get(name), f"{where}.{split}.{name}") for name in Wording._fields}
        for name, pool in pools.items():
            for at, text in enumerate(pool):
                _check(text, name == "markers", f"{where}.{split}.{name}[{at}]")
            seen += pool
        if len(pools["tails"]) < _STEPS[1]:
            raise UserError(f"{where}.{split}.tails: got {len(pools['tails'])}; write 5 or more")
        found[split] = Wording(**pools)
    _once(seen, where)
    return found


def _check(text: str, marker: bool, where: str) -> None:
    """Refuse a marker that is no sentence, an ending that is too short or says a number."""
    if marker and not re.fullmatch(r"[A-Z][^.!?\n]*[.!]", text):
        raise UserError(f"{where}: got {text!r}; write one sentence")
    if marker:
        return
    words = len(text.split())
    if not FEWEST <= words <= MOST:
        raise UserError(f"{where}: got {words} words; allowed: {FEWEST} to {MOST}")
    if re.search(r"[\d.!?:;\n]", text):
        raise UserError(f"{where}: got {text!r}; write no digit, full stop or colon")


def _family(content: Any, where: str) -> Story:
    """A family, checked."""
    _only(content, _FAMILY_KEYS, where)
    name = _text(content.get("name"), f"{where}.name")
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise UserError(f"{where}.name: got {name!r}; write small letters, digits and _")
    where = f"{where} ({name})"
    if content.get("split") not in SPLITS:
        allowed = ", ".join(SPLITS)
        raise UserError(f"{where}.split: got {content.get('split')!r}; allowed: {allowed}")
    numbers = _numbers(content.get("numbers"), f"{where}.numbers")
    question = _text(content.get("question"), f"{where}.question")
    places = set(_PLACE.findall(question.replace(WHO, "")))
    if places != set(numbers):
        odd = min(places ^ set(numbers))
        raise UserError(f"{where}.question: {{{odd}}} stands in only one of question and numbers")
    steps = _steps(content.get("steps"), set(numbers), f"{where}.steps")
    return Story(name, content["split"], question, numbers, steps)


def _numbers(content: Any, where: str) -> dict[str, tuple[int, int]]:
    _only(content, None, where)
    for name, ends in content.items():
        if not re.fullmatch("[a-q]", str(name)):
            raise UserError(f"{where}: got the name {name!r}; write a letter from a to q")
        whole = isinstance(ends, list) and [type(one) for one in ends] == [int, int]
        if not whole or not 1 <= ends[0] <= ends[1]:
            raise UserError(f"{where}.{name}: got {ends!r}; write [smallest, largest], from 1")
    return {name: (ends[0], ends[1]) for name, ends in content.items()}


def _steps(content: Any, given: set[str], where: str) -> tuple[Step, ...]:
    """Steps whose operands are known, and whose results are used."""
    listed = _list(content, where)
    if not _STEPS[0] <= len(listed) <= _STEPS[1]:
        raise UserError(f"{where}: got {len(listed)}; write 3 to 5 steps")
    found, known, used = list[Step](), set(given), set[str]()
    for at, one in enumerate(listed):
        _only(one, _STEP_KEYS, f"{where}[{at}]")
        text = _text(one.get("text"), f"{where}[{at}].text")
        if text.count(CALC) != 1 or re.search(r"[\d.!?]", text):
            raise UserError(f"{where}[{at}].text: got {text!r}; write {CALC} once, and no digit")
        calc = parse_calc(str(one.get("calc")))
        if calc is None or not known.issuperset(names_of(calc)):
            allowed = ", ".join(sorted(known))
            raise UserError(
                f"{where}[{at}].calc: got {one.get('calc')!r}; write two of {allowed} "
                "with + - * or / between them"
            )
        found.append(Step(text, calc))
        used |= set(names_of(calc))
        known.add(f"r{at + 1}")
    if idle := sorted(known - used - {f"r{len(listed)}"}):
        raise UserError(f"{where}: {idle[0]} is used in no step; use it, or leave it out")
    return tuple(found)


def _text(content: Any, where: str) -> str:
    if not isinstance(content, str) or not content.strip():
        raise UserError(f"{where}: got {content!r}; write a text")
    return content


def _list(content: Any, where: str) -> list[Any]:
    if not isinstance(content, list) or not content:
        raise UserError(f"{where}: got {content!r}; write a list")
    return content


def _texts(content: Any, where: str) -> tuple[str, ...]:
    return tuple(_text(one, f"{where}[{at}]") for at, one in enumerate(_list(content, where)))


def _once(texts: Sequence[str], where: str) -> None:
    for at, text in enumerate(texts):
        if text in texts[:at]:
            raise UserError(f"{where}: {text!r} stands here twice; choose another")
