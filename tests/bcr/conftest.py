"""Fixtures of the tests of baseline collapse recovery."""

from __future__ import annotations

import uuid

import pytest

from extracted_files import HEADER, save_rows


@pytest.fixture
def save(tmp_path):
    """Writes rows to a TSV of its own for every call."""
    return lambda rows, header=HEADER: save_rows(tmp_path / f"{uuid.uuid4().hex}.tsv", rows, header)
