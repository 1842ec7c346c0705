from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.studies.universal.roles.ablating import ablate, largest
from clampsweep.studies.universal.roles.own_tokens import OwnTokens
from clampsweep.studies.universal.roles.rows import Text, Tried
from clampsweep.studies.universal.roles.tables import CANDIDATE

IDS = np.random.default_rng(3).integers(2, 200, (4, 20)).tolist()
TEXT = Text(IDS, np.array([1, 1, 3, 3]), 2)


def test_largest_in_size_by_sorting_all():
    post = torch.tensor(np.random.default_rng(0).normal(size=(20, 62)))
    found = largest(post, 2)  # 1,200 positions: 6
    sizes = np.abs(post.numpy())
    sizes[:, :2] = 0
    wanted = np.unravel_index(np.argsort(-sizes, axis=None)[:6], sizes.shape)
    assert {(row, at) for row, some in found.items() for at in some} == {
        *zip(*(part.tolist() for part in wanted), strict=True)
    }


def test_first_positions_do_not_count_however_large():
    post = torch.ones(2, 5)
    post[:, 0], post[1, 3] = 99, -2
    assert largest(post, 1) == {1: [3]}


@pytest.mark.parametrize(("role", "side"), [("prediction", 1), ("suppression", -1)])
def test_own_tokens_without_the_neuron_by_a_plain_hook(
    llama: Model, hugging_face: Callable[[Model], Any], role: str, side: int
):
    neuron, plain = Neuron(1, 8), hugging_face(llama)
    rows = ablate(llama, TEXT, [Tried(neuron, CANDIDATE, 1)], role)
    assert len(rows) == 1 and rows["n"].sum() == 1  # 72 positions give one
    out = plain.model.layers[1].mlp.down_proj
    posts: list[torch.Tensor] = []
    handle = out.register_forward_pre_hook(lambda module, args: posts.append(args[0]))
    with torch.no_grad():
        natural = plain(input_ids=torch.tensor(IDS)).logits.log_softmax(-1)
    handle.remove()
    post = posts[0][..., 8]
    row, at = divmod(int(post[:, 2:].abs().argmax()), 18)
    mean = float(post[:, 2:].mean())

    def hold(module: Any, args: Any) -> Any:
        changed = args[0].clone()
        changed[row, at + 2, 8] = mean
        return (changed,)

    handle = out.register_forward_pre_hook(hold)
    with torch.no_grad():
        held = plain(input_ids=torch.tensor(IDS)).logits.log_softmax(-1)
    handle.remove()
    tokens = OwnTokens(llama).most(neuron, side)
    found = rows.iloc[0]
    assert found["block"] == TEXT.blocks[row]
    assert found["value"] == pytest.approx(mean)
    for name, logs in (("natural", natural), ("held", held)):
        wanted = float(logs[row, at + 2, tokens].mean())
        assert found[name] == pytest.approx(wanted, abs=1e-5), name  # read out in float32


def test_a_neuron_that_writes_nothing_changes_nothing(load_tiny: Callable[..., Model]):
    model = load_tiny("llama", 7)
    with torch.no_grad():
        model.outs[2].weight[:, 4] = 0
    rows = ablate(model, TEXT, [Tried(Neuron(2, 4), CANDIDATE, 1)], "prediction")
    np.testing.assert_allclose(rows["held"], rows["natural"], rtol=1e-9)


def test_nothing_to_try_gives_an_empty_table(llama: Model):
    assert ablate(llama, TEXT, [], "prediction").empty
