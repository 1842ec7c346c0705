"""The tables of an entry's agreement, made of files: with other models, and without."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.universal.agreed import SCHEMAS, read
from clampsweep.studies.universal.agreement_tables import agreement_tables
from clampsweep.studies.universal.gt1_tables import NEURONS
from clampsweep.studies.universal.neuron_table import STATS
from clampsweep.studies.universal.pair_tables import NULLS, PAIRS
from clampsweep.studies.universal.vocabulary import VOCABULARY
from clampsweep.studies.universal.weights import WEIGHTS
from clampsweep.tables import Schema
from universal.agreements import PLACE, N, nulls, pairs

ASKED = {"cut": 0.3, "checkpoints": [], "seed": 0}


def random_rows(schema: Schema, place: dict[str, object]) -> pd.DataFrame:
    """Rows of neurons, all else at random in 0..1."""
    rng = np.random.default_rng(0)
    left = [name for name in schema.columns if name not in place]
    return pd.DataFrame({**place, **{name: rng.random(N) for name in left}})


@pytest.fixture
def given(tmp_path: Path) -> SimpleNamespace:
    """Paths of an entry's tables, of two other models and a checkpoint."""
    rng = np.random.default_rng(0)
    place: dict[str, object] = {**PLACE}
    rows = {"domain": "prose", "var": "gate", "n": 100, **place}
    frames = {
        "stats": (random_rows(STATS, rows), STATS),
        "weights": (random_rows(WEIGHTS, {"processing": "folded", **place}), WEIGHTS),
        "vocabulary": (random_rows(VOCABULARY, {"processing": "folded", **place}), VOCABULARY),
    }
    strength = 0.6 * (np.arange(N) % 5 == 0)
    for name in ("b", "c", "early"):
        frames[f"pairs_{name}"] = (pairs(rng, name, strength), PAIRS)
        frames[f"nulls_{name}"] = (nulls(rng, name), NULLS)
    for name, (frame, schema) in frames.items():
        tables.write(frame, tmp_path / name, schema, {})
    own = {name: tmp_path / name for name in ("stats", "weights", "vocabulary")}
    return SimpleNamespace(
        **own,
        pairs=[tmp_path / "pairs_b", tmp_path / "pairs_c"],
        nulls=[tmp_path / "nulls_b", tmp_path / "nulls_c"],
        earlier=[tmp_path / "pairs_early"],
    )


def test_of_two_other_models_and_a_checkpoint(given: SimpleNamespace, tmp_path: Path) -> None:
    found = agreement_tables(given, {**ASKED, "checkpoints": ["early"]})
    for name, (frame, schema) in found.items():
        tables.write(frame, tmp_path / f"{name}.parquet", schema, {})
    paths = {name: str(tmp_path / f"{name}.parquet") for name in SCHEMAS if name != "ablation"}
    again = read({**paths, "ablation": []})
    assert again.corr["universal"].sum() == N / 5
    assert set(again.pairs["other"]) == {"b", "c"}
    assert set(again.nulls["other"]) == {"b", "c"}
    assert set(again.persistence["checkpoint"]) == {"early"}
    assert again.ablation.empty
    assert len(found["neurons"][0]) == N
    assert list(found["neurons"][0]) == list(NEURONS.columns)
    assert (again.gt1["n"] > 0).all()


def test_without_other_models_there_are_neurons_and_base_rates(
    given: SimpleNamespace, tmp_path: Path
) -> None:
    alone = SimpleNamespace(**{**vars(given), "pairs": [], "nulls": [], "earlier": []})
    found = agreement_tables(alone, ASKED)
    for name, (frame, schema) in found.items():
        tables.write(frame, tmp_path / f"{name}.parquet", schema, {})
    empty = {name for name, (frame, _) in found.items() if frame.empty}
    assert empty == {"pairs", "nulls", "corr", "gt1", "persistence"}
    assert found["rates"][0]["n"].tolist() == [N, N]
    assert found["rates"][0]["share"].iloc[1] == pytest.approx(0.5, abs=0.2)


def test_a_table_that_is_missing(given: SimpleNamespace) -> None:
    given.stats.unlink()
    with pytest.raises(UserError, match="no such file"):
        agreement_tables(given, ASKED)
