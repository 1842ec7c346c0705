"""Which hypotheses, examples and stretches the figures show: those in which most is to be seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from clampsweep.studies.scrubbing.hypotheses import BASELINE, Listed

MOST = 8  # hypotheses of a figure


class Place(NamedTuple):
    """An example and a stretch of its tokens: from the first place up to, not with, the second."""

    example: int
    window: tuple[int, int]


def main_hypotheses(listed: Listed) -> list[str]:
    """The first hypotheses that scrub the heads that `baseline` scrubs; of any heads if none does.

    Args:
        listed: The hypotheses.
    """
    heads = next(one.heads for one in listed.hypotheses if one.name == BASELINE)
    others = [one for one in listed.hypotheses if one.name != BASELINE]
    alike = [one for one in others if one.heads == heads]
    return [one.name for one in (alike or others)[:MOST]]


def striking_tokens(saa: pd.DataFrame, n: int, width: int) -> tuple[list[int], tuple[int, int]]:
    """Examples with the highest attributions, and the stretch in which these are highest.

    Args:
        saa: A `SAA` table.
        n: Number of examples.
        width: Of the stretch, tokens.
    """
    size = saa.assign(size=saa["dloss"].abs()).groupby(["example", "position"])["size"].sum()
    wide = size.unstack(fill_value=0)  # [example, position]
    best = wide.sum(axis=1).sort_values(ascending=False, kind="stable").index[:n]
    return sorted(map(int, best)), _highest(wide.loc[best].sum().to_numpy(), width)


def first_pair(attention: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first pair of experiments: two pairs may share one.

    Args:
        attention: An `ATTENTION` table.
    """
    pairs = attention[attention["second"] != ""]
    first = (pairs[["first", "second"]] == pairs[["first", "second"]].iloc[0]).all(axis=1)
    return attention[attention["item"].isin(pairs.loc[first, "item"])]


def striking_attention(attention: pd.DataFrame, head: int, width: int) -> Place:
    """Where a head looks most differently under two experiments, the first token left out.

    Args:
        attention: An `ATTENTION` table.
        head: Of layer 1.
        width: Of the stretch, tokens.
    """
    rows = attention[(attention["second"] != "") & (attention["head"] == head)]
    rows = rows[rows["key"] > 0]
    if rows.empty:
        return Place(int(attention["example"].iloc[0]), (0, width))
    size = rows.assign(size=rows["mean"].abs()).groupby(["example", "query"])["size"].sum()
    wide = size.unstack(fill_value=0)
    wide = wide.reindex(columns=range(int(wide.columns.max()) + 1), fill_value=0.0)
    windows = {one: _highest(wide.loc[one].to_numpy(), width) for one in wide.index.tolist()}
    best = max(windows, key=lambda one: wide.loc[one].to_numpy()[slice(*windows[one])].sum())
    return Place(best, windows[best])


def _highest(values: np.ndarray, width: int) -> tuple[int, int]:
    """The stretch with the highest sum."""
    width = min(width, len(values))
    sums = np.convolve(values, np.ones(width), mode="valid")
    first = int(sums.argmax())
    return first, first + width


def cells_of(harm: pd.DataFrame, category: str) -> pd.DataFrame:
    """Rows of a category, heads by name.

    Args:
        harm: A `CELL_HARM` table.
        category: One of `CATEGORIES`.
    """
    own = harm[harm["category"] == category]
    return own.assign(head=[f"1.{head}" for head in own["head"]])


def named(table: pd.DataFrame, listed: Listed) -> pd.DataFrame:
    """Rows of the hypotheses and their decoherent forms; random ones are left out.

    Args:
        table: A `RECOVERED` table.
        listed: The hypotheses.
    """
    every = {name: which for one in listed.hypotheses for name, which in one.variants.items()}
    return table[[not isinstance(every.get(name), int) for name in table["experiment"]]]
