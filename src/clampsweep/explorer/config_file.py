"""A run of the explorer as a config file, with which the workflow makes the same texts."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clampsweep.errors import UserError
from clampsweep.explorer.settings import Settings
from clampsweep.models.spec import ModelSpec
from clampsweep.names import target_name
from clampsweep.provenance import json_digest
from clampsweep.strict_yaml import yaml_text
from clampsweep.tables import write_text

FOLDER = "explored"  # in config/ and promptsets/


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


def config_text(settings: Settings, spec: ModelSpec) -> str:
    """The config file that makes the run's texts.

    Raises:
        UserError: The clamps are not one intervention of a sweep.
    """
    name = _name(settings)
    content = as_config(settings, spec, f"promptsets/{FOLDER}/{name}.jsonl")
    head = (
        f"# A run of the explorer. make reproduce CONFIG=config/{FOLDER}/{name}.yaml\n"
        "# makes its texts; they are then in results/explored/.\n"
    )
    return head + yaml_text(content)


def save_config(settings: Settings, spec: ModelSpec, root: Path) -> Path:
    """Write the config file and its promptset into a project; return the config's path.

    Args:
        settings: The run's.
        spec: Its model.
        root: The project's folder.

    Raises:
        UserError: The clamps are not one intervention of a sweep, the prompt is blank, or the
            files could not be written.
    """
    if not settings.prompt.strip():
        raise UserError("the prompt is blank, and a promptset holds none; write something")
    text, name = config_text(settings, spec), _name(settings)
    prompts = root / "promptsets" / FOLDER / f"{name}.jsonl"
    line = {"prompt_id": "explored", "text": settings.prompt}
    write_text(json.dumps(line, ensure_ascii=False) + "\n", prompts)
    config = root / "config" / FOLDER / f"{name}.yaml"
    write_text(text, config)
    return config


def _name(settings: Settings) -> str:
    """A file name that the settings decide."""
    return json_digest(settings.as_json())[:12]
