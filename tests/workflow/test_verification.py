"""An imported sweep with the published pattern is compared with the published figures."""

from __future__ import annotations

import csv
import io
import re

import pytest
from harness import Project, Run

import oracles
import published_like
from clampsweep.texts.metrics import FURTHER_METRICS, PUBLISHED_METRICS

IMPORT = {"neurons": ["L11N373"], "operation": "set", "scope": "all"}
REFERENCE = "workflow/data/bcr/bcr_gpt2.yaml"
NEVER_HARMED = "ferry_leaves_early/rhetorical/5"  # the last prompt of the grid


@pytest.fixture(scope="module")
def compared(untouched: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Run]:
    """The pattern as it is, a damaged copy, and the pattern without a reference; and the run."""
    project = untouched.copy(tmp_path_factory.mktemp("compared") / "project")
    texts = published_like.texts()
    published_like.write(texts, project.folder / "same.tsv")
    texts["glass_shatter_noise/declarative/2", 25] = "no no no no no no no no"
    texts[NEVER_HARMED, None] = "... ... ... ..."
    published_like.write(texts, project.folder / "damaged.tsv")
    project.config["sweeps"] = {
        "same": {**IMPORT, "extracted": "same.tsv", "reference": REFERENCE},
        "damaged": {**IMPORT, "extracted": "damaged.tsv", "reference": REFERENCE},
        "alone": {**IMPORT, "extracted": "same.tsv"},
    }
    project.config["run"] = list(project.config["sweeps"])
    wanted = ("verification.md", "metrics.csv")
    files = [f"results/{sweep}/{file}" for sweep in ("same", "damaged") for file in wanted]
    return project, project.write().run(*files).checked()


def _facts(project: Project, sweep: str) -> tuple[str, list[str]]:
    """The count in a report, and its lines."""
    text = project.path(f"results/{sweep}/verification.md").read_text()
    found = re.search(r"\*\*(.+?)\.\*\*.*```text\n(.+)\n```\n", text, re.S)
    assert found is not None
    return found[1], found[2].splitlines()


def test_the_published_pattern_passes_every_fact(compared: tuple[Project, Run]) -> None:
    count, lines = _facts(compared[0], "same")
    assert count == "29 facts: 29 PASS, 0 DIFFERS, 0 not tested"
    assert [line.split("  ")[0] for line in lines] == ["PASS"] * 29 + ["SHOWN"]
    assert "PASS  improvement rate at +25: expected 0.875 (7/8), found 0.875 (7/8)" in lines
    assert "PASS  harmed at +50: expected 36 of 132, found 36 of 132" in lines


def test_a_damaged_copy_differs_where_it_was_damaged_and_the_job_succeeds(
    compared: tuple[Project, Run],
) -> None:
    project, run = compared
    rescued = {-100: 0, -50: 3, -25: 3, -10: 2, -5: 2, -3: 1, 0: 0, 3: 2, 5: 2, 10: 5}
    rescued |= {25: 7, 50: 5, 100: 3}
    found = {clamp: count + 1 for clamp, count in rescued.items()}  # the new one, everywhere
    found[25] -= 1  # the text that was damaged
    signs = {clamp: f"{clamp:+d}" if clamp else "0" for clamp in rescued}
    expected = [
        f"number of collapsed baselines: expected 8, found 9, with {NEVER_HARMED}",
        "recovered at some clamp: expected 8 of 8, found 8 of 9",
        "clamps that improve glass_shatter_noise/declarative/2: expected +25, found none",
        *(
            f"improvement rate at {signs[clamp]}: expected {count / 8:.3f} ({count}/8), "
            f"found {found[clamp] / 9:.3f} ({found[clamp]}/9)"
            for clamp, count in rescued.items()
        ),
        "harmed at +25: expected 5 of 132, found 5 of 131",
        "harmed at +50: expected 36 of 132, found 36 of 131",
    ]
    count, lines = _facts(project, "damaged")
    assert [line for line in lines if "PASS" not in line][:-1] == [
        f"DIFFERS  {line}" for line in expected
    ]
    assert lines[-1] == (
        "SHOWN  improvement rate by core at +25: published 1.000, "
        "found 0.800 (4/5); by prompt 0.778 (7/9)"
    )
    assert count == "29 facts: 11 PASS, 18 DIFFERS, 0 not tested"
    assert project.table("verification", "damaged")["status"].tolist() == [
        line.split("  ")[0] for line in lines
    ]
    assert run.code == 0 and run.rules["verify"] == 2


def test_the_log_ends_with_the_lines_of_the_report(compared: tuple[Project, Run]) -> None:
    count, lines = _facts(compared[0], "damaged")
    log = compared[0].path("logs/verify/damaged.log").read_text().splitlines()
    assert [line[24:] for line in log[-31:]] == [count, *lines]


def test_every_sweep_with_a_reference_is_compared_and_no_other(
    compared: tuple[Project, Run],
) -> None:
    project = compared[0]
    planned = project.run("-n", "--forceall").checked().rules
    assert (planned["verify"], planned["recovery"]) == (2, 3)


def test_another_reference_compares_again_and_nothing_else(
    compared: tuple[Project, Run],
) -> None:
    project = compared[0]
    facts = project.path(REFERENCE)
    before = facts.read_text()
    facts.write_text(before.replace("n_texts: 1960", "n_texts: 2240"))
    assert project.run("-n", "results/same/verification.md").checked().rules == {"verify": 1}
    facts.write_text(before)


def test_every_metric_and_flag_of_an_import_equals_brute_force(
    compared: tuple[Project, Run],
) -> None:
    project, _ = compared
    text = project.path("results/damaged/metrics.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == 140 * 14
    baselines = {row["prompt_id"]: row["output"] for row in rows if row["operation"] == "none"}
    for row in rows:
        metrics = {
            **oracles.published_metrics(row["output"]),
            **oracles.character_metrics(row["output"]),
        }
        for name, value in metrics.items():
            assert _number(row[name]) == (None if value is None else pytest.approx(value)), name
        unknown = {**PUBLISHED_METRICS, **FURTHER_METRICS}.keys() - metrics.keys()
        assert {row[name] for name in unknown} == {""}  # an import has no tokens
        for name, collapsed in (
            ("surface", oracles.surface_in_fractions),
            ("entropy", oracles.entropy_of_words),
        ):
            before, after = collapsed(baselines[row["prompt_id"]]), collapsed(row["output"])
            flags = {
                "collapsed": after,
                "baseline_collapsed": before,
                "improves": before and not after,
                "harms": after and not before,
            }
            for flag, value in flags.items():
                assert row[f"{flag}_{name}"] == str(value), (row["prompt_id"], row["value"], flag)


def _number(cell: str) -> float | None:
    return None if cell == "" else float(cell)
