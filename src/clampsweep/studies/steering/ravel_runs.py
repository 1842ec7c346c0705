"""Runs of prompts that are held at a layer, and gone on with after one vector has been swapped.

Every prompt is run once. Kept of it are the residual stream after the layer from the entity's last
token on, the keys and values of the layers above up to that token, and what the model says. A swap
then costs the layers above, for the tokens from the entity's last one on, and one unembedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.models.activations import newest_logits_only
from clampsweep.models.hook_places import Reader
from clampsweep.models.hook_points import reader
from clampsweep.models.hooks import hooked
from clampsweep.models.model import Model
from clampsweep.names import MLP_POST, RESID_POST, HookPoint
from clampsweep.studies.steering.ravel_prompts import Asked, Weights
from clampsweep.studies.steering.upper import Past, Upper

_ROWS = 32  # prompts in one pass


@dataclass(eq=False)
class _Group:
    """Prompts of one length, with the entity's last token at one place.

    Attributes:
        numbers: Of its prompts.
        ids: Token ids from the first held position on.
        start: That position.
        held: The residual stream after the layer there.
        past: Keys and values of the layers above, before the first held position.
    """

    numbers: list[int]
    ids: Int[Tensor, "row pos"]
    start: int
    held: Float[Tensor, "row pos d_model"]
    past: Past


class _Seen(NamedTuple):
    """What a pass gives: vectors by hook point's name, and logits behind the prompts."""

    vectors: dict[str, Tensor]
    logits: Float[Tensor, "row d_vocab"]


class Held:
    """Prompts, run once and held at a layer.

    Args:
        model: Loaded model.
        layer: Layer after which vectors are swapped.
        prompts: Prompts with the place of the entity's last token.

    Attributes:
        vectors: By hook point's name, what is there at the entity's last token of each prompt: the
            residual stream after the layer and, where the model has an MLP, its post-activations.
        said: The likeliest token behind each prompt.
        flops: Floating-point operations so far, without those of attention scores.

    Raises:
        UserError: The model cannot be gone on with from a layer.
    """

    def __init__(self, model: Model, layer: int, prompts: Sequence[Asked]):
        self.model, self.layer, self.prompts, self.flops = model, layer, prompts, 0.0
        self._weights, self._upper = Weights.of(model), Upper(model, layer)
        widths = {RESID_POST: model.d_model} | ({MLP_POST: model.d_mlp} if model.d_mlp else {})
        self.vectors = {
            name: torch.zeros(len(prompts), width, dtype=model.dtype, device=model.device)
            for name, width in widths.items()
        }
        self.said = torch.zeros(len(prompts), dtype=torch.long, device=model.device)
        self._groups = self._run()
        self._place = {
            number: (at, row)
            for at, group in enumerate(self._groups)
            for row, number in enumerate(group.numbers)
        }
        self._check()

    def shape(self, number: int) -> int:
        """What prompts that can be gone on with together have in common."""
        return self._place[number][0]

    def swapped(
        self, numbers: Sequence[int], vectors: Float[Tensor, "row d_model"]
    ) -> Float[Tensor, "row d_vocab"]:
        """Logits behind prompts, each with another vector at the entity's last token.

        Gradients flow to the vectors.

        Args:
            numbers: Of the prompts, all of one shape; one may stand several times.
            vectors: What takes the place of each one's own after the layer.

        Raises:
            ValueError: The prompts are of several shapes.
        """
        if len({self.shape(number) for number in numbers}) != 1:
            raise ValueError("prompts of several shapes; go on with each shape by itself")
        group = self._groups[self.shape(numbers[0])]
        rows = torch.tensor([self._place[number][1] for number in numbers], device=vectors.device)
        at = self.prompts[numbers[0]].at - group.start
        held = group.held[rows]  # [row, pos, d_model]
        given = torch.cat([held[:, :at], vectors[:, None].to(held), held[:, at + 1 :]], dim=1)
        past = [(keys[rows], values[rows]) for keys, values in group.past]
        above = self.model.n_layers - self.layer - 1
        self.flops += self._weights.flops(given.shape[0] * given.shape[1], above, len(rows))
        return self._upper.last_logits(given, group.ids[rows], group.start, past)

    def _run(self) -> list[_Group]:
        numbers_of: dict[tuple[int, int], list[int]] = {}
        for number, one in enumerate(self.prompts):
            numbers_of.setdefault((len(one.ids), one.at), []).append(number)
        found = reader(self.model, [HookPoint(self.layer, name) for name in self.vectors])
        return [
            _joined(list(self._passes(found, at, numbers)))
            for (_, at), numbers in sorted(numbers_of.items())
        ]

    def _passes(self, found: Reader, at: int, numbers: Sequence[int]) -> Iterator[_Group]:
        """Runs of prompts of one shape, a few at a time."""
        start = at if self._upper.keeps else 0
        for first in range(0, len(numbers), _ROWS):
            some = list(numbers[first : first + _ROWS])
            ids = torch.tensor([self.prompts[one].ids for one in some], device=self.model.device)
            cache = self._upper.cache() if start else None
            seen, logits = self._pass(found, ids, cache)
            for name, kept in self.vectors.items():
                kept[some] = seen[name][:, at]
            self.said[some] = logits.argmax(-1)
            self.flops += self._weights.flops(ids.numel(), self.model.n_layers, len(some))
            past = self._upper.past(cache, start) if start else []
            yield _Group(some, ids[:, start:], start, seen[RESID_POST][:, start:].clone(), past)

    def _pass(self, found: Reader, ids: Int[Tensor, "row pos"], cache: Any) -> _Seen:
        seen: dict[str, Tensor] = {}

        def receive(point: HookPoint, value: Tensor) -> None:
            seen[point.name] = value

        # Not in inference mode: gradients will flow through what is held.
        with torch.no_grad(), found.reading(receive):
            logits = found.plain(
                input_ids=ids,
                use_cache=cache is not None,
                past_key_values=cache,
                **newest_logits_only(self.model),
            ).logits[:, -1]
        return _Seen(seen, logits)

    def _check(self) -> None:
        """Refuse a model that does not go on from a layer as it would have by itself."""
        ends = dict.fromkeys((0, len(self._groups) - 1)) if self._groups else {}
        numbers = [self._groups[at].numbers[0] for at in ends]

        def tried() -> tuple[Tensor, Tensor]:
            pairs = [self._tried(number) for number in numbers]
            return torch.stack([got for got, _ in pairs]), torch.stack([own for _, own in pairs])

        if numbers:
            self._upper.check(tried)

    def _tried(self, number: int) -> tuple[Tensor, Tensor]:
        """Logits behind a prompt whose vector is made longer: gone on with, and run in full."""
        one, moved = self.prompts[number], 1.5 * self.vectors[RESID_POST][number]

        def change(residual: Float[Tensor, "one pos d_model"]) -> Tensor:
            changed = residual.clone()
            changed[0, one.at] = moved
            return changed

        plain, block = self.model.plain, self.model.part(f"blocks.{self.layer}")
        with torch.no_grad(), hooked(plain, self.model.outs, {}, residual={block: change}):
            ids = torch.tensor([one.ids], device=self.model.device)
            own = plain(input_ids=ids, use_cache=False).logits[0, -1]
        with torch.no_grad():
            return self.swapped([number], moved[None])[0], own


def _joined(parts: Sequence[_Group]) -> _Group:
    past = [
        (torch.cat([keys for keys, _ in layer]), torch.cat([values for _, values in layer]))
        for layer in zip(*(part.past for part in parts), strict=True)
    ]
    return _Group(
        [number for part in parts for number in part.numbers],
        torch.cat([part.ids for part in parts]),
        parts[0].start,
        torch.cat([part.held for part in parts]),
        past,
    )
