"""The general path of the decoder: TransformerBridge and a hook, for any model and scope.

Rows whose prompts have the same number of tokens run together, so nothing is padded. A row that
ends leaves the batch and is not fed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor
from transformers import DynamicCache

from clampsweep.decoder.choice import Chooser
from clampsweep.decoder.interventions import apply, pushes
from clampsweep.decoder.rows import DecodeJob, Natural, RowTexts
from clampsweep.models.loading import Model, takes_logits_to_keep
from clampsweep.names import hook_mlp_out, hook_post


class _Batch:
    """State of one call: the rows still going, their cache, edits and positions."""

    def __init__(self, model: Model, job: DecodeJob, texts: RowTexts):
        self.model, self.scope, self.texts = model, job.scope, texts
        self.edits = texts.edits
        self.directions = {layer: self._directions(layer) for layer in self.edits}
        prompts = torch.tensor(job.prompts, device=model.device)  # [row, pos]
        self.n_prompt = prompts.shape[1]
        self.newest = prompts  # [row, pos]: what a pass is fed, after the prompts one token a row
        self.rows = torch.arange(len(prompts), device=model.device)  # [row], numbers in the job
        # Without the model's config: a sliding window's cache could not drop its newest position.
        self.cache: Any = DynamicCache()
        self.end = 0  # positions that every row has been fed
        self.positions = torch.arange(0, device=model.device)  # [pos], of the current pass
        self.covered = torch.zeros_like(self.positions, dtype=torch.bool)  # [pos]
        self.pushed: dict[int, Tensor] = {}  # [edit, pos] by layer, of the current pass
        self.keep_last = {"logits_to_keep": 1} if takes_logits_to_keep(model) else {}

    def forward(self, new: Int[Tensor, "row pos"]) -> Float[Tensor, "row d_vocab"]:
        """Logits after feeding new tokens; the cache grows by them.

        With scope `last` the newest token is computed changed for the logits, dropped from the
        cache, and fed again unchanged together with the next one.
        """
        again = self.end > 0 and self.scope.reruns_newest  # the cache lacks the newest position
        fed = torch.cat([self.newest, new], 1) if again else new  # [row, pos]
        self.end += new.shape[1]
        self.positions = torch.arange(self.end - fed.shape[1], self.end, device=fed.device)
        self.covered = self.scope.covers(self.positions, self.n_prompt)
        logits, self.cache = self.model.bridge.forward(
            fed,
            return_type="logits_and_cache",
            past_key_values=self.cache,
            use_cache=True,
            **self.keep_last,
        )
        if self.scope.reruns_newest:
            self.cache.crop(-1)
        self.newest = fed[:, -1:]
        last: Tensor = logits[:, -1]  # [row, d_vocab]
        return last if last.dtype == torch.float64 else last.float()

    def _directions(self, layer: int) -> Float[Tensor, "edit d_model"]:
        edits = self.edits[layer].redirected
        return self.model.output_directions(layer, edits.neuron, edits.along)

    def push(self, layer: int) -> Callable[..., Tensor]:
        """The hook after a layer's MLP: adds what is sent along random directions."""

        def at_layer(output: Tensor, hook: object) -> Tensor:
            # [edit, pos, 1] * [edit, 1, d_model], added to the rows of the edits
            step = self.pushed[layer][:, :, None] * self.directions[layer][:, None]
            return output.index_add(0, self.edits[layer].redirected.row, step)

        return at_layer

    def hook(self, layer: int) -> Callable[..., Tensor]:
        """The forward hook of a layer: edits what the scope covers, and captures."""

        def at_layer(activation: Tensor, hook: object) -> Tensor:
            edits, means = self.edits.get(layer), self.texts.means
            changed = activation
            if edits is not None:
                changed = apply(activation, edits, self.positions, self.covered)
                redirected = edits.redirected
                self.pushed[layer] = pushes(activation, redirected, self.positions, self.covered)
            if self.end > self.n_prompt and layer in means.layers:
                natural = None
                if edits is not None:
                    before = activation[edits.row, -1, edits.neuron]  # [edit]
                    natural = Natural(self.rows[edits.row], before)
                means.add(layer, self.rows, changed[:, -1], natural)
            return changed

        return at_layer

    def advance(self, kept: list[int], picked: np.ndarray) -> Int[Tensor, "row one"]:
        """Let rows that ended leave the batch; return the others' tokens."""
        device = self.rows.device
        if len(kept) < len(self.rows):
            going = torch.tensor(kept, device=device)
            n = len(self.rows)
            for layer, edits in self.edits.items():
                stay = torch.isin(edits.redirected.row, going)  # [redirected edit]
                self.directions[layer] = self.directions[layer][stay]
            self.edits = {layer: edits.select(going, n) for layer, edits in self.edits.items()}
            self.rows, self.newest = self.rows[going], self.newest[going]
            self.cache.batch_select_indices(going)
        return torch.from_numpy(picked[kept]).to(device)[:, None]


@contextmanager
def _hooked(model: Model, batch: _Batch) -> Iterator[None]:
    layers = sorted({*batch.edits, *batch.texts.means.layers})
    hooks = [(hook_post(layer), batch.hook(layer)) for layer in layers]
    for layer, directions in batch.directions.items():
        if len(directions):
            hooks.append((hook_mlp_out(layer), batch.push(layer)))
    with torch.inference_mode(), model.bridge.hooks(fwd_hooks=hooks):
        yield


def nll(
    model: Model, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[int]]
) -> Float64[np.ndarray, " row"]:
    """Mean negative log-likelihood of each text's tokens after its prompt, in nats.

    Args:
        model: Loaded model.
        prompts: Token ids of each row's prompt.
        texts: Token ids of each text, at least one.
    """
    nats = np.zeros(len(texts))
    with torch.inference_mode():
        for row, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
            ids = torch.tensor([[*prompt, *text]], device=model.device)  # [1, pos]
            # A position's logits are of the next token: those of the text, [text pos, d_vocab].
            logits = model.bridge.forward(ids)[0, len(prompt) - 1 : -1].double()
            nats[row] = float(torch.nn.functional.cross_entropy(logits, ids[0, len(prompt) :]))
    return nats


def decode(model: Model, job: DecodeJob, texts: RowTexts, chooser: Chooser) -> None:
    """Decode a job whose prompts have one length; `texts` takes what is chosen and captured.

    Raises:
        NotFiniteError: Logits are not numbers.
    """
    batch = _Batch(model, job, texts)
    limit = job.decoding.max_new_tokens
    with _hooked(model, batch):
        logits = batch.forward(batch.newest)
        for step in range(limit):
            rows = batch.rows.tolist()
            picked, margin = chooser.from_logits(logits, rows)
            kept = texts.take(rows, picked, margin)
            if not kept or (step + 1 == limit and not texts.means.layers):
                return
            logits = batch.forward(batch.advance(kept, picked))
