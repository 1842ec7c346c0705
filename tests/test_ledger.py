"""The ledger of controls: no claim without a word on its controls, and no word without a claim."""

from __future__ import annotations

import ast
from pathlib import Path

import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.ledger import (
    Conclusions,
    conclusions,
    controls_table,
    ran,
    read,
    skipped,
    write,
)
from clampsweep.markdown import page
from clampsweep.verdicts import VERDICTS, Claim, Result, conclude

ROOT = Path(__file__).parent.parent
CONTROLS = [ran("matched neurons", 20, "of one layer"), skipped("logit biases", "not asked for")]


def row(claim="longer", subject="L1N2", by=""):
    result = Result(estimate=2.0, low=1.0, high=3.0, null=0.0, n=8, p=0.01, q=0.02)
    return conclude(
        Claim("maps", claim, subject, "greater", "words", by=by), result, "longer", "of 8 all"
    )


def written(found, folder):
    files = folder / "verdicts.parquet", folder / "ledger.parquet"
    write(found, *files, {"code": "c0de"})
    return files


def test_verdicts_and_ledger_are_written_with_what_made_them_and_join_by_their_claim(tmp_path):
    found = conclusions([(row(), CONTROLS), (row("louder", by="ear"), CONTROLS[:1])])
    files = written(found, tmp_path)
    kept = read(*files)
    assert [tables.footer(path)["code"] for path in files] == ["c0de"] * 2
    joined = kept.verdicts.merge(kept.ledger, on=list(VERDICTS.key), suffixes=("", "_of_control"))
    assert joined[["claim", "control", "ran"]].values.tolist() == [
        ["longer", "matched neurons", True],
        ["longer", "logit biases", False],
        ["louder", "matched neurons", True],
    ]
    assert joined["n_of_control"].tolist() == [20, pd.NA, 20]


@pytest.mark.parametrize(
    "lacking", [row("louder"), row(subject="L1N3"), row(by="ear")], ids=["claim", "subject", "by"]
)
def test_a_claim_without_a_word_on_its_controls_is_not_written(tmp_path, lacking):
    with pytest.raises(UserError) as caught:
        written(conclusions([(row(), CONTROLS), (lacking, [])]), tmp_path)
    message = str(caught.value)
    assert "\n" not in message and "lacks a line in the ledger" in message
    assert repr(lacking["claim"]) in message and lacking["subject"] in message
    assert not list(tmp_path.iterdir())


def test_controls_of_a_claim_that_nobody_makes_are_not_written(tmp_path):
    whole = conclusions([(row(), CONTROLS), (row("louder"), CONTROLS)])
    with pytest.raises(UserError, match=r"'louder'.* lacks a verdict"):
        written(Conclusions(whole.verdicts.iloc[:1], whole.ledger), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("control", "said"),
    [
        (skipped("logit biases", ""), "logit biases skipped; say why"),
        (ran("logit biases", 0), "logit biases ran; say how many"),
    ],
)
def test_a_control_says_how_many_ran_or_why_none_did(tmp_path, control, said):
    with pytest.raises(UserError, match=said):
        written(conclusions([(row(), [control])]), tmp_path)


def test_a_control_stands_once_for_a_claim(tmp_path):
    with pytest.raises(UserError, match="more than one row"):
        written(conclusions([(row(), [CONTROLS[0]] * 2)]), tmp_path)


def test_a_verdict_that_does_not_follow_from_its_numbers_is_not_written(tmp_path):
    with pytest.raises(UserError, match="say 'inconclusive'"):
        written(conclusions([(row() | {"q": 0.5}, CONTROLS)]), tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_claims_are_tables_too(tmp_path):
    files = written(conclusions([]), tmp_path)
    assert all(table.empty for table in read(*files))


def test_only_the_ledger_writes_verdicts():
    # So no study can keep verdicts and forget their controls.
    places = ("src", "workflow/scripts", "templates")
    paths = [path for place in places for path in (ROOT / place).rglob("*.py")]
    calls = [
        (path, ast.unparse(node.func), {ast.unparse(arg) for arg in node.args})
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]
    writers = {
        str(path.relative_to(ROOT))
        for path, name, args in calls
        if name.split(".")[-1] == "write"
        and any(one.endswith(("VERDICTS", "LEDGER")) for one in args)
    }
    assert writers == {"src/clampsweep/ledger.py"}


# As a table of a report


def test_the_table_has_a_line_for_all_claims_of_which_it_says_the_same():
    rows = [(row("special", f"L1N{at}", by), CONTROLS) for at in (2, 3) for by in ("ear", "eye")]
    found = conclusions([*rows, (row("louder"), CONTROLS[1:])])
    lines = controls_table(found.ledger).splitlines()
    assert lines[2:] == [
        "| matched neurons | special (2 subjects) | ran | 20 | of one layer |",
        "| logit biases | special (2 subjects) and louder | skipped |  | not asked for |",
    ]


def test_reasons_cannot_break_the_table():
    found = conclusions([(row(), [skipped("<b>", "a\n*b* <i>")])])
    shown = page(controls_table(found.ledger), "t").partition("<body>")[2]
    assert shown.count("<tr>") == 2 and "a *b* &lt;i&gt;" in shown
