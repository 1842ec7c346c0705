"""Hooks at the output projections of a model's MLPs and after its layers, the same on every path.

What goes into a layer's output projection W_out is the MLP post-activation; what comes out of it,
before any norm or factor that stands between it and the residual stream, is where changes along
other directions are added. What comes out of a layer is the residual stream after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

PostHook = Callable[[Tensor], Tensor | None]

"""Takes [row, pos, width]; returns what takes its place, or None."""


class Tap(NamedTuple):
    """A tensor on its way through a model: what goes into a module, or one that comes out of it.

    Attributes:
        module: The module.
        inward: Whether it is what goes in.
        item: Which of several that come out.
    """

    module: Any
    inward: bool
    item: int = 0


@contextmanager
def hooked(
    plain: Any,
    outs: Sequence[Any],
    before: Mapping[int, PostHook],
    after: Mapping[int, PostHook] | None = None,
    residual: Mapping[Any, PostHook] | None = None,
) -> Iterator[None]:
    """A model that is being looked at, or changed, at its MLPs' output projections.

    The model is to be called with `input_ids` by name. A projection that is called by itself, for
    its weights, is left alone.

    Args:
        plain: A model in Hugging Face's class.
        outs: The output projection of each of its layers.
        before: By layer, what is handed the post-activations.
        after: By layer, what is handed the projections' outputs.
        residual: By layer's module, what is handed the residual stream after it.
    """
    current = _Pass()
    with ExitStack() as hooks:
        add = hooks.enter_context  # a handle removes its hook when it is left
        add(plain.register_forward_pre_hook(current.begin, with_kwargs=True))
        add(plain.register_forward_hook(current.end, always_call=True))
        for layer, hook in before.items():
            if hasattr(outs[layer], "hook_in"):  # of a bridge, which may go round its projection
                add(outs[layer].hook_in.register_forward_hook(partial(current.at_output, hook)))
            else:
                add(outs[layer].register_forward_pre_hook(partial(current.at_input, hook)))
        for layer, hook in (after or {}).items():
            point = getattr(outs[layer], "hook_out", outs[layer])
            add(point.register_forward_hook(partial(current.at_output, hook)))
        for block, hook in (residual or {}).items():
            add(block.register_forward_hook(partial(current.at_block, hook)))
        yield


@contextmanager
def tapped(plain: Any, reads: Iterable[tuple[Tap, Callable[[Tensor], None]]]) -> Iterator[None]:
    """A model that is being looked at, anywhere, and not changed.

    The model is to be called with `input_ids` by name.

    Args:
        plain: A model in Hugging Face's class.
        reads: Where, and what is handed [row, pos, width] there.
    """
    current = _Pass()
    with ExitStack() as hooks:
        add = hooks.enter_context
        add(plain.register_forward_pre_hook(current.begin, with_kwargs=True))
        add(plain.register_forward_hook(current.end, always_call=True))
        for (module, inward, item), read in reads:
            if inward and hasattr(module, "hook_in"):  # of a bridge, see `hooked`
                module, inward = module.hook_in, False
            if inward:
                seen = partial(current.read_input, read)
                add(module.register_forward_pre_hook(seen, with_kwargs=True))
            else:
                point = getattr(module, "hook_out", module)
                add(point.register_forward_hook(partial(current.read_output, read, item)))
        yield


class _Pass:
    """The pass that a hooked model is in: its number of rows, 0 between passes."""

    def __init__(self) -> None:
        self._rows = 0

    def begin(self, module: Any, args: Any, kwargs: Any) -> None:
        self._rows = len(kwargs["input_ids"])

    def end(self, module: Any, args: Any, output: Any) -> None:
        self._rows = 0

    def at_input(self, hook: PostHook, module: Any, args: tuple[Tensor, ...]) -> Any:
        changed = self._call(hook, args[0])
        return None if changed is None else (changed, *args[1:])

    def at_output(self, hook: PostHook, module: Any, args: Any, output: Tensor) -> Any:
        return self._call(hook, output)

    def at_block(self, hook: PostHook, module: Any, args: Any, output: Any) -> Any:
        if isinstance(output, Tensor):
            return self._call(hook, output)
        changed = self._call(hook, output[0])  # of a tuple, and in GPT-1 of a list
        return None if changed is None else (changed, *output[1:])

    def _call(self, hook: PostHook, value: Tensor) -> Tensor | None:
        if not self._rows:
            return None
        # Some models run rows and positions as one axis.
        changed = hook(value.reshape(self._rows, -1, value.shape[-1]))
        return None if changed is None else changed.reshape(value.shape)

    def read_input(
        self, read: Callable[[Tensor], None], module: Any, args: Any, kwargs: Any
    ) -> None:
        value = args[0] if args else kwargs.get("hidden_states")
        if isinstance(value, Tensor):
            self._call(read, value)

    def read_output(
        self, read: Callable[[Tensor], None], item: int, module: Any, args: Any, output: Any
    ) -> None:
        several = output if isinstance(output, (tuple, list)) else (output,)
        if item < len(several) and isinstance(several[item], Tensor):
            self._call(read, several[item])
