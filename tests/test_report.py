"""Reports: what they say, against numbers counted by hand; and texts that try to break out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep import report, tables
from clampsweep.markdown import code, fenced, plain, table
from factories import baseline, frame, generation, prompt
from sweep_tables import BROKEN, FINE, known, make, stats


def lines_of(text, start):
    return [line for line in text.splitlines() if line.startswith(start)]


# ---- summary


def test_the_summary_opens_with_how_many_collapsed_were_rescued_and_at_what_cost():
    lines = report.summary(make(known())).splitlines()
    assert lines[0] == "# tiny, L1N2, set"
    assert lines[2] == "**surface: 2 of 4 baselines collapsed**"
    assert lines[4] == (
        "- The best clamp by net effect, `L1N2 set +10`, rescued 2 of 2 collapsed texts "
        "(100.0 % [34.2, 100.0]) and harmed 1 of 2 fine texts (50.0 % [9.5, 90.5]): net +1, "
        "q = 1, not significant; it is the best of 3 on these same prompts, which flatters it."
    )


def test_the_summary_calls_a_null_result_one():
    text = report.summary(make(known()))
    assert "A null result: no clamp has a significant net effect (q < 0.05)." in text


def test_the_summary_counts_over_all_clamps_too():
    text = report.summary(make(known()))
    assert "2 of 2 collapsed baselines are rescued at least once and 2 of 2 fine ones" in text


def test_the_summary_counts_significant_gains_and_losses():
    # Eight of eight rescued, and eight of eight harmed, at one clamp each: q = 2 * 2 / 2^8 = 0.016.
    rows = [baseline(f"b{i}", BROKEN) for i in range(8)]
    rows += [baseline(f"f{i}", FINE) for i in range(8)]
    rows += [generation(f"{kind}{i}", FINE, 5.0) for kind in "bf" for i in range(8)]
    rows += [generation(f"{kind}{i}", BROKEN, 90.0) for kind in "bf" for i in range(8)]
    text = report.summary(make(rows))
    assert "`L1N2 set +5`, rescued 8 of 8" in text
    assert "net +8, q = 0.0078, significant;" in text
    assert (
        "Significant net effects (q < 0.05): 1 of 2 clamps rescue more texts than they harm, "
        "1 of 2 harm more than they rescue."
    ) in text


def test_the_summary_of_a_sweep_without_collapse_says_that_it_cannot_show_recovery():
    rows = [baseline("a", FINE), generation("a", BROKEN, 3.0)]
    text = report.summary(make(rows))
    assert "**surface: 0 of 1 baselines collapsed**" in text
    assert "There was nothing to rescue" in text
    assert "The most harmful clamp, `L1N2 set +3`, harmed 1 of 1 fine texts" in text


def test_the_summary_of_a_sweep_that_rescues_nothing_says_so():
    rows = [baseline("a", BROKEN), generation("a", BROKEN, 3.0)]
    rows += [baseline("b", FINE), generation("b", BROKEN, 3.0)]
    assert "No clamp rescued any of them: a null result" in report.summary(make(rows))


def test_the_summary_of_a_sweep_that_changes_nothing_says_so():
    rows = [baseline("a", BROKEN), generation("a", BROKEN, 3.0)]
    assert "no clamp rescued or harmed a single text" in report.summary(make(rows))


def test_the_summary_does_not_claim_that_the_neuron_is_special():
    assert "**Is this neuron special?** Not tested here" in report.summary(make(known()))


def test_the_summary_tables_every_clamp_in_order():
    none, half, all_ = "0.0 % [0.0, 65.8]", "50.0 % [9.5, 90.5]", "100.0 % [34.2, 100.0]"
    assert lines_of(report.summary(make(known())), "| `L1N2") == [
        f"| `L1N2 set -5` | 1 / 2 | {half} | 2 / 2 | {all_} | -1 | 1 | 1 |",
        f"| `L1N2 set 0` | 0 / 2 | {none} | 0 / 2 | {none} | 0 | 1 | 1 |",
        f"| `L1N2 set +10` | 2 / 2 | {all_} | 1 / 2 | {half} | +1 | 1 | 1 |",
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
    assert said in report.summary(make(rows))


def test_unrecorded_margins_are_not_called_safe():
    rows = [baseline("a", FINE, min_margin=None), generation("a", FINE, 3.0, min_margin=None)]
    assert "Numerically fragile texts: not known" in report.summary(make(rows))


def test_the_summary_lists_the_files_that_it_is_given():
    text = report.summary(make(known()), {"metrics.csv": "every text with its numbers"})
    assert text.endswith("## Where everything is\n\n- `metrics.csv`: every text with its numbers\n")


# ---- improvement report


def blocks(text):
    """Each line before a fence, with the text inside the fence."""
    return re.findall(r"^([^\n]+)\n\n(`{3,})text\n(.*?)\n\2$", text, re.MULTILINE | re.DOTALL)


def test_the_improvement_report_holds_each_collapsed_prompt_and_what_rescued_it():
    text = report.improvement_report(make(known()))
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
    text = report.improvement_report(make(rows))
    assert "0 of 1 collapsed baselines" in text
    assert "No clamp rescued it." in text


def test_without_a_collapsed_baseline_the_report_says_so():
    rows = [baseline("a", FINE), generation("a", FINE, 3.0)]
    assert "nothing to rescue" in report.improvement_report(make(rows))


def test_a_sampled_text_is_set_against_the_baseline_of_its_seed():
    rows = [baseline("a", BROKEN + "1", seed=1), generation("a", FINE + "1", 3.0, seed=1)]
    rows += [baseline("a", BROKEN + "2", seed=2), generation("a", FINE + "2", 3.0, seed=2)]
    text = report.improvement_report(make(rows))
    assert lines_of(text, "### ") == ["### `a`, seed 1", "### `a`, seed 2"]
    inner = [inner for _, _, inner in blocks(text)]
    assert inner == ["Say a", BROKEN + "1", FINE + "1", "Say a", BROKEN + "2", FINE + "2"]


def test_seeds_of_resampling_are_told_apart_under_one_greedy_baseline():
    rows = [baseline("a", BROKEN)]
    rows += [generation("a", FINE, operation="resample", seed=seed) for seed in (8, 7)]
    labels = [label for label, _, _ in blocks(report.improvement_report(make(rows)))]
    assert labels[2:] == ["`L1N2 resample`, seed 7:", "`L1N2 resample`, seed 8:"]


def test_a_blank_text_is_said_to_be_blank():
    rows = [baseline("a", " \n"), generation("a", FINE, 3.0)]
    text = report.improvement_report(make(rows))
    assert "Baseline, collapsed:\n\n*Blank: empty, or white space only.*" in text


def test_no_text_breaks_out_of_its_fence():
    evil = "```\n# Owned\n`````` <script>alert(1)</script>\n~~~\n" + FINE
    rows = [baseline("a", BROKEN), generation("a", evil, 3.0)]
    text = report.improvement_report(make(rows, prompts=[prompt(evil, "a")]))
    inner = [inner for _, fence, inner in blocks(text) if len(fence) == 7]
    assert inner == [evil, evil]


# ---- Markdown


@given(st.text(alphabet=st.sampled_from("`~ \n\r\tx#\x1b"), min_size=1, max_size=60))
def test_a_fence_closes_only_at_its_end(text):
    lines = re.split(r"\r\n|\r|\n", fenced(text))
    if not text.strip():
        assert len(lines) == 1
        return
    opening = lines[0].removesuffix("text")
    closing = re.compile(rf" {{0,3}}`{{{len(opening)},}}[ \t]*")
    assert [i for i, line in enumerate(lines) if closing.fullmatch(line)] == [len(lines) - 1]


@given(st.text(alphabet=st.sampled_from("`ab|\n "), max_size=30))
def test_a_code_span_closes_only_at_its_end(text):
    span = code(text)
    ticks = re.match("`+", span)[0]
    assert "\n" not in span
    runs = [run for run in re.findall("`+", span) if run == ticks]
    assert len(runs) == 2 and span.endswith(ticks)


def test_control_characters_are_pictured():
    assert fenced("a\x1b[31m\tb") == "```text\na\N{SYMBOL FOR ESCAPE}[31m\tb\n```"


def test_plain_text_carries_no_markup():
    assert plain("<b>*x*</b>\n# [y](z)") == r"\<b\>\*x\*\</b\> \# \[y\](z)"


def test_a_table_cell_cannot_start_another():
    assert table(["a|b"], [["`c|d`"]]).splitlines()[::2] == [r"| a\|b |", r"| `c\|d` |"]


# ---- neurons


def neurons(*rows):
    return frame(rows, tables.NEURON_STATS)


def ranking(text, title):
    section = text.split(f"## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| (L\d+N\d+) ", section, re.MULTILINE)


def test_neurons_are_ranked_four_ways():
    table = neurons(
        stats(0, 1, mean=-9.0, sd=3.0, mean_over_sd=3.0),
        stats(1, 2, mean=20.0, sd=8.0, mean_over_sd=2.5),
        stats(1, 3, mean=0.1, sd=0.5, mean_over_sd=0.2),
    )
    text = report.neuron_report(table, top=2)
    assert ranking(text, "Lowest mean") == ["L0N1", "L1N3"]
    assert ranking(text, "Highest mean") == ["L1N2", "L1N3"]
    assert ranking(text, "Lowest SD") == ["L1N3", "L0N1"]
    assert ranking(text, r"Largest \|mean\| / SD") == ["L0N1", "L1N2"]


def test_a_neuron_without_spread_has_no_ratio():
    table = neurons(stats(0, 1, sd=0.0, mean_over_sd=None), stats(0, 2))
    text = report.neuron_report(table)
    assert ranking(text, "Lowest SD") == ["L0N1", "L0N2"]
    assert ranking(text, r"Largest \|mean\| / SD") == ["L0N2"]


def test_equal_neurons_are_ranked_by_name():
    text = report.neuron_report(neurons(stats(1, 0), stats(0, 10), stats(0, 9)))
    assert ranking(text, "Highest mean") == ["L0N9", "L0N10", "L1N0"]


def test_the_summary_counts_blank_texts_apart_for_baselines_and_clamped_ones():
    rows = [baseline("a", ""), generation("a", FINE, 0.0), generation("a", " \n", 5.0)]
    rows += [baseline("b", FINE), generation("b", "", 0.0), generation("b", "", 5.0)]
    assert "Blank texts: 1 of 2 baselines and 3 of 4 clamped texts." in report.summary(make(rows))
