"""Promptset file to prompts table: the grid format of the field, CSV, TSV and JSON lines.

Whatever cannot be read is refused with its line number. Nothing is dropped but the prose above a
grid, and the log says how many lines of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from clampsweep.errors import UserError
from clampsweep.files import atomic
from clampsweep.provenance import file_digest, json_digest, text_digest
from clampsweep.tables import Column, Schema
from clampsweep.texts.prompt_files import READERS, Row
from clampsweep.texts.prompt_template import fill
from clampsweep.texts.tables import TEXT_DIGEST

PROMPTS = Schema(
    "prompts",
    {
        "prompt_id": Column("str", "readable, stable name, such as presence_by_door/declarative/2"),
        "text": Column("str", "the prompt"),
        "text_digest": TEXT_DIGEST,
        "core": Column("str", "core proposition that the prompt varies", null=True),
        "proposition": Column("str", "the core proposition in words", null=True),
        "type": Column("str", "kind of sentence, such as declarative", null=True),
        "level": Column("int", "level of certainty", null=True),
    },
    key=("prompt_id",),
    open=True,
)

_LEVEL = re.compile(r"(?:level )?([+-]?\d{1,18})", re.IGNORECASE)

_NO_LEVEL = "level ?"  # in published problems, where nobody gave one

# Control characters, ends of lines and paragraphs, marks that turn the writing round, and what no
# XML may hold.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def _is_plain(name: str) -> bool:
    """Whether a name can stand in a line, a figure and a page, and shows all that is in it."""
    return not _CONTROLS.search(name)


def _check(where: str, cells: Mapping[str, str]) -> None:
    name = cells.get("prompt_id", "")
    if not cells["text"].strip():
        raise UserError(f"{where}: the prompt is empty; write its text or delete the line")
    if not name.strip() or not _is_plain(name):
        raise UserError(
            f"{where}: prompt_id {name!r} is empty or holds a control character; write a plain name"
        )
    for column in ("core", "type"):  # they name groups, in figures too
        if not _is_plain(cells.get(column, "")):
            raise UserError(
                f"{where}: {column} {cells[column]!r} holds a control character; write a plain name"
            )
    _level(where, cells)
    if "text_digest" in cells:
        raise UserError(f"{where}: column 'text_digest' is computed; rename or delete yours")


def _level(where: str, cells: Mapping[str, str]) -> int | None:
    """The level, which may be written as `3` or `Level 3`; None if there is none."""
    level = cells.get("level", "")
    if not level or level.lower() == _NO_LEVEL:
        return None
    if found := _LEVEL.fullmatch(level):
        return int(found[1])
    raise UserError(f"{where}: level {level!r} is not an integer; write one, or leave it empty")


def frame(path: Path | str, rows: Sequence[Row]) -> pd.DataFrame:
    """Prompts table (`PROMPTS`, then factor columns as strings) of checked rows, in order.

    Args:
        path: The file, for messages.
        rows: Cells `prompt_id` and `text`; of the rest, an absent or empty one is null.

    Raises:
        UserError: There are no rows, a cell is not allowed, or a prompt id stands twice.
    """
    if not rows:
        raise UserError(f"{path}: no prompts; write at least one")
    seen: dict[str, str] = {}
    for where, cells in rows:
        _check(where, cells)
        first = seen.setdefault(cells["prompt_id"], where)
        if first != where:
            raise UserError(
                f"{where}: prompt id {cells['prompt_id']!r} stands already in {first}; "
                "delete or rename one of them"
            )
    names = dict.fromkeys([*PROMPTS.columns, *(name for _, cells in rows for name in cells)])
    columns = {name: [cells.get(name) or None for _, cells in rows] for name in names}
    table = pd.DataFrame(columns).astype("str")
    table["text_digest"] = [text_digest(text) for text in table["text"]]
    table["level"] = pd.array([_level(where, cells) for where, cells in rows], dtype="Int64")
    return table


def read(
    path: Path | str, format: str, template: str | None = None, id: str | None = None
) -> pd.DataFrame:
    """Prompts of a file (`PROMPTS`, then factor columns as strings), in file order.

    Formats: `grid` (docs/definitions.md, section 1; prompt ids are core/type/level; how many lines
    of a preamble were passed over is logged); `csv`, `tsv`
    and `jsonl` with a `text`, and optionally `prompt_id` (else row_0001, row_0002, ...), `core`,
    `proposition`, `type`, `level` (an integer, or `Level 3`) and further columns, which become
    factors. With a template the columns are free: none needs to be called `text`, and a nested
    value of JSON lines becomes a factor too, as JSON.

    Args:
        path: The file, in UTF-8; a byte order mark is accepted.
        format: `grid`, `csv`, `tsv` or `jsonl`.
        template: What a prompt's text is made of (`texts.prompt_template`); None for `text`.
        id: The column that names the prompts; None for `prompt_id`.

    Raises:
        UserError: The file cannot be read, holds no prompts, or has a line that is not allowed.
    """
    if format not in READERS:
        raise UserError(f"{path}: format {format!r} is unknown; write one of {', '.join(READERS)}")
    if format == "grid" and (template is not None or id is not None):
        raise UserError(f"{path}: a grid has no columns; leave out template and id")
    rows = READERS[format](path, template is not None)
    if template is not None and rows:
        rows = fill(template, rows)
    if id is not None:
        rows = [_with_id(row, id) for row in rows]
    elif not any("prompt_id" in cells for _, cells in rows):
        rows = [
            (where, {"prompt_id": f"row_{number:04d}", **cells})
            for number, (where, cells) in enumerate(rows, 1)
        ]
    return frame(path, rows)


def _with_id(row: Row, id: str) -> Row:
    """The row, its prompt named by a column."""
    where, cells = row
    if not cells.get(id):
        raise UserError(
            f"{where}: no {id!r}, by which the config names the prompts (id); fill it in, or "
            f"correct id, to one of {', '.join(cells)}"
        )
    if id != "prompt_id" and "prompt_id" in cells:
        raise UserError(
            f"{where}: names of prompts stand in 'prompt_id' and in {id!r} (id); leave out id, or "
            "rename the column prompt_id"
        )
    return where, {"prompt_id": cells[id], **cells}


def draw(prompts: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Some of the prompts, drawn by lot, in their order; more of them hold the fewer.

    Args:
        prompts: A `PROMPTS` table.
        n: How many.
        seed: Decides which.

    Raises:
        UserError: There are not so many.
    """
    if n > len(prompts):
        raise UserError(
            f"controls.prompts: got {n}, but the promptset has {len(prompts)} prompts; write at "
            "most so many, or remove it to take all"
        )
    lots = [json_digest([seed, name]) for name in prompts["prompt_id"]]
    chosen = pd.Series(lots, index=prompts.index).sort_values().index[:n]
    return prompts.loc[sorted(chosen)].reset_index(drop=True)


def check_digest(path: Path | str, sha256: str) -> None:
    """Refuse a fetched promptset that has changed since.

    Args:
        path: The file.
        sha256: What the config says.

    Raises:
        UserError: Its content has another digest.
    """
    if (got := file_digest(path)) != sha256:
        raise UserError(
            f"{path}: wrong digest {got}, the config says {sha256}; delete it and run again"
        )


def fetch(url: str, sha256: str, path: Path) -> None:
    """Download a promptset to `path`, checked by digest; an older file stays if that fails.

    Raises:
        UserError: No network, the server refused, or the content has another digest.
    """
    import requests  # here, because reading needs no network and runs at parse time

    try:
        answer = requests.get(url, timeout=60)
        answer.raise_for_status()
    except requests.HTTPError as error:
        raise UserError(f"{url}: the server refused ({error}); check the address") from error
    except requests.RequestException as error:
        raise UserError(
            f"{url}: cannot download ({type(error).__name__}); check the network, or save the file "
            "yourself and use `path`"
        ) from error
    if (got := hashlib.sha256(answer.content).hexdigest()) != sha256:
        raise UserError(
            f"{url}: wrong digest {got}, the config says {sha256}; the file there is another one"
        )
    with atomic(path) as beside:
        beside.write_bytes(answer.content)
