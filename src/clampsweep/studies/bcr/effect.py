"""What the clamps of a sweep do by one detector: gains, harms, and the best on held-out prompts.

A clamp counts as recovery only on prompts that did not choose it, and significance respects that
the prompts of a core move together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from clampsweep.statistics import mcnemar_exact, sign_flip
from clampsweep.studies.bcr.rates import q_if
from clampsweep.studies.bcr.recovery import clusters
from clampsweep.studies.bcr.split_half import pooled
from clampsweep.studies.bcr.view import Tables
from clampsweep.verdicts import LEVEL

ONLY_HARM = "no recovery, only harm"


class Change(NamedTuple):
    """What the best clamp rescued, or the worst one harmed, and what the tests could have shown.

    Attributes:
        done: Number of texts that it rescued (harmed).
        of: Number of collapsed (fine) baselines.
        least_q: The q that it would have, by the stricter of the two tests, had it rescued (harmed)
            all of them and nothing else, the other clamps being what they are.
        words: Such as `2 of 3 fine texts harmed; too few cores to be significant`; empty if that q
            is below `LEVEL`, so that not being significant says something.
    """

    done: int = 0
    of: int = 0
    least_q: float = 1.0
    words: str = ""


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
        rescue: What the clamp of highest net rescued.
        harm: What the clamp of lowest net harmed.
    """

    n_collapsed: int
    held_out: dict[str, Any] | None
    gains: int
    harms: int
    rescue: Change
    harm: Change

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
            return f"nothing to recover, {self.harm_words}"
        if self.gains:
            return "recovery not confirmed on held-out prompts"
        if self.harms:
            return f"harm; {self.rescue.words}" if self._hidden(self.rescue) else ONLY_HARM
        if self.rescue.words:
            return self.rescue.words
        if self.harm.words:
            also = f"; {self.harm.words}" if self._hidden(self.harm) else ""
            return f"no significant recovery{also}"
        return "no significant effect"

    @property
    def harm_words(self) -> str:
        """The harm in a few words, such as `no significant harm`."""
        return "harm" if self.harms else self.harm.words or "no significant harm"

    @staticmethod
    def _hidden(change: Change) -> bool:
        """Whether something was seen that the tests could not have shown."""
        return bool(change.words and change.done)


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
        rescue=_change(view, rates, detector, collapsed=True),
        harm=_change(view, rates, detector, collapsed=False),
    )


def units(view: Tables) -> str:
    """What tests take as independent of each other, `cores` or `prompts`."""
    return "cores" if view.prompts["core"].notna().all() else "prompts"


def _change(view: Tables, rates: pd.DataFrame, detector: str, collapsed: bool) -> Change:
    """What the best clamp rescued (of collapsed baselines), or the worst one harmed."""
    if rates.empty:
        return Change()
    done, before = ("rescued", "collapsed") if collapsed else ("harmed", "fine")
    net, size = rates["net"].to_numpy(float), rates[f"n_{done}"].to_numpy(int)
    first = -np.arange(len(rates))  # of equals by net and number
    place = int(np.lexsort((first, size, net if collapsed else -net))[-1])
    n_done, of = int(size[place]), int(rates[f"n_{before}_baseline"].iloc[place])
    rows = view.recovery[view.recovery["detector"] == detector]
    movable = rows[rows["baseline_collapsed"] == collapsed]
    n_clusters = clusters(movable, view.prompts).nunique()
    least = {
        "mcnemar_p": mcnemar_exact(of, 0),
        "cluster_p": float(sign_flip(np.ones((n_clusters, 1)))[0]),
    }
    found = {name: rates[name].tolist() for name in least}
    q = max(q_if(p, place, min(least[name], p[place])) for name, p in found.items())
    return Change(n_done, of, q, _few(n_done, of, done, before, units(view)) if q >= LEVEL else "")


def _few(n: int, of: int, done: str, before: str, unit: str) -> str:
    """What was seen, in words that call it neither significant nor nothing."""
    if not of:
        return f"no {before} text to be {done}"
    if n:
        return f"{n} of {of} {before} texts {done}; too few {unit} to be significant"
    return f"none of {of} {before} texts {done}; too few {unit} to tell"


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
