"""The field's exchange files: `extracted.tsv` both ways, `metrics.csv` and `vectors.npz` out.

An extracted table has a row per text: core_id, type, level, sweep (`baseline` or the clamp value),
prompt and output.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from clampsweep.errors import UserError
from clampsweep.names import parse_target, target_name
from clampsweep.provenance import json_digest
from clampsweep.texts import prompt_files, promptset
from clampsweep.texts.gather import GENERATIONS

_COLUMNS = ["core_id", "type", "level", "sweep", "prompt", "output"]

_INTERVENTION = ["target", "layer", "neuron", "operation", "value", "scope", "seed"]

# What the published programs write for a text of no tokens, and for a prompt that they lack.
_NO_TEXT, _NO_PROMPT = "(No new tokens)", "PROMPT NOT FOUND"

_DTYPES = {"str": "str", "int": "Int64", "float": "float64", "tokens": "object"}


def _prompt_cells(where: str, cells: Mapping[str, str]) -> dict[str, str]:
    core, kind, level = (cells[name] for name in ("core_id", "type", "level"))
    if not core:
        raise UserError(f"{where}: core_id is empty; write the name of the core or of the prompt")
    if cells["prompt"] == _NO_PROMPT:
        raise UserError(
            f"{where}: prompt {_NO_PROMPT!r} says that its text was not at hand; write the text"
        )
    return {
        "prompt_id": "/".join(part for part in (core, kind, level) if part),
        "text": cells["prompt"],
        "core": core if kind or level else "",
        "type": kind,
        "level": level,
    }


def _sweep_value(where: str, sweep: str) -> float | None:
    """Clamp value that a sweep cell names; None for the baseline."""
    if sweep == "baseline":
        return None
    try:
        value = float(sweep)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(
            f"{where}: sweep {sweep!r} is neither baseline nor a finite number; write one of them"
        )
    return value + 0.0  # -0.0 becomes 0.0


def _generations(
    texts: Mapping[tuple[str, float | None], str],
    prompts: pd.DataFrame,
    target: str,
    operation: str,
    scope: str,
) -> pd.DataFrame:
    neurons = parse_target(target)
    clamp = {
        "target": target_name(neurons),
        "layer": neurons[0].layer,
        "neuron": neurons[0].index if len(neurons) == 1 else None,
        "operation": operation,
        "scope": scope,
    }
    prompt_texts = dict(zip(prompts["prompt_id"], prompts["text"], strict=True))
    rows = []
    for (prompt_id, value), text in texts.items():
        facts = {"operation": "none"} if value is None else {**clamp, "value": value}
        key = json_digest({**facts, "prompt": prompt_texts[prompt_id]})
        rows.append(
            {"model": "imported", "prompt_id": prompt_id, "key": key, "text": text, **facts}
        )
    frame = pd.DataFrame(rows, columns=list(GENERATIONS.columns))
    frame = frame.astype({name: _DTYPES[kind.type] for name, kind in GENERATIONS.columns.items()})
    return frame.assign(token_ids=pd.Series([None] * len(frame), dtype="object"))


class Extracted(NamedTuple):
    """What an extracted table holds: `PROMPTS` and `GENERATIONS`."""

    prompts: pd.DataFrame
    generations: pd.DataFrame


def read(path: Path | str, target: str, operation: str = "set", scope: str = "all") -> Extracted:
    """Prompts (`PROMPTS`) and generations (`GENERATIONS`) of an extracted table.

    A prompt's id is core_id/type/level, empty parts left out. The output `(No new tokens)` is what
    the published programs write for an empty text, and read as that. What the file does not tell
    (tokens, margins) is null. Rows keep the file's order.

    Args:
        path: The TSV file, in UTF-8; quoted cells may hold line ends.
        target: Neuron or neurons that were changed, such as `L11N373`.
        operation: How they were changed.
        scope: At which positions.

    Raises:
        UserError: The file cannot be read; a row has another form; a prompt has no text (the
            published programs then write `PROMPT NOT FOUND`), two texts, no baseline, or two
            outputs for one sweep value.
        ValueError: `target` is not the name of one or more neurons.
    """
    prompts: dict[str, prompt_files.Row] = {}
    texts: dict[tuple[str, float | None], str] = {}
    for row, (line, cells) in enumerate(prompt_files.delimited(path, "\t", _COLUMNS), 1):
        where = f"{path}, row {row} (line {line})"
        prompt = _prompt_cells(where, cells)
        name, value = prompt["prompt_id"], _sweep_value(where, cells["sweep"].strip())
        first, known = prompts.setdefault(name, (where, prompt))
        if known != prompt:
            raise UserError(
                f"{where}: {name!r} has another text in {first}; keep one prompt per id"
            )
        if (name, value) in texts:
            raise UserError(
                f"{where}: {name!r} has a second output for sweep {cells['sweep']!r}; delete one"
            )
        texts[name, value] = "" if cells["output"] == _NO_TEXT else cells["output"]
    for name, (where, _) in prompts.items():
        if (name, None) not in texts:
            raise UserError(f"{where}: {name!r} has no row with sweep baseline; add it")
    frame = promptset.frame(path, list(prompts.values()))
    return Extracted(frame, _generations(texts, frame, target, operation, scope))
