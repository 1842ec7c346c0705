"""What tests of RAVEL share: the planted model, its files, and what it knows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from backtracking.loaded import loaded
from clampsweep.studies.steering.ravel_data import Ravel, read_ravel, templates_of
from clampsweep.studies.steering.ravel_known import find_known
from steering.ravel_planted import KIND, LETTERS, plain, write_ravel

if TYPE_CHECKING:
    from clampsweep.models.model import Model


@pytest.fixture(scope="session")
def planted(tmp_path_factory) -> Model:
    return loaded(tmp_path_factory.mktemp("planted"), plain())


@pytest.fixture(scope="session")
def letters(tmp_path_factory) -> Ravel:
    return read_ravel(write_ravel(tmp_path_factory.mktemp("ravel")), KIND)


@pytest.fixture(scope="session")
def known(planted, letters) -> pd.DataFrame:
    templates = {name: templates_of(letters, name, "train") for name in "AB"}
    return find_known(planted, letters, LETTERS, templates).table
