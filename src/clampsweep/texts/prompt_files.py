"""Files of prompts, format by format, as rows of cells."""

from __future__ import annotations

import codecs
import csv
import io
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from clampsweep.errors import UserError, explain_os_error

Row = tuple[str, Mapping[str, str]]

"""Where a prompt stands, as in `prompts.txt, line 3`, and its cells; an empty cell is missing."""

_CORE, _PROPOSITION = ">> CORE_ID:", ">> PROPOSITION:"

_LEVEL = re.compile(r"\[LEVEL (\d{1,18})\]")

_PROMPT = re.compile(r"([A-Za-z_]+):(.*)")

log = logging.getLogger(__name__)


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
        columns = ", ".join(required) or "names of columns"
        raise UserError(f"{path}: empty; write a header line with {columns}")
    first, header = rows[0][0], [name.strip() for name in rows[0][1]]
    for name in required:
        if name not in header:
            raise UserError(
                f"{path}, line {first}: no column {name!r}; the header has {header!r}; "
                "rename the one that holds it"
            )
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


def _table_rows(path: Path | str, separator: str, free: bool) -> list[Row]:
    rows = delimited(path, separator, [] if free else ["text"])
    return [(f"{path}, line {line}", cells) for line, cells in rows]


def _lines(path: Path | str) -> list[tuple[str, str]]:
    """Where each line that is not blank stands, and the line, stripped."""
    lines = io.StringIO(read_text(path), newline=None)
    numbered = ((f"{path}, line {number}", line.strip()) for number, line in enumerate(lines, 1))
    return [(where, line) for where, line in numbered if line]


def _json_cells(where: str, line: str, free: bool) -> dict[str, str]:
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
    if not isinstance(values, dict):
        raise UserError(f"{where}: not an object; write one per line, with keys and values")
    if not free and not isinstance(values.get("text"), str):
        raise UserError(f'{where}: not an object with a string "text"; write {{"text": "..."}}')
    return {name: _json_cell(where, name, value, free) for name, value in values.items()}


def _json_cell(where: str, name: str, value: object, free: bool) -> str:
    if isinstance(value, dict | list) and not free:
        raise UserError(f"{where}: {name!r} is nested; write a string, a number, true or false")
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _json_rows(path: Path | str, free: bool) -> list[Row]:
    return [(where, _json_cells(where, line, free)) for where, line in _lines(path)]


def _core(where: str, line: str) -> str:
    core = line.removeprefix(_CORE).strip().replace(" ", "_")
    if not re.fullmatch(r"[\w-]+", core):
        raise UserError(
            f"{where}: core id {core!r} is not made of letters, digits, _ and -; "
            "write >> CORE_ID: some_name"
        )
    return core


def _grid_start(lines: Sequence[tuple[str, str]]) -> int:
    """Index of the line that ends the preamble: the core marker of the first level, or the level.

    0 if there is no level: then nothing is preamble.
    """
    levels = (at for at, (_, line) in enumerate(lines) if _LEVEL.fullmatch(line))
    first = next(levels, 0)
    cores = [at for at, (_, line) in enumerate(lines[:first]) if line.startswith(_CORE)]
    return cores[-1] if cores else first


def _may_be_preamble(line: str) -> bool:
    """Whether a line above the grid is prose or an example marker, and not meant for a reader."""
    if line.startswith((_CORE, _PROPOSITION)):
        return True
    return not (line.startswith((">>", "[LEVEL")) or _PROMPT.fullmatch(line))


def _prompt_row(where: str, match: re.Match[str], core: str, proposition: str, level: str) -> Row:
    if not core or not level:
        lacks = "[LEVEL n]" if core else ">> CORE_ID:"
        raise UserError(
            f"{where}: a prompt before any {lacks}; put that line above it, or # before this one "
            "if it is no prompt"
        )
    kind, text = match[1].lower(), match[2].strip()
    cells = {"core": core, "proposition": proposition, "type": kind, "level": level}
    return where, {"prompt_id": f"{core}/{kind}/{level}", "text": text, **cells}


def _grid_rows(path: Path | str) -> list[Row]:
    rows: list[Row] = []
    core = level = proposition = ""
    lines = _lines(path)
    start, n_preamble = _grid_start(lines), 0
    for at, (where, line) in enumerate(lines):
        if line.startswith(("#", "---")):
            continue
        if at < start and _may_be_preamble(line):
            n_preamble += 1
        elif line.startswith(_CORE):
            core, level, proposition = _core(where, line), "", ""
        elif line.startswith(_PROPOSITION):
            proposition = line.removeprefix(_PROPOSITION).strip()
        elif match := _LEVEL.fullmatch(line):
            level = str(int(match[1]))
        elif match := _PROMPT.fullmatch(line):
            rows.append(_prompt_row(where, match, core, proposition, level))
        else:
            raise UserError(
                f"{where}: {line[:60]!r} is none of: type: text, [LEVEL n], >> CORE_ID: id, "
                ">> PROPOSITION: text, # comment, ---"
            )
    if n_preamble:
        log.info("lines of preamble passed over above %s: %d", lines[start][0], n_preamble)
    return rows


READERS: Mapping[str, Callable[[Path | str, bool], list[Row]]] = {
    "grid": lambda path, _: _grid_rows(path),
    "csv": lambda path, free: _table_rows(path, ",", free),
    "tsv": lambda path, free: _table_rows(path, "\t", free),
    "jsonl": _json_rows,
}
"""What reads a format: a file, and whether its columns are free, so that `text` is not needed, and
a nested value of JSON is kept as it is written there."""
