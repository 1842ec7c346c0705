"""What a sweep shows, in a few words per detector: recovery or not, and beyond its controls or not.

Figures and reports say it first. A clamp counts as recovery only on prompts that did not choose it,
and significance respects that the prompts of a core move together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from clampsweep.studies.bcr.special import is_special
from clampsweep.studies.bcr.split_half import pooled
from clampsweep.studies.bcr.view import Tables

LEVEL = 0.05

MIN_CONTROLS = 20  # of each kind and target: with fewer no p value is below LEVEL


@dataclass(frozen=True)
class Verdict:
    """The verdict of one detector.

    Attributes:
        n_collapsed: Number of collapsed baselines.
        held_out: Counts, net and p of the best clamp on prompts that did not choose it; of the
            only clamp if there is one; None if nothing was clamped, or the prompts have no halves.
        chosen: Whether there was more than one clamp to choose from.
        gains: Number of pairs of target and clamp that rescue significantly more than they harm.
        harms: Number of those that harm significantly more than they rescue.
        special: Targets that do more than their controls, by `special.is_special`.
        n_targets: Number of targets.
        can_tell: Whether there were controls enough; None without controls.
    """

    n_collapsed: int
    held_out: dict[str, Any] | None
    chosen: bool
    gains: int
    harms: int
    special: tuple[str, ...]
    n_targets: int
    can_tell: bool | None

    @property
    def recovers(self) -> bool:
        """Whether a clamp gains, all clamps allowed for, and the best on held-out prompts too."""
        found = self.held_out
        if not self.gains or found is None or found["net"] <= 0:
            return False
        return bool(max(found["mcnemar_p"], found["cluster_p"]) < LEVEL)

    @property
    def headline(self) -> str:
        """The verdict, `no recovery, only harm; not special among its controls`."""
        return f"{self._effect}; {self._compared}"

    @property
    def _effect(self) -> str:
        if self.recovers:
            return "recovery"
        if not self.n_collapsed:
            return f"nothing to recover, {'harm' if self.harms else 'no significant harm'}"
        if self.gains:
            return "recovery not confirmed on held-out prompts"
        return "no recovery, only harm" if self.harms else "no significant effect"

    @property
    def _compared(self) -> str:
        if self.can_tell is None:
            return "not compared with controls"
        single = self.n_targets == 1
        if self.special:
            few = f"{len(self.special)} of {self.n_targets} targets special"
            return "special: more than its controls" if single else few
        if not self.can_tell:
            return "too few controls to tell"
        return f"{'not' if single else 'no target'} special among its controls"


def verdict(sweep: Tables, detector: str) -> Verdict:
    """The verdict of a detector on a sweep.

    Args:
        sweep: The tables.
        detector: One of `sweep.detectors`.
    """
    rates = sweep.rates[sweep.rates["detector"] == detector]
    sure = significant(rates)
    special: tuple[str, ...] = ()
    can_tell = None
    if sweep.special is not None:
        found = is_special(sweep.special, LEVEL)
        found = found[found["detector"] == detector]
        special = tuple(found.loc[found["special"], "target"])
        can_tell = bool(found["can_tell"].all())
    return Verdict(
        n_collapsed=int(sweep.baselines_of(detector)["baseline_collapsed"].sum()),
        held_out=_held_out(sweep, detector, rates),
        chosen=len(rates) > 1,
        gains=int((sure & (rates["net"] > 0)).sum()),
        harms=int((sure & (rates["net"] < 0)).sum()),
        special=special,
        n_targets=len(sweep.targets),
        can_tell=can_tell,
    )


def significant(rates: pd.DataFrame) -> pd.Series[bool]:
    """Whether each net effect is: the q of McNemar's test and that over cores are below `LEVEL`.

    Args:
        rates: Rows of a `RATES` table.
    """
    return (rates["mcnemar_q"] < LEVEL) & (rates["cluster_q"] < LEVEL)


def _held_out(sweep: Tables, detector: str, rates: pd.DataFrame) -> dict[str, Any] | None:
    """The best pair's counts on prompts that did not choose it; the only pair's own."""
    halves = pooled(sweep.split_half)
    found = rates if len(rates) == 1 else halves[halves.index == detector]
    rows = found.to_dict("records")
    return {str(name): value for name, value in rows[0].items()} if rows else None
