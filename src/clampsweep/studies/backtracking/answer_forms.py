r"""Answers in one form, so that what only looks different becomes equal, and as exact numbers.

`normalised` leaves the value alone and drops its dress: spaces, `\left`, `\dfrac`, currency, units
behind a number, `x =` before it. `number` reads what is then a number: `1,000`, `7/3`,
`\frac{7}{3}`, `-1\frac{1}{2}`, `0.5`, `50%`.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

MOST = 400  # characters of an answer that is looked at as a number

_PLAIN = str.maketrans({"\u2212": "-", "\u2013": "-", "\u00d7": r"\times ", "\u03c0": r"\pi ",
                        "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u00b0": r"^\circ",
                        "\u221e": r"\infty ", "\u2019": "'"})  # fmt: skip

_DROPPED = re.compile(
    r"\\(?:left|right|displaystyle|bigl?|bigr|limits)(?![A-Za-z])|\\[!,;:]|(?<!\\)\\ |[*_]{2}"
)

_MATHS = re.compile(r"\$+(.*?)\$+|\\\((.*?)\\\)|\\\[(.*?)\\\]", re.DOTALL)

_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|mbox|mathrm|mathbf|operatorname)\{([^{}]*)\}")

_FRAC = re.compile(r"\\[dtc]?frac\s*(?:\{([^{}]*)\}|(\d))\s*(?:\{([^{}]*)\}|(\d))")

_ASSIGNED = re.compile(r"[A-Za-z](?:_\{?\w+\}?)?\s*(?:=|\\in(?![A-Za-z]))(?![^=]*=)\s*")

_DEGREES = re.compile(r"\^\s*(?:\\circ|\{\s*\\circ\s*\})")

_AMOUNT = r"[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+|\\frac\{\d+\}\{\d+\})(?:/\d+)?"

# A unit in LaTeX's text; behind a space, a word that is too long to be a product of variables;
# an abbreviation.
_POWER = r"(?:\^(?:\{\d\}|\d))?"
_TEXT_UNIT = re.compile(
    rf"({_AMOUNT})\s*\\(?:text|textrm|mbox|mathrm)\{{(?!\s*[ei]\s*\}})([^{{}}]+)\}}{_POWER}"
)
_WORD_UNIT = re.compile(
    rf"({_AMOUNT})((?: [A-Za-z]{{4,}}|"
    r" ?(?:cm|mm|km|ft|yd|mi|in|kg|mg|lbs?|oz|ml|mL|hrs?|min|secs?|mph|kph|km/h|m/s|days?|cups?)\b)"
    rf"\.?(?:[ /][A-Za-z]+\.?)*){_POWER}"
)

# With these words, what stands before them is not the whole number.
_NO_UNIT = re.compile(
    r"\b(?:and|billion|cubed|dozen|factorial|half|halves|hundred|infinity|less|million|minus|mod|"
    r"more|of|or|over|pi|plus|quarters|remainder|sqrt|squared|thirds|thousand|times|to)\b",
    re.IGNORECASE,
)

_PERCENT = re.compile(r"\s*(?:\\?%|percent\b|per cent\b)")

_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:\{?,\}?\d{3})+(?:\.\d+)?(?!\d)")

_DECIMAL = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)")

_RATIO = re.compile(r"([-+]?)\(?(-?\d+)\)?/\(?(-?\d+)\)?")

_BUILT = re.compile(r"([-+]?)(\d*)\\frac\{(-?\d+)\}\{(-?\d+)\}")  # a fraction, or a mixed number

_MIXED = re.compile(r"([-+]?)(\d+)\s+(\d+)\s*/\s*(\d+)")


class Number(NamedTuple):
    """An exact value as it was written, and whether a percent sign stands behind it."""

    value: Fraction
    percent: bool


def undressed(answer: str) -> str:
    r"""The answer without `$...$`, `\(...\)`, emphasis, and the full stop behind it."""
    text = answer.translate(_PLAIN).strip().strip("*").strip()
    text = text.removesuffix(".").strip()
    if whole := _MATHS.fullmatch(text):
        inner = next((one for one in whole.groups() if one is not None), "")
        text = inner.strip().removesuffix(".").strip() if "$" not in inner else text
    return text


def normalised(answer: str) -> str:
    """The answer in one form, without spaces; two answers of one form are equal."""
    text = _DROPPED.sub("", undressed(answer))
    text = _FRAC.sub(_braced, text)
    text = _DEGREES.sub("", re.sub(r"\\?[$\u00a3\u20ac]\s*", "", text)).replace("{,}", ",").strip()
    text = _ASSIGNED.sub("", text, count=1) if _ASSIGNED.match(text) else text
    text = _TEXT.sub(r" \1 ", _without_unit(text, _TEXT_UNIT))
    text = _without_unit(" ".join(text.split()), _WORD_UNIT)
    if found := _MIXED.fullmatch(text):
        text = rf"{found[1]}{found[2]}\frac{{{found[3]}}}{{{found[4]}}}"
    text = _PERCENT.sub("%", text).replace(" ", "")
    if _THOUSANDS.fullmatch(text.removesuffix("%")):
        text = text.replace(",", "")
    if re.fullmatch(r"\([A-Za-z]\)", text):  # a choice
        text = text[1]
    return text.casefold() if re.fullmatch("[A-Za-z]{2,}", text) else text


def number(form: str) -> Number | None:
    """The value of a normalised answer; None if it is no number."""
    percent, text = form.endswith("%"), form.removesuffix("%")
    if not text or len(text) > MOST:
        return None
    if _DECIMAL.fullmatch(text):
        return Number(Fraction(text.removesuffix(".")), percent)
    if found := _RATIO.fullmatch(text):
        return _ratio(found[1], "", found[2], found[3], percent)
    if found := _BUILT.fullmatch(text):
        return _ratio(found[1], found[2], found[3], found[4], percent)
    return None


def is_word(form: str) -> bool:
    """Whether a normalised answer is a word, and not a product of variables."""
    return bool(re.fullmatch("[a-z]{4,}", form))


def _braced(found: re.Match[str]) -> str:
    above, below = found[1] if found[2] is None else found[2], found[3] or found[4] or ""
    return rf"\frac{{{above.strip()}}}{{{below.strip()}}}"


def _without_unit(text: str, unit: re.Pattern[str]) -> str:
    """The amount alone where a unit stands behind it."""
    found = unit.fullmatch(text)
    if not found or _NO_UNIT.search(found[2]):
        return text
    return found[1] + ("%" if re.search(r"\bper ?cent\b", found[2]) else "")


def _ratio(sign: str, whole: str, above: str, below: str, percent: bool) -> Number | None:
    if not int(below) or (whole and above.startswith("-")):
        return None
    value = Fraction(int(above), int(below)) + int(whole or 0)
    return Number(-value if sign == "-" else value, percent)
