"""Every table of the project: columns with type and unit, key; checked reading, atomic writing.

The only module that uses pyarrow. A table on disk is always whole (`files.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clampsweep.errors import UserError
from clampsweep.files import atomic, check_place, place

SCHEMA_VERSION = 1

_FOOTER_KEY = b"clampsweep"

_TYPES = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "tokens": pa.list_(pa.int32()),
    "vector": pa.list_(pa.float32()),
}


@dataclass(frozen=True)
class Column:
    """A column: type (a key of `_TYPES`), meaning with its unit, and whether it may be null."""

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
    try:
        table = pa.Table.from_pandas(frame[arrow.names], schema=arrow, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        reason = " ".join(str(part) for part in error.args)
        raise UserError(
            f"{path}: rows do not fit the {schema.name!r} table: {' '.join(reason.split())}"
        ) from error
    footer = {"schema": schema.name, "schema_version": SCHEMA_VERSION, **provenance}
    if at := place(path):
        footer["place"] = at
    table = table.replace_schema_metadata(
        {_FOOTER_KEY: json.dumps(footer, sort_keys=True).encode()}
    )
    with atomic(path) as beside:
        pq.write_table(table, beside, compression="zstd", write_page_checksum=True)


def read(path: Path | str, schema: Schema) -> pd.DataFrame:
    """Rows of a table, integers and booleans nullable where the schema allows null.

    Raises:
        UserError: The file is missing, truncated, or no such table.
    """
    path = Path(path)
    mapper = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        frame: pd.DataFrame = table.to_pandas(types_mapper=mapper)
        made_for = _footer(table.schema).get("place")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run the workflow to make it") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: not a whole Parquet file; delete it and run again") from error
    _check(frame, schema, path)
    check_place(path, made_for)
    for name, column in schema.columns.items():
        if not table.schema.field(name).type.equals(_TYPES[column.type]):
            raise UserError(
                f"{path}: column {name!r} has type {table.schema.field(name).type}, "
                f"expected {_TYPES[column.type]}; delete it and run again"
            )
        if not column.null and column.type == "int":
            frame[name] = frame[name].astype("int64")
        if not column.null and column.type == "bool":
            frame[name] = frame[name].astype("bool")
    return frame


def footer(path: Path | str) -> dict[str, object]:
    """Provenance of a table: what its Parquet footer carries.

    Raises:
        UserError: The file is missing or truncated.
    """
    try:
        return _footer(pq.read_schema(path))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: not a whole Parquet file; delete it and run again") from error


def _footer(schema: pa.Schema) -> dict[str, object]:
    found: dict[str, object] = json.loads((schema.metadata or {}).get(_FOOTER_KEY, b"{}"))
    return found
