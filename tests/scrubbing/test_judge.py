from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clampsweep import ledger
from clampsweep.ledger import Conclusions
from clampsweep.studies.scrubbing.judge import BEATS, DIFFER, RECOVERS, judge
from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.tally import Tally
from scrubbing import small

N, C = 60, len(CATEGORIES)
PAIR = ("scrub-1", "scrub-2")
SEED = 2
RNG = np.random.default_rng(8)
WEIGHTS = np.stack([np.random.default_rng([SEED, i]).poisson(1, 1000) for i in range(N)], 1)


def hypothesis(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "heads": "induction1", "groups": [small.WHOLE], **more}


def shares(mean: float | list[float], spread: float = 0.2) -> np.ndarray:
    """Loss recovered of each example in each category, around a mean."""
    return np.asarray(mean) + RNG.normal(0, spread, (N, C))


class Made:
    """A tally of losses in which a hypothesis recovers what it is said to, and its conclusions.

    Each example has one position in each category but those that are said to be `empty`; where
    `nothing` is lost, the baseline is as good as the model.
    """

    def __init__(
        self,
        given: dict[str, np.ndarray],
        entries: list[dict[str, Any]],
        empty: tuple[int, ...] = (),
        nothing: tuple[int, ...] = (),
    ):
        self.least = RNG.gamma(2, 1, (N, C))
        harm = RNG.normal(1, 0.1, (N, C))
        harm[:, list(nothing)] = RNG.normal(0, 0.5, (N, len(nothing)))
        given = {"unscrubbed": np.ones((N, C)), "baseline": np.zeros((N, C))} | given
        for name in PAIR:
            given.setdefault(name, shares(0.8))
        self.nll = {
            name: (self.least + (1 - own) * harm).astype(np.float32) for name, own in given.items()
        }
        self.flags = np.repeat(np.eye(C, dtype=bool)[None], N, axis=0)  # [example, category, pos]
        self.flags[:, list(empty)] = False
        self.tally = Tally(list(self.nll), SEED)
        for name, nll in self.nll.items():
            self.tally.add(name, list(range(N)), nll, self.flags)
        pair = [hypothesis(name) for name in PAIR if name not in {one["name"] for one in entries}]
        hypotheses = small.listed(*entries, *pair).hypotheses
        self.found: Conclusions = judge(self.tally, hypotheses, PAIR)

    def rows(self, claim: str, subject: str | None = None) -> pd.DataFrame:
        """Verdicts of a claim, by category."""
        own = self.found.verdicts[self.found.verdicts["claim"] == claim]
        return own[own["subject"] == subject].set_index("by") if subject else own

    def resampled(self, name: str, c: int) -> np.ndarray:
        """Mean loss of a category in each resample of examples, by hand."""
        return WEIGHTS @ self.nll[name][:, c].astype(float) / WEIGHTS.sum(1)

    def recovered(self, name: str, c: int) -> np.ndarray:
        none, whole, own = (self.resampled(each, c) for each in ("baseline", "unscrubbed", name))
        return (none - own) / (none - whole)


def adjusted(p: list[float]) -> list[float]:
    """Benjamini and Hochberg: the smallest p * m / rank among those as large, by hand."""
    order = sorted(p)
    return [
        min(order[at] * len(p) / (at + 1) for at in range(len(p)) if order[at] >= one) for one in p
    ]


@pytest.fixture(scope="module")
def made() -> Made:
    given = {
        "good": shares(0.9),
        "bad": shares(0.1),
        "middle": shares(0.5, 1.5),
        "close": shares([0.56, 0.55, 0.54, 0.53, 0.52, 0.51, 0.5, 0.45, 0.5], 0.25),
        "itself": np.ones((N, C)),
    }
    entries = [hypothesis(name) for name in given]
    entries[-1]["sampler"] = "exact"
    entries[0]["decoherent"] = True
    given["good-decoherent"] = shares(0.2)
    return Made(given, entries, empty=(5,), nothing=(8,))


def test_a_hypothesis_recovers_most_if_all_of_its_interval_does(made):
    for name, verdict, words in [
        ("good", "supported", "recovers most"),
        ("good-decoherent", "contradicted", "recovers less than half"),
        ("bad", "contradicted", "recovers less than half"),
        ("middle", "inconclusive", "about half: no answer"),
    ]:
        rows = made.rows(RECOVERS, name)
        assert list(rows.index) == list(CATEGORIES)
        for c in (0, 1, 2, 3, 4, 6, 7):
            row, resampled = rows.iloc[c], made.recovered(name, c)
            assert (row["verdict"], row["words"]) == (verdict, words), (name, c)
            assert [row["low"], row["high"]] == pytest.approx(
                np.quantile(resampled, [0.025, 0.975])
            )
            assert row["p"] == pytest.approx((1 + (resampled <= 0.5).sum()) / 1001)
            assert (row["null"], row["n"], row["side"]) == (0.5, N, "greater")


def test_the_baseline_and_the_model_itself_are_not_judged(made):
    subjects = list(dict.fromkeys(made.rows(RECOVERS)["subject"]))
    assert subjects == [
        "good", "good-decoherent", "bad", "middle", "close", "itself", "scrub-1", "scrub-2",
    ]  # fmt: skip


def test_where_there_is_nothing_to_recover_or_no_position_it_cannot_be_tested(made):
    rows = made.rows(RECOVERS, "good")
    for c in (5, 8):
        row = rows.iloc[c]
        assert (row["verdict"], row["words"]) == ("untestable", "cannot be tested")
        assert row["reason"].startswith("baseline and unscrubbed do not differ here")
        assert row[["estimate", "low", "high", "p", "q"]].isna().all()
    assert rows.iloc[5]["n"] == 0 and rows.iloc[8]["n"] == N


def test_draws_of_the_example_itself_say_nothing(made):
    rows = made.rows(RECOVERS, "itself")
    assert (rows["verdict"] == "vacuous").all() and (rows["words"] == "says nothing").all()
    assert rows["reason"].str.contains("nothing is scrubbed").all() and rows["q"].isna().all()
    assert rows["estimate"].dropna().tolist() == [1.0] * 7


def test_p_values_are_corrected_within_a_claim_over_what_was_tested(made):
    for claim in (RECOVERS, DIFFER):
        rows = made.rows(claim)
        tested = rows[~rows["verdict"].isin(["untestable", "vacuous"])]
        assert tested["q"].tolist() == pytest.approx(adjusted(tested["p"].tolist()))
        assert rows.loc[rows.index.difference(tested.index), "q"].isna().all()
    close = made.rows(RECOVERS, "close").iloc[[0, 1, 2, 3, 4, 6, 7]]
    assert close["p"].nunique() > 3, "the p values of this test differ"
    assert (close["verdict"] == "supported").tolist() == [
        bool(low > 0.5 and q < 0.05) for low, q in zip(close["low"], close["q"], strict=True)
    ]


# ---- random hypotheses


def against(own: float, others: list[float], **more: Any) -> Made:
    """A hypothesis that recovers some, in each category, and random ones that recover others."""
    name = "h"
    level = np.ones((N, C))
    given = {name: own * level}
    given |= {f"{name}-random-{at}": one * level for at, one in enumerate(others, 1)}
    return Made(given, [hypothesis(name, controls=len(others), **more)])


def test_the_best_of_forty_beats_random_hypotheses_with_p_a_fortieth():
    others = list(np.linspace(-0.2, 0.6, 39))
    rows = against(0.9, others).rows(BEATS, "h")
    assert rows["p"].tolist() == pytest.approx([1 / 40] * C)
    assert rows["q"].tolist() == pytest.approx([1 / 40] * C)
    assert (rows["verdict"] == "supported").all()
    assert (rows["words"] == "better than random hypotheses of its size").all()
    assert rows["null"].to_numpy() == pytest.approx(0.2, abs=1e-5)
    assert rows["estimate"].to_numpy() == pytest.approx(0.9, abs=1e-5)
    assert (rows["n"] == 39).all() and (rows["low"] > rows["null"]).all()


def test_a_random_hypothesis_that_is_as_good_counts_against():
    others = [0.1] * 37 + [0.9, 0.9]
    rows = against(0.9, others).rows(BEATS, "h")
    assert rows["p"].to_numpy() == pytest.approx(3 / 40)
    assert (rows["verdict"] == "inconclusive").all()
    assert (rows["words"] == "no better than random hypotheses of its size").all()


def test_the_worst_of_forty_is_contradicted():
    rows = against(-0.5, list(np.linspace(0, 0.6, 39))).rows(BEATS, "h")
    assert (rows["verdict"] == "contradicted").all() and (rows["p"] == 1).all()
    assert (rows["words"] == "worse than random hypotheses of its size").all()


@pytest.mark.parametrize(("n", "untestable"), [(3, True), (19, True), (20, False)])
def test_too_few_random_hypotheses_cannot_tell(n, untestable):
    rows = against(0.9, [0.1] * n).rows(BEATS, "h")
    assert rows["p"].to_numpy() == pytest.approx(1 / (n + 1))
    if untestable:
        assert (rows["verdict"] == "untestable").all()
        assert (rows["reason"] == f"so few cases allow no q below {1 / (n + 1):.2g}").all()
        assert (rows["words"] == "cannot be tested").all()
        assert rows["estimate"].notna().all()
    else:
        assert (rows["verdict"] == "supported").all()


def test_random_hypotheses_of_draws_of_the_example_itself_say_nothing():
    rows = against(1.0, [1.0] * 20, sampler="exact").rows(BEATS, "h")
    assert (rows["verdict"] == "vacuous").all()


def test_a_hypothesis_without_controls_makes_no_claim_about_random_ones(made):
    assert made.rows(BEATS).empty


# ---- two heads


@pytest.fixture(scope="module")
def heads() -> Made:
    given = {"scrub-1": shares([0.3, 0.9] + [0.6] * (C - 2)), "scrub-2": shares(0.6)}
    given["scrub-2"][:, 2] = given["scrub-1"][:, 2]  # to the bit
    return Made(given, [], empty=(C - 1,))


def test_two_heads_differ_where_one_harms_more_on_either_side(heads):
    rows = heads.rows(DIFFER, "scrub-1 and scrub-2")
    assert list(rows.index) == list(CATEGORIES)
    assert rows["verdict"].tolist()[:3] == ["supported", "supported", "inconclusive"]
    assert rows["words"].tolist()[:3] == [
        "their losses differ", "their losses differ",
        "no difference found",
    ]  # fmt: skip
    for c in range(C - 1):
        row = rows.iloc[c]
        resampled = heads.resampled("scrub-1", c) - heads.resampled("scrub-2", c)
        means = (heads.nll[name][:, c].astype(float).mean() for name in PAIR)
        estimate = next(means) - next(means)
        assert row["estimate"] == pytest.approx(estimate)
        assert [row["low"], row["high"]] == pytest.approx(np.quantile(resampled, [0.025, 0.975]))
        against = (resampled <= 0) if estimate > 0 else (resampled >= 0)
        assert row["p"] == pytest.approx(min(1, 2 * (1 + against.sum()) / 1001))
    assert rows.iloc[0]["estimate"] > 0 > rows.iloc[1]["estimate"]
    assert rows.iloc[2]["estimate"] == 0 and rows.iloc[2]["p"] == 1


def test_a_category_without_positions_is_no_test_of_heads_and_raises_no_others_p(heads):
    row = heads.rows(DIFFER).set_index("by").iloc[-1]
    assert (row["verdict"], row["reason"], row["n"]) == ("untestable", "there is no case", 0)
    assert row[["estimate", "p", "q"]].isna().all()


def judged(made: Made, n_with_second: int) -> pd.DataFrame:
    """Conclusions where only some examples have a position in the second category."""
    flags = made.flags.copy()
    flags[n_with_second:, 1] = False
    tally = Tally(list(made.nll), SEED)
    for name, nll in made.nll.items():
        tally.add(name, list(range(N)), nll, flags)
    found = judge(tally, small.listed(*map(hypothesis, PAIR)).hypotheses, PAIR).verdicts
    return found[found["by"] == list(CATEGORIES)[1]].set_index(["claim", "subject"])


def test_resamples_without_a_position_are_no_evidence():
    rows = judged(Made({"scrub-1": shares(0.2, 0), "scrub-2": shares(0.8, 0)}, []), 2)
    n_known = (WEIGHTS[:, :2].sum(1) > 0).sum()
    assert 800 < n_known < 930  # e to the -2 of 1,000 have neither
    assert rows.loc[(RECOVERS, "scrub-2"), "p"] == pytest.approx(1 / (1 + n_known))
    assert rows.loc[(RECOVERS, "scrub-1"), "p"] == 1
    assert rows.loc[(DIFFER, "scrub-1 and scrub-2"), "p"] == pytest.approx(2 / (1 + n_known))


def test_of_one_example_nothing_can_be_told():
    rows = judged(Made({"scrub-1": shares(0.2, 0), "scrub-2": shares(0.8, 0)}, []), 1)
    assert (rows["verdict"] == "untestable").all() and (rows["n"] == 1).all()
    assert rows[["low", "high", "p", "q"]].isna().all(axis=None)


# ---- the ledger


def test_every_claim_has_its_controls_in_the_ledger_and_both_tables_are_written(made, tmp_path):
    with_controls = against(0.9, [0.1] * 20, decoherent=False)
    for at, one in enumerate((made, with_controls)):
        files = tmp_path / f"v{at}.parquet", tmp_path / f"l{at}.parquet"
        ledger.write(one.found, *files, {})
        back = ledger.read(*files)
        assert len(back.verdicts) == len(one.found.verdicts)
        assert back.verdicts["verdict"].tolist() == one.found.verdicts["verdict"].tolist()
        assert len(one.found.verdicts) % C == 0, "a row of each category"
    book = made.found.ledger.set_index(["claim", "subject", "by", "control"])
    ran = book["ran"].xs("OVERALL", level="by")
    assert ran[RECOVERS, "good", "decoherent draws"]
    assert not ran[RECOVERS, "bad", "decoherent draws"]
    assert not ran[RECOVERS, "bad", "random hypotheses of its size"]
    assert not ran[DIFFER, "scrub-1 and scrub-2", "other heads of layer 1"]
    book = with_controls.found.ledger
    counts = book[(book["by"] == "OVERALL") & book["ran"]].set_index(["claim", "subject"])["n"]
    assert counts.to_dict() == {(RECOVERS, "h"): 20, (BEATS, "h"): 20}


def test_a_name_that_looks_like_a_random_one_is_a_hypothesis_of_its_own():
    made = Made({"a-random-b": shares(0.9)}, [hypothesis("a-random-b")])
    assert made.rows(BEATS).empty
    assert not math.isnan(made.rows(RECOVERS, "a-random-b")["estimate"].iloc[0])


@pytest.mark.parametrize(("own", "verdict"), [(5, "supported"), (6, "untestable")])
def test_draws_of_func_that_are_mostly_the_example_itself_are_no_test(own, verdict):
    made = Made({"h": shares(0.9)}, [hypothesis("h", sampler="func(last-token)")])
    made.tally.add_draws("h", own, 100)
    hypotheses = small.listed(
        hypothesis("h", sampler="func(last-token)"), *map(hypothesis, PAIR)
    ).hypotheses
    found = judge(made.tally, hypotheses, PAIR).verdicts
    row = found[(found["claim"] == RECOVERS) & (found["subject"] == "h")].iloc[0]
    assert row["verdict"] == verdict
    if verdict == "untestable":
        assert row["reason"].startswith("6 % of its draws are the example itself")
        assert row["reason"].endswith("has its last-token")
