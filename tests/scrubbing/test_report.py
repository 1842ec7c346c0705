from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from clampsweep.markdown import page
from clampsweep.studies.scrubbing.attention_means import parroting
from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.report import SHOWN, summary
from clampsweep.studies.scrubbing.two_heads import attribution_correlation
from clampsweep.studies.scrubbing.view import View
from scrubbing import viewed

TITLE = "planted, 12 examples of 32 tokens"
FILES = {"summary.md": "the answers", "figures/": "the figures"}
UNCERTAIN = "NON-ERB UNCOMMON REPEATS"  # nothing is recovered there: undefined

Table = list[list[str]]


def said(view: View, **changes: object) -> str:
    return summary(view._replace(**changes), viewed.PAIR, TITLE, FILES)


def _cells(text: str) -> Iterator[Table]:
    """Tables as the page's parser reads them: the text of each cell, code without its ticks."""
    for token in MarkdownIt("commonmark", {"html": False}).enable("table").parse(text):
        if token.type == "table_open":
            rows: Table = []
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and token.level > 3:
            rows[-1].append("".join(part.content for part in token.children or ()))
        elif token.type == "table_close":
            yield rows


def table(text: str, *head: str) -> Table:
    """The rows below a head that begins so."""
    (found,) = [rows for rows in _cells(text) if rows[0][: len(head)] == list(head)]
    assert {len(row) for row in found} == {len(found[0])}
    return found[1:]


def numbers(cell: str) -> list[float]:
    return [float(one) for one in re.findall(r"[-+]?\d+(?:\.\d+)?", cell)]


@pytest.fixture(scope="module")
def text(view: View) -> str:
    return said(view)


def test_the_first_table_is_loss_recovered_with_its_interval(text, view):
    rows = table(text, "experiment")
    names = ["unscrubbed", "baseline", "circuit", "circuit-decoherent", "wrong", *viewed.PAIR]
    assert [row[0] for row in rows] == names, "random hypotheses are left out"
    known = view.table.set_index(["experiment", "category"])
    for name, *cells in rows:
        for category, cell in zip(SHOWN, cells, strict=True):
            row = known.loc[(name, category)]
            if name in ("unscrubbed", "baseline"):
                assert cell == f"{row['mean']:.3f} nats"
            elif category == UNCERTAIN:
                assert cell == "undefined" and row["undefined"]
            else:
                shares = [100 * row[of] for of in ("loss_recovered", "ci_low", "ci_high")]
                assert numbers(cell) == pytest.approx(shares, abs=0.5001)
    by_name = {row[0]: row for row in rows}
    assert by_name["circuit"][1] == "100 % [100, 100]" and numbers(by_name["wrong"][4])[0] < -30


def test_a_category_without_positions_says_so(view):
    empty = view.table.copy()
    own = empty["category"] == "CANDIDATES"
    empty.loc[own, ["mean", "variance", "loss_recovered", "ci_low", "ci_high"]] = np.nan
    empty.loc[own, ["count", "n_examples"]] = 0
    empty.loc[own, "undefined"] = True
    cells = {row[1] for row in table(said(view, table=empty), "experiment")}
    assert cells == {"no positions"}


def test_the_headline_is_of_the_curve_and_says_each_verdict(text, view):
    head = text.split("Heads by role")[0]
    assert "- **recovers most**: circuit (100 %)" in head
    assert "wrong" not in head
    bare = {**view.resolved, "curve": {}}
    every = said(view, resolved=bare).split("Heads by role")[0]
    assert re.search(r"- \*\*recovers less than half\*\*: wrong \(-3\d %\), scrub-1 \(0 %\)", every)


def test_a_curve_of_the_baseline_alone_leaves_the_headline_to_all_hypotheses(view):
    ends = {**view.resolved, "curve": {"baseline": 0.0, "unscrubbed": 1.0}}
    head = said(view, resolved=ends).split("Heads by role")[0]
    assert "circuit (100 %)" in head and "wrong" in head


def test_roles_are_named_by_layer_and_head(text):
    assert "Heads by role, best first: prev 0.0; self 0.1; first none; induction 1.0." in text


def test_faithfulness_has_the_areas_of_each_category(text, view):
    rows = table(text, "category", "CPR", "CMD")
    assert [row[0] for row in rows] == list(CATEGORIES)
    for row, own in zip(rows, view.curves.to_dict("records"), strict=True):
        for cell, name in zip(row[1:], ("cpr", "cmd"), strict=True):
            if pd.isna(own[name]):
                assert cell == "undefined"
            else:
                wanted = [own[name], own[f"{name}_low"], own[f"{name}_high"]]
                assert numbers(cell) == pytest.approx(wanted, abs=0.00501)
    assert "baseline (0 %), circuit (33 %), unscrubbed (100 %)" in text  # keeps 3 of 9 cells
    assert numbers(rows[0][1])[0] == 0.83  # (0 + 1) / 2 / 3 + 2 / 3


def test_without_a_curve_there_is_no_word_of_it(view):
    bare = {**view.resolved, "curve": {}}
    without = said(view, curves=view.curves[:0], resolved=bare)
    assert "Faithfulness" not in without and "CPR" not in without


def test_random_hypotheses_stand_beside_those_that_were_held_against_them(text, view):
    rows = table(text, "hypothesis", "category")
    verdicts = view.concluded.verdicts
    own = verdicts[(verdicts["claim"] == "beats random") & verdicts["by"].isin(SHOWN)]
    assert len(rows) == len(own) == 4
    for row, one in zip(rows, own.to_dict("records"), strict=True):
        assert row[:2] == ["circuit", one["by"]]
        assert row[2] == f"cannot be tested: {one['reason']}"  # by two
        if one["by"] == UNCERTAIN:
            assert row[3:] == ["", "", ""]
        else:
            wanted = [100 * one["estimate"], 100 * one["null"]]
            assert [numbers(cell)[0] for cell in row[3:5]] == pytest.approx(wanted, abs=0.501)
            assert float(row[5]) == pytest.approx(one["q"], rel=0.05)
    none = view.concluded._replace(verdicts=verdicts[verdicts["claim"] != "beats random"])
    assert "No hypothesis was held against random ones" in said(view, concluded=none)


def test_two_heads_have_harms_difference_and_verdict(text, view):
    rows = table(text, "category", "scrub-1", "scrub-2")
    known = view.two_heads.set_index("category")
    assert [row[0] for row in rows] == list(known.index[known["difference"].notna()])
    said_of = view.concluded.verdicts.query("claim == 'heads differ'").set_index("by")["words"]
    columns = [("first_harm", "first_low", "first_high"), ("second_harm", "second_low",
               "second_high"), ("difference", "low", "high")]  # fmt: skip
    for category, *cells, words in rows:
        for cell, names in zip(cells, columns, strict=True):
            wanted = [known.loc[category, name] for name in names]
            assert numbers(cell) == pytest.approx(wanted, abs=0.000501)
        assert words == said_of[category]
    assert "their losses differ" in {row[-1] for row in rows}
    assert pd.isna(attribution_correlation(view.saa, *viewed.PAIR))  # scrub-2 changes nothing
    assert "Spearman" not in text


def test_the_correlation_of_attributions_is_said_where_there_is_one(view):
    saa = view.saa.copy()
    saa["dloss"] = np.where(saa["second"] == "scrub-1", 1.0, -1.0) * saa["position"]
    found = said(view, saa=saa)
    assert "Spearman's rank correlation of their attributions over tokens is -1.00." in found


def test_of_one_example_harm_has_no_interval(view):
    two = view.two_heads.copy()
    ends = ["first_low", "first_high", "second_low", "second_high", "low", "high"]
    two.loc[two["category"] == "CANDIDATES", ends] = np.nan
    (row,) = [one for one in table(said(view, two_heads=two), "category", "scrub-1", "scrub-2")
              if one[0] == "CANDIDATES"]  # fmt: skip
    assert [len(numbers(cell)) for cell in row[1:4]] == [1, 1, 1]
    assert "nan" not in "".join(row)


def test_tokens_that_are_markup_stand_in_their_cell_as_they_are(text, view):
    rows = table(text, "head", "tokens")
    own = view.totals[view.totals["experiment"] == "unscrubbed"]
    assert [row[0] for row in rows] == ["1.0"]
    most = parroting(own, 0, 12).to_dict("records")
    quoted = [(json.dumps(view.texts[row["token"]]), row["total"]) for row in most]
    assert rows[0][1] == ", ".join(f"{token} {total:.2f}" for token, total in quoted)
    assert len({view.texts[row["token"]] for row in most} & set(viewed.HOSTILE)) > 6


@pytest.mark.parametrize("text_of", viewed.HOSTILE)
def test_no_token_breaks_out_of_its_table(view, text_of):
    found = said(view, texts=[text_of] * len(view.texts))
    html = page(found, TITLE)
    assert len(list(_cells(found))) == 6
    for rows in _cells(found):
        assert {len(row) for row in rows} == {len(rows[0])}
    assert "<script>" not in html and "<em>x" not in html and "<a " not in html


def test_without_totals_of_unscrubbed_those_of_the_first_experiment_are_listed(view):
    other = view.totals[view.totals["experiment"] == "wrong"]
    (row,) = table(said(view, totals=other), "head", "tokens")
    most = parroting(other, 0, 12)
    assert len(re.findall(r" \d\.\d\d(?:,|$)", row[1])) == len(most) == 12


def test_tokens_that_occur_less_than_three_times_are_no_list(view):
    few = view.totals[view.totals["example"] == 0]
    assert table(said(view, totals=few), "head", "tokens") == [["1.0", "none occurs three times"]]


def test_controls_and_files_are_at_the_end(text, view):
    rows = table(text, "control", "of the claim")
    assert {row[0] for row in rows} == set(view.concluded.ledger["control"])
    assert text.rstrip().endswith("- `summary.md`: the answers\n- `figures/`: the figures")
