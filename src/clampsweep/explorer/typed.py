"""What was typed into the form, as values: numbers, a scope, stop strings, the decoding."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
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
        entry: As in a config; top_k, top_p and stop_strings as they are typed.
        checker: Knows the schema.

    Raises:
        UserError: A value is missing or out of range.
    """
    greedy = entry["method"] == "greedy"
    names = ("method", "max_new_tokens") if greedy else tuple(entry)
    given = {name: _number(entry[name]) for name in names if name != "stop_strings"}
    given = {name: value for name, value in given.items() if value is not None}
    if strings := read_stop_strings(entry.get("stop_strings", "")):
        given["stop_strings"] = strings
    return parse_decoding(checker, ("decoding",), given)


def read_stop_strings(text: str) -> list[str]:
    """The strings of a field that holds one a line, as JSON writes them between its quotes.

    Raises:
        UserError: A backslash begins no character there.
    """
    found = []
    for line in filter(None, text.split("\n")):
        quoted = line.replace('"', '\\"')
        try:
            found.append(str(json.loads(f'"{quoted}"', strict=False)))
        except ValueError as error:
            raise UserError(
                f"the form: stop strings: got {line!r}; write \\n for a line end, \\t for a tab "
                "and \\\\ for a backslash"
            ) from error
    return found


def show_stop_strings(strings: Sequence[str]) -> str:
    """What is typed for these strings."""
    return "\n".join(
        json.dumps(one, ensure_ascii=False)[1:-1].replace('\\"', '"') for one in strings
    )


def _number(value: Any) -> Any:
    """What was typed as a number, whole where it is; None if blank; else as it is."""
    if isinstance(value, str):
        try:
            value = float(value) if value.strip() else None
        except ValueError:
            return value
    whole = isinstance(value, float) and value.is_integer()
    return int(value) if whole else value
