"""What an entry of `sweeps` asks for, by the keys that all studies share, as a `TextRequest`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clampsweep.config.checker import Checker, Key
from clampsweep.config.limits import beyond
from clampsweep.models.spec import ModelSpec
from clampsweep.names import OWN, Neuron, parse_neuron, target_name
from clampsweep.operations import VALUED
from clampsweep.texts.request import Decoding, PromptsetSpec, Selection, TextRequest


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
    targets = parse_targets(checker, (*key, "neurons"), entry["neurons"], model)
    joint = [] if isinstance(targets, Selection) else [name for name in targets if "+" in name]
    if joint and entry["operation"] == "mean":
        raise checker.fault(
            (*key, "neurons"),
            f"operation mean takes single neurons, got {joint[0]!r}; name them one by one",
        )
    return TextRequest(
        name=str(key[-1]),
        model=model,
        promptset=checker.choose((*key, "promptset"), entry["promptset"], promptsets, "promptset"),
        targets=targets,
        operation=entry["operation"],
        values=parse_values(checker, key, entry, model),
        scope=parse_scope(checker, (*key, "scope"), entry["scope"]),
        decoding=decoding,
        seeds=parse_seeds(checker, key, entry, decoding),
    )


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


def parse_targets(
    checker: Checker, key: Key, entry: list[Any] | Mapping[str, Any], model: ModelSpec
) -> tuple[str, ...] | Selection:
    """Names of the neurons to change, or how to select them.

    Raises:
        UserError: A name or the selection does not fit the model.
    """
    if isinstance(entry, Mapping):
        checker.check(entry, "config/selection", key)
        layer = entry["layer"]
        if isinstance(layer, str) and layer not in ("last", "all"):
            raise checker.fault((*key, "layer"), f"got {layer!r}; allowed: last, all or a layer")
        if isinstance(layer, int) and not 0 <= layer < model.n_layers:
            raise checker.fault(
                (*key, "layer"),
                f"got {layer}; {model.name} has layers 0-{model.n_layers - 1}",
            )
        if not model.d_mlp:
            raise checker.fault(key, _no_neurons(model))
        number = {"last": model.n_layers - 1, "all": None}.get(layer, layer)
        most = model.d_mlp * (model.n_layers if number is None else 1)
        if entry["top"] > most:
            raise checker.fault((*key, "top"), f"got {entry['top']}; there are {most} neurons")
        return Selection(entry["select"], number, entry["top"])
    return parse_target_names(checker, key, entry, model)


def parse_target_names(
    checker: Checker, key: Key, entry: Sequence[Any], model: ModelSpec | None = None
) -> tuple[str, ...]:
    """Names of targets, those that are changed together joined by `+`.

    Raises:
        UserError: A name is none, stands twice, or does not fit the model, if one is given.
    """
    checker.check(entry, "common/neuron_names", key)
    found: list[str] = []
    for at, item in enumerate(entry):
        names = [item] if isinstance(item, str) else item
        if not isinstance(item, str):
            checker.check(item, "common/joint_neurons", (*key, at))
        neurons = [_neuron(checker, (*key, at), name, model) for name in names]
        if len(set(neurons)) < len(neurons):
            raise checker.fault((*key, at), f"{item!r} names a neuron twice; remove one")
        target = target_name(tuple(neurons))
        if target in found:
            raise checker.fault((*key, at), f"{target!r} stands in the list twice; remove one")
        found.append(target)
    return tuple(found)


def _neuron(checker: Checker, key: Key, name: str, model: ModelSpec | None) -> Neuron:
    try:
        neuron = parse_neuron(name)
    except ValueError as error:
        raise checker.fault(key, str(error)) from error
    if neuron.direction != OWN:
        raise checker.fault(key, f"{name!r} names a random direction; write 'controls' for these")
    if model is None:
        return neuron
    if not model.d_mlp:
        raise checker.fault(key, f"{name!r} names a neuron; {_no_neurons(model)}")
    for what, plural, number, limit in (
        ("layer", "layers", neuron.layer, model.n_layers),
        ("neuron", "neurons", neuron.index, model.d_mlp),
    ):
        if number >= limit:
            raise checker.fault(
                key, f"{name!r} names {what} {number}; {model.name} has {plural} 0-{limit - 1}"
            )
    return neuron


def _no_neurons(model: ModelSpec) -> str:
    return f"{model.name} has no neurons (d_mlp: 0); choose a model with an MLP"
