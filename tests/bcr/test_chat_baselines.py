"""Baselines in the chat format beside the raw ones, counted by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

import factories
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.bcr.chat_baselines import CHAT_BASELINES, chat_baselines
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.promptset import PROMPTS
from sweep_tables import BROKEN, FINE

TEXTS = {"F": FINE, "B": BROKEN, "_": " \n"}
NAMES = "abcdefghij"


def texts(states, **columns):
    """Baselines of prompts a, b, ...: fine (F), broken (B) or blank (_)."""
    rows = [
        factories.baseline(name, TEXTS[state], **columns)
        for name, state in zip(NAMES, states, strict=False)
    ]
    return factories.frame(rows, GENERATIONS)


def prompts(cores=""):
    """The ten prompts, each with its core if cores are given."""
    rows = [
        factories.prompt(f"Say {name}", name, core=core or None)
        for name, core in zip(NAMES, cores or [""] * 10, strict=True)
    ]
    return factories.frame(rows, PROMPTS)


def only(raw, chat, cores="", detectors=("surface",)):
    return chat_baselines(raw, chat, prompts(cores), detectors).iloc[0]


def test_a_hand_counted_case_with_blank_and_broken_apart():
    # a, b rescued of blank; c stays blank; d rescued, e broken still; f to j fine, but f and g.
    found = only(texts("___BBFFFFF"), texts("FF_F_B_FFF"))
    counted = {
        "n": 10, "n_collapsed_baseline": 5, "n_blank_baseline": 3, "n_blank_rescued": 2,
        "n_rescued": 3, "n_fine_baseline": 5, "n_harmed": 2, "net": 1, "n_clusters": 10,
        "n_collapsed_chat": 4, "n_blank_chat": 3,
    }  # fmt: skip
    assert found[list(counted)].to_dict() == counted
    assert (found["rescue_rate"], found["harm_rate"]) == (0.6, 0.4)
    # Wilson with z = 1.96, by hand: 3 of 5 and 2 of 5
    assert [found["rescue_low"], found["rescue_high"]] == pytest.approx([0.2307, 0.8824], abs=1e-3)
    assert [found["harm_low"], found["harm_high"]] == pytest.approx([0.1176, 0.7693], abs=1e-3)
    # Of 5 prompts that change, at least 3 one way or at least 3 the other: all of 2^5.
    assert (found["mcnemar_p"], found["cluster_p"]) == (1.0, 1.0)


def test_the_tests_are_mcnemars_over_prompts_and_sign_flips_over_cores():
    # Eight rescued, none harmed, in two cores of five and three.
    found = only(texts("BBBBBBBBFF"), texts("F" * 10), cores="xxxxxyyyyy")
    assert found["mcnemar_p"] == pytest.approx(2 / 2**8)
    assert (found["cluster_p"], found["n_clusters"]) == (pytest.approx(2 / 2**2), 2)
    assert only(texts("BBBBBBBBFF"), texts("F" * 10))["cluster_p"] == pytest.approx(2 / 2**8)


def test_a_chat_is_compared_with_the_raw_text_of_its_own_prompt_and_seed():
    raw = [texts("BF", seed=0), texts("FB", seed=1)]
    chats = pd.concat(raw[::-1]).sample(frac=1, random_state=3)
    same = only(pd.concat(raw), chats)
    assert (same["n"], same["n_rescued"], same["n_harmed"]) == (4, 0, 0)
    turned = only(pd.concat(raw), pd.concat([texts("FB", seed=0), texts("BF", seed=1)]))
    assert (turned["n_rescued"], turned["n_harmed"]) == (2, 2)
    assert turned["n_clusters"] == 2, "seeds of a prompt move together"


def test_clamped_texts_are_of_no_account():
    clamped = factories.frame([factories.generation("a", BROKEN, 3.0)], GENERATIONS)
    with_them = only(pd.concat([texts("BF"), clamped]), texts("FF"))
    pd.testing.assert_series_equal(with_them, only(texts("BF"), texts("FF")))


def test_a_share_of_none_is_null():
    found = only(texts("FF"), texts("FB"))
    assert math.isnan(found["rescue_rate"]) and math.isnan(found["rescue_low"])
    assert (found["harm_rate"], found["net"]) == (0.5, -1)


def test_a_detector_that_needs_token_ids_says_so_where_there_are_none():
    with pytest.raises(UserError, match="loop"):
        only(texts("BF"), texts("FF", tokens=None), detectors=("loop",))


def test_tables_from_disk_give_the_same_and_the_result_can_be_written(tmp_path):
    raw, chats, detectors = texts("_BFF"), texts("FF_B"), ("surface", "entropy", "loop")
    found = chat_baselines(raw, chats, prompts(), detectors)
    for name, table in {"raw": raw, "chats": chats}.items():
        tables.write(table, tmp_path / name, GENERATIONS, {})
    read = [tables.read(tmp_path / name, GENERATIONS) for name in ("raw", "chats")]
    again = chat_baselines(*read, prompts(), detectors)
    tables.write(again, tmp_path / "c", CHAT_BASELINES, {})
    back = tables.read(tmp_path / "c", CHAT_BASELINES)
    assert back["detector"].tolist() == list(detectors)
    pd.testing.assert_frame_equal(back, found, check_dtype=False)
