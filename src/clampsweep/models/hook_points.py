"""Hook points by TransformerLens's names, tried before they are read.

In one short pass, what is found at a hook point is held against what its name means: a gate that is
activated and multiplied is the post-activation; what leaves a layer goes into the next one;
attention probabilities sum to one, over tokens that have been. What cannot be shown is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from clampsweep.errors import UserError
from clampsweep.models.agreement import difference, tolerance
from clampsweep.models.hook_places import Reader, is_gated, place, refusal
from clampsweep.models.hugging_face import n_rows
from clampsweep.models.model import Model, twin
from clampsweep.names import (
    HOOK_NAMES,
    MLP_POST,
    MLP_PRE,
    MLP_PRE_LINEAR,
    PATTERN,
    RESID_POST,
    RESID_PRE,
    HookPoint,
    hook_points,
)

_TOKENS = 6  # of the pass in which hook points are tried


def reader(model: Model, points: Sequence[HookPoint]) -> Reader:
    """What reads a model at some hook points.

    Args:
        model: A loaded model; left as it is.
        points: Hook points.

    Raises:
        UserError: A hook point is not there, or cannot be shown to be what its name means.
    """
    for point in points:
        _check_known(model, point)
    names = {point.name for point in points}
    plain = _eager(model) if PATTERN in names else model.plain
    if names - {MLP_POST}:  # that one is tried when a model is loaded
        _Trial(model, plain, points).check()
    return Reader(plain, {point: place(model, plain, point) for point in points})


def width(model: Model, point: HookPoint) -> int:
    """Number of coordinates at a hook point; of an attention pattern, of heads."""
    if point.name == PATTERN:
        return int(model.adapter.cfg.n_heads)
    residual = point.name in (RESID_PRE, RESID_POST)
    return int(model.adapter.cfg.d_model) if residual else model.d_mlp


def _check_known(model: Model, point: HookPoint) -> None:
    if point.name not in HOOK_NAMES:
        raise UserError(
            f"hook point {point}: not known; write one of "
            f"{', '.join(f'blocks.L.{name}' for name in HOOK_NAMES)}"
        )
    if not 0 <= point.layer < model.n_layers:
        raise UserError(f"hook point {point}: the model has layers 0 to {model.n_layers - 1}")


def _eager(model: Model) -> Any:
    """The model's twin, with attention that gives its probabilities."""
    eager = twin(model.plain)
    eager.set_attn_implementation("eager")
    return eager


class _Trial:
    """A short pass, what it gave at hook points, and whether that is what they mean."""

    def __init__(self, model: Model, plain: Any, points: Sequence[HookPoint]):
        self._model, self._plain, self._points = model, plain, points
        self._seen: dict[HookPoint, Tensor] = {}
        self._activated: dict[int, list[Tensor]] = {}  # by layer: what modules make of its MLP_PRE

    def check(self) -> None:
        """Raise what refuses the first hook point that is not what its name means."""
        ids = torch.arange(1, _TOKENS + 1, device=self._plain.device)[None]  # [1, pos]
        ids = ids % n_rows(self._plain)
        with torch.inference_mode(), self._watched():
            self._plain(input_ids=ids, use_cache=False)
            for point in self._points:
                self._check_shape(point)
                if why := self._fault(point):
                    raise refusal(self._model, point, why)

    # The pass

    @contextmanager
    def _watched(self) -> Iterator[None]:
        model, plain = self._model, self._plain
        wanted = dict.fromkeys(more for one in self._points for more in self._beside(one))
        found = Reader(plain, {point: place(model, plain, point) for point in wanted})
        with ExitStack() as hooks:
            hooks.enter_context(found.reading(self._seen.__setitem__))
            for layer in {point.layer for point in wanted if point.name == MLP_PRE}:
                for module in model.part(f"blocks.{layer}", plain).modules():
                    note = partial(self._note_activated, layer)
                    hooks.enter_context(module.register_forward_hook(note))
            yield

    def _beside(self, point: HookPoint) -> Iterable[HookPoint]:
        """A hook point and those that it is held against."""
        layer, last = point.layer, self._model.n_layers - 1
        if point.name in (MLP_PRE, MLP_PRE_LINEAR):
            linear = MLP_PRE_LINEAR if is_gated(self._model) else point.name
            return [HookPoint(layer, name) for name in (MLP_PRE, linear, MLP_POST)]
        if point.name in (RESID_PRE, RESID_POST):
            return [
                *hook_points(RESID_PRE, range(last + 1)),
                *hook_points(RESID_POST, range(last + 1)),
            ]
        return [point]

    def _note_activated(self, layer: int, module: Any, args: Any, output: Any) -> None:
        """Keep what a module makes of exactly the pre-activations."""
        pre = self._seen.get(HookPoint(layer, MLP_PRE))
        given = args[0] if args else None
        if pre is None or not isinstance(given, Tensor) or not isinstance(output, Tensor):
            return
        if given.numel() == pre.numel() and torch.equal(given.reshape(pre.shape), pre):
            self._activated.setdefault(layer, []).append(output)

    # Its outcome

    def _check_shape(self, point: HookPoint) -> None:
        got = self._seen.get(point)
        wanted = [1, _TOKENS, width(self._model, point)] + [_TOKENS] * (point.name == PATTERN)
        if got is None or list(got.shape) != wanted:
            shape = "nothing" if got is None else f"{list(got.shape)}"
            why = f"found {shape} there where {wanted} is expected (row, position, width)"
            raise refusal(self._model, point, why)

    def _fault(self, point: HookPoint) -> str | None:
        if point.name in (MLP_PRE, MLP_PRE_LINEAR):
            return self._mlp_fault(point.layer)
        if point.name in (RESID_PRE, RESID_POST):
            return self._residual_fault()
        return self._pattern_fault(point) if point.name == PATTERN else None

    def _mlp_fault(self, layer: int) -> str | None:
        pre, post = (self._seen[HookPoint(layer, name)] for name in (MLP_PRE, MLP_POST))
        linear = self._seen.get(HookPoint(layer, MLP_PRE_LINEAR), torch.ones_like(post))
        # Without a module for it, SiLU (LFM 2).
        activated = [*self._activated.get(layer, []), torch.nn.functional.silu(pre)]
        if any(
            self._agree(one.reshape(-1), post.reshape(-1))
            for one in [
                part.reshape(post.shape) * linear
                for part in activated
                if part.numel() == post.numel()
            ]
        ):
            return None
        return "activated, and multiplied if gated, it is not the post-activation"

    def _residual_fault(self) -> str | None:
        for layer in range(1, self._model.n_layers):
            after = self._seen[HookPoint(layer - 1, RESID_POST)]
            before = self._seen[HookPoint(layer, RESID_PRE)]
            if not torch.equal(after, before):
                return f"what leaves layer {layer - 1} is not what goes into layer {layer}"
        return None

    def _pattern_fault(self, point: HookPoint) -> str | None:
        pattern = self._seen[point].double()
        sums = pattern.sum(-1)
        later = torch.ones(_TOKENS, _TOKENS, dtype=torch.bool, device=pattern.device).triu(1)
        if (
            not self._agree(sums, torch.ones_like(sums))
            or pattern.transpose(1, 2)[..., later].any()
        ):
            return "rows do not sum to 1 over the tokens so far"
        return None

    def _agree(self, got: Float[Tensor, "*shape"], wanted: Float[Tensor, "*shape"]) -> bool:
        return torch.equal(got, wanted) or difference(got, wanted) < tolerance(self._model.dtype)
