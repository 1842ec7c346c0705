"""The general path of the decoder: Hugging Face's own model and a hook, for any model and scope.

The model and its cache are called as its own `generate` calls them. Rows whose prompts have the
same number of tokens run together, so nothing is padded, and what depends on a text's length is
each text's own. A row that ends leaves the batch and is not fed on.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor
from transformers import DynamicCache

from clampsweep.decoder.choice import Chooser
from clampsweep.decoder.layer_edits import apply, pushes
from clampsweep.decoder.rows import DecodeJob, Natural, RowTexts
from clampsweep.errors import UserError
from clampsweep.models.activations import newest_logits_only
from clampsweep.models.hooks import hooked
from clampsweep.models.model import Model
from clampsweep.models.rotations import forget


class _Batch:
    """State of one call: the rows still going, their cache, edits and positions."""

    def __init__(self, model: Model, job: DecodeJob, texts: RowTexts):
        self.model, self.scope, self.texts = model, job.scope, texts
        self.edits, self.steers = texts.edits, texts.steers
        self.directions = {layer: self._directions(layer) for layer in self.edits}
        prompts = torch.tensor(job.prompts, device=model.device)  # [row, pos]
        self.n_prompt = prompts.shape[1]
        self.tokens = prompts[:, :0]  # [row, pos]: prompts and texts, as far as they have been fed
        self.rows = torch.arange(len(prompts), device=model.device)  # [row], numbers in the job
        self.cache = _new_cache(model, rolls_back=job.scope.reruns_newest)
        self.n_cached = 0  # positions that the cache holds
        self.positions = torch.arange(0, device=model.device)  # [pos], of the current pass
        self.covered = torch.zeros_like(self.positions, dtype=torch.bool)  # [pos]
        self.pushed: dict[int, Tensor] = {}  # [edit, pos] by layer, of the current pass
        self.newest_only = newest_logits_only(model)
        parameters = inspect.signature(model.plain.forward).parameters
        self.takes_positions = "position_ids" in parameters

    def forward(self, new: Int[Tensor, "row pos"]) -> Float[Tensor, "row d_vocab"]:
        """Logits after feeding new tokens; the cache grows by them.

        With scope `last` the newest token is computed changed for the logits, dropped from the
        cache, and fed again unchanged together with the next one.
        """
        self.tokens = torch.cat([self.tokens, new], 1)
        end = self.tokens.shape[1]
        inputs = self._inputs()
        # Hugging Face's model may have itself fed all over again, where its rotations change.
        self.positions = torch.arange(end - inputs["input_ids"].shape[1], end, device=new.device)
        self.covered = self.scope.covers(self.positions, self.n_prompt)
        outputs = self.model.plain(**inputs, return_dict=True)
        self.cache = getattr(outputs, "past_key_values", None)  # GPT-1 keeps none
        self.n_cached = 0 if self.cache is None else end
        if self.scope.reruns_newest and self.cache is not None:
            self.cache.crop(-1)
            self.n_cached -= 1
        last: Tensor = outputs.logits[:, -1]  # [row, d_vocab]
        return last if last.dtype == torch.float64 else last.float()

    def _inputs(self) -> dict[str, Any]:
        """What `generate` would hand to the model, were these rows alone in it."""
        options: dict[str, Any] = dict(self.newest_only)
        if self.takes_positions:
            every = torch.arange(self.tokens.shape[1], device=self.tokens.device)  # [pos]
            options["position_ids"] = every.expand(self.tokens.shape)  # [row, pos]
        inputs: dict[str, Any] = self.model.plain.prepare_inputs_for_generation(
            self.tokens,
            next_sequence_length=self.tokens.shape[1] - self.n_cached if self.n_cached else None,
            past_key_values=self.cache,
            attention_mask=None,  # nothing is padded
            use_cache=True,
            is_first_iteration=self.tokens.shape[1] == self.n_prompt,
            **options,
        )
        return inputs

    def _directions(self, layer: int) -> Float[Tensor, "edit d_model"]:
        edits = self.edits[layer].redirected
        return self.model.output_directions(layer, edits.neuron, edits.along)

    def push(self, layer: int, output: Float[Tensor, "row pos d_model"]) -> Tensor:
        """After W_out: adds what is sent along random directions."""
        # [edit, pos, 1] * [edit, 1, d_model], added to the rows of the edits
        step = self.pushed[layer][:, :, None] * self.directions[layer][:, None]
        return output.index_add(0, self.edits[layer].redirected.row, step)

    def steer(self, layer: int, residual: Float[Tensor, "row pos d_model"]) -> Tensor:
        """After a layer: adds what is steered along directions."""
        return self.steers[layer].add_to(residual, self.covered)

    def change(self, layer: int, activation: Float[Tensor, "row pos d_mlp"]) -> Tensor:
        """Before W_out: edits what the scope covers, and captures."""
        edits, means = self.edits.get(layer), self.texts.means
        changed = activation
        if edits is not None:
            changed = apply(activation, edits, self.positions, self.covered)
            redirected = edits.redirected
            self.pushed[layer] = pushes(activation, redirected, self.positions, self.covered)
        if self.tokens.shape[1] > self.n_prompt and layer in means.layers:
            natural = None
            if edits is not None:
                before = activation[edits.row, -1, edits.neuron]  # [edit]
                natural = Natural(self.rows[edits.row], before)
            means.add(layer, self.rows, changed[:, -1], natural)
        return changed

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
            self.steers = {layer: one.select(going, n) for layer, one in self.steers.items()}
            self.rows, self.tokens = self.rows[going], self.tokens[going]
            if self.cache is not None:
                self.cache.reorder_cache(going)
        return torch.from_numpy(picked[kept]).to(device)[:, None]


def _new_cache(model: Model, *, rolls_back: bool) -> Any:
    """The cache that `generate` would begin with; None where the model makes its own.

    Args:
        model: Loaded model.
        rolls_back: Whether newest positions will be dropped from it.
    """
    if not model.plain._supports_default_dynamic_cache():
        return None
    cache: Any = DynamicCache(config=model.plain.config.get_text_config(decoder=True))
    if rolls_back:
        if not cache.is_croppable:
            raise UserError(
                f"scope: last needs a cache that can forget its newest position; that of "
                f"{type(model.plain).__name__} cannot; write scope: last_cached, all, prompt or "
                "generated"
            )
        cache.activate_past_recording()
    return cache


@contextmanager
def _hooked(model: Model, batch: _Batch) -> Iterator[None]:
    """The model with the hooks of a batch."""
    layers = {*batch.edits, *batch.texts.means.layers}
    before = {layer: partial(batch.change, layer) for layer in layers}
    sent = [layer for layer, directions in batch.directions.items() if len(directions)]
    after = {layer: partial(batch.push, layer) for layer in sent}
    steered = {model.part(f"blocks.{at}"): partial(batch.steer, at) for at in batch.steers}
    with torch.inference_mode(), hooked(model.plain, model.outs, before, after, steered):
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
            logits = model.plain(input_ids=ids, use_cache=False).logits[0]  # [pos, d_vocab]
            logits = logits[len(prompt) - 1 : -1].double()
            nats[row] = float(torch.nn.functional.cross_entropy(logits, ids[0, len(prompt) :]))
    return nats


def decode(model: Model, job: DecodeJob, texts: RowTexts, chooser: Chooser) -> None:
    """Decode a job whose prompts have one length; `texts` takes what is chosen and captured.

    Raises:
        NotFiniteError: Logits are not numbers.
    """
    batch = _Batch(model, job, texts)
    limit = job.decoding.max_new_tokens
    with torch.inference_mode():
        forget(model.plain)  # an earlier batch may have been longer
    with _hooked(model, batch):
        logits = batch.forward(torch.tensor(job.prompts, device=model.device))
        for step in range(limit):
            rows = batch.rows.tolist()
            picked, margin = chooser.from_logits(logits, rows)
            if step == 0:
                texts.note_end(rows, logits)
            kept = texts.take(rows, picked, margin)
            if not kept or (step + 1 == limit and not texts.means.layers):
                return
            logits = batch.forward(batch.advance(kept, picked))
