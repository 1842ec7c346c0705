"""Neuron statistics against brute force, and the choice of neurons on tables made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.generation.neuron_stats import neuron_statistics
from clampsweep.models.loading import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Selection
from clampsweep.texts.selection import NEURON_STATS, select, write_selection
from reference import decode_alone, post_activations, w_out
from tiny import D_MLP, N_LAYERS, PROMPTS, RAGGED_PROMPTS


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


# Statistics


def _texts(model: Model) -> tuple[list[list[int]], list[list[int]]]:
    """Prompts of several lengths, their greedy texts; one of the texts is empty."""
    prompts = [model.encode(text) for text in (*PROMPTS[:3], *RAGGED_PROMPTS)]
    texts = [decode_alone(model, prompt, (), "all", 5).token_ids for prompt in prompts]
    texts[1] = []
    return prompts, texts


def test_statistics_equal_brute_force_over_generated_positions(
    model: Model, hugging_face: Callable[[Model], Any], tmp_path: Path
) -> None:
    prompts, texts = _texts(model)
    got = neuron_statistics(model, prompts, texts)
    tables.write(got, tmp_path / "stats.parquet", NEURON_STATS, {})
    pairs = [(prompt, text) for prompt, text in zip(prompts, texts, strict=True) if text]
    runs = [post_activations(hugging_face(model), [*prompt, *text]) for prompt, text in pairs]
    assert got[["layer", "neuron"]].values.tolist() == [
        [layer, neuron] for layer in range(N_LAYERS) for neuron in range(D_MLP)
    ]
    assert set(got["n_prompts"]) == {len(pairs)}
    for layer, frame in got.groupby("layer"):
        positions = [
            run[layer][len(prompt) :].numpy() for run, (prompt, _) in zip(runs, pairs, strict=True)
        ]
        values = np.concatenate(positions)
        assert set(frame["n_positions"]) == {len(values)}
        mean, sd = values.mean(0), values.std(0, ddof=1)
        for column, wanted in {
            "mean": mean,
            "sd": sd,
            "min": values.min(0),
            "max": values.max(0),
            "share_positive": (values > 0).mean(0),
            "mean_over_sd": np.abs(mean) / sd,
        }.items():
            np.testing.assert_allclose(frame[column], wanted, rtol=1e-3, atol=1e-4, err_msg=column)


def test_the_norm_of_the_output_weights_is_that_of_the_stored_matrix(model: Model) -> None:
    got = neuron_statistics(model, [model.encode(PROMPTS[0])], [[5, 6]])
    wanted = [
        float(w_out(model, Neuron(layer, neuron)).norm())
        for layer in range(N_LAYERS)
        for neuron in range(D_MLP)
    ]
    np.testing.assert_allclose(got["w_out_norm"], wanted, rtol=1e-12)
    assert got["w_out_norm"].nunique() == N_LAYERS * D_MLP


def test_statistics_do_not_depend_on_the_order_of_the_texts(gpt2: Model) -> None:
    prompts, texts = _texts(gpt2)
    one = neuron_statistics(gpt2, prompts, texts)
    two = neuron_statistics(gpt2, prompts[::-1], texts[::-1])
    pd.testing.assert_frame_equal(one, two, rtol=1e-9)


def test_one_position_has_no_sd(gpt2: Model, tmp_path: Path) -> None:
    got = neuron_statistics(gpt2, [gpt2.encode(PROMPTS[0])], [[5]])
    tables.write(got, tmp_path / "stats.parquet", NEURON_STATS, {})
    assert set(got["n_positions"]) == {1}
    assert got["sd"].isna().all()
    assert got["mean_over_sd"].isna().all()
    assert (got["min"] == got["max"]).all()
