"""What was typed into the form, as values: numbers in a list, a scope, how tokens are chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from clampsweep.config.checker import Checker
from clampsweep.config.requests import parse_decoding, parse_scope
from clampsweep.errors import UserError
from clampsweep.texts.request import Decoding


def read_values(text: str) -> list[float]:
    """The numbers of a list with commas between, each once, ascending.

    Raises:
        UserError: One is no finite number, or there are none.
    """
    found = set()
    for part in text.replace(";", ",").split(","):
        if not part.strip():
            continue
        try:
            value = float(part)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UserError(
                f"the form: values: got {part.strip()!r}; write numbers, such as -10, 10"
            )
        found.add(value)
    if not found:
        raise UserError("the form: values: there are none; write numbers, such as -10, 10")
    return sorted(found)


def check_scope(scope: str, positions: str, checker: Checker) -> str:
    """The scope as it stands in a config.

    Args:
        scope: One of `SCOPES`, or `positions`.
        positions: For `positions`, numbers from 0 such as `0, 3`.
        checker: Knows the schema.

    Raises:
        UserError: It is none of these.
    """
    if scope != "positions":
        return parse_scope(checker, ("scope",), scope)
    try:
        numbers = [int(part) for part in positions.replace(",", " ").split()]
    except ValueError as error:
        raise UserError(
            f"the form: positions: got {positions!r}; write whole numbers from 0, such as 0, 3"
        ) from error
    return parse_scope(checker, ("positions",), numbers)


def check_decoding(entry: Mapping[str, Any], checker: Checker) -> Decoding:
    """How tokens are chosen; what is None or blank, or not for the method, is left out.

    Args:
        entry: As in a config; top_k and top_p as they are typed.
        checker: Knows the schema.

    Raises:
        UserError: A value is missing or out of range.
    """
    greedy = entry["method"] == "greedy"
    names = ("method", "max_new_tokens") if greedy else tuple(entry)
    given = {name: _number(entry[name]) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    return parse_decoding(checker, ("decoding",), given)


def _number(value: Any) -> Any:
    """What was typed as a number, whole where it is; None if blank; else as it is."""
    if isinstance(value, str):
        try:
            value = float(value) if value.strip() else None
        except ValueError:
            return value
    whole = isinstance(value, float) and value.is_integer()
    return int(value) if whole else value
