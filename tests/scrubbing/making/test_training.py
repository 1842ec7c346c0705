"""Training by a recipe: killed, it goes on to the same bits; its measures, counted by hand."""

from __future__ import annotations

import os
import re
import signal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.models.training import train
from clampsweep.studies.scrubbing.making import training
from clampsweep.studies.scrubbing.making.attention import AttentionOnly
from clampsweep.studies.scrubbing.making.training import head_scores, train_model
from clampsweep.studies.scrubbing.tables import CURVE

RECIPE: dict[str, Any] = {
    "seed": 1,
    "vocabulary": 300,
    "shape": {"d_model": 16, "n_heads": 2, "n_ctx": 299, "rotary_base": 1000, "bias_scale": 1.0},
    "phases": [{"steps": 3, "length": 16, "batch": 4}, {"steps": 3, "length": 32, "batch": 2}],
    "repeating": [0.75, 0.5],
    "rates": {"muon": 0.02, "adamw": 0.003, "biases": 0.03},
    "decay": 0.5,
    "storage": "float32",
}
TEXT = torch.randint(1, 300, (500,), generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def saved_at_each_step(monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setattr(training, "train", partial(train, every=0.0))


def run(scratch: Path, **changes: Any) -> Any:
    return train_model({**RECIPE, **changes}, TEXT, TEXT, scratch)


def run_and_die(scratch: Path, calls: int) -> None:
    """In a process that is killed when so many batches have been drawn."""
    draw, drawn = training.draw, []

    def dying(*args: Any) -> Any:
        drawn.append(args)
        if len(drawn) > calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return draw(*args)

    if (child := os.fork()) == 0:
        try:
            training.draw = dying
            run(scratch)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def test_killed_again_and_again_it_goes_on_to_the_same_weights_and_curve(tmp_path, monkeypatch):
    whole, curve = run(tmp_path / "undisturbed")
    run_and_die(tmp_path / "killed", 2)
    run_and_die(tmp_path / "killed", 0)
    run_and_die(tmp_path / "killed", 3)  # in the second phase
    drawn = []
    draw = training.draw
    monkeypatch.setattr(training, "draw", lambda *args: drawn.append(args) or draw(*args))
    again, other = run(tmp_path / "killed")
    assert len(drawn) == 1, "five of six steps were done"
    pd.testing.assert_frame_equal(other, curve, check_exact=True)
    for name, weight in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name


def test_the_curve_is_a_table_with_heads_measured_first_and_last(tmp_path):
    model, curve = run(tmp_path / "scratch")
    tables.write(curve, tmp_path / "curve.parquet", CURVE, {})
    found = tables.read(tmp_path / "curve.parquet", CURVE)
    assert list(found["step"]) == list(range(6))
    assert list(found["tokens"]) == [64, 128, 192, 256, 320, 384]
    assert list(found["natural"].notna()) == [True, False, False, False, False, True]
    assert abs(found["natural"][0] - np.log(300)) < 0.1, "before the first step it knows nothing"
    assert not model.training


def test_batches_are_of_the_phases_and_shares_of_the_recipe(tmp_path, monkeypatch):
    drawn = []
    draw = training.draw
    monkeypatch.setattr(training, "draw", lambda *args: drawn.append(args[2:5]) or draw(*args))
    run(tmp_path)
    assert [call[:2] for call in drawn] == [(16, 4)] * 3 + [(32, 2)] * 3
    assert np.allclose([call[2] for call in drawn], 0.75 - 0.25 * np.arange(6) / 6)


def test_rates_are_full_until_the_last_part_and_fall_to_a_twentieth(tmp_path, monkeypatch):
    schedules = []

    def note(*args, schedule, **named):
        schedules.append(schedule)
        return train(*args, schedule=schedule, **named)

    monkeypatch.setattr(training, "train", note)
    run(tmp_path, decay=0.5)
    assert [schedules[0](number) for number in range(4)] == [1, 1, 1, 1]
    assert np.allclose([schedules[0](4), schedules[0](5)], [2 / 3, 1 / 3])
    assert schedules[0](6) == 0.05


def test_every_weight_is_trained_by_one_optimizer_at_its_rate():
    model = AttentionOnly(300, RECIPE["shape"])
    rates = {"muon": 1.0, "adamw": 2.0, "biases": 3.0}
    groups = [group for one in training._optimizers(model, rates) for group in one.param_groups]
    rate_of = {id(weight): group["lr"] for group in groups for weight in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    for name, weight in model.named_parameters():
        is_matrix = re.search(r"\.[qkvo]\.weight$", name)
        wanted = 1.0 if is_matrix else 3.0 if re.search(r"\.[qk]\.bias$", name) else 2.0
        assert rate_of[id(weight)] == wanted, name


def test_head_scores_are_the_mean_attention_counted_place_by_place():
    torch.manual_seed(0)
    model = AttentionOnly(300, RECIPE["shape"])
    period = 5
    once = torch.randint(1, 300, (2, period))
    ids = torch.cat([torch.zeros(2, 1, dtype=torch.int64), once, once], 1)
    patterns = model.patterns(ids[:, :-1])
    previous, induction = head_scores(model, ids, period)
    for layer in range(2):
        for head in range(2):
            pattern = patterns[layer, :, head]  # [batch, query, key]
            before = [pattern[row, at, at - 1] for row in range(2) for at in range(1, 2 * period)]
            assert torch.isclose(previous[layer, head], torch.stack(before).mean())
            # What followed the earlier occurrence of the token at `at`, where there is one.
            after = [pattern[row, at, key + 1] for row in range(2) for at in range(1, 2 * period)
                     for key in range(1, at) if ids[row, key] == ids[row, at]]  # fmt: skip
            assert torch.isclose(induction[layer, head], torch.stack(after).mean())


def test_a_rate_that_is_too_large_is_said_in_one_line(tmp_path):
    with pytest.raises(UserError, match="is not finite; lower the learning rate"):
        run(tmp_path, rates={"muon": 1e30, "adamw": 1e30, "biases": 1e30})


def test_a_corpus_or_context_that_is_shorter_than_a_sequence_is_named(tmp_path):
    with pytest.raises(UserError, match=r"recipe\.corpus: got 31 tokens .* sequence, 32; add"):
        train_model(RECIPE, TEXT, TEXT[:31], tmp_path)
    with pytest.raises(
        UserError, match=r"recipe\.phases: a length of 32 is above shape\.n_ctx, 30"
    ):
        run(tmp_path, shape={**RECIPE["shape"], "n_ctx": 30})
