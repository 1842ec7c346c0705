"""What an entry of `sweeps` asks for, by the keys that all studies share, as a `TextRequest`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from clampsweep.config.checker import Checker, Key
from clampsweep.config.limits import beyond
from clampsweep.config.targets import parse_directions, parse_targets
from clampsweep.models.spec import ModelSpec
from clampsweep.names import neurons_in
from clampsweep.operations import VALUED
from clampsweep.texts.directions import Steering
from clampsweep.texts.found import Found
from clampsweep.texts.request import (
    Decoding,
    PromptFormat,
    PromptsetSpec,
    Selection,
    TextRequest,
)


def parse_request(
    checker: Checker,
    key: Key,
    entry: Mapping[str, Any],
    models: Mapping[str, ModelSpec],
    promptsets: Mapping[str, PromptsetSpec],
) -> TextRequest:
    """The texts that an entry of `sweeps` asks for.

    Raises:
        UserError: Its first fault, with the key.
    """
    checker.check(entry, "config/sweep", key)
    model = checker.choose((*key, "model"), entry["model"], models, "model")
    decoding = parse_decoding(checker, (*key, "decoding"), entry["decoding"])
    targets, along = _changed(checker, key, entry, model)
    return TextRequest(
        name=str(key[-1]),
        model=model,
        promptset=checker.choose((*key, "promptset"), entry["promptset"], promptsets, "promptset"),
        targets=targets,
        operation=entry["operation"],
        values=_values(checker, key, entry, model, targets, along),
        scope=parse_scope(checker, (*key, "scope"), entry["scope"]),
        decoding=decoding,
        seeds=parse_seeds(checker, key, entry, decoding),
        directions=along,
        prompt_format=parse_prompt_format(checker, key, entry),
    )


class _Changed(NamedTuple):
    """What an entry changes: its targets, and the directions that they name."""

    targets: tuple[str, ...] | Selection | Found
    directions: tuple[Steering, ...]


def _changed(checker: Checker, key: Key, entry: Mapping[str, Any], model: ModelSpec) -> _Changed:
    """The targets of an entry: neurons, or directions for steer."""
    operation = entry["operation"]
    wanted, other = "neurons", "directions"
    if operation == "steer":
        wanted, other = other, wanted
    if other in entry:
        raise checker.fault((*key, other), f"operation {operation!r} takes {wanted}; remove it")
    if wanted not in entry:
        raise checker.fault(key, f"lacks the key {wanted!r}, which operation {operation!r} needs")
    if operation == "steer":
        along = parse_directions(checker, (*key, wanted), entry[wanted], model)
        return _Changed(tuple(one.target for one in along), along)
    targets = parse_targets(checker, (*key, wanted), entry[wanted], model)
    joint = [name for name in targets if "+" in name] if isinstance(targets, tuple) else []
    if joint and operation == "mean":
        raise checker.fault(
            (*key, wanted),
            f"operation mean takes single neurons, got {joint[0]!r}; name them one by one, or give "
            "each its value, such as {L3N5: 0.2, L7N1: -0.1}, with operation set",
        )
    return _Changed(targets, ())


def _values(
    checker: Checker,
    key: Key,
    entry: Mapping[str, Any],
    model: ModelSpec,
    targets: tuple[str, ...] | Selection | Found,
    along: tuple[Steering, ...],
) -> tuple[float | None, ...]:
    """The values of an entry, or None where the neurons have values of their own."""
    names = targets if isinstance(targets, tuple) and not along else ()
    own = [any(neuron.value is not None for neuron in neurons_in(name)) for name in names]
    if any(own):
        _check_own(checker, key, entry, own)
        return (None,)
    values = parse_values(checker, key, entry, model)
    longest = max((abs(part) for one in along for part in one.vector), default=0.0)
    for at, value in enumerate(values):
        if value is not None and (why := beyond(value * longest, model)):
            raise checker.fault((*key, "values", at), f"{why} (value times direction)")
    return values


def _check_own(checker: Checker, key: Key, entry: Mapping[str, Any], own: Sequence[bool]) -> None:
    """Refuse values of neurons' own beside others, or for an operation that takes none."""
    if entry["operation"] not in VALUED:
        why = f"operation {entry['operation']!r} takes no values; write names alone"
        raise checker.fault((*key, "neurons", own.index(True)), why)
    if not all(own):
        why = "has no values of its own, but another target has; give all targets some, or none"
        raise checker.fault((*key, "neurons", own.index(False)), why)
    if "values" in entry:
        raise checker.fault((*key, "values"), "the neurons have values of their own; remove it")


def parse_prompt_format(checker: Checker, key: Key, entry: Mapping[str, Any]) -> PromptFormat:
    """How prompts reach the model.

    Raises:
        UserError: There is a system prompt, and no chat.
    """
    found = PromptFormat.of(entry)
    if found.system is not None and found.kind != "chat":
        raise checker.fault(
            (*key, "system_prompt"),
            f"got {found.system!r}, but prompts are raw; write prompt_format: chat, or remove it",
        )
    return found


def parse_decoding(checker: Checker, key: Key, entry: Mapping[str, Any]) -> Decoding:
    """How tokens are chosen, of an entry `decoding`.

    Raises:
        UserError: Its first fault, with the key.
    """
    if entry.get("method") not in ("greedy", "sample"):
        raise checker.fault(
            (*key, "method"), f"got {entry.get('method')!r}; allowed: greedy, sample"
        )
    checker.check(entry, f"config/decoding_{entry['method']}", key)
    for name in ("temperature", "top_p"):
        checker.finite((*key, name), entry.get(name, 1.0))
    for at, text in enumerate(entry.get("stop_strings", ())):
        if not text:
            raise checker.fault(
                (*key, "stop_strings", at), "got ''; write at least one character, or remove it"
            )
    return Decoding(**entry)


def parse_values(
    checker: Checker, key: Key, entry: Mapping[str, Any], model: ModelSpec
) -> tuple[float | None, ...]:
    """What the operation uses: its values, or None where it takes none.

    Raises:
        UserError: Values are missing, not finite or beyond the model's dtype, or there for an
            operation that takes none.
    """
    operation = entry["operation"]
    if operation not in VALUED:
        if "values" in entry:
            raise checker.fault((*key, "values"), f"operation {operation!r} takes none; remove it")
        return (None,)
    if "values" not in entry:
        raise checker.fault(key, f"lacks the key 'values', which operation {operation!r} needs")
    return tuple(
        _value(checker, (*key, "values", at), value, model)
        for at, value in enumerate(entry["values"])
    )


def _value(checker: Checker, key: Key, value: float, model: ModelSpec) -> float:
    number = checker.finite(key, value)
    if why := beyond(number, model):
        raise checker.fault(key, why)
    return number


def parse_scope(checker: Checker, key: Key, entry: str | list[int]) -> str:
    """A scope as it stands in a combination: a name, or positions such as `0,3`.

    Raises:
        UserError: It is neither.
    """
    checker.check(entry, f"common/scope_{'name' if isinstance(entry, str) else 'indices'}", key)
    return entry if isinstance(entry, str) else ",".join(map(str, sorted(entry)))


def parse_seeds(
    checker: Checker, key: Key, entry: Mapping[str, Any], decoding: Decoding
) -> tuple[int | None, ...]:
    """Seeds of what is drawn; None where nothing is.

    Raises:
        UserError: There are seeds, and nothing is drawn.
    """
    draws = decoding.method == "sample" or entry["operation"] == "resample"
    if draws:
        return tuple(entry.get("seeds", (0,)))
    if "seeds" in entry:
        raise checker.fault(
            (*key, "seeds"),
            "nothing is drawn with greedy decoding; remove it or use method: sample",
        )
    return (None,)
