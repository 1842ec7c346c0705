"""What figures and reports are made from: one sweep's tables, its clamps in order, its targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import pandas as pd

from clampsweep import tables
from clampsweep.operations import VALUE_MEANS, Clamp, clamp, describe
from clampsweep.studies.bcr.controls import CONTROLS
from clampsweep.studies.bcr.detector_quality import DETECTOR_QUALITY
from clampsweep.studies.bcr.recovery import RATES, RECOVERY, counts
from clampsweep.studies.bcr.special import SPECIAL
from clampsweep.studies.bcr.split_half import SPLIT_HALF
from clampsweep.studies.bcr.variability import VARIABILITY
from clampsweep.studies.bcr.verify import VERIFICATION
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.metrics import TEXT_METRICS
from clampsweep.texts.promptset import PROMPTS
from clampsweep.texts.selection import NEURON_STATS
from clampsweep.words import counted, listed, some_of

CONTROL_KINDS = {"neuron": "control neuron", "direction": "random direction"}


@runtime_checkable
class Paths(Protocol):
    """Files of the tables of a sweep, as the inputs of a rule name them; empty where none is."""

    prompts: str
    generations: str
    text_metrics: str
    recovery: str
    rates: str
    split_half: str
    neuron_stats: str
    special: str
    controls: str
    control_recovery: str
    control_metrics: str
    variability: str
    verification: str
    detector_quality: str


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
        neuron_stats: `NEURON_STATS`; None if nothing is known of the activations, as in
            an imported sweep.
        special: `SPECIAL`; None, like the next three, if there are no controls.
        controls: `CONTROLS`.
        control_recovery: `RECOVERY` of the controls.
        control_metrics: `TEXT_METRICS` of the controls.
        variability: `VARIABILITY`; None if no baselines were sampled.
        verification: `VERIFICATION`; None if there are no published figures to compare with.
        detector_quality: `DETECTOR_QUALITY`, from labelled texts.
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
    control_recovery: pd.DataFrame | None = None
    control_metrics: pd.DataFrame | None = None
    variability: pd.DataFrame | None = None
    verification: pd.DataFrame | None = None
    detector_quality: pd.DataFrame | None = None

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
        return tuple(self._label(change, one_operation, one_scope) for change in self.clamps)

    def _label(self, change: Clamp, one_operation: bool, one_scope: bool) -> str:
        short = Clamp(change.operation, change.value, "all" if one_scope else change.scope)
        words = describe(short)
        if one_operation and change.value is not None:
            words = words.removeprefix(f"{change.operation} ")
        return words

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
    def sizes(self) -> str:
        """How many texts stand behind a clamp of a target, `140 texts` or `138 to 140 texts`."""
        keys = ["target", "operation", "value", "scope"]
        counts = intervened(self.generations).groupby(keys, dropna=False).size()
        low, high = int(counts.min()), int(counts.max())
        span = "" if low == high else f"{low:,} to "
        return f"{span}{counted(high, 'text')} per clamp"

    def positions(self, frame: pd.DataFrame) -> list[int]:
        """Place in `clamps` of each row of a table (rows of intervened texts only)."""
        place = {change: position for position, change in enumerate(self.clamps)}
        rows = zip(frame["operation"], frame["value"], frame["scope"], strict=True)
        return [place[clamp(*row)] for row in rows]

    def rates_of(self, detector: str, target: str) -> pd.DataFrame:
        """Rows of `rates` of one detector and target, with their `position`, in clamp order."""
        chosen = (self.rates["detector"] == detector) & (self.rates["target"] == target)
        rows = self.rates[chosen]
        return rows.assign(position=self.positions(rows)).sort_values("position")

    @cached_property
    def control_counts(self) -> pd.DataFrame | None:
        """Counts of `RATES` of every control, with its `kind`, `of` whom, and `position`."""
        if self.controls is None or self.control_recovery is None:
            return None
        whose = self.controls.rename(columns={"target": "of", "control": "target"})
        found = counts(self.control_recovery).merge(whose[["of", "target", "kind"]], on="target")
        return found.assign(position=self.positions(found))

    @cached_property
    def compared_counts(self) -> pd.DataFrame | None:
        """The same counts of the targets, on the prompts and clamps that their controls ran on."""
        if self.control_counts is None or self.control_recovery is None:
            return None
        prompts = self.recovery["prompt_id"].isin(self.control_recovery["prompt_id"])
        found = counts(self.recovery[prompts])
        found = found.assign(position=self.positions(found))
        return found[found["position"].isin(self.control_counts["position"])]

    @cached_property
    def control_sizes(self) -> str:
        """What the controls are, `20 control neurons, on 40 of the 160 prompts and all clamps`."""
        if self.controls is None or self.control_counts is None or self.control_recovery is None:
            return "no controls"
        each = self.controls.drop_duplicates("control")["kind"].value_counts()
        kinds = [
            counted(int(each[kind]), noun) for kind, noun in CONTROL_KINDS.items() if kind in each
        ]
        prompts = some_of(
            self.control_recovery["prompt_id"].nunique(), len(self.prompts), "prompts"
        )
        clamps = some_of(self.control_counts["position"].nunique(), len(self.clamps), "clamps")
        return f"{listed(kinds)}, on {prompts} and {clamps}"

    def ranks_of(self, detector: str, target: str) -> pd.DataFrame:
        """Rows of `special` of one detector and target, by kind of controls, neurons first."""
        if self.special is None:
            return pd.DataFrame(columns=list(SPECIAL.columns))
        chosen = (self.special["detector"] == detector) & (self.special["target"] == target)
        rows, order = self.special[chosen], list(CONTROL_KINDS)
        return rows.sort_values("kind", key=lambda kind: kind.map(order.index), kind="stable")

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
        return dict(
            zip(zip(rows["prompt_id"], rows["key"], strict=True), rows["text"], strict=True)
        )

    @cached_property
    def _baseline_texts(self) -> dict[tuple[str, int | None], str]:
        rows = baselines(self.generations)
        seeds = [int(seed) for seed in rows["seed"]] if self.sampled else [None] * len(rows)
        names = zip(rows["prompt_id"], seeds, strict=True)
        return dict(zip(names, rows["text"], strict=True))

    def baseline_text(self, prompt_id: str, seed: int | None) -> str:
        """The text of a prompt without intervention, of a seed if there is one per seed."""
        return self._baseline_texts[prompt_id, seed]

    def headline(self, detector: str) -> str:
        """What a detector finds in the baselines, `surface: 8 of 140 baselines collapsed`."""
        rows = self.baselines_of(detector)
        count = int(rows["baseline_collapsed"].sum())
        return f"{detector}: {count} of {len(rows):,} baselines collapsed"


def read(paths: Paths, detectors: Sequence[str], title: str) -> Tables:
    """The tables of a sweep from their files.

    Args:
        paths: One file for each table, empty where there is none.
        detectors: Names of the collapse detectors.
        title: What the sweep is, in a line.

    Raises:
        UserError: A file is missing, truncated or another table.
    """

    def optional(path: str, schema: tables.Schema) -> pd.DataFrame | None:
        return tables.read(path, schema) if path else None

    return Tables(
        prompts=tables.read(paths.prompts, PROMPTS),
        generations=tables.read(paths.generations, GENERATIONS),
        text_metrics=tables.read(paths.text_metrics, TEXT_METRICS),
        recovery=tables.read(paths.recovery, RECOVERY),
        rates=tables.read(paths.rates, RATES),
        split_half=tables.read(paths.split_half, SPLIT_HALF),
        detectors=tuple(detectors),
        title=title,
        neuron_stats=optional(paths.neuron_stats, NEURON_STATS),
        special=optional(paths.special, SPECIAL),
        controls=optional(paths.controls, CONTROLS),
        control_recovery=optional(paths.control_recovery, RECOVERY),
        control_metrics=optional(paths.control_metrics, TEXT_METRICS),
        variability=optional(paths.variability, VARIABILITY),
        verification=optional(paths.verification, VERIFICATION),
        detector_quality=optional(paths.detector_quality, DETECTOR_QUALITY),
    )


def intervened(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table that are no baselines."""
    return frame[frame["operation"] != "none"]


def baselines(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table that are baselines."""
    return frame[frame["operation"] == "none"]
