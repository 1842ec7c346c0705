"""Traces that a user has: JSON lines with problem, prompt, output and gold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clampsweep.errors import UserError
from clampsweep.studies.backtracking.entry import GIVEN
from clampsweep.studies.backtracking.splits import SPLITS, split_of
from clampsweep.studies.backtracking.traces import Raw
from clampsweep.texts.prompt_files import read_text

_NEEDED = ("problem", "prompt", "output")
_TEXTS = (*_NEEDED, "gold", "problem_id", "family", "type", "split", "stop_reason")


def read_given(path: Path | str) -> Iterator[Raw]:
    """Traces of a file, a JSON object a line.

    Keys: `problem`, the question; `prompt`, all that stands before the output, as it reaches the
    model; `output`; `gold`, the right answer, or null; and, if wanted, `problem_id`, `family`,
    `type`, `level`, `split`, `seed`, `stop_reason`, and `output_ids`, the token ids as they were
    sampled. Others are passed over.

    Raises:
        UserError: A line is no such object.
    """
    lines = enumerate(read_text(path).splitlines(), 1)
    found = [(number, _object(path, number, line)) for number, line in lines if line.strip()]
    if not found:
        raise UserError(f"{path}: no traces; write a JSON object a line, or leave out given")
    for number, row in found:
        problem_id = row.get("problem_id") or row["problem"]
        split = row.get("split") or split_of(problem_id)
        if split not in SPLITS:
            allowed = ", ".join(SPLITS)
            raise UserError(f"{path}, line {number}: split: got {split!r}; allowed: {allowed}")
        yield Raw(
            trace_id=f"{GIVEN}/{number}",
            source=GIVEN,
            problem_id=problem_id,
            family=row.get("family") or "",
            type=row.get("type") or "",
            level=row.get("level"),
            split=split,
            question=row["problem"],
            prompt=row["prompt"],
            output=row["output"],
            gold=row.get("gold"),
            output_ids=row.get("output_ids"),
            seed=row.get("seed"),
            stop_reason=row.get("stop_reason"),
        )


def _object(path: Path | str, number: int, line: str) -> Mapping[str, Any]:
    """A line's object, its keys checked."""
    where = f"{path}, line {number}"
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UserError(f"{where}: not JSON ({error}); write one object per line") from error
    if not isinstance(row, dict):
        raise UserError(f"{where}: not an object; write {{{', '.join(_NEEDED)}, gold}}")
    if missing := [name for name in _NEEDED if not row.get(name)]:
        raise UserError(f"{where}: lacks {missing[0]!r}; a trace has {', '.join(_NEEDED)}")
    for name in _TEXTS:
        if not isinstance(row.get(name, ""), str | None):
            raise UserError(f"{where}: {name}: got {row[name]!r}; write a text in quotes")
    for name in ("level", "seed"):
        if type(row.get(name)) not in (int, type(None)):
            raise UserError(f"{where}: {name}: got {row[name]!r}; write a whole number")
    ids = row.get("output_ids")
    if ids is not None and not (isinstance(ids, list) and all(type(at) is int for at in ids)):
        raise UserError(f"{where}: output_ids: got no list of whole numbers; write token ids")
    return row
