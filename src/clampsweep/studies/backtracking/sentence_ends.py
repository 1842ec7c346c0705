r"""Where sentences of a chain of thought end: line ends, full stops that are some, display maths.

No end is the point of a decimal, of a list number at the beginning ("1. Add"), of an abbreviation;
nor are three dots before a small letter or behind a word or two ("Wait... That"), and whatever
stands inside \( \), \[ \], $$ $$ or \begin \end.
"""

from __future__ import annotations

import re

_PLACES = re.compile(
    r"""
    (?P<display> \\\[ (?:(?!\\\[).)*? \\\] | \$\$ .+? \$\$
        | \\begin\{(?P<kind>\w+\*?)\} .*? \\end\{(?P=kind)\} )
    | (?P<inline> \\\( [^\n]*? \\\) )
    | (?P<tag> </?think> )
    | (?P<line> \n )
    | (?P<marks> \.{2,} | …+ | [.!?]+ ) (?P<closing> ["'\u201d\u2019)\]*_]* ) (?= \s | < | \Z )
    """,
    re.VERBOSE | re.DOTALL,
)

_NUMBERING = re.compile(
    r"[\W_]*(?:(?:step|part|case)\s+)?(?:\d{1,3}|[a-z]|(?:[a-z]\.\s*)+[a-z])", re.IGNORECASE
)

_NEVER = re.compile(  # abbreviations that stand before a word
    r"(?:^|[\s(\[\"'])(?:e\.g|i\.e|cf|vs|mr|mrs|ms|dr|prof|fig|figs|eq|eqs|approx|ca|resp|viz)$",
    re.IGNORECASE,
)

_MAYBE = re.compile(  # those that may stand last
    r"(?:^|[\s(\[\d])(?:etc|a\.m|p\.m|al|jr|sr|inc|min|max|sec|hrs?|st|ft|lbs?|kg|cm|km|mm)$",
    re.IGNORECASE,
)

_NUMBER = re.compile(r"(?:^|\s)nos?$", re.IGNORECASE)  # No. 5

_FACTORIAL = re.compile(r"(?:\d|\)|\b[a-z])$")

_AHEAD = 40  # characters looked at behind a full stop

_SHORT = 2  # words that three dots leave open, whatever follows


def cuts(text: str) -> list[int]:
    """Ends of sentences, exclusive, ascending; the last is the text's end.

    Args:
        text: Any.
    """
    found: list[int] = []
    begin = 0
    for place in _PLACES.finditer(text):
        if place["tag"] and text[begin : place.start()].strip():
            found.append(place.start())  # a tag is a sentence of its own
        if place["tag"] or place["line"] or _ends(text, begin, place):
            begin = place.end()
            found.append(begin)
    return found if begin == len(text) else [*found, len(text)]


def _ends(text: str, begin: int, place: re.Match[str]) -> bool:
    """Whether a sentence that began at `begin` ends with maths or marks that were found."""
    ahead = text[place.end() : place.end() + _AHEAD].lstrip(" \t")
    if place["inline"]:
        return False
    if place["display"]:
        return ahead[:1].isupper()
    before, marks, following = text[begin : place.start()], place["marks"], ahead[:1]
    if following in ("", "\n", "<"):
        return marks != "." or not _NUMBERING.fullmatch(before)
    if marks[0] == "…" or marks.startswith(".."):
        return following.isupper() and len(before.split()) > _SHORT
    if place["closing"].strip("*_)]") and following.islower():
        return False  # quoted, and the sentence goes on
    if marks == "!" and _FACTORIAL.search(before):
        return following.isupper()
    return marks != "." or _full_stop(before, following)


def _full_stop(before: str, following: str) -> bool:
    """Whether a point ends a sentence."""
    if _NUMBERING.fullmatch(before) or _NEVER.search(before):
        return False
    if _MAYBE.search(before):
        return following.isupper()
    return not (_NUMBER.search(before) and following.isdigit())
