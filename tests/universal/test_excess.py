"""Excess correlation over other models, by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from clampsweep.studies.universal.excess import above, excess
from clampsweep.studies.universal.pair_tables import CORR

MEASURES = ("corr", "baseline", "baseline_orthogonal", "shifted")
COLUMNS = ["other", "aligned", "layer", "neuron", *MEASURES]


def pairs(*rows: tuple[object, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS)


TWO = pairs(
    ("b", "tokens", 0, 0, 0.9, 0.2, 0.1, 0.3),
    ("b", "tokens", 0, 1, 0.5, 0.2, 0.2, 0.6),
    ("c", "tokens", 0, 0, 0.7, 0.3, 0.2, 0.2),
    ("c", "tokens", 0, 1, 0.6, 0.1, 0.2, 0.4),
)


def test_means_over_other_models() -> None:
    found = excess(TWO, 0.5).set_index("neuron")
    assert list(found.reset_index()) == ["neuron", *(c for c in CORR.columns if c != "neuron")]
    assert found.loc[0, "mean_corr"] == pytest.approx(0.8)
    assert found.loc[0, "mean_baseline"] == pytest.approx(0.25)
    assert found.loc[0, "excess_corr"] == pytest.approx(0.55)
    assert found.loc[0, "excess_orthogonal"] == pytest.approx(0.65)
    assert found.loc[1, "excess_corr"] == pytest.approx(0.4)
    assert found["universal"].tolist() == [True, False]
    assert found["chance"].tolist() == [False, True]  # as many, of the highest by shifted text
    assert (found["excess_corr"] == found["mean_corr"] - found["mean_baseline"]).all()


def test_the_cut() -> None:
    assert excess(TWO, 0.39)["universal"].sum() == 2
    assert excess(TWO, 0.56)[["universal", "chance"]].sum().tolist() == [0, 0]
    found = excess(TWO, 0.3)
    assert above(found, "mean_corr", 0.3) == 2
    assert above(found, "mean_shifted", 0.3) == 1


def test_models_of_another_tokenizer_count_only_where_there_are_no_others() -> None:
    far = pairs(("d", "characters", 0, 0, 0.1, 0.1, 0.1, 0.1))
    both = excess(pd.concat([TWO, far]), 0.5)
    assert both["n_others"].tolist() == [2, 2]
    assert set(both["aligned"]) == {"tokens"}
    alone = excess(far, 0.5)
    assert alone["aligned"].tolist() == ["characters"]
    assert alone["universal"].tolist() == [False]


def test_a_neuron_that_is_constant_is_not_universal() -> None:
    rows = pairs(
        ("b", "tokens", 0, 0, None, None, None, None), ("b", "tokens", 0, 1, 0.9, 0.1, 0.1, 0.1)
    )
    found = excess(rows, 0.5)
    assert found["excess_corr"].isna().tolist() == [True, False]
    assert found["universal"].tolist() == [False, True]


def test_without_other_models_there_is_no_row() -> None:
    found = excess(pairs(), 0.5)
    assert list(found) == list(CORR.columns)
    assert found.empty
