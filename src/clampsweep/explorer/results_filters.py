"""The filters of the Results tab: what each offers for a sweep, and what was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from clampsweep.explorer.results import FACTORS, Chosen, factor_values, further_factors
from clampsweep.studies.bcr.view import Tables

NAMES = ("targets", *FACTORS, "others")

_LABELS = {"others": "Factors of yours"}


def make(name: str) -> gr.Dropdown:
    """A filter, by its name."""
    return gr.Dropdown(
        label=f"{_LABELS.get(name, name.capitalize())} (none: all)",
        elem_id=f"results-{name}",
        multiselect=True,
        min_width=160,
    )


def numbered(names: Sequence[str]) -> list[tuple[str | int | float, str | int | float]]:
    """Choices whose values are numbers: gradio quotes a value that it refuses as HTML."""
    return [(name, place) for place, name in enumerate(names)]


def offer(sweep: Tables) -> list[Any]:
    """The filters of a sweep, none of them set; one that has no value to offer is not shown."""
    shown = [list(map(sweep.shown.__getitem__, sweep.targets))]
    shown += [factor_values(sweep, name) for name in FACTORS]
    shown += [[f"{factor}: {value}" for factor, value in further_factors(sweep)]]
    return [gr.update(choices=numbered(one), value=[], visible=bool(one)) for one in shown]


def choice(sweep: Tables, places: Sequence[Sequence[int] | None]) -> Chosen:
    """What is chosen.

    Args:
        sweep: The sweep that the filters are of.
        places: What each filter holds, by the place in what it offers.
    """
    offered: list[Sequence[Any]] = [sweep.targets, *(factor_values(sweep, n) for n in FACTORS)]
    offered += [further_factors(sweep)]
    picked = {
        name: tuple(one[place] for place in held or () if place < len(one))
        for name, one, held in zip(NAMES, offered, places, strict=True)
    }
    return Chosen(**picked)
