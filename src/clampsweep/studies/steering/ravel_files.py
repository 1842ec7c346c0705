"""RAVEL's JSON files, read and checked one against the other."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from clampsweep.errors import UserError, reason

_REMEDY = "get RAVEL's files again (data.tgz of explanare/ravel, or hij/ravel on the hub)"


def read_object(folder: Path, name: str) -> dict[str, Any]:
    """The object of a JSON file, as it is or compressed.

    Args:
        folder: Where it is.
        name: Its name without `.gz`.

    Raises:
        UserError: It is missing, damaged, no object, empty, or names something twice.
    """
    path = folder / name if (folder / name).exists() else folder / f"{name}.gz"
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
        found = json.loads(text, object_pairs_hook=_unique)
    except FileNotFoundError as error:
        raise UserError(f"{folder / name}: no such file, nor {name}.gz; {_REMEDY}") from error
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise UserError(f"{path}: damaged ({reason(error)}); {_REMEDY}") from error
    if not isinstance(found, dict) or not found:
        raise UserError(f"{path}: holds no JSON object with names in it; {_REMEDY}")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands twice")
    return found


def check_attributes(folder: Path, kind: str, values: Mapping[str, Any]) -> Path:
    """Refuse entities without the attributes of the others; the file that prompts stand in.

    Args:
        folder: Where the files are.
        kind: Such as city.
        values: By entity, its attributes.

    Raises:
        UserError: An entity lacks a value, or has one too many.
    """
    where = folder / f"ravel_{kind}_entity_attributes.json"
    first = next(iter(values.values()))
    wanted = list(first) if isinstance(first, dict) else []
    for entity, own in values.items():
        if not wanted or not isinstance(own, dict) or set(own) != set(wanted):
            raise UserError(
                f"{where}: {entity!r}: got {reason(ValueError(own))}; each entity has the "
                f"attributes {', '.join(wanted) or '(none found)'}; {_REMEDY}"
            )
        for name, value in own.items():
            if not isinstance(value, str) or not value.strip(" ,/"):
                raise UserError(
                    f"{where}: {entity!r}: {name}: got {value!r}; a value is a text; {_REMEDY}"
                )
    return folder / f"ravel_{kind}_attribute_to_prompts.json"


def check_splits(
    folder: Path, name: str, known: Collection[str], allowed: Collection[str]
) -> dict[str, str]:
    """The split of each of some names, entities or prompts.

    Args:
        folder: Where the file is.
        name: The file.
        known: What it must name, and nothing else.
        allowed: Names of splits.

    Raises:
        UserError: It names others, or a split that is none.
    """
    found = read_object(folder, name)
    if odd := next((one for one in [*known, *found] if one not in found or one not in known), None):
        what = "lacks" if odd not in found else "has"
        raise UserError(
            f"{folder / name}: {what} {odd!r}, unlike the file that it belongs to; {_REMEDY}"
        )
    for one, split in found.items():
        if split not in allowed:
            raise UserError(
                f"{folder / name}: {one!r}: got split {split!r}; allowed: {', '.join(allowed)}; "
                f"{_REMEDY}"
            )
    return found
