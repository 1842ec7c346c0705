"""Published figures beside an entry's: which hold, which differ, which it cannot test."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.reading import read
from clampsweep.studies.scrubbing.reference import REFERENCE, Figure, compare, read_reference
from clampsweep.tables import write

DATA = Path(__file__).parents[2] / "workflow/data/scrubbing"
FIGURES = read_reference(DATA / "reference.yaml")


def table(*rows: tuple[str, str, float, float, int, int, float | None]) -> pd.DataFrame:
    names = ["experiment", "category", "mean", "variance", "count", "n_examples", "loss_recovered"]
    return pd.DataFrame(rows, columns=names)


def test_the_shipped_figures_are_those_of_the_notebook_and_of_experiments_that_are_there():
    by_name = {(one.experiment, one.category, one.figure): one.published for one in FIGURES}
    assert len(by_name) == len(FIGURES) == 2 * 19 + 27
    assert by_name["ev", "CANDIDATE ERB", "mean"] == 0.760
    assert by_name["unscrubbed", "OVERALL", "positions of an example"] == 300
    assert by_name["all", "CANDIDATES", "loss recovered"] == 0.37
    hypotheses = read(DATA / "published_hypotheses.yaml").hypotheses
    assert {one.experiment for one in FIGURES} <= {"unscrubbed", *(one.name for one in hypotheses)}


def test_means_counts_and_shares_hold_within_their_tolerances_and_differ_beyond(tmp_path):
    figures = [
        Figure("ev", "OVERALL", "mean", 4.0, None),
        Figure("ev", "OVERALL", "positions of an example", 100.0, 5.0),
        Figure("ev", "OVERALL", "loss recovered", 0.9, 0.03),
    ]
    # Three standard errors of a mean: 3 * sqrt(9 / 900) = 0.3.
    near = compare(table(("ev", "OVERALL", 4.29, 9.0, 94_500, 900, 0.871)), figures)
    assert near["status"].tolist() == ["holds"] * 3
    assert near["tolerance"].tolist() == pytest.approx([0.3, 5, 0.03])
    assert near["found"].tolist() == pytest.approx([4.29, 105, 0.871])
    far = compare(table(("ev", "OVERALL", 4.31, 9.0, 95_000, 900, 0.869)), figures)
    assert far["status"].tolist() == ["differs"] * 3
    write(far, tmp_path / "reference.parquet", REFERENCE, {})


def test_what_the_entry_lacks_is_not_tested(tmp_path):
    figures = [
        Figure("ev", "OVERALL", "loss recovered", 0.9, 0.03),
        Figure("eq", "OVERALL", "mean", 4.0, None),
    ]
    found = compare(table(("ev", "OVERALL", 4.0, 9.0, 10, 10, None)), figures)
    assert found["status"].tolist() == ["not tested"] * 2
    assert found["found"].isna().all()
    write(found, tmp_path / "reference.parquet", REFERENCE, {})


@pytest.mark.parametrize(
    "text",
    ["figures: []", "examples: 10", "examples: ten\nfigures: []\nrecovered: {}",
     "examples: 10\nfigures: [{experiment: ev}]\nrecovered: {}",
     "examples: 10\nfigures: []\nrecovered: {SOME: {ev: 90}}"],
)  # fmt: skip
def test_a_file_of_another_form_is_refused_in_a_line(tmp_path, text):
    path = tmp_path / "figures.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"figures\.yaml: lacks .*; write examples, figures"):
        read_reference(path)
