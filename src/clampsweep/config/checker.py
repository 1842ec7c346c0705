"""Faults in a config, one line each: a schema checker that names file and key."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
import referencing
from referencing.jsonschema import DRAFT202012

from clampsweep.errors import UserError
from clampsweep.strict_yaml import as_list

Key = tuple[str | int, ...]
"""Where a value stands in a config, such as `("sweeps", "bcr", "values", 3)`."""


def _key_text(key: Key) -> str:
    text = ""
    for part in key:
        word = str(part) if str(part).isprintable() else repr(part)
        text += f"[{part}]" if isinstance(part, int) else f".{word}" if text else word
    return text


# A whole number with a fraction, such as 3.0, is no integer here: it would be one in JSON schema.
_Validator = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


class Checker:
    """Checks values against schema parts; knows which file a key came from.

    A part is named by its schema and its place in `$defs`, such as `config/promptset`.

    Args:
        files: Each config file's content by its name, in the order of laying over.
        schemas: By name, as `config.schemas.join` gives them.
    """

    def __init__(self, files: Mapping[str, dict[str, Any]], schemas: Mapping[str, dict[str, Any]]):
        self.files, self.schemas = files, schemas
        # Without `$schema`: behind a $ref to a schema that has it, jsonschema goes on with that
        # dialect's own validator, to which 3.0 is an integer.
        parts = [
            (
                f"{name}.schema.yaml",
                {word: part for word, part in content.items() if word != "$schema"},
            )
            for name, content in schemas.items()
        ]
        self._registry = referencing.Registry().with_contents(
            parts, default_specification=DRAFT202012
        )

    def file_of(self, key: Key) -> str:
        """The last file that holds the key, or the longest part of it."""
        for length in range(len(key), 0, -1):
            for name, content in reversed(list(self.files.items())):
                if _holds(content, key[:length]):
                    return str(name)
        return next(iter(self.files), "config")

    def where(self, key: Key) -> str:
        """File and key, as messages begin."""
        return f"{self.file_of(key)}: {_key_text(key)}" if key else self.file_of(key)

    def fault(self, key: Key, text: str) -> UserError:
        """Error for a key."""
        return UserError(f"{self.where(key)}: {text}")

    def part(self, part: str) -> dict[str, Any]:
        """The schema that a part's name stands for."""
        name, _, place = part.partition("/")
        found: dict[str, Any] = self.schemas[name]["$defs"][place]
        return found

    def defaults(self, part: str) -> dict[str, Any]:
        """Defaults of a part's keys, of those that have one."""
        keys = self.part(part)["properties"]
        return {name: one["default"] for name, one in keys.items() if "default" in one}

    def check(self, value: Any, part: str, key: Key) -> None:
        """Raise the first fault of a value against a part, or against a whole schema.

        Raises:
            UserError: The fault, with its key.
        """
        name, _, place = part.partition("/")
        where = f"#/$defs/{place}" if place else ""
        validator = _Validator({"$ref": f"{name}.schema.yaml{where}"}, registry=self._registry)
        errors = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.path)))
        if errors:
            raise self._fault_of(errors[0], key)

    def choose(self, key: Key, name: str, choices: Mapping[str, Any], kind: str) -> Any:
        """The entry that a name stands for, or a fault that lists the names."""
        if name not in choices:
            near = difflib.get_close_matches(name, choices, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise self.fault(
                key, f"unknown {kind} {name!r}; {hint}configured: {', '.join(choices)}"
            )
        return choices[name]

    def finite(self, key: Key, value: float) -> float:
        """The number, or a fault if it is NaN or infinite."""
        if not abs(value) <= sys.float_info.max:
            raise self.fault(key, f"got {value!r}; expected a finite number")
        return float(value)

    def _fault_of(self, error: jsonschema.ValidationError, base: Key) -> UserError:
        key = (*base, *error.absolute_path)
        got: Any = error.instance
        rule: Any = error.validator_value
        match error.validator:
            case "additionalProperties":
                allowed = sorted(error.schema["properties"])  # type: ignore[index]
                unknown = next(name for name in got if name not in allowed)
                near = difflib.get_close_matches(str(unknown), allowed, 1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                return self.fault(
                    (*key, unknown), f"unknown key; {hint}allowed: {', '.join(allowed)}"
                )
            case "required":
                missing = next(name for name in rule if name not in got)
                return self.fault(key, f"lacks the key {missing!r}; needed: {', '.join(rule)}")
            case "enum" | "const":
                allowed = rule if isinstance(rule, list) else [rule]
                return self.fault(key, f"got {got!r}; allowed: {', '.join(map(str, allowed))}")
            case "type":
                kinds = [rule] if isinstance(rule, str) else rule
                return self.fault(key, f"got {got!r}; expected {_expected(kinds, got)}")
            case "uniqueItems":
                twice = next(item for at, item in enumerate(got) if item in got[:at])
                return self.fault(key, f"{twice!r} stands in the list twice; remove one")
            case "minProperties":
                return self.fault(key, f"got {got!r}; give at least {rule} entry")
            case "minItems":
                return self.fault(key, f"got {len(got)} entries; give at least {rule}")
            case "maxItems" | "maxProperties":
                return self.fault(key, f"got {len(got)} entries; give at most {rule}")
            case "pattern":
                return self.fault(key, f"got {got!r}; it must match {rule}")
        return self.fault(key, error.message)


def _expected(kinds: Sequence[str], got: Any) -> str:
    """The kinds of value that a key takes, and how what was given would be written as one."""
    words = [{"array": "a list", "object": "keys with values"}.get(kind, kind) for kind in kinds]
    if isinstance(got, str | int | float) and "array" in (kinds[0], kinds[-1]):
        at = kinds.index("array")
        words[at] += f", such as {as_list(got)}" + ("," if words[at + 1 :] else "")
        return " or ".join(words)
    return f"{' or '.join(words)}{_remedy(kinds, got)}"


def _remedy(kinds: Sequence[str], got: Any) -> str:
    """How a scalar of YAML that was read as another kind than meant is to be written."""
    numbers = {"number": "10, -2.5 or 1e3", "integer": "10"}
    if isinstance(got, str) and kinds[-1] in numbers and re.search("[0-9]", got):
        return f"; write a number plainly and without quotes, such as {numbers[kinds[-1]]}"
    if isinstance(got, str) and "boolean" in kinds:
        return "; write true or false, without quotes"
    if isinstance(got, int | float) and "string" in kinds:
        return "; put it in quotes"
    return ""


def _holds(content: Any, key: Key) -> bool:
    for part in key:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
