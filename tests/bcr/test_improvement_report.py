"""Every collapsed baseline and what rescued it; and texts that try to break out."""

from __future__ import annotations

from clampsweep.studies.bcr.improvement_report import improvement_report
from factories import baseline, generation, prompt
from said import blocks, lines_of
from sweep_tables import (
    BROKEN,
    FINE,
    known,
    make,
)


def test_the_improvement_report_holds_each_collapsed_prompt_and_what_rescued_it():
    text = improvement_report(make(known()))
    assert lines_of(text, "### ") == ["### `a`", "### `b`"]
    assert [(label, inner) for label, _, inner in blocks(text)] == [
        ("Prompt:", "Say a"),
        ("Baseline, collapsed:", BROKEN),
        ("`L1N2 set -5`:", FINE),
        ("`L1N2 set +10`:", FINE),
        ("Prompt:", "Say b"),
        ("Baseline, collapsed:", BROKEN),
        ("`L1N2 set +10`:", FINE),
    ]
    assert "2 of 2 collapsed baselines are rescued by at least one clamp." in text


def test_a_prompt_that_nothing_rescues_is_listed_as_such():
    rows = [baseline("a", BROKEN), generation("a", BROKEN, 3.0)]
    text = improvement_report(make(rows))
    assert "0 of 1 collapsed baselines" in text
    assert "No clamp rescued it." in text


def test_without_a_collapsed_baseline_the_report_says_so():
    rows = [baseline("a", FINE), generation("a", FINE, 3.0)]
    assert "nothing to rescue" in improvement_report(make(rows))


def test_a_sampled_text_is_set_against_the_baseline_of_its_seed():
    rows = [baseline("a", BROKEN + "1", seed=1), generation("a", FINE + "1", 3.0, seed=1)]
    rows += [baseline("a", BROKEN + "2", seed=2), generation("a", FINE + "2", 3.0, seed=2)]
    text = improvement_report(make(rows))
    assert lines_of(text, "### ") == ["### `a`, seed 1", "### `a`, seed 2"]
    inner = [inner for _, _, inner in blocks(text)]
    assert inner == ["Say a", BROKEN + "1", FINE + "1", "Say a", BROKEN + "2", FINE + "2"]


def test_seeds_of_resampling_are_told_apart_under_one_greedy_baseline():
    rows = [baseline("a", BROKEN)]
    rows += [generation("a", FINE, operation="resample", seed=seed) for seed in (8, 7)]
    labels = [label for label, _, _ in blocks(improvement_report(make(rows)))]
    assert labels[2:] == ["`L1N2 resample`, seed 7:", "`L1N2 resample`, seed 8:"]


def test_of_very_many_collapsed_prompts_the_first_are_listed_and_the_report_says_so():
    names = [f"p{at:04d}" for at in range(1100)]
    rows = [baseline(name, BROKEN) for name in names]
    rows += [generation(name, FINE, 3.0) for name in names]
    text = improvement_report(make(rows))
    assert lines_of(text, "### ") == [f"### `{name}`" for name in names[:1000]]
    assert "1100 of 1100 collapsed baselines are rescued" in text
    assert "The first 1,000 stand here; `metrics.csv` has every text." in text


def test_a_blank_text_is_said_to_be_blank():
    rows = [baseline("a", " \n"), generation("a", FINE, 3.0)]
    text = improvement_report(make(rows))
    assert "Baseline, collapsed:\n\n*Blank: empty, or white space only.*" in text


def test_no_text_breaks_out_of_its_fence():
    evil = "```\n# Owned\n`````` <script>alert(1)</script>\n~~~\n" + FINE
    rows = [baseline("a", BROKEN), generation("a", evil, 3.0)]
    text = improvement_report(make(rows, prompts=[prompt(evil, "a")]))
    inner = [inner for _, fence, inner in blocks(text) if len(fence) == 7]
    assert inner == [evil, evil]
