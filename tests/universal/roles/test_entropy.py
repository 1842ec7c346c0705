from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import special, stats

from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.studies.universal.roles.entropy import hold
from clampsweep.studies.universal.roles.rows import Text, Tried
from clampsweep.studies.universal.roles.tables import CANDIDATE, MATCHED

IDS = np.random.default_rng(4).integers(2, 200, (4, 20)).tolist()
BLOCKS = np.array([1, 1, 3, 3])
TEXT = Text(IDS, BLOCKS, 2)
NEURONS = [Tried(Neuron(2, 3), CANDIDATE, 1), Tried(Neuron(1, 5), MATCHED, 1)]


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def case(request: Any, load_tiny: Callable[..., Model]) -> tuple[Model, Any]:
    model = load_tiny(request.param)
    return model, hold(model, TEXT, NEURONS, [-2.0, 0.5, 3.0], 4)


@pytest.mark.parametrize(("which", "value"), [(0, 0.5), (0, -2.0), (1, 3.0)])
def test_entropy_rank_and_loss_by_a_plain_hook(
    case: tuple[Model, Any], hugging_face: Callable[[Model], Any], which: int, value: float
):
    model, rows = case
    plain, neuron = hugging_face(model), NEURONS[which].neuron
    llama = hasattr(plain, "model")
    block = plain.model.layers[neuron.layer] if llama else plain.transformer.h[neuron.layer]
    out = block.mlp.down_proj if llama else block.mlp.c_proj

    def change(module: Any, args: Any) -> Any:
        changed = args[0].clone()
        changed[..., neuron.index] = value
        return (changed,)

    handle = out.register_forward_pre_hook(change)
    with torch.no_grad():
        logits = plain(input_ids=torch.tensor(IDS)).logits
    handle.remove()
    keep = [2, 6, 10, 14, 18]
    shares = special.softmax(logits[:, keep].numpy(), axis=-1)
    following = np.array(IDS)[:, [at + 1 for at in keep]]
    own = np.take_along_axis(shares, following[..., None], 2)
    wanted = {
        "entropy": stats.entropy(shares, axis=-1),
        "loss": -np.log(own[..., 0]),
        "reciprocal_rank": 1 / (1 + (shares > own).sum(-1)),
    }
    held = rows[(rows["neuron"] == neuron.index) & (rows["value"] == value)]
    for measure, values in wanted.items():
        mine = held[held["measure"] == measure].set_index("block")
        assert mine["n"].tolist() == [10, 10]
        for number in (1, 3):
            mean = values[number == BLOCKS].mean()
            assert mine.loc[number, "held"] == pytest.approx(mean, abs=1e-4), measure


def test_matched_controls_are_held_at_the_ends_only(case: tuple[Model, Any]):
    _, rows = case
    clamped = rows[rows["operation"] == "clamp"]
    values = clamped.groupby("kind")["value"].unique().map(sorted).to_dict()
    assert values == {"candidate": [-2.0, 0.5, 3.0], "matched": [-2.0, 3.0]}
    assert (rows[rows["operation"] == "mean"].groupby("kind").size() == 8).all()


def test_natural_is_the_same_for_all(case: tuple[Model, Any]):
    _, rows = case
    assert (rows.groupby(["measure", "block"])["natural"].nunique() == 1).all()


def test_a_neuron_that_writes_nothing_changes_nothing(load_tiny: Callable[..., Model]):
    model = load_tiny("llama", 8)
    with torch.no_grad():
        model.outs[2].weight[:, 3] = 0
    rows = hold(model, TEXT, NEURONS[:1], [-6.0, 6.0], 4)
    np.testing.assert_allclose(rows["held"], rows["natural"], rtol=1e-9)


def test_nothing_to_try_gives_an_empty_table(llama: Model):
    assert hold(llama, TEXT, [], [0.0, 1.0], 4).empty
