"""The targets of a sweep beside their controls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from clampsweep.operations import Clamp, clamp, positions
from clampsweep.studies.bcr.best_clamps import rescuing
from clampsweep.studies.bcr.rates import counts
from clampsweep.words import counted, listed, some_of

CONTROL_KINDS = {"neuron": "control neuron", "direction": "random direction"}


class AmongControls:
    """The targets of a sweep beside their controls, on the prompts and clamps of the controls.

    Args:
        controls: `CONTROLS`.
        special: `SPECIAL`.
        theirs: `RECOVERY` of the controls.
        own: `RECOVERY` of the targets.
        n_prompts: Number of the sweep's prompts.
        clamps: Every clamp of the sweep, in order.
        best: `BEST_CLAMPS`; None where they are not known.
    """

    def __init__(
        self,
        controls: pd.DataFrame,
        special: pd.DataFrame,
        theirs: pd.DataFrame,
        own: pd.DataFrame,
        n_prompts: int,
        clamps: Sequence[Clamp],
        best: pd.DataFrame | None = None,
    ):
        self._controls, self._special, self._own = controls, special, own
        self._n_prompts, self._clamps = n_prompts, clamps
        self._prompts = set(theirs["prompt_id"])
        self._best = None if best is None else _among(rescuing(best), clamps)
        whose = controls.rename(columns={"target": "of", "control": "target"})
        found = counts(theirs).merge(whose[["of", "target", "kind"]], on="target")
        found = found.assign(position=positions(found, clamps))
        n_controls = controls.groupby("target")["control"].nunique()
        complete = found.groupby(["of", "position"])["target"].transform("nunique")
        self.counts = found[complete == found["of"].map(n_controls)].reset_index(drop=True)
        """Counts of `RATES` of every control, with its `kind`, `of` whom, and `position`.

        At the clamps that all controls of the target ran at: a control that is another target's
        too may have run at more.
        """

    def positions_of(self, target: str) -> list[int]:
        """Places of the clamps that a target and its controls are compared at, in order."""
        return sorted(set(self.counts.loc[self.counts["of"] == target, "position"]))

    @cached_property
    def own_counts(self) -> pd.DataFrame:
        """The same counts of the targets, on the prompts and clamps that their controls ran on."""
        own = counts(self._own[self._own["prompt_id"].isin(self._prompts)])
        own = own.assign(position=positions(own, self._clamps))
        ran = {target: self.positions_of(target) for target in own["target"].unique()}
        compared = [
            position in ran[target]
            for target, position in zip(own["target"], own["position"], strict=True)
        ]
        return own[np.array(compared, dtype=bool)]

    @cached_property
    def sizes(self) -> str:
        """What the controls are, `20 control neurons, on 40 of the 160 prompts and all clamps`.

        Of several targets, those of each.
        """
        each = self._controls.groupby(["target", "kind"])["control"].nunique()
        most = each.groupby("kind").max()
        kinds = [
            counted(int(most[kind]), noun) for kind, noun in CONTROL_KINDS.items() if kind in most
        ]
        targets = self._controls["target"].unique()
        of = " of each target" if len(targets) > 1 else ""
        numbers = {len(self.positions_of(target)) for target in targets}
        return f"{listed(kinds)}{of}, {self._where(sorted(numbers))}"

    def where(self, target: str) -> str:
        """What a target's controls ran on, `on 40 of the 160 prompts and all clamps`."""
        return self._where([len(self.positions_of(target))])

    def _where(self, numbers: Sequence[int]) -> str:
        """The same of targets with so many clamps, in ascending order."""
        prompts = some_of(len(self._prompts), self._n_prompts, "prompts")
        clamps = some_of(numbers[-1], len(self._clamps), "clamps")
        return f"on {prompts} and {f'{numbers[0]} to ' if len(numbers) > 1 else ''}{clamps}"

    def best_of(self, detector: str, target: str) -> dict[str, Any] | None:
        """The target's best clamp, a row of `BEST_CLAMPS` with its `position`; None if unknown.

        And None where no clamp rescues more than it harms.
        """
        if self._best is None:
            return None
        of = (self._best["detector"] == detector) & (self._best["target"] == target)
        rows = self._best[of]
        found = rows.assign(position=positions(rows, self._clamps)).to_dict("records")
        return {str(name): value for name, value in found[0].items()} if found else None

    def left_out(self, detector: str, target: str) -> dict[str, Any] | None:
        """The target's best clamp where its controls did not run at it, as above; else None."""
        best = self.best_of(detector, target)
        return best if best and best["position"] not in self.positions_of(target) else None

    def favour(self, target: str) -> str:
        """What favours the target in the comparison, and how to remove it; empty if nothing does.

        The best of its clamps was chosen for it; of its controls, none was.
        """
        ran, every = self.positions_of(target), len(self._clamps)
        detectors = self._special["detector"].unique()
        best = [row for name in detectors if (row := self.best_of(name, target))]
        best = [row for row in best if row["position"] in ran]
        if not best or len(ran) == every:
            return ""
        chosen = "on other prompts" if best[0]["held_out"] else "on these same prompts"
        return (
            f"the best clamp of the target was chosen among {best[0]['n_choices']} ({chosen}), "
            f"that of its controls among these {len(ran)}, which favours the target (leave out "
            "controls.values to remove that)"
        )

    def ranks_of(self, detector: str, target: str, statistic: str | None = None) -> pd.DataFrame:
        """Rows of `special` of one detector and target, by kind of controls, neurons first."""
        chosen = (self._special["detector"] == detector) & (self._special["target"] == target)
        if statistic is not None:
            chosen &= self._special["statistic"] == statistic
        rows, order = self._special[chosen], list(CONTROL_KINDS)
        return rows.sort_values("kind", key=lambda kind: kind.map(order.index), kind="stable")


def _among(best: pd.DataFrame, clamps: Sequence[Clamp]) -> pd.DataFrame:
    """Best clamps that are among those of the sweep, or of the part of it that is looked at."""
    rows = zip(best["operation"], best["value"], best["scope"], strict=True)
    return best[np.array([clamp(*row) in clamps for row in rows], dtype=bool)]
