"""Scrubbing through the hooks of TransformerLens's bridge: an oracle apart from the engine.

Layer 0's outputs are caught head by head on the examples and on their draws; then the model runs
again, and each head of layer 1 is handed a residual stream of its own for query, key and value,
before the norm. Whole draws only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clampsweep.models.bridge import boot

EMBEDDED, WRITTEN, AT_END = "hook_embed", "blocks.0.attn.hook_result", "blocks.1.hook_out"


def boot_split(folder: Path | str) -> Any:
    """The bridge of a model's folder, with inputs and outputs of each head apart."""
    bridge = boot(Path(folder), torch.float32, torch.device("cpu"), str(folder))
    bridge.set_use_split_qkv_input(True)
    bridge.set_use_attn_result(True)
    return bridge


def components(bridge: Any, ids: Tensor) -> Tensor:
    """What the embedding and each head of layer 0 write, [batch, pos, 1 + head, d_model]."""
    caught: dict[str, Tensor] = {}

    def catch(name: str, activation: Tensor, hook: Any) -> None:
        caught[name] = activation

    hooks = [(name, partial(catch, name)) for name in (EMBEDDED, WRITTEN)]
    bridge.run_with_hooks(ids, fwd_hooks=hooks, stop_at_layer=1)
    return torch.cat([caught[EMBEDDED][:, :, None], caught[WRITTEN]], dim=2)


def nll(
    bridge: Any,
    tokens: Tensor,
    experiment: Any,
    draws: dict[int, Tensor],
    caught: dict[int, Tensor] | None = None,
) -> Tensor:
    """Loss of each token but the first, [batch, pos].

    Args:
        bridge: What `boot_split` gives.
        tokens: Of the examples that are scrubbed, [batch, pos + 1].
        experiment: Compiled; its sources are whole.
        draws: Number of the draw -> tokens of what is drawn, beside `tokens`.
        caught: What was caught of the same tokens and draws, by draw; what is missing is added.
    """
    ids, caught = tokens[:, :-1], {} if caught is None else caught
    for draw in {0, *draws} - set(caught):
        caught[draw] = components(bridge, draws[draw][:, :-1] if draw else ids)
    changes = [caught[source.draw] - caught[0] for source in experiment.sources]

    def patch(cells: Sequence[Sequence[int]], stream: Tensor, hook: Any) -> Tensor:
        """Add to each head's residual stream, [batch, pos, head, d_model]."""
        stream = stream.clone()
        for head, row in enumerate(cells):
            for upstream, number in enumerate(row):
                if number:
                    stream[:, :, head] += changes[number][:, :, upstream]
        return stream

    def pass_by(stream: Tensor, hook: Any) -> Tensor:
        return stream + sum(
            changes[number][:, :, u] for u, number in enumerate(experiment.skip.tolist()) if number
        )

    hooks = [
        (f"blocks.1.attn.hook_{channel}_input", partial(patch, experiment.cells[:, i].tolist()))
        for i, channel in enumerate("qkv")
        if experiment.cells[:, i].any()
    ]
    hooks += [(AT_END, pass_by)] if experiment.skip.any() else []
    logits = bridge.run_with_hooks(ids, fwd_hooks=hooks)
    return torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), tokens[:, 1:], reduction="none"
    )
