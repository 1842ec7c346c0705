"""An entry against published figures: which of them hold, which differ, which it cannot test.

A difference is a finding, no error: draws, examples and precision are others than those of the
authors. A mean loss holds within three standard errors (its variance over positions, as if there
were one position in an example), a count of positions for each example within a twentieth, loss
recovered within three hundredths.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from clampsweep.errors import UserError
from clampsweep.strict_yaml import read_yaml
from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.tables import Column, Schema

HOLDS, DIFFERS, NOT_TESTED = "holds", "differs", "not tested"

REFERENCE = Schema(
    "scrubbing reference",
    {
        "experiment": Column("str", "what was scrubbed"),
        "category": Column("str", "category of positions"),
        "figure": Column("str", "mean (nats), positions of an example, or loss recovered"),
        "published": Column("float", "the published figure"),
        "found": Column("float", "the entry's; null if it has none", null=True),
        "tolerance": Column("float", "how far they may lie apart", null=True),
        "status": Column("str", "holds, differs or not tested"),
    },
    key=("experiment", "category", "figure"),
)

_COUNT, _RECOVERED = 0.05, 0.03


class Figure(NamedTuple):
    """A published figure, and what it is compared with.

    Attributes:
        experiment: What was scrubbed.
        category: Of positions.
        figure: What it is.
        published: Its value.
        tolerance: How far the entry's may lie from it; None where that follows from the entry.
    """

    experiment: str
    category: str
    figure: str
    published: float
    tolerance: float | None


def read_reference(path: Path | str) -> list[Figure]:
    """Published figures of a YAML file, such as workflow/data/scrubbing/reference.yaml.

    Raises:
        UserError: It cannot be read, or is of another form.
    """
    content = read_yaml(path)
    try:
        return list(_figures(content))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path}: lacks {error}, or has another form; write examples, figures and recovered "
            "as workflow/data/scrubbing/reference.yaml has them"
        ) from error


def _figures(content: dict[str, Any]) -> Iterator[Figure]:
    examples = int(content["examples"])
    for one in content["figures"]:
        name, category = str(one["experiment"]), _category(one["category"])
        count = float(one["count"]) / examples
        yield Figure(name, category, "mean", float(one["mean"]), None)
        yield Figure(name, category, "positions of an example", count, _COUNT * count)
    for category, own in content["recovered"].items():
        for name, percent in own.items():
            yield Figure(
                str(name), _category(category), "loss recovered", percent / 100, _RECOVERED
            )


def _category(name: str) -> str:
    if name not in CATEGORIES:
        raise ValueError(f"a known category in place of {name!r}")
    return name


def compare(table: pd.DataFrame, figures: list[Figure]) -> pd.DataFrame:
    """The table `REFERENCE`.

    Args:
        table: A `RECOVERED` table.
        figures: What `read_reference` gives.
    """
    rows = {(row["experiment"], row["category"]): row for row in table.to_dict("records")}
    n_examples = max(int(table["n_examples"].max()), 1)
    found = [_row(one, rows.get((one.experiment, one.category)), n_examples) for one in figures]
    return pd.DataFrame(found, columns=list(REFERENCE.columns))


def _row(one: Figure, row: Mapping[Any, Any] | None, n_examples: int) -> dict[str, Any]:
    """A row of `REFERENCE`."""
    own: dict[str, Any] = dict(one._asdict(), found=None, status=NOT_TESTED)
    if row is None:
        return own
    value, tolerance = {
        "mean": (row["mean"], 3 * (row["variance"] / max(row["n_examples"], 1)) ** 0.5),
        "positions of an example": (row["count"] / n_examples, one.tolerance),
        "loss recovered": (row["loss_recovered"], one.tolerance),
    }[one.figure]
    if pd.isna(value) or pd.isna(tolerance):
        return own
    status = HOLDS if abs(value - one.published) <= tolerance else DIFFERS
    return {**own, "found": float(value), "tolerance": float(tolerance), "status": status}
