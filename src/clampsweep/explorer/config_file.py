"""A run of the explorer as a config file, with which the workflow makes the same texts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.numpy import save

from clampsweep.errors import UserError
from clampsweep.explorer.settings import ClampSetting, Settings
from clampsweep.files import atomic, write_text
from clampsweep.models.spec import ModelSpec
from clampsweep.names import OWN, Direction, parse_direction
from clampsweep.provenance import json_digest
from clampsweep.strict_yaml import yaml_text
from clampsweep.texts import collapse

FOLDER = "explored"  # in config/ and promptsets/

_LONGEST = 60  # characters of a name, but for its digest

MOST = 100  # neurons of a target, as common.schema.yaml has it


def as_config(settings: Settings, spec: ModelSpec, name: str) -> dict[str, Any]:
    """A config, laid over the default one, with which the workflow makes the run's texts.

    Args:
        settings: The run's.
        spec: Its model.
        name: Of the files beside it: a promptset that holds the prompt, the directions.

    Raises:
        UserError: What is changed is not one intervention of a sweep.
    """
    how = {k: v for k, v in settings.prompt_format.as_json().items() if v is not None}
    sweep: dict[str, Any] = {
        "model": spec.name,
        "promptset": name,
        **_changed(settings, name),
        "scope": _scope_entry(settings.scope),
        **how,
        "decoding": {k: v for k, v in settings.decoding.as_json().items() if v is not None},
        **({} if settings.draws is None else {"seeds": [settings.draws]}),
        "detectors": list(collapse.DETECTORS),
    }
    about = {k: v for k, v in asdict(spec).items() if v is not None and k not in ("where", "name")}
    prompts = {"path": f"promptsets/{FOLDER}/{name}.jsonl", "format": "jsonl"}
    return {
        "run": [name],
        "models": {spec.name: about},
        "promptsets": {name: prompts},
        "sweeps": {name: sweep},
    }


def _changed(settings: Settings, name: str) -> dict[str, Any]:
    """What a sweep changes, in the config's words."""
    said = ", ".join(map(str, settings.changes))
    if not said:
        raise UserError("no clamp is on, and a sweep needs one; switch one on and run again")
    if settings.steering is None:
        return _neurons(settings.clamps, said)
    if settings.clamps:
        raise UserError(
            f"a sweep clamps neurons or steers, but this run does both: {said}; switch one off "
            "and run again, or export the run as JSON or Parquet"
        )
    place = parse_direction(settings.steering.name)
    found = {"names": [_written_as(place)], "layers": [place.layer]}
    return {
        "operation": "steer",
        "directions": {"file": f"config/{FOLDER}/{name}.safetensors", **found},
        "values": [settings.steering.multiple],
    }


def _neurons(clamps: Sequence[ClampSetting], said: str) -> dict[str, Any]:
    """Clamps of one operation: with one value, or each with its own."""
    remedy = "export the run as JSON or Parquet"
    if len(clamps) > MOST:
        raise UserError(
            f"a sweep changes at most {MOST} neurons together, but these are {len(clamps)}; "
            f"switch some off and run again, or {remedy}"
        )
    operations = {clamp.operation for clamp in clamps}
    if len(operations) > 1:
        raise UserError(
            f"a sweep changes neurons together by one operation, but these are {said}; make their "
            f"operations alike and run again, or {remedy}"
        )
    (operation,), values = operations, {clamp.used for clamp in clamps}
    in_order = sorted(clamps, key=lambda clamp: clamp.place)
    if len(values) > 1:
        return {"neurons": [{one.name: one.used for one in in_order}], "operation": operation}
    names, value = [one.name for one in in_order], clamps[0].used
    return {
        "neurons": names if len(names) == 1 else [names],
        "operation": operation,
        **({} if value is None else {"values": [value]}),
    }


def _written_as(place: Direction) -> str:
    """Name of a direction in the file beside a config, where a random one is as any other."""
    return place.name if place.random == OWN else f"{place.name}-random{place.random}"


def _scope_entry(scope: str) -> str | list[int]:
    return [int(part) for part in scope.split(",")] if scope[:1].isdigit() else scope


def config_text(settings: Settings, spec: ModelSpec) -> str:
    """The config file that makes the run's texts.

    Raises:
        UserError: What is changed is not one intervention of a sweep.
    """
    name = _name(settings)
    content = as_config(settings, spec, name)
    head = (
        f"# A run of the explorer. make reproduce CONFIG=config/{FOLDER}/{name}.yaml\n"
        f"# makes its texts; they are then in results/{name}/.\n"
    )
    return head + yaml_text(content)


def save_config(settings: Settings, spec: ModelSpec, root: Path) -> Path:
    """Write the config file and what it names into a project; return the config's path.

    Args:
        settings: The run's.
        spec: Its model.
        root: The project's folder.

    Raises:
        UserError: What is changed is not one intervention of a sweep, the prompt is blank, or the
            files could not be written.
    """
    if not settings.prompt.strip():
        raise UserError("the prompt is blank, and a promptset holds none; write something")
    text, name = config_text(settings, spec), _name(settings)
    prompts = root / "promptsets" / FOLDER / f"{name}.jsonl"
    line = {"prompt_id": "explored", "text": settings.prompt}
    write_text(json.dumps(line, ensure_ascii=False) + "\n", prompts)
    config = root / "config" / FOLDER / f"{name}.yaml"
    if settings.steering is not None:
        vector = settings.steering.step.vector
        name = _written_as(parse_direction(settings.steering.name))
        with atomic(config.with_suffix(".safetensors")) as beside:
            beside.write_bytes(save({name: vector}))
    write_text(text, config)
    return config


def _name(settings: Settings) -> str:
    """A name of files and of the entry, which says what is changed and which settings decide."""
    in_order = sorted(settings.clamps, key=lambda clamp: clamp.place)
    steered = [] if settings.steering is None else [settings.steering]
    places = "_".join([*(clamp.name for clamp in in_order), *(one.name for one in steered)])
    words = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{settings.model}-{places}")[:_LONGEST].strip("-.")
    return f"explored-{words}-{json_digest(settings.as_json())[:8]}"
