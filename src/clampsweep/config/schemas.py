"""The schemas of the config: what studies share, and a file for each study, joined by `$ref`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clampsweep.config.contract import Study
from clampsweep.strict_yaml import read_yaml

SUFFIX = ".schema.yaml"


def join(folder: Path | str, studies: Sequence[Study]) -> dict[str, dict[str, Any]]:
    """Schemas by name: `config`, `common` and each study's, `config` knowing the studies' keys.

    A study's schema has its keys of an entry of `sweeps` in `$defs.sweep`, or describes one entry
    of its own section in `$defs.entry`.

    Args:
        folder: Where they are, `workflow/schemas`.
        studies: The studies that there are.

    Raises:
        UserError: A file is missing or damaged.
    """
    names = ["config", "common", *(study.name for study in studies)]
    schemas = {name: read_yaml(Path(folder) / f"{name}{SUFFIX}") for name in names}
    config = schemas["config"]
    for study in studies:
        for key in sorted(study.sweep_keys):
            place = f"{study.name}{SUFFIX}#/$defs/sweep/properties/{key}"
            config["$defs"]["sweep"]["properties"][key] = {"$ref": place}
        if not study.sweep_keys:
            config["properties"][study.name] = {
                "type": "object",
                "additionalProperties": {"$ref": f"{study.name}{SUFFIX}#/$defs/entry"},
                "propertyNames": {"$ref": f"common{SUFFIX}#/$defs/name"},
            }
    return schemas
