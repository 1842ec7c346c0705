"""Neuron statistics against brute force over the generated positions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clampsweep import tables
from clampsweep.generation.neuron_stats import neuron_statistics
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.selection import NEURON_STATS
from reference import decode_alone, post_activations, w_out
from tiny import D_MLP, N_LAYERS, PROMPTS, RAGGED_PROMPTS


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
