"""The tables of an entry on the planted model, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from clampsweep.studies.scrubbing.view import View, read_view
from scrubbing import viewed


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Paths of all tables, for looking and copying."""
    return viewed.write(tmp_path_factory.mktemp("view"))


@pytest.fixture(scope="session")
def view(files: dict[str, Path]) -> View:
    """What is read of them."""
    return read_view(files)
