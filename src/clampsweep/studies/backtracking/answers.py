r"""What an output answers, and what a published problem's right answer is.

The last box counts, as in `\boxed{\frac{1}{2}}`, its braces balanced; then what stands after
`####`, after "answer is", and the last number. Thinking counts only where nothing follows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

CLOSE = "</think>"

BOXED, HASH, PHRASE, NUMBER, TRUNCATED, NONE = METHODS = (
    "boxed",
    "hash",
    "phrase",
    "number",
    "truncated",
    "none",
)
"""How an answer was found; `truncated` where the output ends within its last box."""

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*(?:(\{)|([-+]?\d[\d.,/]*))")

_EMPTY = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])|\\[ ,;:!]|[{}\s$]")

_HASH = re.compile(r"^[ \t]*####[ \t]*(?!#)(\S.*?)[ \t]*$", re.MULTILINE)

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"

_NUMBER = re.compile(
    rf"(?<![\w.\\])(?:(?<![)\]}}])[-+\u2212])?(?:\\[dt]?frac\{{\d+\}}\{{\d+\}}|"
    rf"\$?(?:{_DIGITS})(?:/\d+)?)(?:\s?\\?%)?"
)

_PHRASE = re.compile(
    r"\banswer\b[*_]{0,3}\s*(?:is|are|equals|was|=|:)[*_]{0,3}\s*:?\s*[*_]{0,3}\s*", re.IGNORECASE
)

_MATHS = re.compile(r"\$\$?([^$\n]+)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)

_GOES_ON = re.compile(  # of a term or a list, after a number
    r"[A-Za-z_(\\]|\s*[-+*/^=\u2212]\s*(?:\d|\\|[A-Za-z]\b)|\s*,\s*[-\d]"
)

_SENTENCE_END = re.compile(r"\n|[.!?;](?:\s|$)")


class Extracted(NamedTuple):
    """An answer as it was written, None if there is none, and how it was found (`METHODS`)."""

    answer: str | None
    method: str


class _Box(NamedTuple):
    """Content of a box; None if it is never closed."""

    content: str | None


def extract(output: str) -> Extracted:
    """What an output answers.

    Args:
        output: The model's own text, without the prompt. What stands before the last `</think>` is
            looked at only where nothing is found behind it.
    """
    before, closed, after = output.rpartition(CLOSE)
    found = _extract(after)
    return _extract(before) if closed and found.method == NONE else found


def gold(row: Mapping[str, str | None]) -> str | None:
    r"""A problem's right answer, from the columns of published sets; None if none has it.

    Args:
        row: Cells by column. `answer` counts first: of one that ends with `#### 2,125` (GSM8K) what
            stands there, of one with a box what is in it, else all of it (MATH-500). Then
            `solution`, where the answer stands in the last `\boxed{}` (MATH).
    """
    answer = (row.get("answer") or "").strip()
    if answer:
        _, marked, last = answer.rpartition("####")
        return (last.strip() or None) if marked else boxed(answer).answer or answer
    return boxed(row.get("solution") or "").answer


def boxed(text: str) -> Extracted:
    r"""Content of the last `\boxed{}` or `\fbox{}` that is not empty.

    Returns:
        The content with method `boxed`; no answer with `truncated` if that box is never closed, and
        with `none` if there is no box.
    """
    for box in reversed(list(_boxes(text))):
        if box.content is None:
            return Extracted(None, TRUNCATED)
        if _EMPTY.sub("", box.content):
            return Extracted(box.content.strip(), BOXED)
    return Extracted(None, NONE)


def _boxes(text: str) -> Iterator[_Box]:
    for found in _BOX.finditer(text):
        if found[1]:
            yield _Box(_balanced(text, found.end()))
        else:
            yield _Box(found[2].rstrip(".,/"))


def _balanced(text: str, start: int) -> str | None:
    """Text from `start`, behind an open brace, to the brace that closes it."""
    depth, at = 1, start
    while at < len(text):
        if text[at] == "\\":  # what follows is escaped
            at += 1
        elif text[at] in "{}":
            depth += 1 if text[at] == "{" else -1
            if not depth:
                return text[start:at]
        at += 1
    return None


def _extract(text: str) -> Extracted:
    box = boxed(text)
    if box.method != NONE:
        return box
    for method, find in ((HASH, _hash), (PHRASE, _phrase), (NUMBER, _number)):
        if answer := find(text):
            return Extracted(answer, method)
    return Extracted(None, NONE)


def _hash(text: str) -> str | None:
    """What stands after the last `####`, if it is no heading of Markdown."""
    for found in reversed(_HASH.findall(text)):
        answer: str = found.strip("*_ ")
        words = re.findall(r"(?<![\\A-Za-z])[A-Za-z]{2,}", answer)
        starts = re.match(r"[-+\u2212$\u00a3\u20ac\\(\[.]*\d|[$\\]", answer)
        if starts and len(words) <= 1 and not re.match(r"\d+[.):]\s", answer):
            return answer
    return None


def _phrase(text: str) -> str | None:
    """What follows the last "answer is" that something with a digit or in mathematics follows."""
    for found in reversed(list(_PHRASE.finditer(text))):
        rest = text[found.end() :]
        if maths := _MATHS.match(rest):
            return str(next(filter(None, maths.groups()))).strip()
        number = _NUMBER.match(rest)
        if number and not _GOES_ON.match(rest, number.end()):
            return number.group()
        words = _SENTENCE_END.split(rest, maxsplit=1)[0].strip("*_ ")
        if re.search(r"\d", words) and len(words) <= 60:
            return words
    return None


def _number(text: str) -> str | None:
    found = [one.group() for one in _NUMBER.finditer(text)]
    return found[-1].strip() if found else None
