"""Areas by offset: against areas counted pair by pair, and scores by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from backtracking.figures import made
from clampsweep.studies.backtracking.figures.offsets import by_offset, offsets, scores

NEURONS = made.neurons(strength=2.0)
AROUND = made.around(NEURONS)


def test_scores_are_means_of_standardised_values_turned_by_sign() -> None:
    discover = np.random.default_rng(0).normal(size=(2, 50))  # [neuron, sample], 10 events first
    table = pd.DataFrame(
        {
            "position_kind": "pred", "layer": [0, 1], "neuron": [3, 4], "n1": 10, "n0": 40,
            "mean1": discover[:, :10].mean(1), "mean0": discover[:, 10:].mean(1),
            "sd1": discover[:, :10].std(1, ddof=1), "sd0": discover[:, 10:].std(1, ddof=1),
            "sign": [1, -1],
        }
    )  # fmt: skip
    rows = [("a", "a", "p", 1, -1, 0, 3, 0.7), ("a", "a", "p", 1, -1, 1, 4, -0.2)]
    around = pd.DataFrame(rows, columns=list(AROUND.columns))
    own = scores(around, table, "pred")
    standard = (np.array([0.7, -0.2]) - discover.mean(1)) / discover.std(1)
    assert own["score"].item() == pytest.approx((standard[0] - standard[1]) / 2)


def test_a_neuron_that_never_changed_does_not_divide_by_zero() -> None:
    flat = NEURONS.assign(sd1=0.0, sd0=0.0, mean1=0.0, mean0=0.0)
    assert np.isfinite(scores(AROUND, flat, "pred")["score"]).all()


def test_areas_are_shares_of_pairs_in_which_the_event_is_higher() -> None:
    scored = scores(AROUND, NEURONS, "pred")
    found = by_offset(scored).set_index("offset")
    assert list(found.index) == list(range(-15, 6))
    for offset in (-15, -6, -1, 5):
        own = scored[scored["offset"] == offset]
        events, controls = (own.loc[own["y"] == y, "score"].to_numpy() for y in (1, 0))
        share = np.mean([(one > controls).mean() for one in events])
        assert found.loc[offset, "auc"] == pytest.approx(share)
    assert (found["low"] <= found["auc"]).all() and (found["auc"] <= found["high"]).all()
    assert found.loc[-1, "auc"] > found.loc[-15, "auc"] + 0.2


def test_an_offset_that_only_events_or_only_controls_have_is_left_out() -> None:
    scored = scores(AROUND, NEURONS, "pred")
    kept = scored[(scored["offset"] != 3) | (scored["y"] == 1)]
    kept = kept[(kept["offset"] != 4) | (kept["y"] == 0)]
    assert list(by_offset(kept)["offset"]) == [*range(-15, 3), 5]


def test_the_figure_draws_these_areas_and_says_of_what() -> None:
    figure = offsets({"gross": AROUND, "chain": AROUND[:0]}, {"gross": NEURONS}, "title")
    found = by_offset(scores(AROUND, NEURONS, "pred"))
    line = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    np.testing.assert_allclose(line.get_data(), [found["offset"], found["auc"]])
    said = figure.axes[0].get_title(loc="left").replace("\n", " ")
    assert "5 neurons, 24 events, 96 controls, 12 problems" in said
    assert "chain: insufficient events" in figure.get_suptitle()


def test_without_enough_events_the_figure_says_so() -> None:
    figure = offsets({"chain": AROUND[:0]}, {"chain": NEURONS[:0]}, "title", {"chain": "none"})
    assert figure.axes[0].texts[0].get_text() == "chain: none"
