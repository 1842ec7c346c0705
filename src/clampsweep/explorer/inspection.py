"""One prompt seen closely: its texts token by token as they are made, and what the model had there.

The general decoder (`clampsweep.decoder.general`) does the work, so a text is a sweep's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from clampsweep.decoder.choice import Chooser, Picked
from clampsweep.decoder.general import decode
from clampsweep.decoder.interventions import Edit, Scope
from clampsweep.decoder.rows import DecodeJob, RowTexts
from clampsweep.decoder.steering import Change
from clampsweep.models.hooks import hooked
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding

_RIVALS = 5


class Stopped(Exception):  # noqa: N818 (it reports no error)
    """Raised by whoever watches, to end a text where it is."""


@dataclass(frozen=True)
class Step:
    """One choice of a token.

    Attributes:
        token: What was chosen.
        probability: The model's, under the intervention, before temperature and cuts; in 0..1.
        rivals: The most probable tokens and their probabilities, highest first.
    """

    token: int
    probability: float
    rivals: tuple[tuple[int, float], ...]


@dataclass
class Seen:
    """What a row has become.

    Attributes:
        steps: The tokens chosen, an end-of-sequence token included.
        n_new: How many of them are text.
        stop_reason: `eos`, `stop_string`, `max_new_tokens`, `context`, or `stopped`.
        natural: Each watched neuron's value before it was changed, in activation units, at every
            position of prompt and text that was computed.
    """

    steps: list[Step] = field(default_factory=list)
    n_new: int = 0
    stop_reason: str = "stopped"
    natural: dict[Neuron, list[float]] = field(default_factory=dict)

    @property
    def token_ids(self) -> list[int]:
        """The text's tokens."""
        return [step.token for step in self.steps[: self.n_new]]


class _Noting(Chooser):
    """Chooses as ever, and notes what the logits and the activations were."""

    def __init__(self, model: Model, job: DecodeJob, texts: RowTexts, seen: Sequence[Seen]):
        super().__init__(model, job, texts)
        self._seen = seen
        self._waiting: dict[Neuron, Tensor] = {}  # of the pass whose rows are not known yet

    def from_logits(self, logits: Float[Tensor, "row d_vocab"], rows: list[int]) -> Picked:
        picked = super().from_logits(logits, rows)
        self.take_values(rows)
        chances = logits.double().softmax(-1)
        best = chances.topk(_RIVALS)
        for at, row in enumerate(rows):
            rivals = zip(best.indices[at].tolist(), best.values[at].tolist(), strict=True)
            token = int(picked.token[at])
            self._seen[row].steps.append(Step(token, float(chances[at, token]), tuple(rivals)))
        return picked

    def take_values(self, rows: Sequence[int]) -> None:
        """Give the rows what the last pass computed: all positions of the prompt, later one."""
        for neuron, values in self._waiting.items():
            for row, own in zip(rows, values.double().cpu().tolist(), strict=True):
                known = self._seen[row].natural.setdefault(neuron, [])
                known += own[-1:] if known else own  # scope `last` feeds the one before again
        self._waiting = {}

    def hook(self, neurons: Sequence[Neuron]) -> Callable[[Tensor], None]:
        """The hook that looks at some neurons of one layer before anything changes them."""

        def at_layer(activation: Tensor) -> None:
            for neuron in neurons:
                self._waiting[neuron] = activation[:, :, neuron.index].clone()

        return at_layer


def watch(
    model: Model,
    prompt: Sequence[int],
    edits: Sequence[Sequence[Change]],
    scope: Scope,
    decoding: Decoding,
    *,
    stream: tuple[int, ...] | None = None,
    on_step: Callable[[Sequence[Seen]], object] = lambda seen: None,
) -> list[Seen]:
    """What each row says on one prompt, with each token's probability and neurons' values.

    Args:
        model: Loaded model.
        prompt: Token ids, within the context.
        edits: What changes each row; nothing for a baseline. In every row, all neurons that any
            row edits are watched; steering has none.
        scope: Positions that are changed.
        decoding: Greedy or sampling, and how many tokens at most.
        stream: For sampling, the integers that seed the draws; None when greedy.
        on_step: Told what the rows have become, after each step. It may raise `Stopped`: the texts
            then end there.

    Raises:
        NotFiniteError: Logits are not numbers.
    """
    neurons = sorted({one.neuron for row in edits for one in row if isinstance(one, Edit)})
    layers = sorted({neuron.layer for neuron in neurons})
    seen = [Seen() for _ in edits]

    def tell(n: int) -> None:
        for row, ids in zip(seen, texts.chosen, strict=True):
            row.n_new = len(ids)
        on_step(seen)

    streams = None if stream is None else [stream] * len(edits)
    job = DecodeJob([list(prompt)] * len(edits), edits, scope, decoding, streams, layers, tell)
    texts = RowTexts(model, job)
    chooser = _Noting(model, job, texts, seen)
    hooks = {
        layer: chooser.hook([one for one in neurons if one.layer == layer]) for layer in layers
    }
    try:
        with torch.inference_mode(), hooked(model.plain, model.outs, hooks):
            decode(model, job, texts, chooser)
    except Stopped:
        pass
    limit = decoding.max_new_tokens
    chooser.take_values([row for row, one in enumerate(seen) if one.n_new == limit])
    for one, done in zip(seen, texts.decoded(), strict=True):
        if done.stop_reason != "max_new_tokens" or one.n_new == limit:
            one.stop_reason = done.stop_reason
        if one.stop_reason != "eos":  # a token that the context has no room for is no step
            del one.steps[one.n_new :]
    return seen
