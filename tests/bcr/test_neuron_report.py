"""Neurons that stand out, ranked four ways."""

from __future__ import annotations

from clampsweep.studies.bcr.neuron_report import neuron_report
from said import neurons, ranking
from sweep_tables import (
    stats,
)


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
