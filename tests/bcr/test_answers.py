"""What the summary says of each detector, against numbers counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from clampsweep.studies.bcr.detector_quality import DETECTOR_QUALITY
from clampsweep.studies.bcr.summary import summary
from factories import baseline, generation, prompt
from said import bullets, lines_of, seeds, special_sentences, with_controls
from sweep_tables import (
    BROKEN,
    FINE,
    beside_controls,
    clamped,
    judged,
    known,
    make,
    untouched,
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
    # Eight collapsed and eight fine prompts are enough to see an effect; there is none.
    before = "B" * 8 + "F" * 8
    own = make(untouched(before) + clamped("L1N2", {5.0: "F" + before[1:]}))
    said = bullets(summary(own))
    assert "A null result: no clamp has a significant net effect (both q < 0.05)." in said


def test_what_too_few_prompts_cannot_show_is_no_null_result():
    text = summary(make(known()))
    assert "null result" not in text
    (said,) = [line for line in bullets(text) if line.startswith("No clamp has a significant")]
    assert said.endswith(
        "That says little: the p of the test over 4 prompts is never below 0.12, so that after "
        "correction over 3 clamps none can be, however large."
    )


def test_of_enough_prompts_with_few_that_can_change_the_summary_says_which():
    before = "B" * 8 + "F" * 2
    own = make(untouched(before) + clamped("L1N2", {5.0: "B" * 10}))
    (said,) = [line for line in bullets(summary(own)) if line.startswith("No clamp has a signif")]
    assert said.endswith(
        "That says little: 2 of 2 fine texts harmed; too few prompts to be significant."
    )


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
    rows = untouched("B" * 8 + "F" * 16)
    rows += clamped("L1N2", {5.0: "B" * 8 + "BBBBBFFF" * 2})
    prompts = [prompt(chr(97 + i), chr(97 + i), core=f"core {i % 8}") for i in range(24)]
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
        "**surface: nothing to recover, 1 of 1 fine texts harmed; too few prompts to be "
        "significant; not compared with controls.** "
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


def test_the_summary_says_where_a_special_neuron_stands_among_its_controls():
    text = summary(with_controls())
    assert "; special: more than its controls.**" in text
    assert special_sentences(text) == [
        "- Does `L1N2` rescue more than its controls? Yes. At the clamps compared its best net, "
        "rescued minus harmed, is +4 of 4 collapsed texts: above 100 % of 20 control neurons "
        "(theirs: 0 to 0, median 0; p = 0.048) and above 100 % of 20 random directions "
        "(theirs: 0 to 0, median 0; p = 0.048).",
        "- Does `L1N2` harm more than its controls? Neither it nor its controls harm a text: the "
        "test cannot answer (none of the 2 fine texts compared was harmed, by the target or by a "
        "control). At the clamps compared its worst net, harmed minus rescued, is -4 of 2 fine "
        "texts: above 0 % of 20 control neurons (theirs: 0 to 0, median 0; p = 1) and above 0 % "
        "of 20 random directions (theirs: 0 to 0, median 0; p = 1).",
    ]
    assert "Not tested whether" not in text


def test_the_summary_says_that_a_neuron_that_does_what_its_controls_do_is_not_special():
    some = "FFBBFF"
    (said, _) = special_sentences(summary(with_controls(letters=some, own=some)))
    assert said.startswith("- Does `L1N2` rescue more than its controls? No. At the clamps")
    assert "above 50 % of 20 control neurons (theirs: 2 to 2, median 2; p = 1)" in said


def test_the_summary_says_that_a_test_cannot_answer():
    (said, _) = special_sentences(summary(with_controls(letters="FFFFFF")))
    assert (
        "more than its controls? Its controls rescue nearly all there is: the test cannot answer "
        "(20 of 20 control neurons and 20 of 20 random directions rescue, net, all of the 4 "
        "collapsed texts compared or all but one)."
    ) in said


def test_that_a_target_outdoes_its_controls_is_said_with_what_favours_it():
    own = make(untouched("BBBBFF") + clamped("L1N2", {9.0: "FFFFFF", 1.0: "BBBBFF"}))
    kinds = {f"L1N{100 + i}": ("L1N2", "neuron") for i in range(20)}
    for values, said in (({9.0}, "Yes (but the best clamp of the target"), ({9.0, 1.0}, "Yes.")):
        texts = [row for name in kinds for row in clamped(name, dict.fromkeys(values, "BBBBFF"))]
        (rescue, _) = special_sentences(summary(beside_controls(own, texts, kinds)))
        assert f"more than its controls? {said}" in rescue


def test_harm_is_asked_for_apart_and_nothing_is_ranked_where_nothing_can_be_rescued():
    rows = untouched("FFFF") + clamped("L1N2", {9.0: "BBBF"})
    kinds = {f"L1N{100 + i}": ("L1N2", "neuron") for i in range(20)}
    texts = [row for name in kinds for row in clamped(name, {9.0: "FFFF"})]
    (rescue, harm) = special_sentences(summary(beside_controls(make(rows), texts, kinds)))
    assert rescue == (
        "- Does `L1N2` rescue more than its controls? No collapsed text among those compared with "
        "its controls (no baseline compared is collapsed)."
    )
    assert "harm more than its controls? Yes. At the clamps compared its worst net" in harm
    assert "is +3 of 4 fine texts" in harm
    assert "random direction" not in harm


def test_the_summary_says_how_many_controls_it_takes_to_tell():
    (said, _) = special_sentences(summary(with_controls(n=19)))
    assert (
        "more than its controls? Too few controls to tell (it takes 20 controls of each kind)."
    ) in said
    assert "p = 0.05)" in said


def test_several_targets_are_each_answered_with_corrected_p_values():
    more = clamped("L1N3", {9.0: "BBBBFF"})
    (first, _, second, _) = special_sentences(
        summary(with_controls(n=40, targets=("L1N2", "L1N3"), more=more))
    )
    # Above all 40: p = 1 / 41, and q = 2 / 41 among two targets.
    assert "Does `L1N2` rescue more than its controls? Yes." in first
    assert "p = 0.024, q = 0.049" in first
    assert "Does `L1N3` rescue more than its controls? Neither it nor its controls" in second
    assert "above 50 % of 40 control neurons (theirs: 0 to 0, median 0; p = 1, q = 1)" in second


def test_with_several_targets_it_takes_more_controls_to_tell():
    more = clamped("L1N3", {9.0: "BBBBFF"})
    text = summary(with_controls(n=20, targets=("L1N2", "L1N3"), more=more))
    assert "Too few controls to tell (it takes 40 controls of each kind)." in text


def test_of_several_targets_the_held_out_choice_is_told_among_all_and_of_each():
    # Both halves choose the best of all four pairs, and the best of each target's two.
    rows = untouched("BBBBFFFF")
    rows += clamped("L1N2", {5.0: "FFFFFFFF", 90.0: "BBBBBBBB"})
    rows += clamped("L3N4", {5.0: "BBBBFFFF", 90.0: "BBBBBBBB"}, layer=3, neuron=4)
    said = bullets(summary(make(rows)))
    result = "rescued 4 of 4 collapsed texts and harmed 0 of 4 fine texts, net +4"
    none = "rescued 0 of 4 collapsed texts and harmed 0 of 4 fine texts, net 0, p = 1."
    assert said[0].startswith(
        "With the best clamp chosen among 4 pairs of target and clamp on one half of the prompts "
        f"and scored on the other, and the reverse (`L1N2 set +5`): {result}"
    )
    assert said[1].startswith(f"Among the clamps of `L1N2` alone (`L1N2 set +5`): {result}")
    assert said[2] == f"Among the clamps of `L3N4` alone (`L3N4 set +5`): {none}"


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


# ---- texts unlike those that detectors were measured on

GEMMA = ("another model",)
BEWARE = (
    " **Beware:** coherence's bounds were set on texts of 30 to 50 tokens by "
    "SmolLM2-135M-Instruct, and are a guess for another model."
)


def _quality():
    names = ("surface", "coherence")
    rows = [(name, measure, 9, 10, 0.9, 0.6, 0.98) for name in names
            for measure in ("precision", "recall")]  # fmt: skip
    return pd.DataFrame(rows, columns=list(DETECTOR_QUALITY.columns))


def _judged_on(unlike, **beside):
    rows = [{**row, "nll_unclamped": 2.0} for row in known()]
    return judged(replace(make(rows, ("surface", "coherence"), **beside), unlike=unlike))


def test_on_another_model_the_answer_of_coherence_opens_with_a_warning_and_no_other_does():
    opens = lines_of(summary(_judged_on(GEMMA)), "**")
    assert opens[0].startswith("**surface: ") and "Beware" not in opens[0]
    assert opens[1].startswith("**coherence: ") and opens[1].endswith(BEWARE)


def test_on_its_own_model_nothing_is_said_of_another():
    text = summary(_judged_on((), detector_quality=_quality()))
    assert "Beware" not in text and "not measured" not in text and "another model" not in text


def test_the_verdicts_of_coherence_carry_the_warning_in_their_why():
    rows = _judged_on(("another model", "texts of up to 100 tokens")).verdicts
    warned = rows["why"].str.contains("a guess for another model and texts of up to 100 tokens")
    assert warned.tolist() == (rows["by"] == "coherence").tolist()
    assert not _judged_on(()).verdicts["why"].str.contains("guess").any()


def test_how_far_to_trust_a_detector_says_that_the_labelled_texts_are_another_models():
    said = bullets(summary(_judged_on(GEMMA, detector_quality=_quality())))
    assert said[-1].startswith("How far to trust `surface`: on labelled texts its precision is")
    assert said[-1].endswith(
        " These were texts of 30 to 50 tokens by SmolLM2-135M-Instruct; how good it is on another "
        "model was not measured."
    )
