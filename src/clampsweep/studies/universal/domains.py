"""Documents of a domain: from a file that is shipped, or from files that the user names. No torch.

A file is a document if it is plain text; a `.jsonl` or `.parquet` holds one in each row, in the
column `text`, by the name that stands in `doc_id`, if that is there. Both may end in `.gz`, but for
`.parquet`.
"""

from __future__ import annotations

import codecs
import gzip
import json
import logging
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from clampsweep.errors import UserError, explain_os_error, reason

PLAIN = (".txt", ".md", ".rst", ".tex", ".py", ".c", ".h", ".cpp", ".java", ".js", ".ts", ".go",
         ".rs", ".r", ".jl", ".sh", ".sql", ".html", ".xml", ".yaml", ".toml")  # fmt: skip
"""Ends of names that are read as plain text in a folder; a pattern may name others."""

ROWS = (".jsonl", ".parquet")

log = logging.getLogger(__name__)


class Document(NamedTuple):
    """A text that hangs together, and what it is called: its `doc_id`, or file and row."""

    doc_id: str
    text: str


def files_of(named: str) -> list[Path]:
    """The files that an entry names, sorted: a file, those of a folder, or those of a pattern.

    Args:
        named: A path; a folder with text files, looked for in all folders below too; or a pattern
            such as `notes/**/*.md`. Hidden files are passed over.

    Raises:
        UserError: There is none.
    """
    path = Path(named)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [one for one in path.rglob("*") if _kind(one) in (*PLAIN, *ROWS)]
        lacks = f"a folder without text files; files that end in {', '.join(PLAIN)} are read"
    else:
        root = Path(path.anchor) if path.is_absolute() else Path()
        found = list(root.glob(str(path.relative_to(root) if path.is_absolute() else path)))
        lacks = "no such file or folder, and no file fits it as a pattern; correct it"
    depth = len(path.parts) if path.is_dir() else 0
    files = sorted(one for one in found if one.is_file() and not _is_hidden(one.parts[depth:]))
    if not files:
        raise UserError(f"{named}: {lacks}")
    return files


def documents(domain: str, files: Sequence[Path | str]) -> list[Document]:
    """The documents of a domain, in the order of its files; what stands there twice counts once.

    Line ends are made line feeds, and documents of white space are left out.

    Args:
        domain: Its name, for messages.
        files: What `files_of` found.

    Raises:
        UserError: A file cannot be read, is not UTF-8, or is no such table; or there is no text.
    """
    found: dict[str, Document] = {}
    n_twice = 0
    for path in map(Path, files):
        for one in _READERS.get(_kind(path), _plain)(path):
            text = one.text.replace("\r\n", "\n")
            n_twice += text in found
            if text.strip():
                found.setdefault(text, Document(one.doc_id, text))
    if n_twice:
        log.info("%s: %d documents stand there twice, and count once", domain, n_twice)
    if not found:
        named = f"{files[0]}" + (f" and {len(files) - 1} more files" if files[1:] else "")
        raise UserError(f"domain {domain}: {named}: no text in it; name files that hold some")
    return list(found.values())


def _kind(path: Path) -> str:
    """What a file's name ends in, before `.gz`."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def _is_hidden(parts: Sequence[str]) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in parts)


def _read(path: Path) -> str:
    """Text of a file, which may be gzipped, without a byte order mark."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; check the path in the config") from error
    except OSError as error:
        raise explain_os_error(error, path, "read") from error
    try:
        if path.suffix.lower() == ".gz":
            data = gzip.decompress(data)
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as "
            "UTF-8, or take it out of the domain"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: not a whole gzip file ({reason(error)}); get it again") from error


def _plain(path: Path) -> Iterator[Document]:
    yield Document(str(path), _read(path))


def _json_lines(path: Path) -> Iterator[Document]:
    for number, line in enumerate(_read(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{where}: not JSON ({reason(error)}); write one object per line"
            ) from error
        text = row.get("text") if isinstance(row, dict) else None
        yield _document(where, text, row.get("doc_id") if isinstance(row, dict) else None)


def _parquet(path: Path) -> Iterator[Document]:
    try:
        frame = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; check the path in the config") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a whole Parquet file; get it again") from error
    if "text" not in frame.columns:
        raise UserError(
            f"{path}: no column 'text'; it has {', '.join(map(str, frame.columns)) or 'none'}; "
            "rename the one that holds the texts"
        )
    names = frame["doc_id"] if "doc_id" in frame.columns else [None] * len(frame)
    for number, (text, name) in enumerate(zip(frame["text"], names, strict=True)):
        yield _document(f"{path}, row {number}", text, name)


def _document(where: str, text: Any, name: Any) -> Document:
    """A row's document."""
    if not isinstance(text, str):
        raise UserError(f'{where}: its "text" is no string; write {{"text": "..."}}')
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{where}: holds half a surrogate pair; write the whole character"
        ) from error
    return Document(name if isinstance(name, str) and name else where, text)


_READERS = {".jsonl": _json_lines, ".parquet": _parquet}
