"""Recovery and harm against the baseline, and their rates."""

from __future__ import annotations

import pandas as pd
import pytest

import factories
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.bcr import rates, recovery
from clampsweep.studies.bcr.rates import RATES
from clampsweep.studies.bcr.recovery import RECOVERY
from clampsweep.texts import metrics as metrics_module
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.metrics import PUBLISHED_METRICS, TEXT_METRICS, published
from recovered import BROKEN, FINE, LOOP, VARIED, only, prompts_of, recover, table_of

# recovery


@pytest.mark.parametrize(
    ("before", "after", "improves", "harms"),
    [
        (BROKEN, FINE, True, False),
        (FINE, BROKEN, False, True),
        (FINE, FINE, False, False),
        (BROKEN, BROKEN, False, False),
        ("", FINE, True, False),
        (FINE, "", False, True),
    ],
)
def test_improvement_and_harm_follow_from_both_states(before, after, improves, harms):
    rows = [factories.baseline("p", before), factories.generation("p", after, 5.0)]
    found = only(recover(rows))
    assert found["baseline_collapsed"] == (before != FINE)
    assert found["collapsed"] == (after != FINE)
    assert found["intervention_improves_baseline"] == improves
    assert found["intervention_harms_baseline"] == harms


def test_there_is_a_row_per_detector_and_intervened_text_and_none_for_baselines():
    rows = [factories.baseline("p", FINE), factories.baseline("q", FINE)]
    rows += [factories.generation(name, FINE, v) for name in "pq" for v in (1.0, 2.0, 3.0)]
    found = recover(rows, ["surface", "entropy", "loop"])
    assert len(found) == 3 * 6
    assert found.groupby("detector").size().to_dict() == {"surface": 6, "entropy": 6, "loop": 6}
    assert "none" not in set(found["operation"])


def test_each_detector_judges_for_itself():
    rows = [
        factories.baseline("p", FINE, tokens=LOOP),
        factories.generation("p", BROKEN, 5.0, tokens=VARIED),
    ]
    found = recover(rows, ["loop", "surface"]).set_index("detector")
    assert found["baseline_collapsed"].to_dict() == {"loop": True, "surface": False}
    assert found["collapsed"].to_dict() == {"loop": False, "surface": True}
    assert found["intervention_improves_baseline"].to_dict() == {"loop": True, "surface": False}


def test_only_the_detectors_asked_for_are_run():
    rows = [factories.baseline("p", FINE), factories.generation("p", FINE, 1.0)]
    assert recover(rows, ["entropy"])["detector"].tolist() == ["entropy"]


def test_each_text_is_compared_with_the_baseline_of_its_own_prompt():
    rows = [
        factories.generation("q", FINE, 1.0),
        factories.baseline("p", FINE),
        factories.generation("p", FINE, 1.0),
        factories.baseline("q", BROKEN),
    ]
    found = recover(rows).set_index("prompt_id")["baseline_collapsed"]
    assert found.to_dict() == {"p": False, "q": True}


def test_a_row_keeps_the_identity_of_its_intervened_text():
    rows = [factories.baseline("p", FINE), factories.generation("p", FINE, -3.0, target="L4N56")]
    found = only(recover(rows))
    assert (found["target"], found["layer"], found["neuron"]) == ("L4N56", 4, 56)
    assert (found["operation"], found["value"], found["scope"]) == ("set", -3.0, "all")
    assert found["key"] == rows[1]["key"]


def test_a_greedy_baseline_serves_every_seed():
    rows = [factories.baseline("p", BROKEN)]
    rows += [factories.generation("p", FINE, operation="resample", seed=s) for s in (1, 2)]
    found = recover(rows)
    assert found["baseline_collapsed"].tolist() == [True, True]
    assert found["seed"].tolist() == [1, 2]


def test_a_sampled_text_is_compared_with_the_baseline_of_its_seed():
    rows = [factories.baseline("p", BROKEN, seed=1), factories.baseline("p", FINE, seed=2)]
    rows += [factories.generation("p", FINE, 1.0, seed=s) for s in (1, 2)]
    found = recover(rows).set_index("seed")["baseline_collapsed"]
    assert found.to_dict() == {1: True, 2: False}


def test_seed_0_is_a_seed():
    rows = [factories.baseline("p", BROKEN, seed=0), factories.baseline("p", FINE, seed=1)]
    rows += [factories.generation("p", FINE, 1.0, seed=0)]
    assert bool(only(recover(rows))["baseline_collapsed"]) is True


def test_a_prompt_without_baseline_is_named():
    rows = [factories.baseline("p", FINE), factories.generation("lonely/prompt/1", FINE, 1.0)]
    with pytest.raises(UserError, match="lonely/prompt/1") as caught:
        recover(rows)
    assert len(str(caught.value).splitlines()) == 1


def test_a_seed_without_baseline_is_refused():
    rows = [factories.baseline("p", FINE, seed=1), factories.generation("p", FINE, 1.0, seed=2)]
    with pytest.raises(UserError, match="'p'"):
        recover(rows)


def test_deltas_are_this_texts_metrics_minus_the_baselines():
    rows = [
        factories.baseline("p", "a a a b. C d"),
        factories.generation("p", "x y. z w! x y", 1.0),
    ]
    found = only(recover(rows))
    assert found["delta_total_tokens"] == 0
    assert found["delta_unique_tokens"] == 5 - 4  # x y. z w! y, against a b. C d
    assert found["delta_num_sentences"] == 3 - 2
    assert found["delta_avg_sentence_length"] == 2 - 3
    assert found["delta_num_repeated_bigrams"] == 0 - 1  # "a a"
    before = published("a a a b. C d")["token_entropy"]
    after = published("x y. z w! x y")["token_entropy"]
    assert found["delta_token_entropy"] == pytest.approx(after - before)


@pytest.mark.parametrize(("before", "after"), [("", FINE), (FINE, "  "), ("", "")])
def test_deltas_with_a_blank_text_are_null(before, after):
    rows = [factories.baseline("p", before), factories.generation("p", after, 1.0)]
    found = only(recover(rows))
    assert all(pd.isna(found[f"delta_{name}"]) for name in PUBLISHED_METRICS)


def test_the_metrics_table_may_be_in_another_order():
    rows = [factories.baseline("p", FINE), factories.baseline("q", "One. Two.")]
    rows += [factories.generation(name, "Three words here.", 1.0) for name in "pq"]
    generations = table_of(rows)
    metrics = metrics_module.table(generations)
    straight = recovery.recovery(generations, metrics, ["surface"])
    turned = recovery.recovery(generations, metrics.iloc[::-1], ["surface"])
    pd.testing.assert_frame_equal(straight, turned)


def test_a_detector_that_needs_tokens_is_refused_in_one_line_without_them():
    rows = [
        factories.baseline("p", FINE, tokens=None),
        factories.generation("p", FINE, 1.0, tokens=None),
    ]
    with pytest.raises(UserError, match="loop") as caught:
        recover(rows, ["loop"])
    assert len(str(caught.value).splitlines()) == 1
    assert len(recover(rows, ["surface", "entropy"])) == 2


def test_recovery_can_be_written_and_read_back(tmp_path):
    rows = [factories.baseline("p", ""), factories.generation("p", FINE, operation="zero")]
    found = recover(rows, ["surface", "loop"])
    tables.write(found, tmp_path / "r.parquet", RECOVERY, {})
    back = tables.read(tmp_path / "r.parquet", RECOVERY)
    assert back["detector"].tolist() == ["surface", "loop"]
    assert back["collapsed"].dtype == bool


def test_recovery_of_tables_read_from_disk_is_the_same(tmp_path):
    rows = [factories.baseline("p", BROKEN), factories.generation("p", FINE, 2.5, tokens=LOOP)]
    generations = table_of(rows)
    tables.write(generations, tmp_path / "g", GENERATIONS, {})
    tables.write(metrics_module.table(generations), tmp_path / "m", TEXT_METRICS, {})
    from_disk = recovery.recovery(
        tables.read(tmp_path / "g", GENERATIONS),
        tables.read(tmp_path / "m", TEXT_METRICS),
        ["surface", "loop"],
    )
    expected = recover(rows, ["surface", "loop"])
    pd.testing.assert_frame_equal(from_disk, expected, check_dtype=False)


def test_baselines_alone_give_an_empty_table_that_can_be_written(tmp_path):
    found = recover([factories.baseline("p", FINE)])
    assert len(found) == 0
    tables.write(found, tmp_path / "r.parquet", RECOVERY, {})
    by_clamp = rates.rates(found, prompts_of(found))
    assert len(by_clamp) == 0
    tables.write(by_clamp, tmp_path / "rates.parquet", RATES, {})
