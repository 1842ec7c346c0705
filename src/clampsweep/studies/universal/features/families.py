"""What can be asked of a token: of its own characters, or of where they stand in the text.

Names are the keys of `un_features`, so they are short and readable. The families are those of the
paper (section 4.3): unigrams, letters, previous token, position, topic; digits, form and word parts
after its vocabulary tests. Syntax tags are not among them: they need a tagger.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

UNIGRAM, NUMBER, ALPHABET, FORM, PREVIOUS, POSITION, TOPIC, WORD = (
    "unigram", "number", "alphabet", "form", "previous token", "position", "topic", "word part",
)  # fmt: skip

FAMILIES = (UNIGRAM, NUMBER, ALPHABET, FORM, PREVIOUS, POSITION, TOPIC, WORD)


class Test(NamedTuple):
    """A question to a token.

    Attributes:
        name: Of the feature.
        family: One of `FAMILIES`.
        what: What is asked, in words.
        holds: Answers it by the token's characters.
    """

    name: str
    family: str
    what: str
    holds: Callable[[str], bool]


class Span(NamedTuple):
    """Places in a text; a token has the feature if it holds a character of one.

    Attributes:
        name: Of the feature.
        family: One of `FAMILIES`.
        what: What stands there, in words.
        pattern: Finds the places.
    """

    name: str
    family: str
    what: str
    pattern: re.Pattern[str]


_SIGNS = {
    "\n": "newline",
    "\n\n": "empty_line",
    "\t": "tab",
    ".": "period",
    ",": "comma",
    ":": "colon",
    ";": "semicolon",
    "!": "exclamation",
    "?": "question_mark",
    "-": "hyphen",
    "--": "two_hyphens",
    "_": "underscore",
    "=": "equals",
    "/": "slash",
    "(": "bracket",
    ")": "end_bracket",
    "'": "apostrophe",
    '"': "quote",
    "#": "hash",
    "*": "star",
}


def unigrams(pieces: Iterable[str], number: int) -> list[Test]:
    """A test for each of the most frequent words and signs, whatever spaces stand around them.

    Digits and blanks are left out: they have families of their own.

    Args:
        pieces: Characters of each token.
        number: How many tests.
    """
    counts = Counter(core for piece in pieces if (core := piece.strip(" ")))
    words = [(-n, word) for word, n in counts.items() if not word.isnumeric()]
    return [_unigram(word) for _, word in sorted(words)[:number]]


def sign_name(word: str) -> str:
    """A readable name of a word or sign: letters stay, signs have names or stand as they are."""
    return _SIGNS.get(word) or (
        word if word.isprintable() else word.encode("unicode_escape").decode()
    )


def _unigram(word: str) -> Test:
    name = sign_name(word)
    return Test(name, UNIGRAM, f"the token is {name}", lambda piece: piece.strip(" ") == word)


def _letter(letter: str) -> Test:
    what = f"the token is the single letter {letter}, small or capital"
    return Test(f"letter_{letter}", ALPHABET, what, lambda piece: piece.strip().lower() == letter)


def _is_sign(piece: str) -> bool:
    core = piece.strip()
    return bool(core) and not any(sign.isalnum() or sign.isspace() for sign in core)


def _is_capitalised(piece: str) -> bool:
    core = piece.strip()
    return core[:1].isupper() and core[1:2].islower()


def _is_all_capitals(piece: str) -> bool:
    core = piece.strip()
    return len(core) > 1 and core.isalpha() and core.isupper()


def _is_indentation(piece: str) -> bool:
    blanks = piece.rpartition("\n")[2]
    return bool(blanks) and not blanks.strip(" \t") and (len(blanks) > 1 or "\n" in piece)


TESTS: tuple[Test, ...] = (
    Test("digit", NUMBER, "the token is one digit", lambda s: bool(re.fullmatch(r"\s?\d", s))),
    Test("numeric", NUMBER, "the token is digits only", lambda s: s.strip().isdecimal()),
    Test("has_digit", NUMBER, "the token has a digit", lambda s: any(map(str.isdecimal, s))),
    *map(_letter, "abcdefghijklmnopqrstuvwxyz"),
    Test("capitalised", FORM, "the token begins with a capital, then a small letter",
         _is_capitalised),
    Test("all_capitals", FORM, "the token is two or more capitals", _is_all_capitals),
    Test("after_space", FORM, "the token begins with a space, then another sign",
         lambda s: s[:1] == " " and bool(s.strip())),
    Test("punctuation", FORM, "the token has signs only, no letter and no digit", _is_sign),
    Test("opens", FORM, "the token ends in an opening bracket", lambda s: s[-1:] in set("([{")),
    Test("closes", FORM, "the token begins with a closing bracket",
         lambda s: s.strip()[:1] in set(")]}")),
    Test("quotes", FORM, "the token has a quotation mark",
         lambda s: any(sign in s for sign in "\"'`\N{LEFT DOUBLE QUOTATION MARK}"
                       "\N{RIGHT DOUBLE QUOTATION MARK}")),
    Test("has_newline", FORM, "the token has a line feed", lambda s: "\n" in s),
    Test("indentation", FORM, "the token ends in a line's blanks, or in several", _is_indentation),
    Test("not_ascii", FORM, "the token has a letter beyond ASCII",
         lambda s: any(sign.isalpha() and not sign.isascii() for sign in s)),
)  # fmt: skip

SPANS: tuple[Span, ...] = (
    Span("year", NUMBER, "a number of four digits from 1000 to 2099",
         re.compile(r"(?<!\d)(?:1\d{3}|20\d{2})(?!\d)", re.ASCII)),
    Span("two_digits", NUMBER, "a number of two digits",
         re.compile(r"(?<![\d.,])\d{2}(?!\d)", re.ASCII)),
    Span("first_digit", NUMBER, "the first digit of a number",
         re.compile(r"(?<!\d)\d", re.ASCII)),
    Span("later_digit", NUMBER, "a digit that is not its number's first",
         re.compile(r"(?<=\d)\d", re.ASCII)),
    Span("decimal", NUMBER, "a number with a point or comma in it",
         re.compile(r"\d+[.,]\d+", re.ASCII)),
    Span("ends_ing", WORD, "the end of a word in -ing", re.compile(r"(?<=[a-z]in)g\b")),
    Span("ends_ed", WORD, "the end of a word in -ed", re.compile(r"(?<=[a-z][a-z]e)d\b")),
    Span("ends_ly", WORD, "the end of a word in -ly", re.compile(r"(?<=[a-z][a-z]l)y\b")),
    Span("sentence_end", FORM, "a stop that ends a sentence", re.compile(r"[.!?](?=\s+[A-Z])")),
    Span("sentence_start", FORM, "the first letter of a sentence",
         re.compile(r"(?<=[.!?]\s)[A-Z]")),
)  # fmt: skip

AFTER = (
    "the", "of", "to", "and", "a", "comma", "period", "newline", "has_newline", "digit",
    "punctuation", "capitalised", "opens", "quotes", "underscore", "continues_word",
)  # fmt: skip
"""Features that are asked of the token before, too."""
