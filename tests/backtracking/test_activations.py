"""Activations in shards against means of what hooks of our own see in Hugging Face's model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from backtracking.capturing import captured
from backtracking.loaded import loaded
from clampsweep import tables
from clampsweep.shards.shard import KEY, Item, item_key, of_shard
from clampsweep.studies.backtracking.position_kinds import KINDS
from clampsweep.studies.backtracking.tables import ACTIVATIONS
from reference import _BLOCKS, post_activations
from tiny import D_MLP, D_MODEL, N_LAYERS, random_model


def _item(name: str, seed: int, length: int, places: dict[int, dict[str, list[int]]]) -> Item:
    ids = np.random.default_rng(seed).integers(2, 272, length).tolist()
    return Item(name, {"ids": ids, "places": [{"place": at, **own} for at, own in places.items()]})


def _around(at: int) -> dict[str, list[int]]:
    pre = list(range(max(0, at - 12), max(1, at - 7)))
    return {"pre": pre, "pred": [at - 1], "onset": [at], "window": list(range(at - 2, at + 3))}


# Two of a length, so that they run together; two places that share positions; one near the begin.
ITEMS = [
    _item("a", 0, 30, {20: _around(20), 22: _around(22)}),
    _item("b", 1, 30, {27: _around(27)}),
    _item("c", 2, 9, {4: _around(4)}),
    _item("d", 3, 40, {35: _around(35)}),
]


def _residuals(plain: Any, ids: list[int]) -> list[torch.Tensor]:
    """The residual stream after each layer [pos, d_model], by hooks on Hugging Face's layers."""
    found: list[torch.Tensor] = []

    def after(module: Any, args: Any, output: Any) -> None:
        first = output if isinstance(output, torch.Tensor) else output[0]
        found.append(first[0].clone())

    path = _BLOCKS[plain.config.model_type]
    handles = [
        plain.get_submodule(path.format(layer)).register_forward_hook(after)
        for layer in range(plain.config.num_hidden_layers)
    ]
    with torch.inference_mode():
        plain(torch.tensor([ids]))
    for handle in handles:
        handle.remove()
    return found


def _read(shards):
    """Vectors of all shards by item's key, place, kind and layer."""
    found = {}
    for path in shards:
        for row in tables.read(path, of_shard(ACTIVATIONS)).to_dict("records"):
            key = row[KEY], row["place"], row["kind"], row["layer"]
            assert key not in found
            found[key] = row["vector"]
    return found


def _key(item):
    return item_key("backtracking_activations", "tiny", {}, item.content)


def test_vectors_are_means_over_the_positions_of_each_kind(tmp_path, model, hugging_face):
    _, shards = captured(tmp_path, model, ITEMS)
    found, plain = _read(shards), hugging_face(model)
    assert len(found) == 5 * len(KINDS) * N_LAYERS
    for item in ITEMS:
        posts = post_activations(plain, item.content["ids"])
        residuals = _residuals(plain, item.content["ids"])
        for place in item.content["places"]:
            for kind in KINDS:
                for layer in range(N_LAYERS):
                    parts = [values[layer][place[kind]] for values in (posts, residuals)]
                    wanted = torch.cat([part.mean(0) for part in parts]).numpy()
                    vector = found[_key(item), place["place"], kind, layer]
                    assert vector.dtype == np.float16 and vector.shape == (D_MLP + D_MODEL,)
                    np.testing.assert_allclose(vector, wanted, rtol=1.5e-3, atol=1e-5)


def test_how_traces_are_cut_into_shards_decides_nothing(tmp_path, llama):
    one = _read(captured(tmp_path / "one", llama, ITEMS, 1)[1])
    all_ = _read(captured(tmp_path / "all", llama, ITEMS, 4)[1])
    assert one.keys() == all_.keys()
    for key, vector in one.items():
        np.testing.assert_allclose(all_[key], vector, rtol=1e-3, atol=1e-6)


def test_values_beyond_float16_are_kept_in_float32_in_every_layer(tmp_path):
    """Row groups of a table have one type: the layer that is too large comes last."""
    plain = random_model("llama")
    with torch.no_grad():
        plain.model.layers[N_LAYERS - 1].mlp.up_proj.weight *= 1e5
    found = _read(captured(tmp_path, loaded(tmp_path, plain), ITEMS[:2])[1])
    assert {vector.dtype for vector in found.values()} == {np.dtype("float32")}
    assert max(np.abs(vector).max() for vector in found.values()) > 65504


@pytest.mark.parametrize("kind", KINDS)
def test_positions_of_one_kind_are_not_those_of_another(tmp_path, llama, kind):
    found = _read(captured(tmp_path, llama, ITEMS[:1])[1])
    same = [other for other in KINDS if np.array_equal(
        found[_key(ITEMS[0]), 20, other, 1], found[_key(ITEMS[0]), 20, kind, 1]
    )]  # fmt: skip
    assert same == [kind]
