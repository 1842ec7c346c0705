"""A sweep's tables from its generations, for the tests of figures and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from clampsweep import tables
from clampsweep.studies.bcr import best_clamps, rates, recovery, special, split_half
from clampsweep.studies.bcr import headline as said
from clampsweep.studies.bcr.verdict import judge
from clampsweep.studies.bcr.view import SCHEMAS, Tables
from clampsweep.texts.control_table import CONTROLS
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.metrics import table
from clampsweep.texts.promptset import PROMPTS
from factories import baseline, frame, generation, prompt

FINE = "The door stands open now."  # five words, no repetition
BROKEN = "aaaaaaaaaa"  # one word; every detector of texts calls it collapsed
HOSTILE = '<img src=x onerror="window.hacked=1">${1+1} {{value}}'
PLACES = {
    "special": "special",
    "controls": "controls/controls",
    "best_clamps": "controls/best_clamps",
    "control_recovery": "controls/recovery",
    "control_metrics": "controls/text_metrics",
    "neuron_stats": "neuron_stats",
    "verdicts": "verdicts",
    "ledger": "ledger",
}
_LETTERS = {"F": FINE, "B": BROKEN}


def make(
    rows: Sequence[dict[str, Any]],
    detectors: tuple[str, ...] = ("surface",),
    prompts: Sequence[dict[str, Any]] = (),
    neuron_stats: pd.DataFrame | None = None,
    **beside: pd.DataFrame,
) -> Tables:
    """The tables that follow from the generations; a prompt's text is `Say <prompt_id>`."""
    generations = frame(rows, GENERATIONS)
    metrics = table(generations)
    names = dict.fromkeys(row["prompt_id"] for row in rows)
    own = frame(prompts or [prompt(f"Say {name}", name) for name in names], PROMPTS)
    recovered = recovery.recovery(generations, metrics, detectors)
    return judged(
        Tables(
            prompts=own,
            generations=generations,
            text_metrics=metrics,
            recovery=recovered,
            rates=rates.rates(recovered, own),
            split_half=split_half.split_half(recovered, own),
            neuron_stats=neuron_stats,
            detectors=detectors,
            title="tiny, L1N2, set",
            **beside,
        )
    )


def judged(sweep: Tables) -> Tables:
    """The sweep with the verdicts that follow from its tables, and their controls."""
    return replace(sweep, **judge(sweep)._asdict())


def untouched(letters: str, **columns: Any) -> list[dict[str, Any]]:
    """Baselines of prompts a, b, c, ...: F is a fine text, B a broken one."""
    names = map(chr, range(ord("a"), ord("a") + len(letters)))
    return [baseline(p, _LETTERS[s], **columns) for p, s in zip(names, letters, strict=True)]


def clamped(target: str, letters: Mapping[float, str], **columns: Any) -> list[dict[str, Any]]:
    """Clamped texts of prompts a, b, c, ... by value: F is fine, B broken, a space is none."""
    return [
        generation(chr(ord("a") + place), _LETTERS[s], value, target=target, **columns)
        for value, states in letters.items()
        for place, s in enumerate(states)
        if s != " "
    ]


def known(**columns: Any) -> list[dict[str, Any]]:
    """Four prompts x three clamps of L1N2, small enough to count by hand.

    Baselines: a and b collapsed, c and d fine. Rescued and harmed: at -5 one (a) and two (c, d),
    at 0 none and none, at +10 two (a, b) and one (d).
    """
    own = clamped("L1N2", {10.0: "FFFB", -5.0: "FBBB", 0.0: "BBFF"}, **columns)
    return untouched("BBFF", **columns) + own


def beside_controls(
    sweep: Tables, rows: Sequence[dict[str, Any]], kinds: Mapping[str, tuple[str, str]]
) -> Tables:
    """The sweep with its controls: their clamped texts; of each, its target and kind."""
    own = sweep.generations["operation"] == "none"
    ran = sweep.generations["prompt_id"].isin({row["prompt_id"] for row in rows})
    texts = pd.concat([sweep.generations[own & ran], frame(rows, GENERATIONS)])
    metrics = table(texts)
    recovered = recovery.recovery(texts, metrics, sweep.detectors)
    facts = [
        {"target": target, "control": name, "kind": kind} for name, (target, kind) in kinds.items()
    ]
    controls = frame(facts, CONTROLS)
    return judged(
        replace(
            sweep,
            controls=controls,
            control_recovery=recovered,
            control_metrics=metrics,
            special=special.special(sweep.recovery, recovered, controls),
            best_clamps=best_clamps.best_clamps(sweep.recovery, set(recovered["prompt_id"])),
        )
    )


def stats(layer: int, neuron: int, **columns: Any) -> dict[str, Any]:
    """One row of a neuron statistics table: mean 4, SD 2, from -1 to 9."""
    return {
        "layer": layer,
        "neuron": neuron,
        "n_prompts": 4,
        "n_positions": 1200,
        "mean": 4.0,
        "sd": 2.0,
        "min": -1.0,
        "max": 9.0,
        "share_positive": 0.9,
        "mean_over_sd": 2.0,
        "w_out_norm": 3.0,
        **columns,
    }


def write(sweep: Tables, folder: Path) -> None:
    """Write a sweep's tables where the workflow would."""
    names = ("prompts", "generations", "text_metrics", "recovery", "rates", "split_half", *PLACES)
    for name in names:
        frame = getattr(sweep, name)
        if frame is not None:
            tables.write(frame, folder / f"{PLACES.get(name, name)}.parquet", SCHEMAS[name], {})


def compared() -> Tables:
    """L1N2 at two clamps on a to d; two control neurons and a direction on a and b, at +9 alone."""
    own = make(untouched("BBFF") + clamped("L1N2", {9.0: "FBBF", 1.0: "BBFF"}))
    kinds = {"L1N7": "neuron", "L1N2R0": "direction", "L1N8": "neuron"}
    texts = {"L1N7": "FF", "L1N2R0": "FB", "L1N8": "BB"}
    rows = [row for name in kinds for row in clamped(name, {9.0: texts[name]})]
    return beside_controls(own, rows, {name: ("L1N2", kind) for name, kind in kinds.items()})


# Twelve prompts, a clamp each. McNemar's p and that over the prompts agree: 2 / 2^8 = 0.008 for
# eight that change alike, 2 / 2^4 = 0.13 for four.
EFFECTS = {
    "recovery": ("BBBBBBBBFFFF", "FFFFFFFFFFFF"),
    "no recovery, only harm": ("BFFFFFFFFFFF", "BBBBBBBBBFFF"),
    "no significant effect": ("BBBBBBBBFFFFFFFF", "FFFFBBBBFFFFFFFF"),
    "nothing to recover, harm": ("FFFFFFFFFFFF", "BBBBBBBBFFFF"),
    "nothing to recover, no significant harm": ("FFFFFFFFFFFF", "BBBBFFFFFFFF"),
}
NOT_COMPARED = "not compared with controls"


def sweep(before: str, after: str) -> Tables:
    """One clamp of L1N2."""
    return make(untouched(before) + clamped("L1N2", {9.0: after}))


def compared_with(
    own: Tables,
    letters: str | Mapping[float, str],
    n: int,
    targets: Sequence[str] = ("L1N2",),
) -> Tables:
    """The sweep with n controls of each kind and target, whose texts are the same.

    At 9, or at each of some values.
    """
    texts = {9.0: letters} if isinstance(letters, str) else letters
    kinds = {
        name: (target, kind)
        for place, target in enumerate(targets)
        for i in range(n)
        for name, kind in (
            (f"L1N{100 * (place + 1) + i}", "neuron"),
            (f"{target}R{i}", "direction"),
        )
    }
    rows = [row for name in kinds for row in clamped(name, texts)]
    return beside_controls(own, rows, kinds)


def headline(own: Tables, detector: str = "surface") -> str:
    """What is said of the sweep, verdicts drawn anew."""
    return said.headline(judged(own), detector)
