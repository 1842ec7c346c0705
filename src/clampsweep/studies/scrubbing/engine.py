"""The engine: one example under many experiments, each thing computed once.

What a cell gets is named by a `Source` whose draw is an example's number, so that experiments
share what they have in common: the reference, draws, and each projection, and each head, that gets
the same in two of them. All is for one example at a time, so no result depends on what is run
beside it, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.cells import Experiment, Source
from clampsweep.studies.scrubbing.forward import Forward
from clampsweep.studies.scrubbing.hypotheses import CHANNELS, FIXED
from clampsweep.studies.scrubbing.weights import Weights
from clampsweep.studies.scrubbing.windows import kept_values, pattern_of

Signature = tuple[Source, ...]
"""What each upstream part is taken from; the draw of a source is the number of an example."""

Inputs = tuple[Signature, Signature, Signature]
"""Signatures of a head's query, key and value."""


class Engine:
    """Scrubs a two-layer model on examples of one length.

    Args:
        weights: Of the model.
        tokens: Token ids of all examples; each token but the first is predicted.

    Raises:
        UserError: The model has not two layers, or the examples do not fit it.
    """

    def __init__(self, weights: Weights, tokens: Int[Tensor, "example pos"]):
        if len(weights.layers) != 2:
            raise UserError(
                f"the model has {len(weights.layers)} layer(s), and scrubbing is of models with 2"
            )
        if int(tokens.max()) >= weights.d_vocab:
            raise UserError(
                f"examples hold token {int(tokens.max())}, and the model has {weights.d_vocab} "
                "tokens; cut examples with this model's own tokenizer"
            )
        self.weights, self.tokens = weights, tokens
        self.forward = Forward(weights, tokens.shape[1] - 1)

    def example(self, index: int) -> Example:
        """An example, to be scrubbed; it holds on to all that it computes.

        Args:
            index: Its number.
        """
        return Example(self, index)


class Example:
    """One example; see `Engine.example`.

    Draws are given as a mapping from the number of a draw in the experiment to that of an example.
    """

    def __init__(self, engine: Engine, index: int):
        self.index, self.engine = index, engine
        self._forward, self._weights = engine.forward, engine.weights
        self._ids = engine.tokens[:, :-1]
        # By what it is, of which part, and what it was taken from.
        self._known: dict[tuple[Any, ...], Tensor] = {}

    def nll(self, experiment: Experiment, draws: Mapping[int, int]) -> Float[Tensor, " pos"]:
        """Loss of each token but the first under an experiment, nats.

        Args:
            experiment: What is scrubbed.
            draws: Where it comes from.
        """
        labels = self.engine.tokens[self.index, 1:]
        return self._forward.nll(self.residual(experiment, draws), labels)

    def residual(
        self, experiment: Experiment, draws: Mapping[int, int]
    ) -> Float[Tensor, "pos d_model"]:
        """What stands in the residual stream at the end."""
        inputs, skip = self._resolved(experiment, draws)
        z = torch.stack(self._heads(inputs))  # [head, pos, d_head]
        return self._sum(skip) + self._forward.wrote(1, z)

    def patterns(
        self, experiment: Experiment, draws: Mapping[int, int], raw: bool = False
    ) -> Float[Tensor, "head query key"]:
        """Attention patterns of the heads of layer 1 under an experiment.

        Args:
            experiment: What is scrubbed.
            draws: Where it comes from.
            raw: Whether scores before the softmax are meant.
        """
        inputs, _ = self._resolved(experiment, draws)
        q, k = (
            torch.stack([self._channel(c, one[i], [h])[0] for h, one in enumerate(inputs)])
            for i, c in enumerate("qk")
        )
        scores = self._forward.scores(q, k)
        return scores if raw else scores.softmax(-1)

    def component(self, upstream: int, source: Source) -> Float[Tensor, "pos d_model"]:
        """What an upstream part writes: 0 is the embedding, 1 + i head i of layer 0.

        Args:
            upstream: The part.
            source: What it is taken from; its draw is the number of an example.
        """
        key = "component", upstream, source
        if key not in self._known:
            if upstream and _is_whole(source):
                self._run_layer_0(source.draw, [upstream - 1])
            else:
                self._known[key] = self._partial(upstream, source)
        return self._known[key]

    def forget(self) -> None:
        """Let go of all that came from other examples; what is of the reference alone stays."""

        def own(part: object) -> bool:
            if isinstance(part, Source):
                return part.draw == self.index
            return not isinstance(part, tuple) or all(map(own, part))

        self._known = {key: value for key, value in self._known.items() if own(key)}

    def _resolved(
        self, experiment: Experiment, draws: Mapping[int, int]
    ) -> tuple[list[Inputs], Signature]:
        """What each head of layer 1 gets, and the way past them; draws are run where needed."""
        taken = [self._taken(source, draws) for source in experiment.sources]
        inputs = [
            tuple(tuple(taken[i] for i in channel) for channel in head)
            for head in experiment.cells.tolist()
        ]
        skip = tuple(taken[i] for i in experiment.skip.tolist())
        signatures = {*(one for head in inputs for one in head), skip}
        needed: dict[int, set[int]] = {}  # example -> heads of layer 0
        for u, source in {pair for one in signatures for pair in enumerate(one)}:
            if u and _is_whole(source) and ("component", u, source) not in self._known:
                needed.setdefault(source.draw, set()).add(u - 1)
        for example, heads in needed.items():
            self._run_layer_0(example, sorted(heads))
        return inputs, skip  # type: ignore[return-value]

    def _taken(self, source: Source, draws: Mapping[int, int]) -> Source:
        """A source with the example's number for the draw's; what is the same has one name."""
        example = draws[source.draw] if source.draw else self.index
        if source.pattern not in FIXED and example == self.index:
            return Source(self.index)
        return source._replace(draw=example)

    def _run_layer_0(self, example: int, heads: Sequence[int]) -> None:
        """Outputs of some heads of layer 0 on an example, kept as components."""
        q, k, v = self._layer_0(example, heads)
        wrote = self._forward.written(0, self._forward.mixed(q, k, v), heads)
        for head, one in zip(heads, wrote, strict=True):
            self._known["component", 1 + head, Source(example)] = one

    def _layer_0(
        self, example: int, heads: Sequence[int]
    ) -> tuple[Float[Tensor, "head pos d_head"], ...]:
        """Queries, keys and values of some heads of layer 0 on an example."""
        key = "normed", 0, Source(example)
        if key not in self._known:
            embedded = self.component(0, Source(example))
            self._known[key] = self._forward.normed(self._weights.layers[0].norm, embedded)
        normed = self._known[key]
        q, k, v = (self._forward.project(0, c, normed, heads) for c in CHANNELS)
        return q, k, v

    def _partial(self, upstream: int, source: Source) -> Float[Tensor, "pos d_model"]:
        """The embedding, or a layer-0 head of which a part is drawn or the pattern is given."""
        if not upstream:
            # A token is at offset 0 from itself.
            own = source.keep is not None and source.keep[1] == 0
            return self._forward.embed(self._ids[self.index if own else source.draw])
        head = upstream - 1
        reference, drawn = (
            [part[0] for part in self._layer_0(example, [head])]
            for example in (self.index, source.draw)
        )
        pattern = pattern_of(self._forward, source, reference, drawn)
        z = kept_values(pattern, source.keep, reference[2], drawn[2])
        return self._forward.written(0, z[None], [head])[0]

    def _sum(self, signature: Signature) -> Float[Tensor, "pos d_model"]:
        """The residual stream after layer 0, each part of it from its own source."""
        total = self.component(0, signature[0]) + self._weights.layers[0].b_O
        for u, source in enumerate(signature[1:], 1):
            total += self.component(u, source)
        return total

    def _channel(
        self, channel: str, signature: Signature, heads: Sequence[int]
    ) -> list[Float[Tensor, "pos d_head"]]:
        """Queries, keys or values of heads of layer 1 that get the same."""
        missing = [h for h in heads if (channel, h, signature) not in self._known]
        if missing:
            key = "normed", 1, signature
            if key not in self._known:
                norm = self._weights.layers[1].norm
                self._known[key] = self._forward.normed(norm, self._sum(signature))
            parts = self._forward.project(1, channel, self._known[key], missing)
            for head, part in zip(missing, parts, strict=True):
                self._known[channel, head, signature] = part
        return [self._known[channel, head, signature] for head in heads]

    def _heads(self, inputs: Sequence[Inputs]) -> list[Float[Tensor, "pos d_head"]]:
        """Mixed values of each head of layer 1."""
        missing = [h for h, one in enumerate(inputs) if ("mixed", h, one) not in self._known]
        for i, channel in enumerate(CHANNELS):
            alike: dict[Signature, list[int]] = {}  # what is put in -> heads
            for head in missing:
                alike.setdefault(inputs[head][i], []).append(head)
            for signature, heads in alike.items():
                self._channel(channel, signature, heads)
        if missing:
            q, k, v = (
                torch.stack([self._known[c, h, inputs[h][i]] for h in missing])
                for i, c in enumerate(CHANNELS)
            )
            for head, mixed in zip(missing, self._forward.mixed(q, k, v), strict=True):
                self._known["mixed", head, inputs[head]] = mixed
        return [self._known["mixed", head, one] for head, one in enumerate(inputs)]


def _is_whole(source: Source) -> bool:
    """Whether all of a part is from one example, as that computes it."""
    return source.pattern == "draw" and source.keep is None
