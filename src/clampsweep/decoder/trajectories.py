"""The fast path of the decoder: what rows have in common is computed once.

A clamp in layer L leaves layers 0..L as they are, up to the MLP's output; so does steering after
it. So rows of one prompt with the same tokens so far share one node in those layers
(`decoder.nodes`), and part there: each row's clamp is added to the node's output as
`(new value - natural value) * W_out[neuron]`, what it is steered along as it is
(`decoder.pass_hooks`). In the last layer that sum goes through the unembedding as well
(`decoder.unembedding`). Above layer L every row runs on its own. Nothing is padded: tokens run
packed through the plain Hugging Face model (`decoder.engine`), with the attention of
`decoder.attention`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from clampsweep.decoder.attention import UnsupportedError
from clampsweep.decoder.choice import Chooser
from clampsweep.decoder.engine import Engine
from clampsweep.decoder.heads import Heads
from clampsweep.decoder.interventions import Edit, Scope, edit
from clampsweep.decoder.nodes import Nodes
from clampsweep.decoder.rows import DecodeJob, RowTexts
from clampsweep.decoder.steering import Change, Steer, steers_by_layer
from clampsweep.models.agreement import difference, tolerance
from clampsweep.models.hooks import hooked
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding


def decode(engine: Engine, job: DecodeJob, texts: RowTexts, chooser: Chooser) -> None:
    """Decode a job whose rows stand by prompt; `texts` takes what is chosen and captured.

    Raises:
        NotFiniteError: Logits are not numbers.
    """
    limit, capture = job.decoding.max_new_tokens, texts.means.layers
    nodes = Nodes(engine, job, texts)
    with torch.inference_mode():
        heads = nodes.prefill()
        for step in range(limit):
            rows = nodes.rows.tolist()
            picked, margin = chooser.from_heads(engine.unembedding, heads, rows)
            if step == 0:
                for some, logits in engine.unembedding.logits(heads):
                    texts.note_end(rows[some], logits)
            kept = texts.take(rows, picked, margin)
            if job.with_nll and nodes.split.shared_heads:
                _note_nll(engine, texts, heads, rows, picked, kept)
            last = step + 1 == limit
            if not kept or (last and not capture):
                return
            nodes.advance(kept, picked)
            if last:  # the last token's activations count too
                nodes.finish(max(capture))
            else:
                heads = nodes.step()


def _note_nll(
    engine: Engine,
    texts: RowTexts,
    heads: Heads,
    rows: list[int],
    picked: np.ndarray,
    kept: list[int],
) -> None:
    """Count what the kept rows' tokens cost the model without its last layer's edits."""
    nll = engine.unembedding.nll(heads, torch.from_numpy(picked).to(heads.residual.device))
    if nll is not None:
        texts.note_nll([rows[at] for at in kept], nll[kept])


def nll(
    engine: Engine, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[int]]
) -> Float64[np.ndarray, " row"] | None:
    """Mean negative log-likelihood of each text's tokens after its prompt, in nats.

    Args:
        engine: The model's.
        prompts: Token ids of each row's prompt; rows of one prompt stand together.
        texts: Token ids of each text, at least one.

    Returns:
        None where the model's final norm cannot be taken apart.
    """
    longest = max(map(len, texts))
    job = DecodeJob(prompts, [[] for _ in prompts], Scope("all"), Decoding("greedy", longest))
    nodes = Nodes(engine, job, RowTexts(engine.model, job))
    total = np.zeros(len(texts))
    with torch.inference_mode():
        heads = nodes.prefill()
        for step in range(longest):
            rows = nodes.rows.tolist()
            token = np.array([texts[row][step] for row in rows])
            nats = engine.unembedding.nll(heads, torch.from_numpy(token).to(heads.residual.device))
            if nats is None:
                return None
            total[rows] += nats.double().cpu().numpy()
            kept = [at for at, row in enumerate(rows) if len(texts[row]) > step + 1]
            if kept:
                nodes.advance(kept, token)
                heads = nodes.step()
    return np.asarray(total / [len(text) for text in texts])


def check(engine: Engine) -> None:
    """Compare the fast path with the plain model: two prompts, two changed layers, one step.

    A layer's neuron is clamped, and in the third row the stream after it is steered.

    Raises:
        UnsupportedError: Their logits differ.
    """
    model = engine.model
    prompts = [[1, 2, 3], [1, 2, 3], [3, 2, 1, 2, 3]]
    next_tokens = [4, 5, 4]  # two rows of one prompt part
    last = model.n_layers - 1
    for layers in ({0, last}, {last}):
        edits: list[list[Change]] = [
            [edit(Neuron(layer, row), "set", 2.0 + row) for layer in layers] for row in range(3)
        ]
        edits[2] += [_trial_steer(engine, layer) for layer in layers]
        logits = _two_steps(engine, prompts, edits, next_tokens)
        if engine.n_attending != model.n_layers:
            n = model.n_layers - engine.n_attending
            raise UnsupportedError(f"{n} of its {model.n_layers} layers do not attend to keys")
        for row, token in enumerate(next_tokens):
            wanted = _plain_logits(model, [*prompts[row], token], edits[row])
            off = difference(logits[row], wanted)
            if not off < tolerance(model.dtype):
                raise UnsupportedError(f"its logits are off by {off:.1g} of the largest")


def _trial_steer(engine: Engine, layer: int) -> Steer:
    """A step along a neuron's output direction, twice as long."""
    model = engine.model
    vectors = model.output_directions(layer, torch.tensor([1], device=model.device))
    return Steer(layer, vectors[0].double().cpu().numpy(), 2.0)


def _two_steps(
    engine: Engine,
    prompts: Sequence[Sequence[int]],
    edits: Sequence[Sequence[Change]],
    next_tokens: Sequence[int],
) -> Float[Tensor, "row two d_vocab"]:
    """Logits of every row after its prompt, and after one token more."""
    job = DecodeJob(prompts, edits, Scope("all"), Decoding("greedy", 2))
    nodes = Nodes(engine, job, RowTexts(engine.model, job))
    with torch.inference_mode():
        first = _all_logits(engine, nodes.prefill())
        nodes.advance(list(range(len(prompts))), np.array(next_tokens))
        second = _all_logits(engine, nodes.step())[nodes.rows.argsort()]  # rows as in the job
    return torch.stack([first, second], 1)


def _all_logits(engine: Engine, heads: Heads) -> Float[Tensor, "row d_vocab"]:
    return torch.cat([logits for _, logits in engine.unembedding.logits(heads)])


def _plain_logits(
    model: Model, tokens: Sequence[int], edits: Sequence[Change]
) -> Float[Tensor, "two d_vocab"]:
    """Logits of the plain model at the last two positions, changed by ordinary hooks."""
    values = {
        change.layer: (change.neuron.index, change.shift)
        for change in edits
        if isinstance(change, Edit)
    }
    every = torch.ones(len(tokens), dtype=torch.bool, device=model.device)  # [pos]
    residual = {
        model.part(f"blocks.{layer}"): partial(steers.add_to, covered=every)
        for layer, steers in steers_by_layer([edits], model.device, model.dtype).items()
    }

    def clamp(layer: int, activation: Tensor) -> Tensor:
        neuron, value = values[layer]
        changed = activation.clone()  # [1, pos, d_mlp]
        changed[..., neuron] = value
        return changed

    hooks = {layer: partial(clamp, layer) for layer in values}
    ids = torch.tensor([list(tokens)], device=model.device)
    with torch.inference_mode(), hooked(model.plain, model.outs, hooks, residual=residual):
        logits: Tensor = model.plain(input_ids=ids, use_cache=False).logits[0, -2:]
    return logits
