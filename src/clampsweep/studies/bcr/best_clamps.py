"""The best clamp of each target: what its controls run at, so that the comparison is a fair one.

It is chosen on the prompts that the controls do not run on, so that it is not flattered by those on
which it is then compared. Definitions: docs/bcr.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from clampsweep.operations import VALUED
from clampsweep.studies.bcr.rates import RATES, best_first, counts
from clampsweep.tables import Column, Schema
from clampsweep.texts.tables import INTERVENTION

BEST_CLAMPS = Schema(
    "best_clamps",
    {
        "detector": Column("str", "collapse detector"),
        "target": Column("str", "neuron, neurons joined by +, or direction that it is a clamp of"),
        **{name: INTERVENTION[name] for name in ("operation", "value", "scope")},
        **{
            name: Column("int", f"{RATES.columns[name].doc}; on the prompts that chose")
            for name in ("n_collapsed_baseline", "n_rescued", "n_fine_baseline", "n_harmed", "net")
        },
        "n_prompts": Column("int", "prompts that it was chosen on"),
        "held_out": Column("bool", "whether the controls run on none of these prompts"),
        "n_choices": Column("int", "clamps of the target among which it was chosen"),
    },
    key=("detector", "target"),
)


def best_clamps(recovery: pd.DataFrame, control_prompts: Collection[str]) -> pd.DataFrame:
    """The clamp of highest net effect by detector and target, `BEST_CLAMPS`.

    Of equals the one that harms fewest; then the one that is as good by most detectors, because
    each costs the texts of all controls; then the smallest |value|. It is there also where it
    rescues no more than it harms; `rescuing` leaves that out.

    Args:
        recovery: The targets' `RECOVERY` table.
        control_prompts: Prompts that the controls run on. The choice is made on the others; where
            there are none, on all.
    """
    others = recovery[~recovery["prompt_id"].isin(control_prompts)]
    held_out = not others.empty
    chosen_on = others if held_out else recovery
    table = counts(chosen_on)
    by = ["detector", "target"]
    table["n_choices"] = table.groupby(by)["net"].transform("size")
    tied = _tied(table, by)
    alike = tied.groupby(["target", "operation", "scope", "value"], dropna=False)["detector"]
    tied = best_first(tied.assign(shared=alike.transform("size")))
    best = tied.sort_values("shared", ascending=False, kind="stable").drop_duplicates(by)
    best = best.sort_values(by, ignore_index=True)
    prompts = chosen_on.groupby(by)["prompt_id"].nunique()
    best["n_prompts"] = [int(prompts[key]) for key in best[by].itertuples(index=False, name=None)]
    return best.assign(held_out=held_out)[list(BEST_CLAMPS.columns)]


def _tied(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Rows of the highest net of their group, and of these those that harm fewest."""
    highest = table[table["net"] == table.groupby(by)["net"].transform("max")]
    return highest[highest["n_harmed"] == highest.groupby(by)["n_harmed"].transform("min")]


def rescuing(best: pd.DataFrame) -> pd.DataFrame:
    """Rows of a `BEST_CLAMPS` table whose clamp rescues more than it harms."""
    return best[best["net"] > 0]


def values_beside(
    best: pd.DataFrame, controls: pd.DataFrame, values: Sequence[float | None]
) -> dict[str, tuple[float, ...]]:
    """Values that controls run with beside those that all run with, by control, ascending.

    They are their own targets' best, by whatever detector; a control of two targets has those of
    both. A clamp without a value, or with values of its neurons' own, is the only one there is.

    Args:
        best: `BEST_CLAMPS`.
        controls: `CONTROLS`.
        values: What all controls run with.
    """
    valued = rescuing(best)
    valued = valued[valued["operation"].isin(VALUED) & valued["value"].notna()]
    pairs = controls[["target", "control"]].merge(valued[["target", "value"]], on="target")
    found: dict[str, set[float]] = {}
    for control, value in zip(pairs["control"], pairs["value"], strict=True):
        found.setdefault(control, set()).add(float(value))
    return {name: tuple(sorted(own - set(values))) for name, own in found.items()}
