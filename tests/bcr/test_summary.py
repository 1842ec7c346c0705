"""Reports: what they say, against numbers counted by hand; and texts that try to break out."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep.markdown import code, fenced, plain, table
from clampsweep.studies.bcr.detector_quality import DETECTOR_QUALITY
from clampsweep.studies.bcr.improvement_report import improvement_report
from clampsweep.studies.bcr.neuron_report import neuron_report
from clampsweep.studies.bcr.summary import summary
from clampsweep.studies.bcr.verify import VERIFICATION
from clampsweep.texts.selection import NEURON_STATS
from factories import baseline, frame, generation, prompt
from sweep_tables import (
    BROKEN,
    FINE,
    beside_controls,
    clamped,
    known,
    make,
    stats,
    untouched,
)


def lines_of(text, start):
    return [line for line in text.splitlines() if line.startswith(start)]


# ---- summary


def bullets(text, detector="surface"):
    """What the summary says of a detector, by sentence."""
    after = text.split(f"**{detector}: ")[1]
    return [line.removeprefix("- ") for line in after.split("\n\n")[1].splitlines()]


def test_the_summary_opens_with_the_verdict_and_how_many_collapsed():
    lines = summary(make(known())).splitlines()
    assert lines[0] == "# tiny, L1N2, set"
    assert lines[2] == (
        "**surface: no significant effect; not compared with controls.** "
        "2 of 4 baselines collapsed."
    )


def test_the_summary_says_what_the_best_clamp_rescued_and_at_what_cost():
    assert (
        "The best clamp by net effect, `L1N2 set +10`, rescued 2 of 2 collapsed texts "
        "(100.0 % [34.2, 100.0]) and harmed 1 of 2 fine texts (50.0 % [9.5, 90.5]): net +1, "
        "the best of 3 on these same prompts, which flatters it."
    ) in bullets(summary(make(known())))


def test_the_summary_names_the_most_harmful_clamp_beside_the_best():
    said = bullets(summary(make(known())))
    (best,) = (place for place, own in enumerate(said) if own.startswith("The best clamp"))
    assert said[best + 1] == (
        "The most harmful clamp, `L1N2 set -5`, harmed 2 of 2 fine texts (100.0 % [34.2, 100.0])."
    )


def test_a_lone_clamp_is_named_once():
    rows = untouched("BF") + clamped("L1N2", {1.0: "FB"})
    (own,) = [s for s in bullets(summary(make(rows))) if "`L1N2 set +1`" in s]
    assert "rescued 1 of 1" in own and "harmed 1 of 1" in own and "best of" not in own


def test_the_summary_scores_the_best_clamp_on_prompts_that_did_not_choose_it():
    # +5 rescues all and harms none, so both halves choose it: all 8 prompts are scored.
    rows = untouched("BBBBFFFF") + clamped("L1N2", {5.0: "FFFFFFFF", 90.0: "BBBBBBBB"})
    sweep = make(rows)
    p = sweep.split_half["cluster_p"][0]
    assert bullets(summary(sweep))[0] == (
        "With the best clamp chosen on one half of the prompts and scored on the other, and the "
        "reverse (`L1N2 set +5`): rescued 4 of 4 collapsed texts and harmed 0 of 4 fine texts, "
        f"net +4, p = {p:.2g} (sign-flip test over prompts)."
    )


def test_the_test_is_over_cores_where_every_prompt_has_one():
    rows = untouched("BBFF") + clamped("L1N2", {5.0: "FFFF", 9.0: "BBBB"})
    prompts = [prompt(p, p, core=p) for p in "abcd"]
    assert "sign-flip test over cores" in summary(make(rows, prompts=prompts))
    prompts[0]["core"] = None
    assert "sign-flip test over prompts" in summary(make(rows, prompts=prompts))


def test_the_summary_calls_a_null_result_one():
    said = bullets(summary(make(known())))
    assert "A null result: no clamp has a significant net effect (both q < 0.05)." in said


def test_harm_that_few_cores_may_hide_is_not_called_a_null_result():
    # 16 of 16 prompts harmed in 3 cores: McNemar p = 2 / 2^16, but 2 / 2^3 over cores.
    rows = untouched("F" * 16) + clamped("L1N2", {5.0: "B" * 16, 1.0: "F" * 16})
    prompts = [prompt(chr(97 + i), chr(97 + i), core=f"core {i % 3}") for i in range(16)]
    text = summary(make(rows, prompts=prompts))
    assert "null result" not in text
    assert (
        "No clamp has a significant net effect (both q < 0.05). By McNemar's test alone, 1 of 2 "
        "have one, but it takes prompts as independent. The test over 3 cores does not; its p is "
        "never below 0.25, so that after correction over 2 clamps none can be, however large."
    ) in bullets(text)


def test_cores_enough_for_the_test_are_not_blamed():
    # Of 8 cores 5 are harmed alike: p = 2 / 2^5. With a lone clamp 8 cores could reach 2 / 2^8.
    rows = untouched("F" * 16) + clamped("L1N2", {5.0: "BBBBBFFF" * 2})
    prompts = [prompt(chr(97 + i), chr(97 + i), core=f"core {i % 8}") for i in range(16)]
    sweep = make(rows, prompts=prompts)
    assert sweep.rates["mcnemar_q"][0] < 0.05 < sweep.rates["cluster_q"][0]
    said = bullets(summary(sweep))
    assert "A null result: no clamp has a significant net effect (both q < 0.05)." in said


def test_the_summary_says_how_many_clamps_must_stand_out_together():
    # Over 6 cores p is at least 2 / 2^6 = 0.031: q is twice that for one clamp, and that for two.
    rows = untouched("F" * 12) + clamped("L1N2", {5.0: "B" * 12, 1.0: "F" * 12})
    prompts = [prompt(chr(97 + i), chr(97 + i), core=f"core {i % 6}") for i in range(12)]
    text = summary(make(rows, prompts=prompts))
    assert "after correction over 2 clamps no fewer than 2 of them can be significant" in text


def test_the_summary_counts_over_all_clamps_too():
    text = summary(make(known()))
    assert "2 of 2 collapsed baselines are rescued at least once and 2 of 2 fine ones" in text


def test_the_summary_counts_significant_gains_and_losses():
    # Eight of eight rescued, and eight of eight harmed, at one clamp each: q = 2 * 2 / 2^8 = 0.016.
    rows = [baseline(f"b{i}", BROKEN) for i in range(8)]
    rows += [baseline(f"f{i}", FINE) for i in range(8)]
    rows += [generation(f"{kind}{i}", FINE, 5.0) for kind in "bf" for i in range(8)]
    rows += [generation(f"{kind}{i}", BROKEN, 90.0) for kind in "bf" for i in range(8)]
    text = summary(make(rows))
    assert "`L1N2 set +5`, rescued 8 of 8" in text
    assert (
        "Significant net effects (both q < 0.05): 1 of 2 clamps rescue more texts than they harm, "
        "1 of 2 harm more than they rescue."
    ) in text


def test_the_summary_of_a_sweep_without_collapse_says_that_it_cannot_show_recovery():
    rows = [baseline("a", FINE), generation("a", BROKEN, 3.0)]
    text = summary(make(rows))
    assert (
        "**surface: nothing to recover, no significant harm; not compared with controls.** "
        "0 of 1 baselines collapsed."
    ) in text
    assert "There was nothing to rescue, so this sweep cannot show recovery." in text
    assert "The most harmful clamp, `L1N2 set +3`, harmed 1 of 1 fine texts" in text


def test_the_summary_of_a_sweep_that_rescues_nothing_says_so():
    rows = [baseline("a", BROKEN), generation("a", BROKEN, 3.0)]
    rows += [baseline("b", FINE), generation("b", BROKEN, 3.0)]
    assert "No clamp rescued any of them: a null result" in summary(make(rows))


def test_the_choice_of_a_clamp_is_not_scored_where_nothing_collapsed():
    rows = untouched("FFFF") + clamped("L1N2", {1.0: "FFFF", 2.0: "BFFF"})
    assert "With the best clamp chosen" not in summary(make(rows))


def test_the_summary_of_a_sweep_that_changes_nothing_says_so():
    rows = [baseline("a", BROKEN), generation("a", BROKEN, 3.0)]
    said = bullets(summary(make(rows)))
    assert said == ["A null result: no clamp rescued or harmed a single text."]


def test_without_controls_the_summary_says_that_it_did_not_test_whether_the_neuron_is_special():
    text = summary(make(known()))
    assert "Not tested whether this neuron is special" in text
    assert "Is `L1N2` special?" not in text and "Among controls" not in text


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


# ---- what a sweep is compared with


def with_controls(n=20, letters="BBFF", targets=("L1N2",), more=()):
    """L1N2 rescues a and b at +9; n controls of each kind and target, all with the same texts."""
    rows = untouched("BBFF") + clamped("L1N2", {9.0: "FFFF"}) + list(more)
    kinds, texts = {}, []
    for place, target in enumerate(targets):
        for i in range(n):
            names = {f"L1N{100 * (place + 1) + i}": "neuron", f"{target}R{i}": "direction"}
            for name, kind in names.items():
                kinds[name] = target, kind
                texts += clamped(name, {9.0: letters})
    return beside_controls(make(rows), texts, kinds)


def special_sentences(text):
    return [line for line in text.splitlines() if line.startswith("- Is `")]


def test_the_summary_says_where_a_special_neuron_stands_among_its_controls():
    text = summary(with_controls())
    assert "**surface: no significant effect; special: more than its controls.**" in text
    assert special_sentences(text) == [
        "- Is `L1N2` special? Yes. Its largest net effect is 2 texts more rescued than harmed, on "
        "the prompts and clamps of its controls. That is above 100 % of 20 control neurons "
        "(theirs: 0 to 0, median 0; p = 0.048) and above 100 % of 20 random directions "
        "(theirs: 0 to 0, median 0; p = 0.048)."
    ]
    assert "Not tested whether" not in text


def test_the_summary_says_that_a_neuron_that_does_what_its_controls_do_is_not_special():
    text = summary(with_controls(letters="FFFF"))
    (said,) = special_sentences(text)
    assert said.startswith("- Is `L1N2` special? No. Its largest net effect is 2 texts more")
    assert "above 50 % of 20 control neurons (theirs: 2 to 2, median 2; p = 1)" in said


def test_the_summary_says_which_way_the_largest_net_effect_goes():
    rows = untouched("FFFF") + clamped("L1N2", {9.0: "BBBF"})
    kinds = {f"L1N{100 + i}": ("L1N2", "neuron") for i in range(20)}
    texts = [row for name in kinds for row in clamped(name, {9.0: "FFFF"})]
    (said,) = special_sentences(summary(beside_controls(make(rows), texts, kinds)))
    assert "Yes. Its largest net effect is 3 texts more harmed than rescued" in said
    assert "random direction" not in said


def test_the_summary_says_how_many_controls_it_takes_to_tell():
    (said,) = special_sentences(summary(with_controls(n=19)))
    assert said.startswith("- Is `L1N2` special? Cannot tell: that takes 20 controls of each kind.")
    assert "p = 0.05)" in said


def test_several_targets_are_each_answered_with_corrected_p_values():
    more = clamped("L1N3", {9.0: "BBFF"})
    (first, second) = special_sentences(
        summary(with_controls(n=40, targets=("L1N2", "L1N3"), more=more))
    )
    # Above all 40: p = 1 / 41, and q = 2 / 41 among two targets.
    assert "Is `L1N2` special? Yes." in first and "p = 0.024, q = 0.049" in first
    assert "Is `L1N3` special? No. Its largest net effect is 0 texts, on" in second
    assert "above 50 % of 40 control neurons (theirs: 0 to 0, median 0; p = 1, q = 1)" in second


def test_with_several_targets_it_takes_more_controls_to_tell():
    more = clamped("L1N3", {9.0: "BBFF"})
    text = summary(with_controls(n=20, targets=("L1N2", "L1N3"), more=more))
    assert "Cannot tell: that takes 40 controls of each kind per target." in text


def test_the_summary_tables_every_statistic_of_the_controls():
    text = summary(with_controls())
    section = text.split("## Among controls")[1].split("\n## ")[0]
    assert "20 control neurons and 20 random directions, on all prompts and all clamps." in section
    assert [line for line in section.splitlines() if line.startswith("| `L1N2`")] == [
        f"| `L1N2` | surface | {name} | 20 {kind} | {own} | {theirs} | {above} % | {p} | {p} |"
        for kind in ("control neurons", "random directions")
        for name, own, theirs, above, p in (
            ("largest net", 2, "0 to 0", 100, "0.048"),
            ("best net", 2, "0 to 0", 100, "0.048"),
            ("most harmed", 0, "0 to 0", 50, "1"),
        )
    ]


def seeds(*rows):
    """Sampled baselines: rescued of collapsed, harmed of fine prompts, a row per seed."""
    return pd.DataFrame(
        [("surface", *row) for row in rows],
        columns=["detector", "n_rescued", "n_collapsed_baseline", "n_harmed", "n_fine_baseline"],
    )


def test_the_summary_says_what_sampling_does_without_any_clamp():
    # 1 + 2 of 2 + 2, and 1 + 0 of 10 + 10.
    text = summary(make(known(), variability=seeds((1, 2, 1, 10), (2, 2, 0, 10))))
    assert (
        "- Sampling alone, without any clamp (2 seeds): 75 % of the texts of prompts whose greedy "
        "baseline is collapsed are fine and 5 % of the texts of prompts whose greedy baseline is "
        "fine are collapsed."
    ) in text


def test_sampling_says_nothing_of_prompts_that_there_are_not():
    text = summary(make(known(), variability=seeds((0, 0, 1, 4))))
    assert (
        "- Sampling alone, without any clamp (1 seed): 25 % of the texts of prompts whose greedy "
        "baseline is fine are collapsed."
    ) in text


def test_the_summary_says_how_good_the_detector_is():
    rows = [
        ("surface", "precision", 9, 10, 0.9, 0.596, 0.982),
        ("surface", "recall", 9, 12, 0.75, 0.468, 0.911),
        ("loop", "precision", 1, 1, 1.0, 0.2, 1.0),
    ]
    found = pd.DataFrame(rows, columns=list(DETECTOR_QUALITY.columns))
    assert (
        "- How far to trust `surface`: on labelled texts its precision is 0.90 [0.60, 0.98] "
        "(9 of 10), its recall 0.75 [0.47, 0.91] (9 of 12)."
    ) in summary(make(known(), detector_quality=found))


def verified(*rows):
    return pd.DataFrame(rows, columns=list(VERIFICATION.columns))


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


# ---- improvement report


def blocks(text):
    """Each line before a fence, with the text inside the fence."""
    return re.findall(r"^([^\n]+)\n\n(`{3,})text\n(.*?)\n\2$", text, re.MULTILINE | re.DOTALL)


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
    return frame(rows, NEURON_STATS)


def ranking(text, title):
    section = text.split(f"## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| (L\d+N\d+) ", section, re.MULTILINE)


def test_neurons_are_ranked_four_ways():
    table = neurons(
        stats(0, 1, mean=-9.0, sd=3.0, mean_over_sd=3.0),
        stats(1, 2, mean=20.0, sd=8.0, mean_over_sd=2.5),
        stats(1, 3, mean=0.1, sd=0.5, mean_over_sd=0.2),
    )
    text = neuron_report(table, top=2)
    assert ranking(text, "Lowest mean") == ["L0N1", "L1N3"]
    assert ranking(text, "Highest mean") == ["L1N2", "L1N3"]
    assert ranking(text, "Lowest SD") == ["L1N3", "L0N1"]
    assert ranking(text, r"Largest \|mean\| / SD") == ["L0N1", "L1N2"]


def test_a_neuron_without_spread_has_no_ratio():
    table = neurons(stats(0, 1, sd=0.0, mean_over_sd=None), stats(0, 2))
    text = neuron_report(table)
    assert ranking(text, "Lowest SD") == ["L0N1", "L0N2"]
    assert ranking(text, r"Largest \|mean\| / SD") == ["L0N2"]


def test_equal_neurons_are_ranked_by_name():
    text = neuron_report(neurons(stats(1, 0), stats(0, 10), stats(0, 9)))
    assert ranking(text, "Highest mean") == ["L0N9", "L0N10", "L1N0"]


def test_the_summary_counts_blank_texts_apart_for_baselines_and_clamped_ones():
    rows = [baseline("a", ""), generation("a", FINE, 0.0), generation("a", " \n", 5.0)]
    rows += [baseline("b", FINE), generation("b", "", 0.0), generation("b", "", 5.0)]
    assert "Blank texts: 1 of 2 baselines and 3 of 4 clamped texts." in summary(make(rows))
