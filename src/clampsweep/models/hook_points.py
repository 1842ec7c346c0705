"""Hook points by TransformerLens's names, tried before they are read.

In one short pass, what is found at a hook point is held against what its name means: a gate that is
activated and multiplied is the post-activation; what leaves a layer goes into the next one;
attention probabilities sum to one, over tokens that have been. What cannot be shown is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.errors import UserError, reason, shown
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
_ROUNDING = 0.01  # of the largest value: more than rounding of a product in bfloat16


def reader(model: Model, points: Sequence[HookPoint]) -> Reader:
    """What reads a model at some hook points.

    Args:
        model: A loaded model; left as it is.
        points: Hook points.

    Raises:
        UserError: A hook point is not there, or cannot be shown to be what its name means.
        TypeError: It is no hook point.
    """
    if isinstance(points, HookPoint | str):
        raise TypeError(f"hook points: got {shown(points)}; write a list of them")
    for point in points:
        _check_known(model, point)
    patterns = [point for point in points if point.name == PATTERN]
    plain = _eager(model, patterns[0]) if patterns else model.plain
    _Trial(model, plain, points).check()
    return Reader(plain, {point: place(model, plain, point) for point in points})


def width(model: Model, point: HookPoint) -> int:
    """Number of coordinates at a hook point; of an attention pattern, of heads."""
    if point.name == PATTERN:
        return int(model.adapter.cfg.n_heads)
    residual = point.name in (RESID_PRE, RESID_POST)
    return int(model.adapter.cfg.d_model) if residual else model.d_mlp


def _check_known(model: Model, point: HookPoint) -> None:
    if not isinstance(point, HookPoint):
        raise TypeError(f"hook point: got {shown(point)}; write HookPoint(3, MLP_POST)")
    if point.name not in HOOK_NAMES:
        raise UserError(
            f"hook point {point}: not known; write one of "
            f"{', '.join(f'blocks.L.{name}' for name in HOOK_NAMES)}"
        )
    if not 0 <= point.layer < model.n_layers:
        raise UserError(f"hook point {point}: the model has layers 0 to {model.n_layers - 1}")
    if point.name in (MLP_PRE, MLP_PRE_LINEAR, MLP_POST) and not model.d_mlp:
        raise refusal(model, point, "it has no MLP")


def _eager(model: Model, point: HookPoint) -> Any:
    """The model's twin, with attention that gives its probabilities."""
    eager = twin(model.plain)
    try:
        eager.set_attn_implementation("eager")
    except (ValueError, AttributeError, NotImplementedError) as error:
        raise refusal(model, point, f"no eager attention ({reason(error)})") from error
    ids = _ids(model)
    with torch.inference_mode():
        got, wanted = (one(input_ids=ids, use_cache=False).logits for one in (eager, model.plain))
    if not difference(got, wanted) < tolerance(model.dtype):
        raise refusal(model, point, "with eager attention its logits are others")
    return eager


def _ids(model: Model) -> Int[Tensor, "one pos"]:
    """A short text."""
    return torch.arange(1, _TOKENS + 1, device=model.device)[None] % n_rows(model.plain)


class _Trial:
    """A short pass, what it gave at hook points, and whether that is what they mean."""

    def __init__(self, model: Model, plain: Any, points: Sequence[HookPoint]):
        self._model, self._plain, self._points = model, plain, points
        self._seen: dict[HookPoint, Tensor] = {}
        self._activated: dict[int, list[Tensor]] = {}  # by layer: what modules make of its MLP_PRE

    def check(self) -> None:
        """Refuse the first hook point that is not what its name means."""
        with torch.inference_mode(), self._watched():
            self._plain(input_ids=_ids(self._model), use_cache=False)
            for point in self._points:
                if why := self._shape_fault(point) or self._fault(point):
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

    def _beside(self, point: HookPoint) -> list[HookPoint]:
        """A hook point and those that it is held against."""
        layers = range(self._model.n_layers)
        if point.name in (MLP_PRE, MLP_PRE_LINEAR):
            linear = MLP_PRE_LINEAR if is_gated(self._model) else point.name
            return [HookPoint(point.layer, name) for name in (MLP_PRE, linear, MLP_POST)]
        if point.name in (RESID_PRE, RESID_POST):
            return [*hook_points(RESID_PRE, layers), *hook_points(RESID_POST, layers)]
        return [point]

    def _note_activated(self, layer: int, module: Any, args: Any, output: Any) -> None:
        """Keep what a module makes of exactly the pre-activations."""
        pre = self._seen.get(HookPoint(layer, MLP_PRE))
        given = args[0] if args else None
        if pre is None or not isinstance(given, Tensor) or not isinstance(output, Tensor):
            return
        # Some models run rows and positions as one axis.
        if given.numel() == pre.numel() and torch.equal(given.reshape(pre.shape), pre):
            self._activated.setdefault(layer, []).append(output)

    # Its outcome

    def _shape_fault(self, point: HookPoint) -> str | None:
        got = self._seen.get(point)
        wanted = [1, _TOKENS, width(self._model, point)] + [_TOKENS] * (point.name == PATTERN)
        if got is not None and list(got.shape) == wanted:
            return None
        return (
            f"expected a shape {wanted} there, found {'nothing' if got is None else [*got.shape]}"
        )

    def _fault(self, point: HookPoint) -> str | None:
        if point.name in (MLP_PRE, MLP_PRE_LINEAR):
            return self._mlp_fault(point.layer)
        if point.name in (RESID_PRE, RESID_POST):
            return self._residual_fault()
        return self._pattern_fault(point) if point.name == PATTERN else None

    def _mlp_fault(self, layer: int) -> str | None:
        pre, post = (self._seen[HookPoint(layer, name)] for name in (MLP_PRE, MLP_POST))
        linear = self._seen.get(HookPoint(layer, MLP_PRE_LINEAR), torch.ones_like(post))
        # Where no module activates (LFM 2), SiLU does.
        for activated in (*self._activated.get(layer, []), torch.nn.functional.silu(pre)):
            same_size = activated.numel() == post.numel()
            if same_size and _agree(activated.reshape(post.shape) * linear, post):
                return None
        return "activated, and multiplied if gated, it is not the post-activation"

    def _residual_fault(self) -> str | None:
        for layer in range(1, self._model.n_layers):
            after = self._seen.get(HookPoint(layer - 1, RESID_POST))
            before = self._seen.get(HookPoint(layer, RESID_PRE))
            if after is None or before is None or not torch.equal(after, before):
                return f"what leaves layer {layer - 1} is not what goes into layer {layer}"
        return None

    def _pattern_fault(self, point: HookPoint) -> str | None:
        pattern = self._seen[point][0].transpose(0, 1)  # [head, query, key]
        sums = pattern.sum(-1)
        if _agree(sums, torch.ones_like(sums)) and torch.equal(pattern, pattern.tril()):
            return None
        return "its rows do not sum to 1 over the tokens so far"


def _agree(got: Float[Tensor, "*shape"], wanted: Float[Tensor, "*shape"]) -> bool:
    return torch.equal(got, wanted) or difference(got, wanted) < _ROUNDING
