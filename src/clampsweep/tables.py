"""Every table of the project: columns with type and unit, key; checked reading, atomic writing.

The only module that uses pyarrow. A table on disk is always whole (`files.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clampsweep.errors import UserError, shown
from clampsweep.files import atomic, check_place, place

SCHEMA_VERSION = 1

_FOOTER_KEY = b"clampsweep"

_DTYPE = b"dtype"  # in a field's metadata: what the bytes of its vectors are, such as <f2

_TYPES = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "tokens": pa.list_(pa.int32()),
    "vector": pa.list_(pa.float32()),
}

WIDE = "vectors of one length"  # of any float type; only in tables written by row groups


@dataclass(frozen=True)
class Column:
    """A column: type (a key of `_TYPES`, or WIDE), meaning with its unit, if it may be null."""

    type: str
    doc: str
    null: bool = False


@dataclass(frozen=True)
class Schema:
    """A table's name, columns, the columns that identify a row, and whether more may follow."""

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    open: bool = False


def _arrow_schema(frame: pd.DataFrame, schema: Schema) -> pa.Schema:
    fields = [
        pa.field(name, _TYPES[column.type], column.null) for name, column in schema.columns.items()
    ]
    known = set(schema.columns)
    extra = [pa.field(name, pa.string()) for name in frame.columns if name not in known]
    return pa.schema(fields + extra)


def _check(frame: pd.DataFrame, schema: Schema, path: Path) -> None:
    missing = [name for name in schema.columns if name not in frame.columns]
    extra = [] if schema.open else [name for name in frame.columns if name not in schema.columns]
    if missing or extra:
        what = f"lacks column {missing[0]!r}" if missing else f"has an unknown column {extra[0]!r}"
        raise UserError(
            f"{path}: {what}, so it is no {schema.name!r} table of this version; "
            "delete it and run again"
        )
    for name, column in schema.columns.items():
        if not column.null and frame[name].isna().any():
            raise UserError(
                f"{path}: column {name!r} of the {schema.name!r} table has empty cells; "
                "delete it and run again"
            )
    if frame.duplicated(list(schema.key)).any():
        twice = frame.loc[frame.duplicated(list(schema.key)), list(schema.key)].iloc[0].tolist()
        raise UserError(
            f"{path}: {schema.name!r} table: {', '.join(schema.key)} = {twice} "
            "stands in more than one row"
        )


def write(
    frame: pd.DataFrame, path: Path | str, schema: Schema, provenance: Mapping[str, object]
) -> None:
    """Write a table as Parquet (zstd), with its provenance in the footer.

    Args:
        frame: The rows; columns as the schema says, in any order.
        path: Where; written atomically.
        schema: The table's.
        provenance: What made the table (`clampsweep.provenance.record`).

    Raises:
        UserError: The rows do not fit the schema, or the file could not be written.
    """
    path = Path(path)
    _check(frame, schema, path)
    arrow = _arrow_schema(frame, schema)
    with _fitting(path, schema):
        table = pa.Table.from_pandas(frame[arrow.names], schema=arrow, preserve_index=False)
    table = table.replace_schema_metadata(_metadata(path, schema, provenance))
    with atomic(path) as beside:
        pq.write_table(table, beside, compression="zstd", write_page_checksum=True)


@contextmanager
def appending(
    path: Path | str, schema: Schema, provenance: Mapping[str, object]
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Write a table a row group at a time, so that it is never whole in memory.

    It is in place when the block ends well; otherwise it is not.

    Args:
        path: Where; written atomically.
        schema: The table's; none of its columns may be null.
        provenance: What made the table.

    Yields:
        Function that writes a row group: a list or an array for each column.

    Raises:
        UserError: The rows do not fit the schema, or the file could not be written.
    """
    path = Path(path)
    with atomic(path) as beside, ExitStack() as closing:
        writer: Any = None

        def append(columns: Mapping[str, Any]) -> None:
            nonlocal writer
            with _fitting(path, schema):
                group = _row_group(columns, schema)
                if writer is None:  # only now is the width of vectors known
                    arrow = group.schema.with_metadata(_metadata(path, schema, provenance))
                    writer = closing.enter_context(_writer(beside, arrow, schema))
                writer.write_table(group, row_group_size=max(1, len(group)))

        yield append


def _row_group(columns: Mapping[str, Any], schema: Schema) -> pa.Table:
    arrays, fields = [], []
    for name, column in schema.columns.items():
        kind, notes = _TYPES.get(column.type), None
        if column.type == WIDE:  # as bytes: lists take up to ten times as long to write
            vectors = np.ascontiguousarray(columns[name])  # [row, width]
            kind = pa.binary(vectors.shape[1] * vectors.itemsize)
            notes = {_DTYPE: vectors.dtype.str}
            parts = [None, pa.py_buffer(vectors)]
            arrays.append(pa.FixedSizeBinaryArray.from_buffers(kind, len(vectors), parts))
        else:
            arrays.append(pa.array(columns[name], kind))
        fields.append(pa.field(name, kind, nullable=False, metadata=notes))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _writer(beside: Path, arrow: pa.Schema, schema: Schema) -> pq.ParquetWriter:
    """What writes row groups; vectors are not compressed: they hardly shrink, and it takes long."""
    plain = [name for name, column in schema.columns.items() if column.type != WIDE]
    packed = {name: "zstd" if name in plain else "none" for name in schema.columns}
    options: dict[str, Any] = {"use_dictionary": plain, "write_statistics": plain}
    return pq.ParquetWriter(beside, arrow, compression=packed, write_page_checksum=True, **options)


@contextmanager
def _fitting(path: Path, schema: Schema) -> Iterator[None]:
    """Say in one line that rows do not fit their table."""
    try:
        yield
    except (ValueError, pa.ArrowTypeError) as error:  # ArrowInvalid is a ValueError
        reason = " ".join(str(part) for part in error.args)
        raise UserError(
            f"{path}: rows do not fit the {schema.name!r} table: {' '.join(reason.split())}"
        ) from error


def _metadata(path: Path, schema: Schema, provenance: Mapping[str, object]) -> dict[bytes, bytes]:
    """What a table's footer carries."""
    content = {"schema": schema.name, "schema_version": SCHEMA_VERSION, **provenance}
    if at := place(path):
        content["place"] = at
    return {_FOOTER_KEY: json.dumps(content, sort_keys=True).encode()}


def read(path: Path | str, schema: Schema, only: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Rows of a table, integers and booleans nullable where the schema allows null.

    Args:
        path: Where it is.
        schema: The table's.
        only: Columns and the value that rows must have there; other row groups are not read.

    Raises:
        UserError: The file is missing, truncated, or no such table.
        TypeError: The schema is none.
        ValueError: `only` names a column that the schema lacks.
    """
    path = Path(path)
    _check_asked(path, schema, only or {})
    mapper = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get
    try:
        rows = [(name, "==", value) for name, value in (only or {}).items()] or None
        table = pq.read_table(path, filters=rows, page_checksum_verification=True)
        frame: pd.DataFrame = table.to_pandas(types_mapper=mapper)
        made = _footer(table.schema)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run the workflow to make it") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: not a whole Parquet file; delete it and run again") from error
    if made.get("schema", schema.name) != schema.name:
        raise UserError(
            f"{path}: holds a {made['schema']!r} table, not {schema.name!r}; read it with its own "
            "schema, or delete it and run again"
        )
    _check(frame, schema, path)
    check_place(path, made.get("place"))
    for name, column in schema.columns.items():
        field, wanted = table.schema.field(name), _TYPES.get(column.type, WIDE)
        dtype = (field.metadata or {}).get(_DTYPE) if wanted == WIDE else None
        if dtype is None if wanted == WIDE else not field.type.equals(wanted):
            raise UserError(
                f"{path}: column {name!r} has type {field.type}, "
                f"expected {wanted}; delete it and run again"
            )
        if dtype is not None:
            vectors = [np.frombuffer(one, np.dtype(dtype.decode())) for one in frame[name]]
            frame[name] = pd.Series(vectors, frame.index, dtype=object)
        if not column.null and column.type in ("int", "bool"):
            frame[name] = frame[name].astype("int64" if column.type == "int" else "bool")
    return frame


def _check_asked(path: Path, schema: Schema, only: Mapping[str, Any]) -> None:
    """Refuse a question that no table can answer."""
    if not isinstance(schema, Schema):
        raise TypeError(f"schema: got {shown(schema)}; write one, such as verdicts.VERDICTS")
    if path.is_dir():
        raise UserError(f"{path}: a folder; name a table in it")
    if unknown := [name for name in only if name not in schema.columns]:
        allowed = ", ".join(schema.columns)
        raise ValueError(f"only: got column {unknown[0]!r}; {schema.name!r} has {allowed}")


def footer(path: Path | str) -> dict[str, object]:
    """Provenance of a table: what its Parquet footer carries.

    Raises:
        UserError: The file is missing or truncated.
    """
    try:
        return _footer(pq.read_schema(path))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run the workflow to make it") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: not a whole Parquet file; delete it and run again") from error


def _footer(schema: pa.Schema) -> dict[str, object]:
    found: dict[str, object] = json.loads((schema.metadata or {}).get(_FOOTER_KEY, b"{}"))
    return found


def check_code(paths: Sequence[Path], code: str, rule: str) -> None:
    """Refuse what other code made: Snakemake does not see it in a file that it has no record of.

    A job that outlives Snakemake, as on a cluster, leaves such files.

    Args:
        paths: Tables that one rule makes.
        code: Digest of the code that makes them now.
        rule: The rule.

    Raises:
        UserError: A table's footer has another digest.
    """
    others = [path for path in paths if footer(path).get("code") != code]
    if others:
        raise UserError(
            f"{others[0]}: made by another version of the code (so are {len(others) - 1} of the "
            f"others); run once with `snakemake --forcerun {rule}`"
        )
