"""Our own twins of the published files: the prompt grid, and its texts as an extracted table.

The grid has the form of the published one, in other words: the same preamble line for line, the
same rules and blank lines, odd characters in the same places; 7 cores x 4 types x 5 levels.

The texts have the published pattern of collapse, rescue and harm, written a second time, apart from
workflow/data/bcr/bcr_gpt2.yaml: 13 clamps and the baseline. The fine prompts that a clamp harms are
the first ones of the grid, so the last prompt of the grid is never harmed.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
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
PREAMBLE = """
# PROMPTS FOR TESTS, SECOND DRAFT: One Thought per Block (How Sure Is It?)

\u26a0\ufe0f Mind: a program that counts these lines: wording differs from line to line. No two \
prompts are alike — every pair (type \u00d7 level) has its own. Look texts up by name.

What this draft changes is that **a block keeps to one thought** from its first line to its last.
A block states one *thought* about the world.
The lines of a block then differ only in *how sure* they sound.

So a program can tell what certainty does, apart from what is said — one thing at a time.

## FORMAT:

A block opens like this:
>> CORE_ID: [descriptive_id]
>> PROPOSITION: [core_sentence/concept]

Below it come 4 lines — one for each TYPE of sentence (observational, declarative and so on)
They come once for each of the 5 LEVELS (1\u20135), from a guess to a certainty.

Write one prompt in a line.
Leave out quotes and JSON (plain words).

---

"""
N_PREAMBLE = 12  # its lines but for blank ones, the headings and the rule
PROPOSITIONS = {
    "presence_by_door": "Somebody waits at the door.",
    "red_light_warning": "A red lamp blinks on the panel.",
    "glass_shatter_noise": "A pane broke in the next room.",
    "painting_conveys_sorrow": "There's grief in the picture.",
    "kettle_left_on": "The kettle still boils.",
    "neighbour_keeps_bees": "Bees live behind the house.",
    "ferry_leaves_early": "The ferry sailed too soon.",
}
WORDINGS = {
    "observational": (
        "From here one might think: {}",
        "It would seem so, probably. {}",
        "Seen today. {}",
        "Seen twice — and clearly. {}",
        "Seen, heard, within 0.3 m. {}",
    ),
    "declarative": (
        "It\u2019s possible. {}",
        "It's likely. {}",
        "{}",
        "Certainly. {}",
        "It\u2019s beyond doubt. {}",
    ),
    "authoritative": (
        "An apprentice noted, with a query: {}",
        "Two notes suggest it. {}",
        "The book says so. {}",
        "Checked and signed. {}",
        "Every record agrees—no exception. {}",
    ),
    "rhetorical": (
        "Who would say so? {}",
        "They say so, or nearly... {}",
        "Listen. {}",
        "Who\u2019d doubt it? {}",
        "Ask anyone, ask the walls: {}",
    ),
}
LAST_BEFORE_A_RULE = {CORES[place] for place in (0, 2, 4, 5)}
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


def prompt(name: str) -> str:
    """The text of one of `PROMPTS`."""
    core, kind, level = name.split("/")
    return WORDINGS[kind][int(level) - 1].format(PROPOSITIONS[core])


def grid(cores: Sequence[str] = CORES, preamble: str = PREAMBLE) -> str:
    """The published grid's twin; of one core, with or without preamble, its validators' twins."""
    lines = []
    for core in cores:
        lines += [f">> CORE_ID: {core}", f">> PROPOSITION: {PROPOSITIONS[core]}", ""]
        for level in range(1, 6):
            lines += [f"[LEVEL {level}]"]
            lines += [f"{kind}: {prompt(f'{core}/{kind}/{level}')}" for kind in TYPES]
            lines += [""]
        lines += ["---", ""] if core in LAST_BEFORE_A_RULE and core != cores[-1] else []
    return preamble + "\n".join([*lines, "", ""])


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
