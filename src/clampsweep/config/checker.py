"""Faults in a config, one line each: strict YAML, and a schema checker that names file and key."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from typing import Any

import jsonschema
import yaml

from clampsweep.errors import UserError
from clampsweep.strict_yaml import _mapping_without_duplicates, _StrictLoader

Key = tuple[str | int, ...]

"""Where a value stands in a config, such as `("sweeps", "bcr", "values", 3)`."""


_StrictLoader.add_constructor(
    yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_duplicates
)


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
    """Checks values against schema parts; knows which file a key came from."""

    def __init__(self, files: Mapping[str, dict[str, Any]], schema: dict[str, Any]):
        self.files, self.schema = files, schema

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

    def check(self, value: Any, part: str | None, key: Key) -> None:
        """Raise the first fault of a value against the schema, or against one of its parts."""
        schema = self.schema
        if part:
            schema = {"$defs": self.schema["$defs"], "$ref": f"#/$defs/{part}"}
        validator = _Validator(schema)
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
                kinds = rule if isinstance(rule, str) else " or ".join(rule)
                hint = ""
                if kinds == "number" and isinstance(got, str) and _is_number(got):
                    hint = "; YAML reads it as text: write it plainly, such as 1000.0"
                return self.fault(key, f"got {got!r}; expected {kinds}{hint}")
            case "uniqueItems":
                twice = next(item for at, item in enumerate(got) if item in got[:at])
                return self.fault(key, f"{twice!r} stands in the list twice; remove one")
            case "minItems":
                return self.fault(key, f"got {len(got)} entries; give at least {rule}")
            case "maxItems":
                return self.fault(key, f"got {len(got)} entries; give at most {rule}")
            case "pattern":
                return self.fault(key, f"got {got!r}; it must match {rule}")
        return self.fault(key, error.message)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _holds(content: Any, key: Key) -> bool:
    for part in key:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
