"""Where TransformerLens's hook points are in Hugging Face's own model, by the adapter's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

from clampsweep.errors import UserError, reason
from clampsweep.models.hooks import Tap, tapped
from clampsweep.models.model import Model
from clampsweep.names import (
    MLP_POST,
    MLP_PRE_LINEAR,
    PATTERN,
    RESID_POST,
    RESID_PRE,
    HookPoint,
)


class Place(NamedTuple):
    """A tensor in a model, and which of its columns belong to a hook point."""

    tap: Tap
    columns: slice = slice(None)


class Reader(NamedTuple):
    """A model that can be read at some hook points.

    Attributes:
        plain: What to run: Hugging Face's own model; for attention patterns its twin with eager
            attention, because no other computes them.
        places: Where the hook points are in it.
    """

    plain: Any
    places: Mapping[HookPoint, Place]

    @contextmanager
    def reading(self, receive: Callable[[HookPoint, Tensor], None]) -> Iterator[None]:
        """The model, handing over what it computes at the hook points.

        Args:
            receive: Called with the hook point and [row, pos, width]; of an attention pattern
                [row, query, head, key].
        """

        def read(point: HookPoint, columns: slice, value: Tensor) -> None:
            if point.name == PATTERN:  # [row, head * query, key]
                rows, _, keys = value.shape
                value = value.reshape(rows, -1, keys, keys).transpose(1, 2)
            receive(point, value[..., columns])

        reads = [
            (place.tap, partial(read, point, place.columns)) for point, place in self.places.items()
        ]
        with tapped(self.plain, reads):
            yield


def place(model: Model, plain: Any, point: HookPoint) -> Place:
    """Where a hook point is, as far as names tell.

    Args:
        model: A loaded model.
        plain: Its plain model, or a twin of that.
        point: The hook point.

    Raises:
        UserError: No module has it.
    """
    block = f"blocks.{point.layer}"
    try:
        if point.name in (RESID_PRE, RESID_POST):
            return Place(Tap(model.part(block, plain), point.name == RESID_PRE))
        if point.name == MLP_POST:
            return Place(Tap(model.part(f"{block}.mlp.out", plain), True))
        if point.name == PATTERN:
            return Place(Tap(model.part(f"{block}.attn", plain), False, 1))
        return _projected(model, plain, point)
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise refusal(model, point, f"no module has it ({reason(error)})") from error


def is_gated(model: Model) -> bool:
    """Whether the MLPs have a gate, and so an up projection beside it."""
    return "gate" in _named_mlp(model).submodules


def refusal(model: Model, point: HookPoint, why: str) -> UserError:
    """The one line that refuses a hook point of a model."""
    kind = type(model.plain).__name__
    return UserError(
        f"hook point {point}: cannot be read in {kind}: {why}; leave it out (docs/models.md)"
    )


def _named_mlp(model: Model) -> Any:
    return model.adapter.component_mapping["blocks"].submodules["mlp"]


def _projected(model: Model, plain: Any, point: HookPoint) -> Place:
    """Where the gate of an MLP, its up projection or its pre-activation comes out."""
    mlp, linear = f"blocks.{point.layer}.mlp", point.name == MLP_PRE_LINEAR
    if linear and not is_gated(model):
        raise refusal(model, point, "its MLPs are not gated")
    if fused := getattr(_named_mlp(model), "fused_attr", None):  # one projection: gate, then up
        half = slice(model.d_mlp, None) if linear else slice(None, model.d_mlp)
        return Place(Tap(getattr(model.part(mlp, plain), fused), False), half)
    projection = "gate" if is_gated(model) and not linear else "in"
    return Place(Tap(model.part(f"{mlp}.{projection}", plain), False))
