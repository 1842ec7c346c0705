"""What figures and reports are made from: one sweep's tables, its clamps in order, its targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from clampsweep import tables
from clampsweep.ledger import LEDGER
from clampsweep.names import short_names
from clampsweep.operations import VALUE_MEANS, Clamp, clamp, describe, positions
from clampsweep.studies.bcr.among_controls import AmongControls
from clampsweep.studies.bcr.best_clamps import BEST_CLAMPS
from clampsweep.studies.bcr.chat_baselines import CHAT_BASELINES
from clampsweep.studies.bcr.detector_quality import DETECTOR_QUALITY
from clampsweep.studies.bcr.rates import RATES
from clampsweep.studies.bcr.recovery import RECOVERY
from clampsweep.studies.bcr.special import SPECIAL
from clampsweep.studies.bcr.split_half import SPLIT_HALF
from clampsweep.studies.bcr.variability import VARIABILITY
from clampsweep.studies.bcr.verify import VERIFICATION
from clampsweep.texts.control_table import CONTROLS
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.metrics import TEXT_METRICS
from clampsweep.texts.promptset import PROMPTS
from clampsweep.texts.selection import NEURON_STATS
from clampsweep.verdicts import VERDICTS
from clampsweep.words import counted


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables of one sweep on one model and promptset.

    Attributes:
        prompts: `PROMPTS`; its row order is the order of the prompts in figures.
        generations: `GENERATIONS`, baselines (operation `none`) included.
        text_metrics: `TEXT_METRICS`.
        recovery: `RECOVERY`.
        rates: `RATES`.
        split_half: `SPLIT_HALF`.
        detectors: Names of the collapse detectors, in the order of the panels.
        title: What the sweep is, such as `SmolLM2-135M, L29N1479, set, greedy, 50 tokens`.
        neuron_stats: `NEURON_STATS`; None of an imported sweep, whose activations are not known.
        special: `SPECIAL`; None, like the next four, if there are no controls.
        controls: `CONTROLS`.
        best_clamps: `BEST_CLAMPS`, chosen for the controls to run at.
        control_recovery: `RECOVERY` of the controls.
        control_metrics: `TEXT_METRICS` of the controls.
        variability: `VARIABILITY`; None if no baselines were sampled.
        chat_baselines: `CHAT_BASELINES`; None if none were made in the chat format.
        verification: `VERIFICATION`; None if there are no published figures to compare with.
        detector_quality: `DETECTOR_QUALITY`, from labelled texts.
        verdicts: `VERDICTS`; None, like their `LEDGER`, before they are drawn from the others.
        ledger: The controls of each verdict.
        unlike: How the texts differ from the labelled ones (`labelled.unlike`).
        made: What made the texts, as the footer of the generations says (`texts/gather.py`).
    """

    prompts: pd.DataFrame
    generations: pd.DataFrame
    text_metrics: pd.DataFrame
    recovery: pd.DataFrame
    rates: pd.DataFrame
    split_half: pd.DataFrame
    detectors: tuple[str, ...]
    title: str
    neuron_stats: pd.DataFrame | None = None
    special: pd.DataFrame | None = None
    controls: pd.DataFrame | None = None
    best_clamps: pd.DataFrame | None = None
    control_recovery: pd.DataFrame | None = None
    control_metrics: pd.DataFrame | None = None
    variability: pd.DataFrame | None = None
    chat_baselines: pd.DataFrame | None = None
    verification: pd.DataFrame | None = None
    detector_quality: pd.DataFrame | None = None
    verdicts: pd.DataFrame | None = None
    ledger: pd.DataFrame | None = None
    unlike: tuple[str, ...] = ()
    made: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def clamps(self) -> tuple[Clamp, ...]:
        """Every clamp of the sweep once, ascending within its operation and scope."""
        columns = ["operation", "value", "scope"]
        rows = intervened(self.generations)[columns].drop_duplicates()
        found = {clamp(*row) for row in rows.itertuples(index=False, name=None)}
        return tuple(sorted(found, key=lambda change: change.sort_key))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Shortest clear label of each clamp; what is common to all of them is left out."""
        one_operation = len({c.operation for c in self.clamps if c.value is not None}) < 2
        one_scope = len({c.scope for c in self.clamps}) < 2
        return tuple(_label(change, one_operation, one_scope) for change in self.clamps)

    @cached_property
    def axis_title(self) -> str:
        """What the labels say, with the unit."""
        operations = {change.operation for change in self.clamps if change.value is not None}
        also = "" if all(change.value is not None for change in self.clamps) else ", or operation"
        if len(operations) == 1:
            return VALUE_MEANS[operations.pop()] + also
        return "operation and its value" if operations else "operation"

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets, by layer and neuron; joint targets after single ones."""
        rows = intervened(self.generations)[["target", "layer", "neuron"]].drop_duplicates("target")
        in_order = rows.sort_values(["neuron", "target"]).sort_values("layer", kind="stable")
        single, joint = in_order[in_order["neuron"].notna()], in_order[in_order["neuron"].isna()]
        return tuple(single["target"]) + tuple(joint["target"])

    @cached_property
    def shown(self) -> dict[str, str]:
        """Targets' names as figures show them."""
        return short_names(self.targets)

    @cached_property
    def sizes(self) -> str:
        """How many texts stand behind a clamp of a target, `140 texts` or `138 to 140 texts`."""
        keys = ["target", "operation", "value", "scope"]
        counts = intervened(self.generations).groupby(keys, dropna=False).size()
        low, high = int(counts.min()), int(counts.max())
        span = "" if low == high else f"{low:,} to "
        return f"{span}{counted(high, 'text')} per clamp"

    def positions(self, frame: pd.DataFrame) -> list[int]:
        """Place in `clamps` of each row of a table (rows of intervened texts only)."""
        return positions(frame, self.clamps)

    def rates_of(self, detector: str, target: str) -> pd.DataFrame:
        """Rows of `rates` of one detector and target, with their `position`, in clamp order."""
        chosen = (self.rates["detector"] == detector) & (self.rates["target"] == target)
        rows = self.rates[chosen]
        return rows.assign(position=self.positions(rows)).sort_values("position")

    @cached_property
    def among_controls(self) -> AmongControls | None:
        """The targets beside their controls; None if there are no controls."""
        theirs, n_prompts = self.control_recovery, len(self.prompts)
        if self.controls is None or self.special is None or theirs is None:
            return None
        own = self.recovery, n_prompts, self.clamps, self.best_clamps
        return AmongControls(self.controls, self.special, theirs, *own)

    @cached_property
    def sampled(self) -> bool:
        """Whether a prompt has a baseline per seed, rather than one for all."""
        return bool(baselines(self.generations)["seed"].notna().any())

    def baselines_of(self, detector: str) -> pd.DataFrame:
        """One row per baseline text: prompt_id, seed (moot unless sampled), baseline_collapsed."""
        rows = self.recovery[self.recovery["detector"] == detector]
        once = rows.drop_duplicates(["prompt_id", "seed"] if self.sampled else ["prompt_id"])
        return once[["prompt_id", "seed", "baseline_collapsed"]]

    @cached_property
    def prompt_texts(self) -> dict[str, str]:
        """The prompts by name."""
        return dict(zip(self.prompts["prompt_id"], self.prompts["text"], strict=True))

    @cached_property
    def texts(self) -> dict[tuple[str, str], str]:
        """Every generated text by prompt_id and key."""
        rows = self.generations
        names = zip(rows["prompt_id"], rows["key"], strict=True)
        return dict(zip(names, rows["text"], strict=True))

    @cached_property
    def _baseline_texts(self) -> dict[tuple[str, int | None], str]:
        rows = baselines(self.generations)
        seeds = [int(seed) for seed in rows["seed"]] if self.sampled else [None] * len(rows)
        return dict(zip(zip(rows["prompt_id"], seeds, strict=True), rows["text"], strict=True))

    def baseline_text(self, prompt_id: str, seed: int | None) -> str:
        """The text of a prompt without intervention, of a seed if there is one per seed."""
        return self._baseline_texts[prompt_id, seed]

    def headline(self, detector: str) -> str:
        """What a detector finds in the baselines, `surface: 8 of 140 baselines collapsed`."""
        rows = self.baselines_of(detector)
        count = int(rows["baseline_collapsed"].sum())
        return f"{detector}: {count} of {len(rows):,} baselines collapsed"


def _label(change: Clamp, one_operation: bool, one_scope: bool) -> str:
    """A clamp's label, without what all clamps have in common."""
    scope = "all" if one_scope else change.scope
    words = describe(Clamp(change.operation, change.value, scope))
    if one_operation and change.value is not None:
        words = words.removeprefix(f"{change.operation} ")
    return words


SCHEMAS: Mapping[str, tables.Schema] = MappingProxyType(
    {
        "prompts": PROMPTS,
        "generations": GENERATIONS,
        "text_metrics": TEXT_METRICS,
        "recovery": RECOVERY,
        "rates": RATES,
        "split_half": SPLIT_HALF,
        "neuron_stats": NEURON_STATS,
        "special": SPECIAL,
        "controls": CONTROLS,
        "best_clamps": BEST_CLAMPS,
        "control_recovery": RECOVERY,
        "control_metrics": TEXT_METRICS,
        "variability": VARIABILITY,
        "chat_baselines": CHAT_BASELINES,
        "verification": VERIFICATION,
        "detector_quality": DETECTOR_QUALITY,
        "verdicts": VERDICTS,
        "ledger": LEDGER,
    }
)
"""Of each table; `files.TABLES` says where it is."""


def read(
    files: Mapping[str, str | Path],
    detectors: Sequence[str],
    title: str,
    unlike: Sequence[str] = (),
) -> Tables:
    """The tables of a sweep from their files.

    Args:
        files: Fields of `Tables`, and the file of each; those that are not there left out.
        detectors: Names of the collapse detectors.
        title: What the sweep is, in a line.
        unlike: How the texts differ from the labelled ones.

    Raises:
        UserError: A file is missing, truncated or another table.
    """
    found = {name: tables.read(path, SCHEMAS[name]) for name, path in files.items()}
    made = tables.footer(Path(files["generations"]))
    read_as: dict[str, Any] = {"title": title, "made": made, "unlike": tuple(unlike)}
    return Tables(detectors=tuple(detectors), **read_as | found)


def intervened(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table that are no baselines."""
    return frame[frame["operation"] != "none"]


def baselines(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table that are baselines."""
    return frame[frame["operation"] == "none"]
