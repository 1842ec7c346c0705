"""Neurons that turn attention to BOS on or off (Gurnee et al. 2024, section 5.2).

A neuron's output weights, read by the query of a head of the next layer, times the head's key of
BOS: what a unit of the neuron adds to the score of BOS, but for the norm's common scale, and, where
positions turn queries round, as if it stood at position 0. Between a neuron and a head of the next
layer there is nothing else, so to hold the neuron is to ablate that one path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.capture import Rows, capture
from clampsweep.models.hook_places import Reader
from clampsweep.models.hook_points import reader
from clampsweep.models.hooks import PostHook, hooked
from clampsweep.models.model import Model
from clampsweep.names import MLP_POST, PATTERN, HookPoint
from clampsweep.studies.universal.mlp import Norms, fold, raw, read_norms
from clampsweep.studies.universal.no_rows import no_rows
from clampsweep.studies.universal.norms import read_norm
from clampsweep.studies.universal.roles.ablating import largest
from clampsweep.studies.universal.roles.rows import Text, Trial, Tried, block_rows, table
from clampsweep.studies.universal.roles.tables import ATTENTION, ATTENTION_SCORES, MEAN, TO_BOS


def scores(model: Model) -> pd.DataFrame:
    """`ATTENTION_SCORES`: every neuron but the last layer's, the head where it is largest.

    Args:
        model: Loaded model, with a BOS token.
    """
    bridge, bos = model.bridge, torch.tensor([[int(model.tokenizer.bos_token_id)]])
    names = [f"blocks.{layer}.attn.hook_k" for layer in range(1, model.n_layers)]
    norms, rows = read_norms(model), [no_rows(ATTENTION_SCORES)]
    with torch.inference_mode():
        _, cache = bridge.run_with_cache(
            bos.to(model.device), names_filter=lambda name: name in names
        )
        for layer in tqdm(range(model.n_layers - 1), unit="layer", mininterval=1):
            queries = bridge.blocks[layer + 1].attn.W_Q.double().cpu()
            keys = cache[names[layer]][0, 0].double().cpu()
            rows.append(_layer(model, norms, layer, queries, keys))
    return pd.concat(rows, ignore_index=True)


def _layer(
    model: Model,
    norms: Norms,
    layer: int,
    queries: Float64[Tensor, "head d_model d_head"],
    keys: Float64[Tensor, "kv_head d_head"],
) -> pd.DataFrame:
    """Rows of a layer's neurons."""
    norm = read_norm(model.part(f"blocks.{layer + 1}.ln1"), model.d_model, "model: ln1")
    writes = fold(raw(model, layer), norms, layer).writes
    read = writes / writes.norm(dim=1, keepdim=True).clamp_min(1e-30) * norm.gain
    shared = keys.repeat_interleave(len(queries) // len(keys), 0)  # [head, d_head]
    wanted = torch.einsum("hdk,hk->dh", queries, shared) / keys.shape[1] ** 0.5
    found = read @ wanted  # [neuron, head]
    head = found.abs().argmax(1)
    score = found.gather(1, head[:, None])[:, 0]
    table = pd.DataFrame({"head": head.numpy(), "score": score.numpy()})
    return table.assign(layer=layer, neuron=table.index)[list(ATTENTION_SCORES.columns)]


def attend(
    model: Model, text: Text, neurons: Sequence[Tried], scores: pd.DataFrame
) -> pd.DataFrame:
    """Rows of `INTERVENTIONS`: attention to the first token, with and without a neuron.

    Args:
        model: Loaded model.
        text: What it is tried in; its sequences begin with BOS.
        neurons: Candidates and controls.
        scores: `ATTENTION_SCORES`: which head of the next layer is looked at.
    """
    known = scores.set_index(["layer", "neuron"])["head"]
    rows: list[dict[str, Any]] = []
    for one in tqdm(neurons if text.sequences else (), unit="neuron", mininterval=1):
        head = int(known[one.neuron.layer, one.neuron.index])
        rows += _attend(model, text, one, head)
    return table(rows)


def _attend(model: Model, text: Text, one: Tried, head: int) -> list[dict[str, Any]]:
    """Rows of a neuron: attention of a head of the next layer where it is largest."""
    post = _posts(model, text, one)
    mean = float(post[:, text.skip :].mean())
    places = largest(post, text.skip)
    looked = reader(model, [HookPoint(one.neuron.layer + 1, PATTERN)])
    found = []
    for row, positions in places.items():
        ids = torch.tensor([text.sequences[row]], device=model.device)
        natural = _to_first(model, looked, ids, {})[positions, head]
        hold = {one.neuron.layer: partial(_at, one.neuron.index, mean, positions)}
        found.append((natural, _to_first(model, looked, ids, hold)[positions, head]))
    natural, held = (np.concatenate(part) for part in zip(*found, strict=True))
    blocks = np.repeat(text.blocks[list(places)], [len(some) for some in places.values()])
    return block_rows(Trial(ATTENTION, one, MEAN, mean), TO_BOS, blocks, natural, held)


def _at(index: int, mean: float, positions: list[int], values: Tensor) -> Tensor:
    """Post-activations with a neuron's replaced at some positions."""
    changed = values.clone()
    changed[:, positions, index] = mean
    return changed


def _posts(model: Model, text: Text, one: Tried) -> Float[Tensor, "row pos"]:
    """A neuron's post-activations."""
    found: list[Tensor] = []

    def receive(rows: Rows, point: HookPoint, vectors: Tensor) -> None:
        found.append(vectors[:, one.neuron.index].clone())

    points = [HookPoint(one.neuron.layer, MLP_POST)]
    for _ in capture(model, text.sequences, None, points, receive, model.dtype, 8):
        pass
    return torch.cat(found).reshape(-1, text.length)


def _to_first(
    model: Model, looked: Reader, ids: Int[Tensor, "one pos"], hold: Mapping[int, PostHook]
) -> Float64[np.ndarray, "pos head"]:
    """Attention of each head to the first token."""
    found: list[Tensor] = []

    def receive(point: HookPoint, pattern: Float[Tensor, "row query head key"]) -> None:
        found.append(pattern[0, :, :, 0].double().cpu())

    hooks = hooked(looked.plain, model.outs_of(looked.plain), hold)
    with torch.inference_mode(), looked.reading(receive), hooks:
        looked.plain(input_ids=ids, use_cache=False)
    return found[0].numpy()
