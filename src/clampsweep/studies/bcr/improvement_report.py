"""Every collapsed baseline and each text that a clamp recovered, in Markdown."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from clampsweep.markdown import code, fenced, join, plain
from clampsweep.studies.bcr.phrases import clamp_name, named
from clampsweep.studies.bcr.view import Tables

MAX_LISTED = 1000  # collapsed baselines of a detector, texts and all


# ---- the recovered texts


def improvement_report(view: Tables) -> str:
    """Every collapsed baseline and every clamped text that is not collapsed, in Markdown."""
    blocks = [f"# Recovered texts: {plain(view.title)}"]
    for detector in view.detectors:
        collapsed = view.baselines_of(detector)
        collapsed = collapsed[collapsed["baseline_collapsed"]]
        rows = view.recovery[
            (view.recovery["detector"] == detector)
            & view.recovery["intervention_improves_baseline"]
        ]
        blocks += [f"## {plain(view.headline(detector))}", _count(view, rows, len(collapsed))]
        rescued = _by_baseline(view, rows)
        names = collapsed[["prompt_id", "seed"]].itertuples(index=False, name=None)
        for prompt_id, seed in itertools.islice(names, MAX_LISTED):
            own = (prompt_id, int(seed) if view.sampled else None)
            blocks += _recovered(view, *own, rescued.get(own, []))
    return join(blocks)


def _by_baseline(
    view: Tables, rows: pd.DataFrame
) -> dict[tuple[str, int | None], list[dict[str, Any]]]:
    """Rows by prompt_id and seed of their baseline, by target and clamp."""
    place = {target: number for number, target in enumerate(view.targets)}
    order = rows.assign(
        target_place=rows["target"].map(place), position=view.positions(rows)
    ).sort_values(["target_place", "position", "seed"])
    found: dict[tuple[str, int | None], list[dict[str, Any]]] = {}
    for row in named(order.to_dict("records")):
        own = (row["prompt_id"], int(row["seed"]) if view.sampled else None)
        found.setdefault(own, []).append(row)
    return found


def _count(view: Tables, rows: pd.DataFrame, n_collapsed: int) -> str:
    if n_collapsed == 0:
        return "No baseline is collapsed, so there is nothing to rescue."
    n_rescued = len(rows.drop_duplicates(["prompt_id", "seed"] if view.sampled else ["prompt_id"]))
    more = f" The first {MAX_LISTED:,} stand here; `metrics.csv` has every text."
    more = more if n_collapsed > MAX_LISTED else ""
    return (
        f"{n_rescued} of {n_collapsed} collapsed baselines are rescued by at least one clamp. "
        "Rescued means only that the detector finds no collapse; read the texts. What the same "
        f"clamps harm stands in the summary.{more}"
    )


def _recovered(
    view: Tables, prompt_id: str, seed: int | None, rescued: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Blocks of one collapsed baseline: the prompt, the baseline, each recovered text."""
    yield f"### {code(prompt_id)}" + ("" if seed is None else f", seed {seed}")
    yield "Prompt:"
    yield fenced(view.prompt_texts[prompt_id])
    yield "Baseline, collapsed:"
    yield fenced(view.baseline_text(prompt_id, seed))
    if not rescued:
        yield "No clamp rescued it."
    for row in rescued:
        drawn = "" if seed is not None or pd.isna(row["seed"]) else f", seed {row['seed']}"
        yield f"{clamp_name(row)}{drawn}:"
        yield fenced(view.texts[row["prompt_id"], row["key"]])
