"""Clamps that tables of results name: with values of neurons' own, and without what steers."""

from __future__ import annotations

from pathlib import Path

import pytest

from clampsweep.errors import UserError
from clampsweep.explorer import importing
from clampsweep.explorer.settings import ClampSetting
from clampsweep.studies.bcr.rates import RATES
from factories import baseline, generation
from sweep_tables import FINE, make, write

MANY = "+".join(f"L1N{neuron}=0.5" for neuron in range(5))


def test_targets_with_values_of_their_own_are_offered_and_directions_left_out(
    tmp_path: Path,
) -> None:
    rows = [baseline("a", FINE), generation("a", FINE, 2.5)]
    rows += [
        generation("a", FINE, None, target=target)
        for target in ("L0N1=-2.5+L2N3=1e20", MANY, MANY.replace("N4=0.5", "N5=0.5"))
    ]
    rows += [generation("a", FINE, 1.0, target="L1@calm", operation="steer")]
    write(make(rows), tmp_path / "own")
    (path,) = importing.importable(tmp_path).values()
    found = importing.read_table(path)
    many, other = (
        [ClampSetting(1, at, "set", 0.5) for at in own] for own in (range(5), (0, 1, 2, 3, 5))
    )
    assert found == {
        "L1N2 set +2.5": [ClampSetting(1, 2, "set", 2.5)],
        "L0N1=-2.5+L2N3=1e20 set": [
            ClampSetting(0, 1, "set", -2.5),
            ClampSetting(2, 3, "set", 1e20),
        ],
        "L1N0=0.5 and 4 more set": many,
        "L1N0=0.5 and 4 more (2) set": other,
    }


def test_a_table_of_another_kind_gives_no_clamps(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "rates.parquet").write_bytes(b"no table")
    (path,) = importing.importable(tmp_path).values()
    with pytest.raises(UserError, match="not a whole Parquet file"):
        importing.read_table(path)
    assert "rates" in RATES.name
