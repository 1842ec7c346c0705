"""The summary: verdict first, tables and counts as counted by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clampsweep import tables
from clampsweep.studies.bcr import view
from clampsweep.studies.bcr.summary import summary
from clampsweep.texts.gather import GENERATIONS
from factories import baseline, generation
from said import lines_of, verified, with_controls
from sweep_tables import (
    FINE,
    beside_controls,
    clamped,
    known,
    make,
    untouched,
)


def test_the_summary_opens_with_the_verdict_and_how_many_collapsed():
    lines = summary(make(known())).splitlines()
    assert lines[0] == "# tiny, L1N2, set"
    assert lines[2] == (
        "**surface: 2 of 2 collapsed texts rescued; too few prompts to be significant; "
        "not compared with controls.** "
        "2 of 4 baselines collapsed: none blank, 2 broken."
    )


def test_without_controls_the_summary_says_that_it_did_not_test_whether_the_neuron_is_special():
    text = summary(make(known()))
    assert "Not tested whether this neuron is special" in text
    assert "more than its controls?" not in text and "Among controls" not in text


def test_the_summary_tables_every_clamp_in_order():
    # Nets of a to d are 1, 0, -1, -1 at -5: of 256 draws of four, 16 sum to -4, 5 to 3 or more.
    none, half, all_ = "0.0 % [0.0, 65.8]", "50.0 % [9.5, 90.5]", "100.0 % [34.2, 100.0]"
    assert lines_of(summary(make(known())), "| `L1N2") == [
        f"| `L1N2 set -5` | 1 / 2 | {half} | 2 / 2 | {all_} | -1 {{-4, 2}} | 1 | 1 | 1 |",
        f"| `L1N2 set 0` | 0 / 2 | {none} | 0 / 2 | {none} | 0 {{0, 0}} | 1 | 1 | 1 |",
        f"| `L1N2 set +10` | 2 / 2 | {all_} | 1 / 2 | {half} | +1 {{-2, 4}} | 1 | 1 | 1 |",
    ]


@pytest.mark.parametrize(
    ("margin", "said"),
    [
        (0.5, "Numerically fragile texts: 0 of 2."),
        (0.0005, "Numerically fragile texts: 1 of 2."),
        (0.001, "Numerically fragile texts: 0 of 2."),
    ],
)
def test_the_summary_counts_numerically_fragile_texts(margin, said):
    rows = [baseline("a", FINE), generation("a", FINE, 3.0, min_margin=margin)]
    assert said in summary(make(rows))


def test_unrecorded_margins_are_not_called_safe():
    rows = [baseline("a", FINE, min_margin=None), generation("a", FINE, 3.0, min_margin=None)]
    assert "Numerically fragile texts: not known" in summary(make(rows))


def test_the_summary_lists_the_files_that_it_is_given():
    text = summary(make(known()), {"metrics.csv": "every text with its numbers"})
    assert text.endswith("## Where everything is\n\n- `metrics.csv`: every text with its numbers\n")


def test_the_summary_tables_every_statistic_of_the_controls():
    text = summary(with_controls())
    section = text.split("## Among controls")[1].split("\n## ")[0]
    assert "20 control neurons and 20 random directions, on all prompts and all clamps." in section
    assert [line for line in section.splitlines() if line.startswith("| `L1N2`")] == [
        f"| `L1N2` | surface | {name} | 20 {kind} | {own} | {of} | {theirs} | {above} % | {p} | "
        f"{p} |"
        for kind in ("control neurons", "random directions")
        for name, own, of, theirs, above, p in (
            ("best net", 4, 4, "0 to 0", 100, "0.048"),
            ("worst net", -4, 2, "0 to 0", 0, "1"),
        )
    ]


@pytest.mark.parametrize(
    ("ran", "prompts", "row", "said"),
    [
        ({9.0, 1.0}, "abef", "2 | 2 other | +2 of 2 | yes", ""),
        ({9.0}, "abef", "2 | 2 other | +2 of 2 | yes", "chosen among 2 (on other prompts)"),
        ({9.0}, "abcdef", "2 | 6 of the same | +4 of 4 | yes", "(on these same prompts)"),
        ({1.0}, "abef", "2 | 2 other | +2 of 2 | no (config key `controls.best_clamp`)", ""),
    ],
)
def test_the_summary_tables_the_best_clamps_and_says_what_favours_the_target(
    ran, prompts, row, said
):
    own = make(untouched("BBBBFF") + clamped("L1N2", {9.0: "FFFFFF", 1.0: "BBBBFF"}))
    rows = [
        row
        for name in ("L1N7", "L1N2R0")
        for row in clamped(name, dict.fromkeys(ran, "BBBBFF"))
        if row["prompt_id"] in prompts
    ]
    kinds = {"L1N7": ("L1N2", "neuron"), "L1N2R0": ("L1N2", "direction")}
    text = summary(beside_controls(own, rows, kinds))
    section = text.split("## Among controls")[1].split("\n## ")[0]
    assert f"| surface | `L1N2 set +9` | {row} |" in section
    assert ("which favours the target" in section) == bool(said)
    assert said in section


def test_the_summary_counts_published_figures_that_hold_and_shows_those_that_do_not():
    found = verified(
        ("number of prompts", "140", "140", "PASS"),
        ("improvement rate at +25", "0.875 (7/8)", "0.750 (6/8)", "DIFFERS"),
        ("improvement rate by core at +25", "1.000", "1.000 (4/4)", "SHOWN"),
        ("number of texts", "1,960", "not in the sweep: clamp +3", "NOT_TESTED"),
        ("harmed at +25", "5 of 132", "5 of 132", "PASS"),
    )
    text = summary(make(known(), verification=found))
    assert (
        "**Against the published figures:** 2 of 3 agree (PASS), 1 differ; 1 could not be tested. "
        "`verification.md` has each.\n\n"
        "| figure | published | here | status |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| improvement rate at +25 | 0.875 (7/8) | 0.750 (6/8) | DIFFERS |\n"
        "| improvement rate by core at +25 | 1.000 | 1.000 (4/4) | SHOWN |\n"
    ) in text


def test_published_figures_that_all_hold_need_no_table():
    text = summary(make(known(), verification=verified(("a", "1", "1", "PASS"))))
    assert "1 of 1 agree (PASS), 0 differ" in text
    assert "| published |" not in text


def test_the_summary_counts_blank_texts_apart_for_baselines_and_clamped_ones():
    rows = [baseline("a", ""), generation("a", FINE, 0.0), generation("a", " \n", 5.0)]
    rows += [baseline("b", FINE), generation("b", "", 0.0), generation("b", "", 5.0)]
    assert "Blank texts: 1 of 2 baselines and 3 of 4 clamped texts." in summary(make(rows))


def test_the_summary_says_which_settings_of_the_models_folder_were_not_used(tmp_path: Path):
    sweep = make(known())
    files = {}
    for name in ("prompts", "generations", "text_metrics", "recovery", "rates", "split_half"):
        files[name] = tmp_path / f"{name}.parquet"
        facts = {"unused_settings": {"repetition_penalty": 1.1}} if name == "generations" else {}
        tables.write(getattr(sweep, name), files[name], view.SCHEMAS[name], facts)
    read = replace(view.read(files, sweep.detectors, "tiny"), verdicts=sweep.verdicts)
    (line,) = lines_of(summary(read), "Not used: ")
    assert "repetition" in line and "1.1" in line and "decoding" in line
    tables.write(sweep.generations, files["generations"], GENERATIONS, {})
    read = replace(view.read(files, sweep.detectors, "tiny"), verdicts=sweep.verdicts)
    assert lines_of(summary(read), "Not used: ") == []


def test_imported_texts_are_said_to_be_out_of_reach_of_two_detectors():
    rows = [baseline("a", FINE, tokens=None), generation("a", FINE, 3.0, tokens=None)]
    (line,) = lines_of(summary(make(rows)), "Not asked: ")
    assert line.startswith("Not asked: `coherence` and `loop`.") and "token ids" in line
    rows = [baseline("a", FINE), generation("a", FINE, 3.0)]
    assert lines_of(summary(make(rows)), "Not asked: ") == []
