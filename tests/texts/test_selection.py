"""The choice of neurons by statistics, on tables made by hand, and the file that names them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import factories
import sweep_tables
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.texts.directions import Steering
from clampsweep.texts.request import Selection
from clampsweep.texts.selection import (
    NEURON_STATS,
    Selected,
    read_selected,
    select,
    write_directions,
    write_selected,
    write_selection,
)

# Ranks


def _stats(rows: list[tuple[int, int, float, float, float, float]]) -> pd.DataFrame:
    """A table of (layer, neuron, mean, sd, min, max)."""
    frame = pd.DataFrame(rows, columns=["layer", "neuron", "mean", "sd", "min", "max"])
    ratio = (frame["mean"].abs() / frame["sd"]).where(frame["sd"] > 0)
    counts = {"n_prompts": 2, "n_positions": 9}
    return frame.assign(**counts, share_positive=0.5, mean_over_sd=ratio, w_out_norm=3.0)


HAND_MADE = _stats(
    [
        (0, 0, 5.0, 2.0, 1.0, 9.0),  # ratio 2.5
        (0, 1, -8.0, 1.0, -9.0, -7.0),  # ratio 8
        (0, 2, 9.0, 0.5, -1.0, 9.5),  # ratio 18
        (0, 3, 3.0, 0.25, 0.0, 4.0),  # ratio 12
        (1, 0, -20.0, 4.0, -30.0, -9.0),  # ratio 5
        (1, 1, 12.0, 3.0, 2.0, 30.0),  # ratio 4
        (1, 2, 0.1, 0.1, -1.0, 1.0),  # ratio 1
        (1, 3, 6.0, 0.0, 6.0, 6.0),  # never moves: no ratio
    ]
)


@pytest.mark.parametrize(
    ("criterion", "layer", "wanted"),
    [
        ("highest_mean", None, ["L1N1", "L0N2", "L1N3"]),
        ("highest_mean", 0, ["L0N2", "L0N0", "L0N3"]),
        ("lowest_mean", None, ["L1N0", "L0N1", "L1N2"]),
        ("lowest_mean", 1, ["L1N0", "L1N2", "L1N3"]),
        ("lowest_sd", None, ["L1N3", "L1N2", "L0N3"]),
        ("lowest_sd", 0, ["L0N3", "L0N2", "L0N1"]),
        ("consistent", None, ["L0N2", "L0N3", "L0N1"]),
        ("consistent", 1, ["L1N0", "L1N1", "L1N2"]),
    ],
)
def test_a_selection_ranks_by_its_criterion_in_its_layers(
    criterion: str, layer: int | None, wanted: list[str]
) -> None:
    for top in (1, 2, 3):
        assert select(HAND_MADE, Selection(criterion, layer, top)) == tuple(wanted[:top])


def test_a_neuron_without_a_ratio_comes_last() -> None:
    assert select(HAND_MADE, Selection("consistent", 1, 4))[-1] == "L1N3"


def test_equal_neurons_stand_in_the_tables_order() -> None:
    same = _stats([(0, at, 1.0, 1.0, 0.5, 2.0) for at in range(6)])
    for criterion in ("consistent", "highest_mean", "lowest_mean", "lowest_sd"):
        assert select(same, Selection(criterion, None, 3)) == ("L0N0", "L0N1", "L0N2")


def _written(folder: Path) -> Path:
    path = folder / "stats.parquet"
    tables.write(HAND_MADE, path, NEURON_STATS, {})
    return path


def test_a_selection_is_written_as_names(tmp_path: Path) -> None:
    write_selection(
        _written(tmp_path), Selection("lowest_mean", None, 2), "set", tmp_path / "out.json"
    )
    wanted = {"targets": ["L1N0", "L0N1"], "means": [None, None], "place": None}
    assert json.loads((tmp_path / "out.json").read_text()) == wanted


@pytest.mark.parametrize("targets", [("L0N2", "L1N1"), Selection("highest_mean", None, 2)])
def test_operation_mean_gets_each_targets_own_mean(tmp_path: Path, targets: Any) -> None:
    write_selection(_written(tmp_path), targets, "mean", tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())
    assert dict(zip(found["targets"], found["means"], strict=True)) == {"L0N2": 9.0, "L1N1": 12.0}


@pytest.mark.parametrize("operation", ["set", "mean"])
@pytest.mark.parametrize("targets", [("L0N2",), Selection("highest_mean", None, 2)], ids=str)
def test_nothing_is_chosen_by_statistics_of_no_position(
    tmp_path: Path, operation: str, targets: Any
) -> None:
    measured = dict.fromkeys(["mean", "sd", "min", "max", "share_positive", "mean_over_sd"])
    empty = HAND_MADE.assign(**dict.fromkeys(measured, float("nan")), n_positions=0)
    tables.write(empty, tmp_path / "stats.parquet", NEURON_STATS, {})
    arguments = (tmp_path / "stats.parquet", targets, operation, tmp_path / "out.json")
    if operation == "set" and isinstance(targets, tuple):
        return write_selection(*arguments)  # named, and nothing to measure
    with pytest.raises(UserError, match="every baseline text is empty"):
        write_selection(*arguments)
    assert not (tmp_path / "out.json").exists()


def test_joint_targets_pass_through_a_selection_file(tmp_path: Path) -> None:
    write_selection(_written(tmp_path), ("L0N1+L1N2",), "set", tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())
    assert found == {"targets": ["L0N1+L1N2"], "means": [None], "place": None}


# What was selected


NEURONS = factories.frame(
    [sweep_tables.stats(0, 1, mean=0.1), sweep_tables.stats(2, 3, mean=-1.5)], NEURON_STATS
)


@pytest.mark.parametrize("targets", [["L0N1", "L1N2+L2N3"], ["L0N1R3", "L0N1+L0N2"], []])
def test_selected_targets_read_back_in_their_order(tmp_path, targets):
    write_selected(targets, "set", NEURONS, tmp_path / "s.json")
    expected = Selected(tuple(targets), (None,) * len(targets))
    assert read_selected(tmp_path / "s.json") == expected


def test_targets_of_operation_mean_are_selected_with_their_own_neurons_mean(tmp_path):
    write_selected(["L2N3", "L0N1", "L2N3R5"], "mean", NEURONS, tmp_path / "s.json")
    expected = Selected(("L2N3", "L0N1", "L2N3R5"), (-1.5, 0.1, -1.5))
    assert read_selected(tmp_path / "s.json") == expected


def test_values_that_targets_have_beside_the_requests_read_back(tmp_path):
    more = {"L2N3": [-3.0, 0.1]}
    write_selected(["L0N1", "L2N3"], "set", NEURONS, tmp_path / "s.json", more)
    expected = Selected(("L0N1", "L2N3"), (None, None), values=((), (-3.0, 0.1)))
    assert read_selected(tmp_path / "s.json") == expected


@pytest.mark.parametrize("more", [{}, {"L0N1": ()}])
def test_a_file_without_such_values_is_as_it_was(tmp_path, more):
    write_selected(["L0N1"], "set", NEURONS, tmp_path / "s.json", more)
    assert list(json.loads((tmp_path / "s.json").read_text())) == ["targets", "means", "place"]


@pytest.mark.parametrize(
    "content",
    ["", "null", "[]", "7", "{}", '{"targets": []}', '{"targets": 7, "means": []}', "\x00", "{"],
)
def test_a_damaged_selection_file_is_one_line_with_the_file_and_the_remedy(tmp_path, content):
    path = tmp_path / "s.json"
    path.write_text(content)
    with pytest.raises(UserError, match="delete it and run again") as caught:
        read_selected(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_selection_file_is_one_line_with_the_file(tmp_path):
    with pytest.raises(UserError, match=r"gone\.json: ") as caught:
        read_selected(tmp_path / "gone.json")
    assert "\n" not in str(caught.value)


def test_directions_that_a_study_made_are_read_back_with_the_targets(tmp_path):
    made = [Steering("L1@joy", (0.1, -2.0)), Steering("L2@joy", (3.0, 1e-9))]
    names = ["L1@joy", "L2R5@joy"]
    write_directions(made, names, tmp_path / "s.json")
    expected = Selected(tuple(names), (None, None), tuple(made))
    assert read_selected(tmp_path / "s.json") == expected
