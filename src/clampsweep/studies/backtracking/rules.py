"""Rules of events and the lexicon of onsets, read from a file of YAML.

A pattern is a regular expression for folded text (`folding.py`); it sees whole words only. `{name}`
in it stands for the part of that name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from clampsweep.errors import UserError
from clampsweep.strict_yaml import read_yaml

CLASSES = STRONG, WEAK, UNCERTAINTY = "strong", "weak", "uncertainty"  # the strongest first

_KEYS = ("version", "lexicon", "parts", "rules")
_RULE_KEYS = ("id", "class", "pattern", "place")
_ID = re.compile(r"[a-z][a-z0-9_]*")
_PART = re.compile(r"\{([a-z_]+)\}")
_ESCAPE = re.compile(r"\\.|\(\?P?[<=!:A-Za-z]+")  # its capitals are no letters of the text


class Rule(NamedTuple):
    """A rule: name, class of `CLASSES`, pattern, whether it looks at sentences' first words."""

    id: str
    kind: str
    pattern: re.Pattern[str]
    at_start: bool = False


class Rules(NamedTuple):
    """Rules in their order, their version, and words with which a backtracking sentence begins."""

    version: int
    rules: tuple[Rule, ...]
    lexicon: tuple[str, ...]


def read_rules(path: Path | str) -> Rules:
    """Rules of a file.

    Raises:
        UserError: It cannot be read, or a rule is at fault; one line with its key.
    """
    content, where = read_yaml(path), str(path)
    only_keys(content, _KEYS, where)
    version = content.get("version")
    if type(version) is not int or version < 1:
        raise UserError(f"{where}: version: got {version!r}; write a whole number, 1 or more")
    parts = content.get("parts", {})
    only_keys(parts, None, f"{where}: parts")
    for name, part in parts.items():
        if not isinstance(part, str) or not re.fullmatch("[a-z_]+", str(name)):
            raise UserError(f"{where}: parts.{name}: got {part!r}; name a text by small letters")
    listed = content.get("rules")
    if not isinstance(listed, list) or not listed:
        raise UserError(f"{where}: rules: got {listed!r}; write a list of rules")
    rules = [_rule(one, parts, f"{where}: rules[{at}]") for at, one in enumerate(listed)]
    names = [rule.id for rule in rules]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise UserError(f"{where}: rules[{at}].id: {name!r} stands here twice; choose another")
    return Rules(version, tuple(rules), _lexicon(content.get("lexicon"), f"{where}: lexicon"))


def _rule(content: Any, parts: Mapping[str, str], where: str) -> Rule:
    """A rule, checked."""
    only_keys(content, _RULE_KEYS, where)
    name, kind = content.get("id"), content.get("class")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise UserError(f"{where}.id: got {name!r}; write small letters, digits and _")
    where = f"{where} ({name})"
    if kind not in CLASSES:
        raise UserError(f"{where}.class: got {kind!r}; allowed: {', '.join(CLASSES)}")
    place = content.get("place", "anywhere")
    if place not in ("start", "anywhere"):
        raise UserError(f"{where}.place: got {place!r}; allowed: start, anywhere")
    pattern = _compiled(content.get("pattern"), parts, f"{where}.pattern")
    return Rule(name, kind, pattern, place == "start")


def _compiled(content: Any, parts: Mapping[str, str], where: str) -> re.Pattern[str]:
    """A pattern with its parts filled in, which sees whole words."""
    if not isinstance(content, str) or not content.strip():
        raise UserError(f"{where}: got {content!r}; write a regular expression")
    whole = _filled(content, parts, where)
    if capital := re.search("[A-Z]", _ESCAPE.sub("", whole)):
        raise UserError(
            f"{where}: got the capital {capital[0]!r}, which lower-case text never holds; "
            "write it small"
        )
    try:
        re.compile(whole)
        pattern = re.compile(rf"(?<!\w)(?<!\w-)(?:{whole})(?!\w|-\w)")
    except re.error as error:
        raise UserError(f"{where}: no regular expression ({error}); mend it") from error
    if pattern.search(""):
        raise UserError(f"{where}: got {content!r}, which finds the empty text; ask for a word")
    return pattern


def _filled(content: str, parts: Mapping[str, str], where: str) -> str:
    """A pattern with parts, which may hold others, in their places."""
    for _ in range(len(parts) + 1):
        names = _PART.findall(content)
        for name in names:
            if name not in parts:
                allowed = ", ".join(parts) or "none"
                raise UserError(f"{where}: unknown part {{{name}}}; parts: {allowed}")
        if not names:
            return content
        content = _PART.sub(lambda found: f"(?:{parts[found[1]]})", content)
    raise UserError(f"{where}: a part holds itself; write it out")


def _lexicon(content: Any, where: str) -> tuple[str, ...]:
    words = content if isinstance(content, list) else []
    if not words or not all(isinstance(word, str) and word.strip() for word in words):
        raise UserError(f"{where}: got {content!r}; write a list of words, spaces before them kept")
    if twice := [word for at, word in enumerate(words) if word in words[:at]]:
        raise UserError(f"{where}: {twice[0]!r} stands here twice; leave one out")
    return tuple(words)


def only_keys(
    content: Any, keys: Sequence[str] | None, where: str, may_be_empty: bool = True
) -> None:
    """Refuse what is no mapping, or has other keys.

    Args:
        content: Of a file.
        keys: Those that it may have; None for any.
        where: How the line of an error begins.
        may_be_empty: Whether it may have none.

    Raises:
        UserError: It is none, or has another key.
    """
    if not isinstance(content, Mapping) or not (content or may_be_empty):
        raise UserError(f"{where}: got {content!r}; write keys with values")
    for key in content:
        if keys is not None and key not in keys:
            raise UserError(f"{where}: unknown key {key!r}; allowed: {', '.join(keys)}")
