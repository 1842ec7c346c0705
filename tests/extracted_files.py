"""Files in the field's exchange format, and how their faults are said."""

from __future__ import annotations

import csv
import re

import pytest
from hypothesis import HealthCheck, settings

from clampsweep.errors import UserError
from clampsweep.studies.bcr import extracted

HEADER = ["core_id", "type", "level", "sweep", "prompt", "output"]
FINE = "The night was quiet, and nobody came."
BROKEN = "no no no no no no no no no no"
VALUES = [-100, -0.5, 0, None, 3, 25]  # in the order of the file; None is the baseline

relaxed = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def sweep_rows(outputs=None):
    """Two prompts of a sweep, as rows of the file."""
    rows = []
    for kind, level in (("declarative", 2), ("rhetorical", 4)):
        for value in VALUES:
            sweep = "baseline" if value is None else str(value)
            output = (outputs or {}).get(value, f"Out {kind} at {sweep}.")
            rows.append(["tea_is_cold", kind, str(level), sweep, f"The {kind} tea", output])
    return rows


def save_rows(path, rows, header=HEADER):
    with path.open("w", encoding="utf-8", newline="") as file:
        # Python before 3.13 leaves a lone \r unquoted, which ends a row for most readers.
        quoting = csv.QUOTE_ALL if any("\r" in cell for row in rows for cell in row) else 0
        writer = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=quoting)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def read(path, target="L11N373", **options):
    return extracted.read(path, target, **options)


def message_of(path, target="L11N373"):
    with pytest.raises(UserError) as caught:
        extracted.read(path, target)
    message = str(caught.value)
    assert len(message.splitlines()) == 1, "the user gets one line"
    assert message.startswith(str(path))
    return message


def assert_refused(path, row):
    """The message names the row, counted from 1 below the header, or its line in the file."""
    message = message_of(path)
    named = dict(re.findall(r"\b(row|line) (\d+)", message.removeprefix(str(path))[:40]))
    assert named, message
    assert named.get("row", str(row)) == str(row), message
    assert named.get("line", str(row + 1)) == str(row + 1), message
    return message


def nulls(frame, *columns):
    return bool(frame[list(columns)].isna().all(axis=None))
