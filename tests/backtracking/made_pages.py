"""Made-up tables of the pages, with texts that would do harm as HTML, and long ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

HOSTILE = (
    "</script><script>window.hacked = 1</script>", "<img src=x onerror='window.hacked = 1'>",
    "<!--", "<b>bold</b>", "\"'&amp;", "{{data}}", "\u202eturned\u202c", "\u2066isolate",
    "\N{REPLACEMENT CHARACTER}", "\u2028", "e\u0301", "\x07\r", "\N{GRINNING FACE}", "x" * 400,
    "\u05e9\u05dc\u05d5\u05dd", "", "\t", "\U000e0041", "\u6f22\u5b57",
)  # fmt: skip

STEPS = (
    "First", ",", " we", " add", " 47", " and", " 38", ".", " 47", " +", " 38", " =", " 75", ".",
    "\n", "Then", " we", " multiply", " by", " 3", ":", " 75", " *", " 3", " =", " 225", ".",
    "\n\n",
)  # fmt: skip
BACK = ("Wait", ",", " that", " is", " not", " right", ".", " 47", " +", " 38", " =", " 85", ".")


def strips(
    traces: Sequence[str] = ("chain/p1/0", "written/p2/gross"),
    hostile: bool = True,
    repeats: int = 2,
) -> pd.DataFrame:
    """`STRIPS`: the first neuron rises before events; the last trace has another third neuron.

    Args:
        traces: Their names.
        hostile: Whether the texts of `HOSTILE` are among the tokens.
        repeats: How often the steps are said.
    """
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(traces):
        tokens = [*STEPS * repeats, *BACK, *(HOSTILE if hostile else ()), *STEPS]
        first = len(STEPS) * repeats
        third = (7, 3) if number < len(traces) - 1 else (8, 1)
        for layer, neuron in ((12, 340), (3, 15), third):
            for place, token in enumerate(tokens):
                is_event = first <= place < first + 7
                rise = 2.0 * (0 < first - place <= 6) if layer == 12 else 0.0
                rows.append(
                    {"trace_id": name, "position": place, "token": token, "event": is_event,
                     "layer": layer, "neuron": neuron, "value": rise + rng.normal(0, 0.4)}
                )  # fmt: skip
    return pd.DataFrame(rows)


def traces(names: Sequence[str] = ("chain/p1/0", "written/p2/gross")) -> pd.DataFrame:
    """The columns of `TRACES` that say what a trace is about."""
    return pd.DataFrame(
        {"trace_id": list(names), "problem_id": ["<i>p1</i>", "p2"], "source": ["chain", "written"],
         "level": pd.array([3, None], dtype="Int64"),
         "correct": pd.array([False, None], dtype="boolean")}
    )  # fmt: skip


BEGINNING = "We add 47 and 38.\n47 + 38 = 75. "
BEFORE = BEGINNING + "Wait, that is not right. 47 + 38 = 85. The answer is \\boxed{85}."
AFTER = BEGINNING + "Then 75 times 3 is 225. The answer is \\boxed{225}."


def texts() -> pd.DataFrame:
    """`TEXTS`: three problems with two seeds, top and two random sets.

    The first problem parts where the event is; of the second both are hostile; of the third both
    are the same, and of one seed the text after ends earlier.
    """
    rows: list[dict[str, Any]] = []
    odd = " ".join(HOSTILE)
    for problem, before, after in (
        ("p1", BEFORE, AFTER),
        ("<b>p2</b>", f"{odd} so. Wait, no: {odd}", f"{odd} so we go on. {odd}"),
        ("p3", BEFORE, BEFORE),
    ):
        for seed in (0, 1):
            short = after[: len(after) // 2] if problem == "p3" and seed else after
            for condition, draw, text in (
                ("before", 0, before), ("top", 0, short), ("random", 1, before + " More."),
                ("random", 0, before + " Also."),
            ):  # fmt: skip
                at = text.find("Wait")
                rows.append(
                    {"problem_id": problem, "seed": seed, "condition": condition, "draw": draw,
                     "n_events": int(at >= 0), "first_event": at if at >= 0 else None,
                     "correct": "85" in text if problem == "p1" else None,
                     "n_tokens": len(text) // 4, "rep_4": 0.125, "loop_coverage": None,
                     "nll": 0.91234, "text": text}
                )  # fmt: skip
    frame = pd.DataFrame(rows)
    return frame.astype({"first_event": "Int64", "correct": "boolean"})
