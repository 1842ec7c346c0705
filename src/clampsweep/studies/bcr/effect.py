"""What the clamps of a sweep do by one detector: gains, harms, and the best on held-out prompts.

A clamp counts as recovery only on prompts that did not choose it, and significance respects that
the prompts of a core move together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from clampsweep.studies.bcr.split_half import pooled
from clampsweep.studies.bcr.view import Tables
from clampsweep.verdicts import LEVEL


@dataclass(frozen=True)
class Effect:
    """What the clamps do by one detector, without a look at controls.

    Attributes:
        n_collapsed: Number of collapsed baselines.
        held_out: Counts, net, its interval and p values of the best clamp on prompts that did not
            choose it; of the only clamp if there is one; None if nothing was clamped, or the
            prompts have no halves.
        gains: Number of pairs of target and clamp that rescue significantly more than they harm.
        harms: Number of those that harm significantly more than they rescue.
    """

    n_collapsed: int
    held_out: dict[str, Any] | None
    gains: int
    harms: int

    @property
    def recovers(self) -> bool:
        """Whether a clamp gains, all clamps allowed for, and the best on held-out prompts too."""
        found = self.held_out
        if not self.gains or found is None or found["net"] <= 0:
            return False
        return bool(max(found["mcnemar_p"], found["cluster_p"]) < LEVEL)

    @property
    def words(self) -> str:
        """The effect in a few words, such as `no recovery, only harm`."""
        if self.recovers:
            return "recovery"
        if not self.n_collapsed:
            return f"nothing to recover, {'harm' if self.harms else 'no significant harm'}"
        if self.gains:
            return "recovery not confirmed on held-out prompts"
        return "no recovery, only harm" if self.harms else "no significant effect"


def effect(view: Tables, detector: str) -> Effect:
    """What the clamps of a sweep do by a detector.

    Args:
        view: The tables.
        detector: One of `view.detectors`.
    """
    rates = view.rates[view.rates["detector"] == detector]
    sure = significant(rates)
    return Effect(
        n_collapsed=int(view.baselines_of(detector)["baseline_collapsed"].sum()),
        held_out=held_out(view, detector),
        gains=int((sure & (rates["net"] > 0)).sum()),
        harms=int((sure & (rates["net"] < 0)).sum()),
    )


def significant(rates: pd.DataFrame) -> pd.Series[bool]:
    """Whether each net effect is: the q of McNemar's test and that over cores are below `LEVEL`.

    Args:
        rates: Rows of a `RATES` table.
    """
    return (rates["mcnemar_q"] < LEVEL) & (rates["cluster_q"] < LEVEL)


def held_out(view: Tables, detector: str) -> dict[str, Any] | None:
    """The best pair's counts on prompts that did not choose it; the only pair's own; or None."""
    rates = view.rates[view.rates["detector"] == detector]
    halves = pooled(view.split_half)
    found = rates if len(rates) == 1 else halves[halves.index == detector]
    rows = found.to_dict("records")
    return {str(name): value for name, value in rows[0].items()} if rows else None
