"""The targets of a sweep beside their controls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import pandas as pd

from clampsweep.operations import Clamp, positions
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
    """

    def __init__(
        self,
        controls: pd.DataFrame,
        special: pd.DataFrame,
        theirs: pd.DataFrame,
        own: pd.DataFrame,
        n_prompts: int,
        clamps: Sequence[Clamp],
    ):
        self._controls, self._special, self._own = controls, special, own
        self._n_prompts, self._clamps = n_prompts, clamps
        self._prompts = set(theirs["prompt_id"])
        whose = controls.rename(columns={"target": "of", "control": "target"})
        found = counts(theirs).merge(whose[["of", "target", "kind"]], on="target")
        self.counts = found.assign(position=positions(found, clamps))
        """Counts of `RATES` of every control, with its `kind`, `of` whom, and `position`."""

    @cached_property
    def own_counts(self) -> pd.DataFrame:
        """The same counts of the targets, on the prompts and clamps that their controls ran on."""
        own = counts(self._own[self._own["prompt_id"].isin(self._prompts)])
        own = own.assign(position=positions(own, self._clamps))
        return own[own["position"].isin(self.counts["position"])]

    @cached_property
    def sizes(self) -> str:
        """What the controls are, `20 control neurons, on 40 of the 160 prompts and all clamps`."""
        each = self._controls.drop_duplicates("control")["kind"].value_counts()
        kinds = [
            counted(int(each[kind]), noun) for kind, noun in CONTROL_KINDS.items() if kind in each
        ]
        return f"{listed(kinds)}, {self.where}"

    @cached_property
    def where(self) -> str:
        """What the controls ran on, `on 40 of the 160 prompts and all clamps`."""
        prompts = some_of(len(self._prompts), self._n_prompts, "prompts")
        clamps = some_of(self.counts["position"].nunique(), len(self._clamps), "clamps")
        return f"on {prompts} and {clamps}"

    def ranks_of(self, detector: str, target: str) -> pd.DataFrame:
        """Rows of `special` of one detector and target, by kind of controls, neurons first."""
        chosen = (self._special["detector"] == detector) & (self._special["target"] == target)
        rows, order = self._special[chosen], list(CONTROL_KINDS)
        return rows.sort_values("kind", key=lambda kind: kind.map(order.index), kind="stable")
