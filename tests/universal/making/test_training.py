"""Training of a seed's model: the recipe's seed decides, stopping early is a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from clampsweep.errors import UserError
from clampsweep.studies.universal.making.training import batch, train_model, untrained

RECIPE: dict[str, Any] = {
    "seed": 1,
    "vocabulary": 300,
    "shape": {"n_layers": 1, "d_model": 16, "d_mlp": 24, "n_heads": 2, "n_ctx": 16},
    "steps": 3,
    "of_steps": 3,
    "batch": 2,
    "rate": 0.01,
    "decay": 0.1,
    "storage": "float32",
}
STREAM = torch.randint(1, 300, (200,), generator=torch.Generator().manual_seed(0))


def trained(folder: Path, **changes: Any) -> Any:
    torch.set_num_threads(1)
    return train_model({**RECIPE, **changes}, STREAM, folder)


def weights(model: Any) -> torch.Tensor:
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def test_the_same_recipe_gives_the_same_bits_and_another_seed_others(tmp_path):
    one, two = (weights(trained(tmp_path / name).model) for name in ("one", "two"))
    assert torch.equal(one, two)
    assert not torch.equal(one, weights(trained(tmp_path / "three", seed=2).model))


def test_stopping_early_gives_a_state_of_the_same_training(tmp_path):
    early = trained(tmp_path / "scratch", steps=2)  # its state is what the whole one goes on from
    whole = trained(tmp_path / "scratch")
    assert whole.measured[:2] == early.measured
    assert torch.equal(weights(whole.model), weights(trained(tmp_path / "anew").model))


def test_training_lowers_the_loss_of_a_text_that_repeats(tmp_path):
    told = STREAM[:20].repeat(20)
    found = train_model({**RECIPE, "steps": 40, "of_steps": 40}, told, tmp_path)
    assert found.measured[-1]["loss"] < found.measured[0]["loss"] - 1


def test_a_batch_is_windows_of_the_stream_behind_the_token_that_begins():
    ids = batch(torch.arange(1, 40), 5, 8, torch.Generator().manual_seed(0))
    assert ids.shape == (5, 8)
    assert (ids[:, 0] == 0).all()
    assert (ids[:, 1:].diff(dim=1) == 1).all()
    assert ids[:, 1].unique().numel() > 1
    whole = batch(torch.arange(1, 8), 2, 8, torch.Generator().manual_seed(0))
    assert whole[0].tolist() == [0, *range(1, 8)]


def test_the_shape_is_the_recipes():
    model = untrained(RECIPE)
    assert model.transformer.h[0].mlp.c_fc.weight.shape == (16, 24)
    assert len(model.transformer.h) == 1
    assert model.transformer.wpe.weight.shape == (16, 16)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"steps": 9}, ["recipe.steps", "got 9", "at most of_steps, 3"]),
     ({"shape": {**RECIPE["shape"], "n_ctx": 400}}, ["recipe.texts", "200 tokens", "400", "add"])],
)  # fmt: skip
def test_a_recipe_that_cannot_be_is_refused(tmp_path, changes, said):
    with pytest.raises(UserError) as caught:
        trained(tmp_path, **changes)
    assert all(part in str(caught.value) for part in said), caught.value
