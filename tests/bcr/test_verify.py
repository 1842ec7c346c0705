"""A sweep against published figures: counted by hand, by loops, and with the published pattern."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import published_like
from clampsweep import tables
from clampsweep.studies.bcr import extracted, rates, recovery, verify
from clampsweep.studies.bcr.verification_report import document
from clampsweep.studies.bcr.verify import VERIFICATION, Reference
from clampsweep.texts.metrics import table
from factories import baseline, generation
from oracles import surface_in_fractions
from sweep_tables import BROKEN, FINE, known, make

PUBLISHED = Path(__file__).parents[2] / "workflow/data/bcr/bcr_gpt2.yaml"
# What `sweep_tables.known` says of itself.
KNOWN = Reference(
    source="a table counted by hand",
    model="none",
    neuron="L1N2",
    operation="set",
    scope="all",
    detector="surface",
    n_prompts=4,
    n_texts=16,
    n_recovered=2,
    collapsed={"a": [10, -5], "b": [10]},
    by_clamp={
        -5: {"rescued": 1, "harmed": 2},
        0: {"rescued": 0, "harmed": 0},
        10: {"rescued": 2, "harmed_more_than": 0, "rate_by_core": 1.0},
    },
)
ALL_HOLD = [
    "12 facts: 12 PASS, 0 DIFFERS, 0 not tested",
    "PASS  number of prompts: expected 4, found 4",
    "PASS  number of texts: expected 16, found 16",
    "PASS  number of collapsed baselines: expected 2, found 2",
    "PASS  recovered at some clamp: expected 2 of 2, found 2 of 2",
    "PASS  clamps that improve a: expected -5, +10, found -5, +10",
    "PASS  clamps that improve b: expected +10, found +10",
    "PASS  improvement rate at -5: expected 0.500 (1/2), found 0.500 (1/2)",
    "PASS  improvement rate at 0: expected 0.000 (0/2), found 0.000 (0/2)",
    "PASS  improvement rate at +10: expected 1.000 (2/2), found 1.000 (2/2)",
    "PASS  harmed at -5: expected 2 of 2, found 2 of 2",
    "PASS  harmed at 0: expected 0 of 2, found 0 of 2",
    "PASS  harmed at +10: expected more than 0 of 2, found 1 of 2",
    "SHOWN  improvement rate by core at +10: published 1.000, "
    "found 1.000 (2/2); by prompt 1.000 (2/2)",
]


def compare(rows, reference=KNOWN):
    seen = make(rows)
    return verify.lines(verify.verify(seen.recovery, seen.rates, reference))


def with_clamp(value, **facts):
    """The reference with other facts of a clamp."""
    return replace(KNOWN, by_clamp={**KNOWN.by_clamp, value: facts})


def not_passed(lines):
    return [line for line in lines[1:] if not line.startswith(("PASS", "SHOWN"))]


def test_every_fact_of_a_table_counted_by_hand_holds():
    assert compare(known()) == ALL_HOLD


@pytest.mark.parametrize(
    ("reference", "line"),
    [
        (replace(KNOWN, n_texts=2240), "DIFFERS  number of texts: expected 2,240, found 16"),
        (
            replace(KNOWN, n_recovered=1),
            "DIFFERS  recovered at some clamp: expected 1 of 2, found 2 of 2",
        ),
        (
            replace(KNOWN, collapsed={"a": [-5, 10], "b": [-5, 10]}),
            "DIFFERS  clamps that improve b: expected -5, +10, found +10",
        ),
        (
            with_clamp(0, rescued=1, harmed=0),
            "DIFFERS  improvement rate at 0: expected 0.500 (1/2), found 0.000 (0/2)",
        ),
        (
            with_clamp(-5, rescued=1, harmed=1),
            "DIFFERS  harmed at -5: expected 1 of 2, found 2 of 2",
        ),
        (
            with_clamp(10, rescued=2, harmed_more_than=1),
            "DIFFERS  harmed at +10: expected more than 1 of 2, found 1 of 2",
        ),
    ],
)
def test_a_fact_that_does_not_hold_differs_with_both_numbers_and_no_other_does(reference, line):
    lines = compare(known(), reference)
    assert lines[0] == "12 facts: 11 PASS, 1 DIFFERS, 0 not tested"
    assert not_passed(lines) == [line]


def test_a_further_collapsed_baseline_is_named():
    fewer = replace(KNOWN, collapsed={"a": [-5, 10]}, n_recovered=1)
    lines = compare(known(), fewer)
    assert "DIFFERS  number of collapsed baselines: expected 1, found 2, with b" in lines


def test_a_baseline_that_should_be_collapsed_and_is_fine_is_said_to_be():
    more = replace(KNOWN, collapsed={**KNOWN.collapsed, "c": [0]})
    assert "DIFFERS  clamps that improve c: expected 0, found a fine baseline" in compare(
        known(), more
    )


def test_a_collapsed_baseline_that_nothing_rescues_is_no_fine_one():
    rows = [baseline("a", BROKEN), generation("a", BROKEN, 10.0)]
    reference = replace(KNOWN, collapsed={"a": [10]}, by_clamp={10: {"rescued": 1}})
    lines = compare(rows, reference)
    assert "DIFFERS  clamps that improve a: expected +10, found none" in lines


def test_what_needs_a_clamp_that_the_sweep_lacks_is_not_tested_and_says_which():
    rows = [row for row in known() if row["value"] != 0]
    lines = compare(rows)
    lacks = "but not in the sweep: clamps 0"
    assert not_passed(lines) == [
        f"NOT_TESTED  number of texts: expected 16, {lacks}",
        f"NOT_TESTED  recovered at some clamp: expected 2 of 2, {lacks}",
        f"NOT_TESTED  clamps that improve a: expected -5, +10, {lacks}",
        f"NOT_TESTED  clamps that improve b: expected +10, {lacks}",
        f"NOT_TESTED  improvement rate at 0: expected 0.000 (0/2), {lacks}",
        f"NOT_TESTED  harmed at 0: expected 0 of 2, {lacks}",
    ]
    assert lines[0] == "12 facts: 6 PASS, 0 DIFFERS, 6 not tested"


def test_a_claim_at_a_clamp_that_the_sweep_lacks_is_not_shown():
    lines = compare([row for row in known() if row["value"] != 10])
    assert lines[-1] == (
        "NOT_TESTED  improvement rate by core at +10: expected 1.000, "
        "but not in the sweep: clamps +10"
    )


def test_what_needs_a_prompt_that_the_sweep_lacks_is_not_tested_and_says_which():
    lines = compare([row for row in known() if row["prompt_id"] != "b"])
    tested = [line for line in lines[1:] if not line.startswith("NOT_TESTED")]
    assert tested == [
        "DIFFERS  number of prompts: expected 4, found 3",
        "DIFFERS  number of texts: expected 16, found 12",
        "PASS  clamps that improve a: expected -5, +10, found -5, +10",
    ]
    untested = [line for line in lines[1:] if line.startswith("NOT_TESTED")]
    assert len(untested) == 10
    assert all(line.endswith("not in the sweep: prompt b") for line in untested)


def test_of_several_prompts_that_the_sweep_lacks_one_is_named():
    lines = compare([row for row in known() if row["prompt_id"] in "cd"])
    untested = [line for line in lines if "recovered" in line]
    assert untested == [
        "NOT_TESTED  recovered at some clamp: expected 2 of 2, "
        "but not in the sweep: prompt a and 1 more"
    ]


def test_without_all_prompts_there_is_no_harm_to_compare():
    lines = compare([row for row in known() if row["prompt_id"] != "c"])
    assert [line for line in lines if line.startswith("NOT_TESTED")] == [
        f"NOT_TESTED  {fact}, but the sweep has 3 prompts, not 4"
        for fact in (
            "number of collapsed baselines: expected 2",
            "harmed at -5: expected 2 of 2",
            "harmed at 0: expected 0 of 2",
            "harmed at +10: expected more than 0 of 2",
        )
    ]


@pytest.mark.parametrize(
    "other",
    [{"neuron": "L1N3"}, {"operation": "add"}, {"scope": "last"}, {"detector": "entropy"}],
    ids=str,
)
def test_nothing_is_tested_against_figures_of_something_else(other):
    lines = compare(known(), replace(KNOWN, **other))
    assert lines[0] == "13 facts: 0 PASS, 0 DIFFERS, 13 not tested"
    assert all("but the sweep has no text for " in line for line in lines[1:])


def test_several_texts_per_prompt_and_clamp_are_not_compared_with_one():
    rows = [baseline("a", BROKEN, seed=s) for s in (0, 1)]
    rows += [generation("a", FINE, v, seed=s) for v in (-5.0, 0.0, 10.0) for s in (0, 1)]
    lines = compare(rows, replace(KNOWN, n_prompts=1, collapsed={"a": [-5, 0, 10]}))
    assert all(line.startswith("NOT_TESTED") for line in lines[1:])
    assert "but the sweep has several texts per prompt and clamp" in lines[1]


def test_clamps_and_neurons_beyond_the_published_ones_change_nothing():
    rows = known()
    rows += [generation(p, FINE, 77.0) for p in "abcd"]
    rows += [generation(p, FINE, 10.0, target="L1N9") for p in "abcd"]
    assert compare(rows) == ALL_HOLD


def test_a_sweep_with_more_prompts_is_said_to_have_them():
    rows = [*known(), baseline("e", FINE), *(generation("e", FINE, v) for v in (-5.0, 0.0, 10.0))]
    assert "DIFFERS  number of prompts: expected 4, found 5" in compare(rows)


def test_the_rate_by_core_counts_cores_with_a_collapsed_baseline():
    # Core x: two collapsed prompts, one rescued. y: one, not rescued. z: fine.
    states = {"x/p/1": "BF", "x/p/2": "BB", "y/p/1": "BB", "z/p/1": "FF"}
    letters = {"F": FINE, "B": BROKEN}
    rows = [baseline(name, letters[state[0]]) for name, state in states.items()]
    rows += [generation(name, letters[state[1]], 25.0) for name, state in states.items()]
    reference = replace(
        KNOWN,
        collapsed=dict.fromkeys(["x/p/1", "x/p/2", "y/p/1"], ()),
        by_clamp={25: {"rescued": 1, "rate_by_core": 1.0}},
    )
    assert compare(rows, reference)[-1] == (
        "SHOWN  improvement rate by core at +25: published 1.000, "
        "found 0.500 (1/2); by prompt 0.333 (1/3)"
    )


@settings(max_examples=25)
@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=6))
def test_the_figures_counted_by_loops_all_hold(states):
    # A prompt's state is collapsed or not, first its baseline, then at each clamp.
    clamps = (-2.5, 0.0, 40.0)
    rows = []
    for i, (before, *after) in enumerate(states):
        rows.append(baseline(f"p{i}", BROKEN if before else FINE))
        for value, flag in zip(clamps, after, strict=True):
            rows.append(generation(f"p{i}", BROKEN if flag else FINE, value))
    collapsed = {
        f"p{i}": [clamps[j] for j in range(3) if not state[j + 1]]
        for i, state in enumerate(states)
        if state[0]
    }
    reference = replace(
        KNOWN,
        n_prompts=len(states),
        n_texts=4 * len(states),
        n_recovered=sum(bool(improving) for improving in collapsed.values()),
        collapsed=collapsed,
        by_clamp={
            value: {
                "rescued": sum(state[0] and not state[j + 1] for state in states),
                "harmed": sum(not state[0] and state[j + 1] for state in states),
            }
            for j, value in enumerate(clamps)
        },
    )
    lines = compare(rows, reference)
    assert not_passed(lines) == []
    n_facts = 4 + len(collapsed) + 6
    assert lines[0] == f"{n_facts} facts: {n_facts} PASS, 0 DIFFERS, 0 not tested"


def test_the_table_can_be_written_and_read_back(tmp_path):
    seen = make(known())
    found = verify.verify(seen.recovery, seen.rates, KNOWN)
    tables.write(found, tmp_path / "v.parquet", VERIFICATION, {})
    back = tables.read(tmp_path / "v.parquet", VERIFICATION)
    assert verify.lines(back) == ALL_HOLD


def test_a_sweep_without_clamped_texts_tests_nothing():
    lines = compare([baseline("a", FINE)])
    assert lines[0] == "13 facts: 0 PASS, 0 DIFFERS, 13 not tested"


# ---- the published figures


def test_the_texts_of_the_published_pattern_are_collapsed_or_fine_as_they_should_be():
    assert all(map(surface_in_fractions, published_like.COLLAPSED_TEXTS))
    assert not any(map(surface_in_fractions, published_like.FINE_TEXTS))


def test_the_published_figures_are_those_of_the_pattern_written_apart():
    reference = verify.read_reference(PUBLISHED)
    like = published_like
    assert reference.n_prompts == len(like.PROMPTS) == 140
    assert reference.n_texts == len(like.texts()) == 1960
    assert reference.n_recovered == 8
    assert {name: set(clamps) for name, clamps in reference.collapsed.items()} == like.RESCUED_AT
    assert tuple(reference.by_clamp) == like.CLAMPS


def test_the_published_rates_follow_from_the_published_list_of_improving_clamps():
    reference = verify.read_reference(PUBLISHED)
    rates = {value: facts["rescued"] / 8 for value, facts in reference.by_clamp.items()}
    assert rates == {
        **{-100: 0, -50: 0.375, -25: 0.375, -10: 0.25, -5: 0.25, -3: 0.125, 0: 0},
        **{3: 0.25, 5: 0.25, 10: 0.625, 25: 0.875, 50: 0.625, 100: 0.375},
    }
    for value, facts in reference.by_clamp.items():
        listed = [name for name, clamps in reference.collapsed.items() if value in clamps]
        assert len(listed) == facts["rescued"]


def test_the_papers_hundred_percent_is_by_core():
    reference = verify.read_reference(PUBLISHED)
    cores = {name.split("/")[0] for name in reference.collapsed}
    at_25 = {name.split("/")[0] for name, clamps in reference.collapsed.items() if 25 in clamps}
    assert (
        at_25
        == cores
        == {
            "glass_shatter_noise",
            "painting_conveys_sorrow",
            "presence_by_door",
            "red_light_warning",
        }
    )
    assert reference.by_clamp[25]["rate_by_core"] == 1


def verified(texts, folder):
    """Lines of an extracted table that goes through import, metrics and recovery."""
    published_like.write(texts, folder / "old.tsv")
    prompts, generations = extracted.read(folder / "old.tsv", "L11N373")
    found = recovery.recovery(generations, table(generations), ["surface"])
    by_clamp = rates.rates(found, prompts)
    return verify.lines(verify.verify(found, by_clamp, verify.read_reference(PUBLISHED)))


def test_a_sweep_with_the_published_pattern_passes_everything(tmp_path):
    lines = verified(published_like.texts(), tmp_path)
    assert lines[0] == "29 facts: 29 PASS, 0 DIFFERS, 0 not tested"
    assert "PASS  improvement rate at +25: expected 0.875 (7/8), found 0.875 (7/8)" in lines
    assert "PASS  harmed at +100: expected more than 100 of 132, found 121 of 132" in lines
    assert lines[-1] == (
        "SHOWN  improvement rate by core at +25: published 1.000, "
        "found 1.000 (4/4); by prompt 0.875 (7/8)"
    )


def test_a_part_of_the_published_prompts_tests_the_rescues_only(tmp_path):
    texts = {
        key: text
        for key, text in published_like.texts().items()
        if key[0] in published_like.RESCUED_AT
    }
    lines = verified(texts, tmp_path)
    assert lines[0] == "29 facts: 22 PASS, 2 DIFFERS, 5 not tested"
    assert all(
        "the sweep has 8 prompts, not 140" in line
        for line in lines
        if line.startswith("NOT_TESTED")
    )


# ---- the report


def test_the_document_says_the_count_the_source_and_every_line():
    seen = make(known())
    found = verify.verify(seen.recovery, seen.rates, KNOWN)
    text = document(found, KNOWN, "tiny, L1N2, set")
    assert text.startswith(
        "# Check against published figures: tiny, L1N2, set\n\n"
        "**12 facts: 12 PASS, 0 DIFFERS, 0 not tested.**\n\n"
        "Published: a table counted by hand; none, `L1N2`, set, scope all, "
    )
    assert text.endswith("```text\n" + "\n".join(ALL_HOLD[1:]) + "\n```\n")


def test_a_prompts_name_cannot_break_out_of_the_document():
    odd = "```a"
    rows = [baseline(odd, BROKEN), generation(odd, FINE, 10.0)]
    seen = make(rows)
    reference = replace(KNOWN, n_prompts=1, collapsed={}, by_clamp={10: {"rescued": 0}})
    text = document(verify.verify(seen.recovery, seen.rates, reference), reference, "*t*")
    assert text.startswith("# Check against published figures: \\*t\\*\n")
    assert "\n````text\n" in text and text.endswith("\n````\n")
