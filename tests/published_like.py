"""A sweep of our own texts with the published pattern of collapse, rescue and harm.

The pattern is written a second time, apart from workflow/data/bcr/bcr_gpt2.yaml: 7 cores x 4 types
x 5 levels, 13 clamps and the baseline. The fine prompts that a clamp harms are the first ones of
the grid, so the last prompt of the grid is never harmed.
"""

from __future__ import annotations

import csv
from pathlib import Path

CORES = (
    "presence_by_door",
    "red_light_warning",
    "glass_shatter_noise",
    "painting_conveys_sorrow",
    "kettle_left_on",
    "neighbour_keeps_bees",
    "ferry_leaves_early",
)
TYPES = ("observational", "declarative", "authoritative", "rhetorical")
PROMPTS = [f"{core}/{kind}/{level}" for core in CORES for level in range(1, 6) for kind in TYPES]
CLAMPS = (-100, -50, -25, -10, -5, -3, 0, 3, 5, 10, 25, 50, 100)
RESCUED_AT = {
    "glass_shatter_noise/declarative/2": {25},
    "painting_conveys_sorrow/declarative/3": {-25, -10, -5, 3, 5, 10, 25, 50, 100},
    "painting_conveys_sorrow/observational/5": {-50, -25, -10, -5, -3, 10, 25, 50, 100},
    "painting_conveys_sorrow/rhetorical/1": {3, 5, 10, 25},
    "presence_by_door/declarative/2": {50},
    "presence_by_door/declarative/5": {-25, 10, 25},
    "red_light_warning/declarative/2": {-50, 10, 25, 50},
    "red_light_warning/rhetorical/4": {-50, 25, 50, 100},
}
N_HARMED = {-100: 112, -50: 9, -25: 2, -10: 1, 10: 1, 25: 5, 50: 36, 100: 121}
COLLAPSED_TEXTS = (
    "",
    " \n\n ",
    "Hm.",
    "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmm",
    "so so so so so so so so so so",
    'ring "ring "ring "ring "ring "ring "',
    "?!#$%&*() []{}<>;:,. ~^+=|",
)
FINE_TEXTS = (
    "The lamp in the hall was still warm when they came back.",
    'He said: "Wait for me."\n\nNobody did, and the ferry left.',
    "Two cups, one spoon. Is that all? It is all that we found!",
    "She counted the steps twice\tand wrote the number on her sleeve.",
    "The letter began well. The letter began well. The letter ended badly.",
    "Café, naïve, 漢字 and 3.14 stood in one line; why, it did not say.",
)

Texts = dict[tuple[str, int | None], str]


def texts() -> Texts:
    """Every text by prompt and clamp; the baseline's clamp is None."""
    fine = [name for name in PROMPTS if name not in RESCUED_AT]
    found: Texts = {}
    for place, name in enumerate(PROMPTS):
        for turn, clamp in enumerate((*CLAMPS, None)):
            if name in RESCUED_AT:
                collapsed = clamp is None or clamp not in RESCUED_AT[name]
            else:
                collapsed = name in fine[: N_HARMED.get(clamp, 0)]
            choice = COLLAPSED_TEXTS if collapsed else FINE_TEXTS
            found[name, clamp] = choice[(place + turn) % len(choice)]
    return found


def write(texts: Texts, path: Path) -> None:
    """The texts as an extracted table, written by Python's own csv."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, delimiter="\t", lineterminator="\n")
        out.writerow(["core_id", "type", "level", "sweep", "prompt", "output"])
        for (name, clamp), text in texts.items():
            sweep = "baseline" if clamp is None else clamp
            out.writerow([*name.split("/"), sweep, f"Say something of {name}.", text])
