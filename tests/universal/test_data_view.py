"""The tables on activations: read back, concluded from, drawn and reported."""

from __future__ import annotations

import numpy as np
import pytest

from clampsweep import ledger, tables
from clampsweep.errors import UserError
from clampsweep.studies.universal.claims.data import claims
from clampsweep.studies.universal.data_view import SCHEMAS, read_view
from clampsweep.studies.universal.figures.data import draw
from clampsweep.studies.universal.files import data as files
from clampsweep.studies.universal.report.data import section
from universal.data_tables import view


def test_every_table_is_read_and_a_missing_one_said(tmp_path):
    named = {name: str(tmp_path / f"{name}.parquet") for name in SCHEMAS}
    for name, schema in SCHEMAS.items():
        tables.write(getattr(view(), name), named[name], schema, {})
    found = read_view(named, "known")
    assert set(found._fields) == {*SCHEMAS, "domain"}
    assert all(len(getattr(found, name)) == len(getattr(view(), name)) for name in SCHEMAS)
    with pytest.raises(UserError, match="no such file; run the workflow"):
        read_view({**named, "values": str(tmp_path / "none.parquet")}, "known")


@pytest.mark.parametrize("compare", [True, False])
def test_every_figure_that_is_named_is_drawn(compare):
    drawn = draw(view(compare=compare), "a title")
    assert set(drawn) == set(files.FIGURES)
    for figure in drawn.values():
        figure.canvas.draw()
        assert figure.get_suptitle() == "a title"
    words = [text.get_text() for ax in drawn["log_ratios"].axes for text in ax.texts]
    assert ("The entry compares no domains." in words) is not compare


def test_figures_show_the_numbers_of_the_tables():
    found = view()
    drawn = draw(found, "a title")
    grown = found.convergence[found.convergence["var"] == "post"]
    lines = [line.get_ydata() for line in drawn["kurtosis_tokens"].axes[0].lines]
    assert any(np.array_equal(line, grown["median_kurt"]) for line in lines)
    median = found.stats[(found.stats["domain"] == "known") & (found.stats["var"] == "post")]
    wanted = median.groupby("layer")["kurt"].median()
    lines = [line.get_ydata() for line in drawn["kurtosis_layers"].axes[1].lines]
    assert any(np.array_equal(line, wanted) for line in lines)
    post = found.new_data[found.new_data["var"] == "post"].iloc[0]
    marks = drawn["log_ratios"].axes[0].lines
    assert any(np.array_equal(line.get_xdata(), [post["estimate"]]) for line in marks)


def test_the_section_says_what_was_found_and_what_not():
    found = view(heavier=3.0)
    concluded = ledger.conclusions(claims(found)).verdicts
    text = section(concluded, found)
    assert text.startswith("## Statistics of activations")
    row = concluded[(concluded["claim"] == "holds on new data")
                    & (concluded["by"] == "post kurtosis")].iloc[0]  # fmt: skip
    assert row["verdict"] == "contradicted"
    line = next(one for one in text.splitlines() if "new and known | post kurtosis | +" in one)
    assert f"{row['estimate']:+.3f}" in line and "1.00 / 0.50" in line
    assert line.endswith("contradicted |")
    for words in ("1885, 2264 and 3017", "4007 to 7830", "93.3 %", "-0.34"):
        assert words in text


def test_a_section_without_pairs_says_so():
    found = view(compare=False, gated=False)
    text = section(ledger.conclusions(claims(found)).verdicts, found)
    assert "compares no domains" in text and "cannot be tested" in text
