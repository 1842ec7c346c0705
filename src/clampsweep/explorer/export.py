"""Runs of the explorer as files: JSON and Parquet."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from clampsweep.explorer.file_names import file_name
from clampsweep.explorer.running import Close, Outcome
from clampsweep.explorer.settings import Settings
from clampsweep.files import write_text
from clampsweep.provenance import record
from clampsweep.tables import Column, Schema, write
from clampsweep.texts import collapse
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.metrics import FURTHER_METRICS, LIKELIHOOD_METRICS, PUBLISHED_METRICS
from clampsweep.texts.tables import DECODED, INTERVENTION

EXPLORED = Schema(
    "explored",
    {
        "run": Column("int", "number of the run in its browser tab, from 1"),
        "made": Column("str", "when, ISO 8601 in UTC"),
        "model": GENERATIONS.columns["model"],
        "prompt": Column("str", "the prompt"),
        "prompt_format": Column("str", "raw or chat"),
        "system_prompt": Column("str", "with chat, the system prompt", null=True),
        "clamps": Column("str", "JSON: layer, neuron, operation and value of each clamp"),
        "steering": Column("str", "JSON: direction, multiple, the vector's digest", null=True),
        "scope": Column("str", "positions changed"),
        "decoding": Column("str", "JSON: how tokens were chosen"),
        "seed": INTERVENTION["seed"],
        "role": Column("str", "baseline, or clamped (steered too)"),
        "token_ids": Column("tokens", DECODED["token_ids"].doc),
        "text": DECODED["text"],
        "stop_reason": Column(
            "str", "eos, stop_string, max_new_tokens, context, or stopped (by the user)"
        ),
        "probabilities": Column(
            "vector", "probability of each token before temperature and cuts, in 0..1"
        ),
        **PUBLISHED_METRICS,
        **FURTHER_METRICS,
        **LIKELIHOOD_METRICS,
        **{
            f"collapsed_{name}": Column("bool", f"whether the detector {name} calls it collapsed")
            for name in collapse.DETECTORS
        },
    },
    key=("run", "role"),
)


@dataclass(frozen=True, eq=False)
class Entry:
    """A run in the history of a browser tab; each is its own, however alike.

    Attributes:
        number: From 1; of a run that was forgotten it is not given again.
        made: When, ISO 8601 in UTC.
        outcome: What it made.
    """

    number: int
    made: str
    outcome: Outcome


class Runs:
    """The history of a browser tab."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._numbers = 0

    def add(self, outcome: Outcome) -> Entry:
        """Note a run that is over now."""
        self._numbers += 1
        entry = Entry(self._numbers, datetime.now(UTC).isoformat(timespec="seconds"), outcome)
        self.entries.append(entry)
        return entry

    def get(self, number: int) -> Entry | None:
        """The run of a number, if it is there."""
        return next((one for one in self.entries if one.number == number), None)

    def forget(self, number: int) -> None:
        """Take a run out of the history."""
        self.entries = [one for one in self.entries if one.number != number]


def _texts(outcome: Outcome) -> list[tuple[str, Close]]:
    """The run's texts by role."""
    return list(zip(("baseline", "clamped"), outcome.texts, strict=False))


def _chances(close: Close) -> list[float]:
    """Probability of each token of a text."""
    return [step.probability for step in close.steps[: len(close.said.token_ids)]]


def _end(close: Close) -> float | None:
    """Probability of the end of the text where the model chose it, else None."""
    return close.steps[-1].probability if close.said.stop_reason == "eos" else None


def as_json(entries: Sequence[Entry]) -> str:
    """The runs as JSON: settings; texts with tokens, probabilities, metrics, activations."""
    return json.dumps([_json(one) for one in entries], indent=1, ensure_ascii=False)


def _json(one: Entry) -> dict[str, Any]:
    texts = {
        role: {
            "text": close.said.text,
            "token_ids": close.said.token_ids,
            "tokens": close.tokens,
            "probabilities": _chances(close),
            "end_of_text_probability": _end(close),
            "stop_reason": close.said.stop_reason,
            "metrics": close.said.metrics,
            "collapsed": close.said.collapsed,
            "natural_activation": close.natural,
            "changed_to": close.changed,
        }
        for role, close in _texts(one.outcome)
    }
    return {"run": one.number, "made": one.made, **one.outcome.settings.as_json(), "texts": texts}


def frame(entries: Sequence[Entry]) -> pd.DataFrame:
    """The runs as a table (`EXPLORED`), one row per text."""
    rows = [
        {
            "run": one.number,
            "made": one.made,
            **_asked(one.outcome.settings),
            "role": role,
            "token_ids": close.said.token_ids,
            "text": close.said.text,
            "stop_reason": close.said.stop_reason,
            "probabilities": _chances(close),
            **close.said.metrics,
            **{f"collapsed_{name}": flag for name, flag in close.said.collapsed.items()},
        }
        for one in entries
        for role, close in _texts(one.outcome)
    ]
    found = pd.DataFrame(rows)
    kinds = {"int": "Int64", "float": "float64"}
    numbers = {name: kinds[c.type] for name, c in EXPLORED.columns.items() if c.type in kinds}
    return found.astype(numbers)


def _asked(settings: Settings) -> dict[str, Any]:
    how, steered = settings.prompt_format, settings.steering
    asked = settings.as_json() | {
        "prompt_format": how.kind,
        "system_prompt": how.system,
        "steering": None if steered is None else steered.as_json(),
    }
    packed = {name: json.dumps(one) for name, one in asked.items() if isinstance(one, dict | list)}
    return asked | packed


def _name(entries: Sequence[Entry]) -> str:
    """What the files of some runs are called: which runs, of what, until when."""
    asked = [one.outcome.settings for one in entries]
    models = dict.fromkeys(one.model for one in asked)
    changed = dict.fromkeys(change.name for one in asked for change in one.changes)
    numbers = "+".join(str(one.number) for one in entries)
    made = max(one.made for one in entries)
    return file_name("runs", numbers, *models, "+".join(changed) or "no clamp",
                     re.sub(r"[^0-9T]", "", made.partition("+")[0]) + "Z")  # fmt: skip


def save(entries: Sequence[Entry], folder: Path) -> tuple[Path, Path]:
    """Write the runs as JSON and Parquet, in place of what was written there; return the paths.

    Args:
        entries: At least one.
        folder: Of such files alone; made if it is not there.

    Raises:
        UserError: The files could not be written.
    """
    for old in folder.glob("*"):
        old.unlink()
    name = _name(entries)
    files = folder / f"{name}.json", folder / f"{name}.parquet"
    write_text(as_json(entries), files[0])
    write(frame(entries), files[1], EXPLORED, record())
    return files
