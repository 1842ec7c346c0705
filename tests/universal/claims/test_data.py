"""Verdicts on statistics of activations follow from the tables, in both directions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clampsweep import ledger
from clampsweep.ledger import Conclusions
from clampsweep.statistics import benjamini_hochberg
from clampsweep.studies.universal.claims.data import (
    BIAS,
    CONVERGED,
    NEGATIVE,
    POOLED,
    PRODUCT,
    RELY,
    claims,
)
from clampsweep.studies.universal.claims.pairs import HOLDS, RANKS, TOP
from universal.data_tables import view


def concluded(folder, **changes) -> Conclusions:
    found = ledger.conclusions(claims(view(**changes)))
    ledger.write(found, folder / "verdicts.parquet", folder / "ledger.parquet", {})  # checks all
    return found


def of(found: Conclusions, claim: str, by: str | None = None) -> pd.DataFrame:
    rows = found.verdicts[found.verdicts["claim"] == claim]
    return rows if by is None else rows[rows["by"] == by]


def test_what_differs_by_chance_is_not_said_to_differ(tmp_path):
    found = concluded(tmp_path)
    rows = of(found, HOLDS)
    assert rows["by"].tolist() == ["gate kurtosis", "share above 0", "gate mean",
                                   "post kurtosis"]  # fmt: skip
    assert not (rows["verdict"] == "contradicted").any()
    assert (rows["verdict"] == "supported").sum() >= 2
    assert rows["q"].to_numpy() == pytest.approx(benjamini_hochberg(rows["p"].tolist()))
    assert rows["margin"].tolist() == pytest.approx([np.log(1.25), np.log(1.25), 0.2, np.log(1.25)])


def test_heavier_tails_on_new_data_contradict_that_they_hold(tmp_path):
    found = concluded(tmp_path, heavier=3.0)
    row = of(found, HOLDS, "post kurtosis").iloc[0]
    assert row["verdict"] == "contradicted" and row["low"] > np.log(1.25)
    assert row["words"] == f"does not hold: {np.exp(row['estimate']):.2f} times as large"


def test_ranks_of_neurons_that_are_all_alike_are_neither_kept_nor_reliable(tmp_path):
    found = concluded(tmp_path)
    assert not (of(found, RELY)["verdict"] == "supported").any()  # neurons differ by chance only
    assert (of(found, TOP)["null"] == 0.5).all()
    assert set(of(found, RANKS)["by"]) == {"gate kurtosis", "post kurtosis"}
    assert not (of(found, CONVERGED)["q"].isna()).any()


def test_gates_about_zero_are_not_said_to_be_negative(tmp_path):
    rows = of(concluded(tmp_path), NEGATIVE)
    assert rows["subject"].tolist() == ["known", "new"]
    assert not (rows["verdict"] == "supported").any()
    assert rows["why"].str.contains("base rate").all()


def test_a_kurtosis_above_all_products_by_chance_is_found(tmp_path):
    row = of(concluded(tmp_path), PRODUCT).iloc[0]
    assert (row["verdict"], row["estimate"]) == ("supported", 2.0)
    assert row["null"] == pytest.approx(1.1) and row["q"] == 1 / 25


def test_without_a_gate_there_is_no_product(tmp_path):
    row = of(concluded(tmp_path, gated=False), PRODUCT).iloc[0]
    assert row["verdict"] == "untestable"


def test_the_originals_numbers_are_vacuous(tmp_path):
    found = concluded(tmp_path)
    rows = pd.concat([of(found, POOLED), of(found, BIAS)])
    assert rows["verdict"].tolist() == ["vacuous"] * 3
    assert rows["estimate"].tolist()[:2] == [0.97, 0.97]
    assert rows["subject"].str.cat(sep=" ").count("7830") == 1


def test_an_entry_that_compares_nothing_concludes_the_rest(tmp_path):
    found = concluded(tmp_path, compare=False)
    assert of(found, HOLDS).empty and of(found, RANKS).empty
    assert len(of(found, RELY)) == 4
