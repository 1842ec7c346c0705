"""Texts as HTML: what differs from the baseline, where it begins, what is known of each token.

What users type, models say and files hold becomes HTML by `Markup.format` only, which escapes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from markupsafe import Markup

_WORDS = re.compile(r"\s+|\S+")

_EMPTY = Markup('<span class="cs-quiet">(empty text)</span>')

_FIRST = Markup('<span class="cs-first" title="first difference">▸{}</span>').format(
    Markup('<span class="cs-unseen">first difference: </span>')
)

Range = tuple[int, int]


@dataclass(frozen=True)
class Piece:
    """A part of a text, such as a token or a word, and what is shown when a pointer rests on it."""

    text: str
    hint: str = ""


def words(text: str) -> list[Piece]:
    """A text in pieces: words, and the white space between them."""
    return [Piece(part) for part in _WORDS.findall(text)]


def differences(one: str, other: str) -> tuple[list[Range], list[Range]]:
    """Where the words of two texts differ: ranges of characters in each, ascending."""
    parts = _WORDS.findall(one), _WORDS.findall(other)
    starts = [[0] for _ in parts]
    for at, found in zip(starts, parts, strict=True):
        for part in found:
            at.append(at[-1] + len(part))
    marked: tuple[list[Range], list[Range]] = ([], [])
    for tag, *ends in SequenceMatcher(None, *parts, autojunk=False).get_opcodes():
        if tag != "equal":
            for side, (first, last) in enumerate((ends[:2], ends[2:])):
                if first < last:
                    marked[side].append((starts[side][first], starts[side][last]))
    return marked


def first_difference(one: Sequence[Piece], other: Sequence[Piece]) -> int | None:
    """Number of characters before the first piece that differs; None if none does."""
    parts = [[piece.text for piece in pieces] for pieces in (one, other)]
    if parts[0] == parts[1]:
        return None
    start = 0
    for a, b in zip(*parts, strict=False):
        if a != b:
            break
        start += len(a)
    return start


def passage(
    pieces: Sequence[Piece], marked: Sequence[Range] = (), first: int | None = None
) -> Markup:
    """A text with its pieces' hints, the characters in `marked` highlighted.

    Args:
        pieces: The text.
        marked: Ranges of its characters.
        first: Where the first difference is marked, in characters; None for nowhere.
    """
    found, start, waits = [], 0, first is not None
    for piece in pieces:
        end = start + len(piece.text)
        if waits and first is not None and (end > first or end == first == start):
            found.append(_FIRST)
            waits = False
        for text, is_marked in _cut(piece.text, start, marked):
            tag = "mark" if is_marked else "span"
            hint = Markup(' title="{}"').format(piece.hint) if piece.hint else Markup()
            found.append(Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), hint, text))
        start = end
    if waits:
        found.append(_FIRST)
    body = Markup().join(found) if start else _EMPTY
    return Markup('<p class="cs-text">{}</p>').format(body)


def _cut(text: str, start: int, marked: Sequence[Range]) -> list[tuple[str, bool]]:
    """The parts of a piece that begins at `start`, and whether each is marked."""
    ends = {start, start + len(text)}
    ends |= {at for pair in marked for at in pair if start < at < start + len(text)}
    cuts = sorted(ends)
    return [
        (text[a - start : b - start], any(low <= a and b <= high for low, high in marked))
        for a, b in pairwise(cuts)
    ]


def shortened(text: str, most: int) -> str:
    """A text on one line, of at most so many characters and a sign that it goes on."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most].rstrip()} …"


def column(title: str, body: Markup, note: str = "") -> Markup:
    """A text under its title and, if there is one, a note, in a frame."""
    return Markup(
        '<section class="cs-column" aria-label="{0}"><h4>{0}</h4>{1}{2}</section>'
    ).format(
        title, Markup('<div class="cs-quiet cs-note">{}</div>').format(note) if note else "", body
    )


def side_by_side(
    titles: tuple[str, str], pieces: tuple[Sequence[Piece], Sequence[Piece]], note: str = ""
) -> Markup:
    """Two texts beside each other: words that differ highlighted, the first difference marked.

    Args:
        titles: What stands above each, the baseline's first.
        pieces: The texts.
        note: What stands under the second title.
    """
    texts = ["".join(piece.text for piece in one) for one in pieces]
    marked, first = differences(*texts), first_difference(*pieces)
    columns = [
        column(title, passage(one, ranges, first), said)
        for title, one, ranges, said in zip(titles, pieces, marked, ("", note), strict=True)
    ]
    equal = Markup() if first is not None else quiet("The texts are equal.")
    return Markup('<div class="cs-pair">{}</div>{}').format(Markup().join(columns), equal)


def table(head: Sequence[object], rows: Sequence[Sequence[object]], caption: str) -> Markup:
    """A small table whose first column names the rows; numbers stand right."""
    cells = [
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            row[0], Markup().join(map(_cell, row[1:]))
        )
        for row in rows
    ]
    names = Markup().join(Markup('<th scope="col">{}</th>').format(name) for name in head)
    return Markup(
        '<div class="cs-scroll"><table class="cs-table"><caption>{}</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(caption, names, Markup().join(cells))


def _cell(value: object) -> Markup:
    if isinstance(value, bool) or value is None:
        value = {True: "yes", False: "no", None: "none"}[value]
    number = isinstance(value, int | float)
    text = f"{value:.4g}" if isinstance(value, float) else value
    return Markup("<td{}>{}</td>").format(Markup(' class="cs-number"' if number else ""), text)


def quiet(text: str) -> Markup:
    """A line that explains, not to be read out."""
    return Markup('<p class="cs-quiet">{}</p>').format(text)


def message(text: str, kind: str = "status") -> Markup:
    """A line that says how things are.

    Args:
        text: The line.
        kind: `status`, or `alert` for a fault: screen readers read these out; or `note`, for what
            changes many times a second.
    """
    return Markup('<div class="cs-message cs-{0}" role="{0}">{1}</div>').format(kind, text)
