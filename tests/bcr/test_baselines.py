"""What the summary says of the baselines: blank or broken, why blank, what chats make of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clampsweep.studies.bcr.baselines import collapsed, in_chat, many_blank
from clampsweep.studies.bcr.chat_baselines import CHAT_BASELINES, chat_baselines
from clampsweep.studies.bcr.summary import summary
from clampsweep.studies.bcr.verdict import judge
from clampsweep.texts.gather import GENERATIONS
from factories import baseline, frame, generation
from said import lines_of
from sweep_tables import BROKEN, FINE, make

TEXTS = {"F": (FINE, (1, 2, 3)), "B": (BROKEN, (1, 2, 3)), "_": ("", ()), "w": ("\n\n", (4,))}
NAMES = [f"p{at:02}" for at in range(20)]


def sweep(raw, clamped, p=None, p_clamped=None, chats="", **made):
    """A sweep at +1 of prompts in the states given; `p` and `p_clamped`: p_end_first by prompt."""
    rows = []
    for at, (before, after) in enumerate(zip(raw, clamped, strict=True)):
        for make_row, state, chance, more in (
            (baseline, before, p, ()),
            (generation, after, p_clamped, (1.0,)),
        ):
            text, ids = TEXTS[state]
            chance = None if chance is None else chance[at]
            rows.append(make_row(NAMES[at], text, *more, tokens=ids, p_end_first=chance))
    own = make(rows)
    if chats:
        rows = [baseline(name, TEXTS[s][0]) for name, s in zip(NAMES, chats, strict=False)]
        made["chat_baselines"] = chat_baselines(
            own.generations, frame(rows, GENERATIONS), own.prompts, own.detectors
        )
    return replace(own, **made)


def test_collapsed_baselines_are_counted_blank_and_broken_apart():
    # White space alone is blank too; a clamped text's state is of no account.
    assert collapsed(sweep("__wBF", "FFFF_"), "surface") == (
        "4 of 5 baselines collapsed: 3 blank, 1 broken"
    )
    assert collapsed(sweep("BF", "FF"), "surface") == (
        "1 of 2 baselines collapsed: none blank, 1 broken"
    )
    assert collapsed(sweep("FF", "B_"), "surface") == "0 of 2 baselines collapsed"


def test_of_a_sampled_sweep_each_seeds_baseline_counts():
    rows = [
        row
        for seed, text in ((0, ""), (1, BROKEN), (2, FINE))
        for row in (baseline("a", text, seed=seed), generation("a", FINE, 1.0, seed=seed))
    ]
    assert collapsed(make(rows), "surface") == "2 of 3 baselines collapsed: 1 blank, 1 broken"


def test_the_summary_opens_with_blank_baselines_from_a_tenth_on():
    few, many = sweep("_" + "F" * 10, "F" * 11), sweep("_" + "F" * 9, "F" * 10)
    assert not list(many_blank(few))
    (said,) = many_blank(many)
    assert said.startswith("**1 of 10 baselines are blank.**")
    assert summary(many).splitlines()[2] == said
    assert "baselines are blank" not in summary(few)


def test_the_cause_is_how_probable_the_end_was_at_the_first_token():
    chances = (0.4, 0.3, 0.9, 0.01, 0.03)
    (said,) = many_blank(sweep("__wFF", "FFwFF", chances, (0.2, 0.1, 0.6, 0.5, 0.7)))
    assert "In 2 of them the first token ends the text" in said, "the third says white space"
    assert "is 0.4 in the median among the blank ones, 0.02 among the others." in said
    assert "With `L1N2 set +1` it is 0.2 on the same prompts" in said


def test_a_clamp_that_rescues_nothing_is_not_held_up_beside_the_cause():
    (said,) = many_blank(sweep("_F", "_F", (0.4, 0.1), (0.4, 0.1)))
    assert "0.4 in the median" in said and "L1N2" not in said


def test_of_texts_whose_probabilities_are_not_recorded_the_cause_is_not_known():
    own = sweep("_F", "FF")
    (said,) = many_blank(own)
    assert "is not known" in said and "median" not in said
    assert "## Ends at once" not in summary(own)


def test_where_all_baselines_are_blank_there_are_no_others():
    (said,) = many_blank(sweep("__", "__", (0.4, 0.6), (0.4, 0.6)))
    assert "is 0.5 in the median among the blank ones. " in said


@pytest.mark.parametrize(
    ("made", "remedy"),
    [
        ({}, "the chat format, if the model has one (`prompt_format: chat`); else another prompt."),
        ({"chat_template": "d1ge57"}, "the chat format, which the tokenizer has ("),
        ({"chat_template": None}, "another prompt: the tokenizer has no chat template."),
        ({"chat_template": "d1ge57", "prompt_format": "chat"}, "another prompt, or another system"),
    ],
    ids=str,
)
def test_the_remedy_is_the_chat_format_where_there_is_one(made, remedy):
    (said,) = many_blank(sweep("_F", "FF", made=made))
    assert f"The usual remedy is {remedy}" in said


def test_beside_the_remedy_stands_what_it_did():
    (said,) = many_blank(sweep("__FF", "FFFF", chats="F_FF"))
    assert "(`prompt_format: chat`): there 1 of 4 baselines are blank; else" in said


def test_the_table_of_ends_has_each_clamp_and_blank_prompts_beside_the_others():
    own = sweep("__FF", "F_F_", (0.5, 0.7, 0.1, 0.3), (0.2, 0.6, 0.1, 0.9))
    text = summary(own)
    assert lines_of(text, "| no clamp") == ["| no clamp | 0.6 | 2 | 0.2 | 0 |"]
    section = text.split("## Ends at once")[1].split("\n## ")[0]
    assert lines_of(section, "| `L1N2") == ["| `L1N2 set +1` | 0.4 | 1 | 0.5 | 1 |"]
    assert "## Ends at once" not in summary(sweep("FB", "FF", (0.5, 0.1), (0.5, 0.1)))


# ---- in the chat format


def test_where_chats_mend_most_of_the_collapse_the_verdicts_first_line_says_so():
    own = sweep("____BBBBBBFF", "F" * 12, chats="FFFFFFFFBBFF")
    (said,) = in_chat(own, "surface")
    assert said == (
        "Much of this collapse is the raw prompt: in the model's own chat format, without a clamp, "
        "8 of 10 collapsed baselines are fine (4 of 4 blank; 4 of 6 broken; 80.0 % [49.0, 94.3]) "
        "and 0 of 2 fine ones collapse (0.0 % [0.0, 65.8]), net +8, p = 0.0078 (the larger of "
        "McNemar's and the sign-flip test). Of all 12, 2 collapse there, none blank."
    )
    (line,) = lines_of(summary(own), "**surface: ")
    assert line.endswith(f" 10 of 12 baselines collapsed: 4 blank, 6 broken. {said}")


@pytest.mark.parametrize(
    ("raw", "chats", "start"),
    [
        ("B" * 16, "F" * 7 + "B" * 9, "Some of this collapse is the raw prompt: in the model's"),
        ("B" * 16, "F" * 8 + "B" * 8, "Much of this collapse is the raw prompt: in the model's"),
        ("B" * 16, "F" * 5 + "B" * 11, "The prompt's form makes no significant difference: in"),
        ("F" * 16, "B" * 7 + "F" * 9, "The raw prompt is not the cause: in the model's own chat"),
    ],
)
def test_what_is_claimed_of_chats_hangs_on_both_tests_and_on_the_direction(raw, chats, start):
    (said,) = in_chat(sweep(raw, raw, chats=chats), "surface")
    assert said.startswith(start)


def test_both_tests_must_be_significant_for_a_claim():
    own = sweep("B" * 16, "F" * 16, chats="F" * 16)
    table = own.chat_baselines.assign(cluster_p=0.06)
    (said,) = in_chat(replace(own, chat_baselines=table), "surface")
    assert said.startswith("The prompt's form makes no significant difference")
    assert "p = 0.06 (" in said


def test_without_collapsed_or_fine_baselines_nothing_is_said_of_them():
    (said,) = in_chat(sweep("FF", "FF", chats="F_"), "surface")
    assert "without a clamp, 1 of 2 fine ones collapse (" in said and "collapsed base" not in said
    assert said.endswith("Of all 2, 1 collapse there, 1 blank.")
    (said,) = in_chat(sweep("BB", "FF", chats="FF"), "surface")
    assert "fine ones" not in said and "; none" not in said


@pytest.mark.parametrize(
    ("chats", "made", "ran", "n", "why"),
    [
        ("FF", {}, True, 2, "each prompt without a clamp"),
        ("", {}, False, None, "not asked for (config key chat_baselines)"),
        ("", {"chat_template": None}, False, None, "the tokenizer has no chat template"),
        ("", {"prompt_format": "chat", "chat_template": "d1"}, False, None,
         "the sweep's own prompts are chats"),
    ],
    ids=str,
)  # fmt: skip
def test_the_ledger_has_them_as_a_control_of_recovery_alone(chats, made, ran, n, why):
    found = judge(sweep("BF", "FF", chats=chats, made=made)).ledger
    rows = found[found["control"] == "baselines in the chat format"]
    assert rows["claim"].tolist() == ["recovery"]
    row = rows.iloc[0]
    assert (row["ran"], row["why"]) == (ran, why)
    assert row["n"] == n if ran else row[["n"]].isna().all()


def test_a_detector_that_was_not_counted_has_no_sentence():
    own = replace(sweep("BF", "FF"), chat_baselines=frame([], CHAT_BASELINES))
    assert not list(in_chat(own, "surface"))
