"""Baseline collapse recovery as an entry of the registry: its texts and what it keeps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from clampsweep.config.contract import Study, figure_files
from clampsweep.studies.bcr.config import BcrEntry, Controls, parse
from clampsweep.studies.bcr.files import (
    DETECTORS,
    FIGURES,
    KEPT,
    KEPT_CHAT,
    KEPT_CONTROLS,
    KEPT_GENERATED,
    KEPT_VARIABILITY,
    KEPT_VERIFIED,
    TABLES,
)
from clampsweep.texts.request import Named, PromptFormat, TextRequest


def requests(entry: BcrEntry) -> dict[str, TextRequest]:
    """The entry's texts, its controls', its sampled baselines' and those in the chat format."""
    if not isinstance(entry.texts, TextRequest):
        return {}
    found = {entry.name: entry.texts}
    if entry.controls is not None:
        name = f"{entry.name}/controls"
        # Of each target as many neurons and random directions.
        added = _added(entry, entry.texts, entry.controls)
        most = 2 * entry.controls.count * (entry.texts.most_targets or 0)
        found[name] = replace(
            entry.texts,
            name=name,
            targets=Named("select_controls", entry.name, most, added),
            values=entry.controls.values,
            drawn=entry.controls.drawn,
        )
    if entry.variability is not None:
        name, chance = f"{entry.name}/variability", entry.variability
        sampled = replace(entry.texts.decoding, method="sample", temperature=chance.temperature)
        found[name] = entry.texts.baselines(name, sampled, tuple(range(chance.seeds)))
    if entry.chat_baselines:
        name, own = f"{entry.name}/chat", entry.texts
        plain = own.baselines(name, own.decoding, own.seeds)
        found[name] = replace(plain, prompt_format=PromptFormat("chat"))
    return found


def _added(entry: BcrEntry, texts: TextRequest, controls: Controls) -> int:
    """Most clamps that controls run at because they are their target's best by some detector."""
    left_out = set(texts.values) - set(controls.values)
    return min(len(entry.detectors), len(left_out)) if controls.best_clamp else 0


def kept(entry: BcrEntry) -> dict[str, str]:
    """What is kept of an entry in `results/<entry>/`, figures apart, and what each file is."""
    return {
        **KEPT,
        **(KEPT_GENERATED if isinstance(entry.texts, TextRequest) else {}),
        **(KEPT_CONTROLS if entry.controls else {}),
        **(KEPT_VARIABILITY if entry.variability else {}),
        **(KEPT_CHAT if entry.chat_baselines else {}),
        **(KEPT_VERIFIED if entry.reference else {}),
    }


def files(entry: BcrEntry) -> Mapping[str, str]:
    """Every file that is kept of an entry, relative to `results/`, and what it is."""
    inside = kept(entry) | figure_files(FIGURES)
    own = {f"{entry.name}/{file}": what for file, what in inside.items()}
    return own | {f"detectors/{file}": what for file, what in DETECTORS.items()}


def table_inputs(entry: BcrEntry, but: Collection[str] = ()) -> dict[str, str]:
    """The tables that an entry's figures and reports are made from, by field of `view.Tables`.

    Args:
        entry: The entry.
        but: Tables to leave out.
    """
    kept = files(entry)
    places = {
        name: file.format(entry=entry.name) for name, file in TABLES.items() if name not in but
    }
    return {name: f"results/{file}" for name, file in places.items() if file in kept}


def selection_input(entry: BcrEntry) -> list[str]:
    """The file of an entry's neurons that are chosen in the run; none if they have names."""
    named = not isinstance(entry.texts, TextRequest) or isinstance(entry.texts.targets, tuple)
    return [] if named else [f"results/{entry.name}/selected.json"]


def inputs(entry: BcrEntry) -> list[str]:
    """Local files that an entry reads: published figures, texts to import."""
    imported = [] if isinstance(entry.texts, TextRequest) else [entry.texts.extracted]
    return imported + ([] if entry.reference is None else [entry.reference])


STUDY = Study(
    name="bcr",
    parse=parse,
    files=files,
    requests=requests,
    inputs=inputs,
    sweep_keys=frozenset(
        {"extracted", "detectors", "controls", "variability", "chat_baselines", "reference"}
    ),
    import_key="extracted",
)
