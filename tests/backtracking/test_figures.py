"""All figures of an entry, from made-up tables and from files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from backtracking.figures import made
from clampsweep import tables
from clampsweep.figures.outputs import save_figures
from clampsweep.studies.backtracking.effects import EFFECTS
from clampsweep.studies.backtracking.figures.all_figures import Given, draw, drawn
from clampsweep.studies.backtracking.figures.index import FIGURES
from clampsweep.studies.backtracking.held_areas import HELDOUT
from clampsweep.studies.backtracking.pairs import PAIRED
from clampsweep.studies.backtracking.ranking import NEURONS
from clampsweep.studies.backtracking.rates import RATES
from clampsweep.studies.backtracking.sampling import SAMPLES
from clampsweep.studies.backtracking.tables import AROUND

CAPTIONS = Path(__file__).parents[2] / "workflow/report/backtracking"
RANKED = made.neurons()
OF_CONTRAST = {
    "neurons": (RANKED, NEURONS), "heldout": (made.heldout(), HELDOUT),
    "effects": (made.effects(), EFFECTS), "around": (made.around(RANKED, 8), AROUND),
}  # fmt: skip


def given(**changed: object) -> Given:
    every = {name: {"gross": table} for name, (table, _) in OF_CONTRAST.items()}
    every |= {"rates": made.rates(), "paired": made.paired(), "why": {"gross": ""}}
    return Given(**{**every, **changed})


def words(figure) -> str:
    every = [text.get_text() for ax in figure.axes for text in ax.texts]
    return " ".join([figure.get_suptitle(), *every])


@pytest.mark.parametrize(
    ("table", "schema"),
    [*OF_CONTRAST.values(), (made.rates(), RATES), (made.paired(), PAIRED)],
    ids=lambda one: getattr(one, "name", ""),
)
def test_made_up_tables_have_the_columns_of_the_real_ones(table, schema):
    assert set(table.columns) == set(schema.columns)


def test_every_figure_of_the_index_is_drawn_has_a_caption_and_is_saved(tmp_path):
    figures = draw(given(), "tiny, gross")
    assert set(figures) == set(FIGURES)
    assert {path.stem for path in CAPTIONS.glob("*.rst")} - {"summary"} == set(FIGURES)
    paths = [tmp_path / f"{name}.{ending}" for name in FIGURES for ending in ("svg", "png")]
    save_figures(figures, paths)
    assert all(path.stat().st_size > 1000 for path in paths)
    assert all("tiny, gross" in figure.get_suptitle() for figure in figures.values())


def test_of_an_entry_without_events_every_figure_says_why():
    none = {name: {"chain": made.none(table)} for name, (table, _) in OF_CONTRAST.items()}
    reason = "insufficient events: 0 from 0 problems"
    figures = draw(given(**none, why={"chain": reason}, paired=None), "tiny")
    for name, figure in figures.items():
        if not name.startswith(("rates", "pairs")):
            assert f"chain: {reason}" in words(figure), name
    assert "No texts" in words(figures["pairs"])


def written(table: pd.DataFrame, schema: tables.Schema, path: Path) -> str:
    kinds = {"int": "Int64", "float": "float64", "bool": "boolean"}
    known = {name: kinds[one.type] for name, one in schema.columns.items() if one.type in kinds}
    tables.write(table[list(schema.columns)].astype(known), path, schema, {})
    return str(path)


def test_tables_are_read_from_the_files_of_the_rule(tmp_path):
    files: dict[str, object] = {}
    for name, (table, schema) in {**OF_CONTRAST, "logit": (made.heldout()[:0], HELDOUT)}.items():
        files[name] = [
            written(made.none(table), schema, tmp_path / f"chain_{name}.parquet"),
            written(table, schema, tmp_path / f"gross_{name}.parquet"),
        ]
    samples = pd.DataFrame(columns=list(SAMPLES.columns))
    files["samples"] = written(samples, SAMPLES, tmp_path / "samples.parquet")
    files["rates"] = written(made.rates(), RATES, tmp_path / "rates.parquet")
    asked = [f"figures/{name}.svg" for name in FIGURES]
    params = SimpleNamespace(
        contrasts=["chain", "gross"], minimum=[0, 0], top=20, title="tiny, chain, gross"
    )
    figures = drawn(files, params, asked)
    assert "chain: insufficient events" in words(figures["heldout"])
    assert "No texts" in words(figures["pairs"])
    files["paired"] = written(made.paired(), PAIRED, tmp_path / "paired.parquet")
    params.minimum = [30, 15]
    figures = drawn(files, params, asked)
    assert "chain: insufficient events: 0 from 0 problems" in words(figures["dose"])
    assert len(figures["pairs"].axes) == 8
    assert set(drawn(files, params, ["figures/pairs.svg", "figures/pairs.png"])) == {"pairs"}
