"""A page on which every token of some traces is coloured by what a neuron does there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from clampsweep.html_page import filled
from clampsweep.names import Neuron

DIGITS = 4  # of a value that are kept


def strips_page(
    strips: pd.DataFrame,
    title: str,
    about: str,
    template: str,
    traces: pd.DataFrame | None = None,
) -> str:
    """The page as HTML.

    Args:
        strips: A `STRIPS` table; a trace may lack neurons that another has.
        title: Plain text.
        about: Plain text; an empty line parts paragraphs.
        template: Content of `workflow/data/backtracking/strips.html`.
        traces: `TRACES` of these, which say what each is about; None if they are not known.
    """
    neurons = strips[["layer", "neuron"]].drop_duplicates()
    names = [_name(row) for row in neurons.to_dict("records")]
    texts = {text: at for at, text in enumerate(dict.fromkeys(strips["token"]))}
    told = {} if traces is None else _told(traces)
    data = {
        "neurons": names,
        "limits": _limits(strips, names),
        "texts": list(texts),
        "traces": [
            {"name": str(name), "about": told.get(str(name), ""), **_trace(own, names, texts)}
            for name, own in strips.groupby("trace_id", sort=False)
        ],
    }
    return filled(template, title, about, data)


def _name(row: Mapping[Any, Any]) -> str:
    return str(Neuron(int(row["layer"]), int(row["neuron"])))


def _named(strips: pd.DataFrame) -> pd.Series:
    """Name of the neuron of each row."""
    return "L" + strips["layer"].astype(str) + "N" + strips["neuron"].astype(str)


def _limits(strips: pd.DataFrame, names: list[str]) -> list[float]:
    """End of each neuron's scale of colours: 99 % of its sizes, rounded up to one digit."""
    sizes = strips["value"].abs().groupby(_named(strips)).quantile(0.99)
    return [_rounded_up(float(sizes[name])) for name in names]


def _rounded_up(size: float) -> float:
    if not size > 1e-9:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(size))
    return float(f"{math.ceil(round(size / unit, 9)) * unit:.6g}")


def _trace(own: pd.DataFrame, names: list[str], texts: Mapping[str, int]) -> dict[str, Any]:
    """A trace: texts of its tokens by number, which are of an event, values of each neuron."""
    by_neuron = {name: rows.sort_values("position") for name, rows in own.groupby(_named(own))}
    first = next(iter(by_neuron.values()))
    return {
        "tokens": [texts[text] for text in first["token"]],
        "events": np.flatnonzero(first["event"].to_numpy(bool)).tolist(),
        "values": [_values(by_neuron[name]) if name in by_neuron else None for name in names],
    }


def _values(rows: pd.DataFrame) -> list[float | None]:
    values = (float(f"{value:.{DIGITS}g}") for value in rows["value"])
    return [value if math.isfinite(value) else None for value in values]


def _told(traces: pd.DataFrame) -> dict[str, str]:
    """What each trace is about, in a line."""
    return {str(row["trace_id"]): ", ".join(_facts(row)) for row in traces.to_dict("records")}


def _facts(trace: Mapping[Any, Any]) -> Iterator[str]:
    yield f"problem {trace['problem_id']}"
    yield str(trace["source"])
    if pd.notna(trace["level"]):
        yield f"level {trace['level']}"
    if pd.notna(trace["correct"]):
        yield "right answer" if trace["correct"] else "wrong answer"
