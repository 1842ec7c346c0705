"""Promptset file to prompts table: the grid format of the field, CSV, TSV and JSON lines.

Whatever cannot be read is refused with its line number; nothing is dropped.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from clampsweep.errors import UserError, explain_os_error
from clampsweep.provenance import file_digest, json_digest, text_digest
from clampsweep.tables import Column, Schema, atomic
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

Row = tuple[str, Mapping[str, str]]

"""Where a prompt stands, as in `prompts.txt, line 3`, and its cells; an empty cell is missing."""

_LEVEL = re.compile(r"\[LEVEL (\d{1,18})\]")

_PROMPT = re.compile(r"([A-Za-z_]+):(.*)")

_INTEGER = re.compile(r"[+-]?\d{1,18}")

# Control characters, ends of lines and paragraphs, marks that turn the writing round, and what no
# XML may hold.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def read_text(path: Path | str) -> str:
    """Text of a UTF-8 file, without a byte order mark, line ends kept.

    Raises:
        UserError: The file is missing, unreadable or not UTF-8.
    """
    try:
        data = Path(path).read_bytes().removeprefix(codecs.BOM_UTF8)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; check the path in the config") from error
    except OSError as error:
        raise explain_os_error(error, path, "read") from error
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; "
            "save the file as UTF-8"
        ) from error


def delimited(
    path: Path | str, separator: str, required: Sequence[str]
) -> list[tuple[int, dict[str, str]]]:
    """Rows of a CSV or TSV file with a header: the line each starts on (from 1), and its cells.

    Args:
        path: The file; quoted cells may hold separators and line ends, quotes are doubled.
        separator: One character.
        required: Columns that the header must name.

    Raises:
        UserError: The file cannot be read, or a row has too few or too many cells.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=separator, strict=True)
    rows: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for cells in reader:
            if cells:
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}, line {line}: {error}; check the quotes of this row") from error
    if not rows:
        raise UserError(f"{path}: empty; write a header line with {', '.join(required)}")
    first, header = rows[0][0], [name.strip() for name in rows[0][1]]
    for name in required:
        if name not in header:
            raise UserError(f"{path}, line {first}: no column {name!r}; the header has {header!r}")
    for at, name in enumerate(header):
        if not name or name in header[:at]:
            fault = f"{name!r} names two columns" if name else f"column {at + 1} has no name"
            raise UserError(f"{path}, line {first}: {fault}; mend the header")
    for line, cells in rows[1:]:
        if len(cells) != len(header):
            raise UserError(
                f"{path}, line {line}: {len(cells)} cells, the header has {len(header)}; "
                "quote cells that hold a separator"
            )
    return [(line, dict(zip(header, cells, strict=True))) for line, cells in rows[1:]]


def _table_rows(path: Path | str, separator: str) -> list[Row]:
    rows = delimited(path, separator, ["text"])
    return [(f"{path}, line {line}", cells) for line, cells in rows]


def _lines(path: Path | str) -> list[tuple[str, str]]:
    """Where each line that is not blank stands, and the line, stripped."""
    lines = io.StringIO(read_text(path), newline=None)
    numbered = ((f"{path}, line {number}", line.strip()) for number, line in enumerate(lines, 1))
    return [(where, line) for where, line in numbered if line]


def _json_cells(where: str, line: str) -> dict[str, str]:
    try:
        values = json.loads(line)
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{where}: holds half a surrogate pair; write the whole character"
        ) from error
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", error)
        raise UserError(f"{where}: not JSON ({reason}); write one object per line") from error
    if not isinstance(values, dict) or not isinstance(values.get("text"), str):
        raise UserError(f'{where}: not an object with a string "text"; write {{"text": "..."}}')
    cells = {}
    for name, value in values.items():
        if isinstance(value, dict | list):
            raise UserError(f"{where}: {name!r} is nested; write a string, a number, true or false")
        cells[name] = (
            value if isinstance(value, str) else "" if value is None else json.dumps(value)
        )
    return cells


def _json_rows(path: Path | str) -> list[Row]:
    return [(where, _json_cells(where, line)) for where, line in _lines(path)]


def _core(where: str, line: str) -> str:
    core = line.removeprefix(">> CORE_ID:").strip().replace(" ", "_")
    if not re.fullmatch(r"[\w-]+", core):
        raise UserError(
            f"{where}: core id {core!r} is not made of letters, digits, _ and -; "
            "write >> CORE_ID: some_name"
        )
    return core


def _grid_rows(path: Path | str) -> list[Row]:
    rows: list[Row] = []
    core = level = proposition = ""
    for where, line in _lines(path):
        if line.startswith(("#", "---")):
            continue
        if line.startswith(">> CORE_ID:"):
            core, level, proposition = _core(where, line), "", ""
        elif line.startswith(">> PROPOSITION:"):
            proposition = line.removeprefix(">> PROPOSITION:").strip()
        elif match := _LEVEL.fullmatch(line):
            level = str(int(match[1]))
        elif match := _PROMPT.fullmatch(line):
            if not core or not level:
                lacks = "[LEVEL n]" if core else ">> CORE_ID:"
                raise UserError(f"{where}: a prompt before any {lacks}; put that line above it")
            kind = match[1].lower()
            cells = {"core": core, "proposition": proposition, "type": kind, "level": level}
            name = f"{core}/{kind}/{level}"
            rows.append((where, {"prompt_id": name, "text": match[2].strip(), **cells}))
        else:
            raise UserError(
                f"{where}: {line[:60]!r} is none of: type: text, [LEVEL n], >> CORE_ID: id, "
                ">> PROPOSITION: text, # comment, ---"
            )
    return rows


def _is_plain(name: str) -> bool:
    """Whether a name can stand in a line, a figure and a page, and shows all that is in it."""
    return not _CONTROLS.search(name)


def _check(where: str, cells: Mapping[str, str]) -> None:
    name, level = cells.get("prompt_id", ""), cells.get("level", "")
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
    if level and not _INTEGER.fullmatch(level):
        raise UserError(f"{where}: level {level!r} is not an integer; write one, or leave it empty")
    if "text_digest" in cells:
        raise UserError(f"{where}: column 'text_digest' is computed; rename or delete yours")


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
    levels = [None if level is None else int(level) for level in columns["level"]]
    table["level"] = pd.array(levels, dtype="Int64")
    return table


_READERS: Mapping[str, Callable[[Path | str], list[Row]]] = {
    "grid": _grid_rows,
    "csv": lambda path: _table_rows(path, ","),
    "tsv": lambda path: _table_rows(path, "\t"),
    "jsonl": _json_rows,
}


def read(path: Path | str, format: str) -> pd.DataFrame:
    """Prompts of a file (`PROMPTS`, then factor columns as strings), in file order.

    Formats: `grid` (docs/definitions.md, section 1; prompt ids are core/type/level); `csv`, `tsv`
    and `jsonl` with a `text`, and optionally `prompt_id` (else row_0001, row_0002, ...), `core`,
    `proposition`, `type`, `level` (an integer) and further columns, which become factors.

    Args:
        path: The file, in UTF-8; a byte order mark is accepted.
        format: `grid`, `csv`, `tsv` or `jsonl`.

    Raises:
        UserError: The file cannot be read, holds no prompts, or has a line that is not allowed.
    """
    if format not in _READERS:
        raise UserError(f"{path}: format {format!r} is unknown; write one of {', '.join(_READERS)}")
    rows = _READERS[format](path)
    if not any("prompt_id" in cells for _, cells in rows):
        rows = [
            (where, {"prompt_id": f"row_{number:04d}", **cells})
            for number, (where, cells) in enumerate(rows, 1)
        ]
    return frame(path, rows)


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
