r"""Templates of prompts: a text with names of columns in braces, filled from each row of a file.

`{question}` is filled from the row's column `question`. What else stands in braces stays: `{}`,
`{ question }`, `{1, 2}`, and an argument of LaTeX such as `\boxed{}` or `\frac{1}{2}`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from clampsweep.errors import UserError
from clampsweep.texts.prompt_files import Row

_BRACES = re.compile(r"\{([^{}\n]*)\}")

_COMMAND = re.compile(r"\\[A-Za-z]+(?:\{[^{}\n]*\})+")  # of LaTeX, with its arguments

_NAME = re.compile(r"[^\W\d][\w-]*")  # what is meant as a column even where there is none


def fill(template: str, rows: Sequence[Row]) -> list[Row]:
    """Rows with the filled template as their `text`; all other cells stay.

    Args:
        template: The text, with names of columns in braces.
        rows: Rows of a file, at least one.

    Raises:
        UserError: The template names no column, or one that a row lacks, or it cannot be told
            whether a column is meant.
    """
    columns = dict.fromkeys(name for _, cells in rows for name in cells)
    where = rows[0][0]
    names = _named(where, template, columns)
    if not names:
        raise UserError(
            f"{where}: the template {template!r} names no column; write at least one in braces, "
            f"of {', '.join(columns)}"
        )
    return [_filled(template, names, row) for row in rows]


def _named(where: str, template: str, columns: Collection[str]) -> set[str]:
    """Columns that a template names."""
    arguments = [found.group() for found in _COMMAND.finditer(template)]
    for argument in arguments:
        if any(name in columns for name in _BRACES.findall(argument)):
            raise UserError(
                f"{where}: the template has {argument!r}, which may be LaTeX or a column; write a "
                "space before the brace to fill in the column, or spaces within to leave it"
            )
    found = _BRACES.findall(_COMMAND.sub("", template))
    return {name for name in found if name in columns or _NAME.fullmatch(name)}


def _filled(template: str, names: Collection[str], row: Row) -> Row:
    where, cells = row
    for name in names:
        if not cells.get(name):
            given = ", ".join(one for one in cells if cells[one]) or "no cell"
            raise UserError(
                f"{where}: no {name!r}, which the template names; the row has {given}; fill it "
                "in, delete the row, or correct the template"
            )

    def put(found: re.Match[str]) -> str:
        return cells[found[1]] if found[1] in names else found.group()

    return where, {**cells, "text": _BRACES.sub(put, template)}
