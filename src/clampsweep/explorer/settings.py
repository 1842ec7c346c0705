"""What a run of the explorer is asked for: taken from the form, checked, and as a config file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clampsweep.config.checker import Checker
from clampsweep.config.limits import beyond
from clampsweep.config.requests import parse_decoding, parse_scope
from clampsweep.errors import UserError
from clampsweep.models.spec import ModelSpec
from clampsweep.names import Neuron, target_name
from clampsweep.operations import VALUED
from clampsweep.texts.request import Decoding

OPERATIONS = ("set", "add", "scale", "zero")

SCOPES = ("all", "prompt", "generated", "last", "last_cached")


@dataclass(frozen=True)
class ClampSetting:
    """One row of the form: what is done to one neuron.

    Attributes:
        layer: Layer, from 0; None where nothing is written.
        neuron: Index in the layer.
        operation: One of `OPERATIONS`.
        value: Activation units for set and add, a factor for scale; not looked at for zero.
        on: Whether it counts.
    """

    layer: int | None
    neuron: int | None
    operation: str = "set"
    value: float | None = 0.0
    on: bool = True

    @property
    def place(self) -> Neuron:
        """The neuron, of a clamp that was checked."""
        return Neuron(int(self.layer or 0), int(self.neuron or 0))

    @property
    def used(self) -> float | None:
        """The value where the operation takes one."""
        return self.value if self.operation in VALUED else None

    def __str__(self) -> str:
        """In words, `L29N1479 set +50`."""
        words = "" if self.used is None else f" {self.used:+g}"
        return f"L{self.layer}N{self.neuron} {self.operation}{words}"


@dataclass(frozen=True)
class Settings:
    """All that decides a run's texts.

    Attributes:
        model: Name in the config.
        prompt: The prompt.
        clamps: The rows that are on.
        scope: As in a config: a name, or positions such as `0,3`.
        decoding: How tokens are chosen.
        seed: Of sampling.
        rows: The rows of the form, those that are off too.
    """

    model: str
    prompt: str
    clamps: tuple[ClampSetting, ...]
    scope: str
    decoding: Decoding
    seed: int = 0
    rows: tuple[ClampSetting, ...] = ()

    @property
    def draws(self) -> int | None:
        """The seed where something is drawn."""
        return self.seed if self.decoding.method == "sample" else None

    def as_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        clamps = [
            {"layer": c.layer, "neuron": c.neuron, "operation": c.operation, "value": c.used}
            for c in self.clamps
        ]
        return {
            "model": self.model,
            "prompt": self.prompt,
            "clamps": clamps,
            "scope": self.scope,
            "decoding": self.decoding.as_json(),
            "seed": self.draws,
        }


def check_clamps(rows: Sequence[ClampSetting], spec: ModelSpec) -> tuple[ClampSetting, ...]:
    """The rows that are on, each naming a neuron of the model and no neuron twice.

    Raises:
        UserError: A row does not; it says which row, and what is allowed.
    """
    seen: dict[Neuron, int] = {}
    for number, row in enumerate(rows, 1):
        if not row.on:
            continue
        _check_row(number, row, spec)
        if row.place in seen:
            raise UserError(
                f"clamps {seen[row.place]} and {number} both change {row.place}; switch one off"
            )
        seen[row.place] = number
    return tuple(row for row in rows if row.on)


def _check_row(number: int, row: ClampSetting, spec: ModelSpec) -> None:
    for what, got, limit in (
        ("layer", row.layer, spec.n_layers),
        ("neuron", row.neuron, spec.d_mlp),
    ):
        allowed = f"{spec.name} has {what}s 0-{limit - 1}" if limit else f"{spec.name} has none"
        if got is None:
            raise UserError(f"clamp {number}: the {what} is missing; {allowed}")
        if got != int(got) or not 0 <= got < limit:
            raise UserError(f"clamp {number}: got {what} {got:g}; {allowed}")
    if row.operation not in OPERATIONS:
        raise UserError(
            f"clamp {number}: got operation {row.operation!r}; allowed: {', '.join(OPERATIONS)}"
        )
    if row.operation in VALUED and (row.value is None or not math.isfinite(row.value)):
        raise UserError(f"clamp {number}: operation {row.operation} needs a value, a finite number")
    if row.operation in VALUED and (why := beyond(row.value or 0.0, spec)):
        raise UserError(f"clamp {number}: {why}")


def read_values(text: str) -> list[float]:
    """The numbers of a list with commas between, each once, ascending.

    Raises:
        UserError: One is no finite number, or there are none.
    """
    found = set()
    for part in text.replace(";", ",").split(","):
        if not part.strip():
            continue
        try:
            value = float(part)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UserError(
                f"the form: values: got {part.strip()!r}; write numbers, such as -10, 10"
            )
        found.add(value)
    if not found:
        raise UserError("the form: values: there are none; write numbers, such as -10, 10")
    return sorted(found)


def check_scope(scope: str, positions: str, checker: Checker) -> str:
    """The scope as it stands in a config.

    Args:
        scope: One of `SCOPES`, or `positions`.
        positions: For `positions`, numbers from 0 such as `0, 3`.
        checker: Knows the schema.

    Raises:
        UserError: It is none of these.
    """
    if scope != "positions":
        return parse_scope(checker, ("scope",), scope)
    try:
        numbers = [int(part) for part in positions.replace(",", " ").split()]
    except ValueError as error:
        raise UserError(
            f"the form: positions: got {positions!r}; write whole numbers from 0, such as 0, 3"
        ) from error
    return parse_scope(checker, ("positions",), numbers)


def check_decoding(entry: Mapping[str, Any], checker: Checker) -> Decoding:
    """How tokens are chosen; what is None or blank, or not for the method, is left out.

    Args:
        entry: As in a config; top_k and top_p as they are typed.
        checker: Knows the schema.

    Raises:
        UserError: A value is missing or out of range.
    """
    greedy = entry["method"] == "greedy"
    names = ("method", "max_new_tokens") if greedy else tuple(entry)
    given = {name: _number(entry[name]) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    return parse_decoding(checker, ("decoding",), given)


def _number(value: Any) -> Any:
    """What was typed as a number, whole where it is; None if blank; else as it is."""
    if isinstance(value, str):
        try:
            value = float(value) if value.strip() else None
        except ValueError:
            return value
    whole = isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def as_config(settings: Settings, spec: ModelSpec, promptset: str) -> dict[str, Any]:
    """A config, laid over the default one, with which the workflow makes the run's texts.

    Args:
        settings: The run's.
        spec: Its model.
        promptset: Path of a promptset that holds the prompt.

    Raises:
        UserError: The clamps are not one intervention of a sweep: there are none, or they differ
            in operation or value.
    """
    kinds = {(clamp.operation, clamp.used) for clamp in settings.clamps}
    if not settings.clamps:
        raise UserError("no clamp is on, and a sweep needs one; switch one on and run again")
    if len(kinds) > 1:
        said = ", ".join(map(str, settings.clamps))
        raise UserError(
            f"a sweep changes neurons together by one operation and value, but these are {said}; "
            "export the run as JSON or Parquet, or make the clamps alike"
        )
    ((operation, value),) = kinds
    names = target_name(tuple(clamp.place for clamp in settings.clamps)).split("+")
    sweep: dict[str, Any] = {
        "model": spec.name,
        "promptset": "explored",
        "neurons": names if len(names) == 1 else [names],
        "operation": operation,
        **({} if value is None else {"values": [value]}),
        "scope": _scope_entry(settings.scope),
        "decoding": {k: v for k, v in settings.decoding.as_json().items() if v is not None},
        **({} if settings.draws is None else {"seeds": [settings.draws]}),
    }
    about = {k: v for k, v in asdict(spec).items() if v is not None and k not in ("where", "name")}
    return {
        "run": ["explored"],
        "models": {spec.name: about},
        "promptsets": {"explored": {"path": promptset, "format": "jsonl"}},
        "sweeps": {"explored": sweep},
    }


def _scope_entry(scope: str) -> str | list[int]:
    return [int(part) for part in scope.split(",")] if scope[:1].isdigit() else scope
