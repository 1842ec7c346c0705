"""What a sweep shows, in a few words per detector: recovery or not, and beyond its controls or not.

Figures and reports say it first. A clamp counts as recovery only on prompts that did not choose it,
and significance respects that the prompts of a core move together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from clampsweep.special import is_special
from clampsweep.split_half import pooled
from clampsweep.view import Tables

LEVEL = 0.05
MIN_CONTROLS = 20  # of each kind and target: with fewer no p value is below LEVEL


@dataclass(frozen=True)
class Verdict:
    """The verdict of one detector.

    Attributes:
        n_collapsed: Number of collapsed baselines.
        held_out: Counts, net and p of the best clamp on prompts that did not choose it; of the
            only clamp if there is one; None if nothing was clamped.
        chosen: Whether there was more than one clamp to choose from.
        harms: Number of pairs of target and clamp that harm significantly more than they rescue.
        special: Targets that do more than their controls, by `special.is_special`.
        can_tell: Whether there were controls enough; None without controls.
    """

    n_collapsed: int
    held_out: dict[str, Any] | None
    chosen: bool
    harms: int
    special: tuple[str, ...]
    can_tell: bool | None

    @property
    def recovers(self) -> bool:
        """Whether the best clamp rescues more than it harms, significantly, on held-out prompts."""
        found = self.held_out
        return found is not None and found["net"] > 0 and found["cluster_p"] < LEVEL

    @property
    def headline(self) -> str:
        """The verdict, `no recovery, only harm; no more than its controls`."""
        if self.recovers:
            effect = "recovery"
        elif self.harms:
            effect = "no recovery, only harm" if self.n_collapsed else "nothing to recover, harm"
        else:
            effect = "no effect" if self.n_collapsed else "nothing to recover, no harm"
        if self.can_tell is None:
            return f"{effect}; not compared with controls"
        if self.special:
            return f"{effect}; special: more than its controls"
        return f"{effect}; " + (
            "no more than its controls" if self.can_tell else "too few controls to tell"
        )


def verdict(sweep: Tables, detector: str) -> Verdict:
    """The verdict of a detector on a sweep.

    Args:
        sweep: The tables.
        detector: One of `sweep.detectors`.
    """
    rates = sweep.rates[sweep.rates["detector"] == detector]
    sure = (rates["cluster_q"] < LEVEL) & (rates["mcnemar_q"] < LEVEL)
    special: tuple[str, ...] = ()
    can_tell = None
    if sweep.special is not None:
        found = is_special(sweep.special, LEVEL)
        found = found[found["detector"] == detector]
        special = tuple(found.loc[found["special"], "target"])
        can_tell = bool(found["can_tell"].all())
    held_out, chosen = _held_out(sweep, detector, rates)
    return Verdict(
        n_collapsed=int(sweep.baselines_of(detector)["baseline_collapsed"].sum()),
        held_out=held_out,
        chosen=chosen,
        harms=int((sure & (rates["net"] < 0)).sum()),
        special=special,
        can_tell=can_tell,
    )


def _held_out(
    sweep: Tables, detector: str, rates: pd.DataFrame
) -> tuple[dict[str, Any] | None, bool]:
    """The best pair's counts on prompts that did not choose it, and whether there was a choice."""
    if len(rates) == 1:
        return _record(rates.iloc[0]), False
    halves = pooled(sweep.split_half)
    found = halves[halves.index == detector]
    return (None if found.empty else _record(found.iloc[0])), True


def _record(row: pd.Series[Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}
