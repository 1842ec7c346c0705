"""Sampled baselines against the greedy ones, counted by hand."""

from __future__ import annotations

import pandas as pd
import pytest

import factories
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.bcr.variability import VARIABILITY, variability
from clampsweep.texts.gather import GENERATIONS

FINE = "The kettle sings, and somebody takes it off."
BROKEN = "no no no no no no no no no no"  # collapsed for surface and for entropy
LOOP, VARIED = [7] * 9, list(range(9))
TEXTS = {"F": FINE, "B": BROKEN}


def greedy(states, **columns):
    """Baselines of prompts a, b, ..., fine (F) or broken (B)."""
    rows = [
        factories.baseline(name, TEXTS[s], **columns)
        for name, s in zip("abcde", states, strict=False)
    ]
    return factories.frame(rows, GENERATIONS)


def sampled(states, **columns):
    """Sampled baselines of the same prompts; `states` by seed."""
    rows = [
        factories.baseline(name, TEXTS[state], seed=seed, **columns)
        for seed, letters in states.items()
        for name, state in zip("abcde", letters, strict=False)
    ]
    return factories.frame(rows, GENERATIONS)


def test_a_hand_counted_case():
    found = variability(greedy("BBFFF"), sampled({0: "FBFBF", 3: "BBBFF", 5: "FFFFF"}), ["surface"])
    counted = ["seed", "n", "n_collapsed", "n_rescued", "n_harmed", "net"]
    assert found[counted].values.tolist() == [
        [0, 5, 2, 1, 1, 0],
        [3, 5, 3, 0, 1, -1],
        [5, 5, 0, 2, 0, 2],
    ]
    assert set(found["n_collapsed_baseline"]) == {2}
    assert set(found["n_fine_baseline"]) == {3}
    assert found["collapse_rate"].tolist() == pytest.approx([0.4, 0.6, 0.0])
    # Wilson with z = 1.96, by hand: 2 of 5, 3 of 5, 0 of 5
    assert found["collapse_low"].tolist() == pytest.approx([0.1176, 0.2307, 0.0], abs=1e-3)
    assert found["collapse_high"].tolist() == pytest.approx([0.7693, 0.8824, 0.4345], abs=1e-3)


def test_each_text_is_compared_with_the_greedy_text_of_its_own_prompt():
    samples = sampled({0: "BBFFF"}).sample(frac=1, random_state=0)
    found = variability(greedy("BBFFF")[::-1], samples, ["surface"]).iloc[0]
    assert (found["n_rescued"], found["n_harmed"]) == (0, 0)
    turned = variability(greedy("FFFBB"), samples, ["surface"]).iloc[0]
    assert (turned["n_rescued"], turned["n_harmed"]) == (2, 2)


def test_clamped_texts_of_the_sweep_are_of_no_account():
    clamped = [
        factories.generation(name, BROKEN, operation=operation)
        for name in "abc"
        for operation in ("set", "zero", "mean")
    ]
    both = pd.concat([greedy("FFF"), factories.frame(clamped, GENERATIONS)])
    samples = sampled({0: "FFB", 1: "FFF"})
    pd.testing.assert_frame_equal(
        variability(both, samples, ["surface"]), variability(greedy("FFF"), samples, ["surface"])
    )


def test_each_detector_judges_both_texts_for_itself():
    own, samples = greedy("BF", tokens=VARIED), sampled({0: "FF"}, tokens=LOOP)
    found = variability(own, samples, ["loop", "surface"]).set_index("detector")
    assert found.index.tolist() == ["loop", "surface"]
    assert found["n_collapsed"].tolist() == [2, 0]
    assert found["n_harmed"].tolist() == [2, 0]
    assert found["n_rescued"].tolist() == [0, 1]


def test_a_detector_that_needs_token_ids_says_so_where_there_are_none():
    with pytest.raises(UserError, match="loop"):
        variability(greedy("BF"), sampled({0: "FF"}, tokens=None), ["loop"])


def test_tables_from_disk_give_the_same_and_the_result_can_be_written(tmp_path):
    own, samples = greedy("BFFB"), sampled(dict.fromkeys(range(8), "FBFB"))
    found = variability(own, samples, ["surface", "entropy"])
    for name, table in {"own": own, "samples": samples}.items():
        tables.write(table, tmp_path / name, GENERATIONS, {})
    read = [tables.read(tmp_path / name, GENERATIONS) for name in ("own", "samples")]
    again = variability(*read, ["surface", "entropy"])
    tables.write(again, tmp_path / "v", VARIABILITY, {})
    back = tables.read(tmp_path / "v", VARIABILITY)
    assert len(back) == 16
    pd.testing.assert_frame_equal(back, found, check_dtype=False)
