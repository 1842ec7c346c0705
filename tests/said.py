"""What reports say, taken apart; and sweeps for them to speak of."""

from __future__ import annotations

import re

import pandas as pd

from clampsweep.studies.bcr.verify import VERIFICATION
from clampsweep.texts.selection import NEURON_STATS
from factories import frame
from sweep_tables import (
    beside_controls,
    clamped,
    make,
    untouched,
)


def lines_of(text, start):
    return [line for line in text.splitlines() if line.startswith(start)]


def bullets(text, detector="surface"):
    """What the summary says of a detector, by sentence."""
    after = text.split(f"**{detector}: ")[1]
    return [line.removeprefix("- ") for line in after.split("\n\n")[1].splitlines()]


def with_controls(n=20, letters="BBBBFF", targets=("L1N2",), more=(), own="FFFFFF"):
    """L1N2 rescues a to d at +9; n controls of each kind and target, all with the same texts."""
    rows = untouched("BBBBFF") + clamped("L1N2", {9.0: own}) + list(more)
    kinds, texts = {}, []
    for place, target in enumerate(targets):
        for i in range(n):
            names = {f"L1N{100 * (place + 1) + i}": "neuron", f"{target}R{i}": "direction"}
            for name, kind in names.items():
                kinds[name] = target, kind
                texts += clamped(name, {9.0: letters})
    return beside_controls(make(rows), texts, kinds)


def special_sentences(text):
    return [line for line in text.splitlines() if line.startswith("- Does `")]


def seeds(*rows):
    """Sampled baselines: rescued of collapsed, harmed of fine prompts, a row per seed."""
    return pd.DataFrame(
        [("surface", *row) for row in rows],
        columns=["detector", "n_rescued", "n_collapsed_baseline", "n_harmed", "n_fine_baseline"],
    )


def verified(*rows):
    return pd.DataFrame(rows, columns=list(VERIFICATION.columns))


def blocks(text):
    """Each line before a fence, with the text inside the fence."""
    return re.findall(r"^([^\n]+)\n\n(`{3,})text\n(.*?)\n\2$", text, re.MULTILINE | re.DOTALL)


def neurons(*rows):
    return frame(rows, NEURON_STATS)


def ranking(text, title):
    section = text.split(f"## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| (L\d+N\d+) ", section, re.MULTILINE)
