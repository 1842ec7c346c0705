"""The summary: what each hypothesis recovers, the verdicts, the two heads, controls, files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from clampsweep.ledger import controls_table
from clampsweep.markdown import code, join, plain, table
from clampsweep.studies.scrubbing.attention_means import parroting
from clampsweep.studies.scrubbing.hypotheses import BASELINE, RANDOM, UNSCRUBBED
from clampsweep.studies.scrubbing.judge import BEATS, DIFFER, RECOVERS
from clampsweep.studies.scrubbing.reference import DIFFERS, HOLDS, NOT_TESTED
from clampsweep.studies.scrubbing.roles import LAYER_OF
from clampsweep.studies.scrubbing.two_heads import attribution_correlation
from clampsweep.studies.scrubbing.view import View

SHOWN = ("CANDIDATES", "CANDIDATE ERB", "NON-ERB UNCOMMON REPEATS", "OVERALL")
"""Categories of the first table, in its order."""

_HOW_TO_READ = (
    "Loss recovered: 100 % if scrubbing changes nothing, 0 % if it harms as much as scrubbing all "
    "inputs of the induction heads. Brackets: 95 % bootstrap intervals over examples. Undefined: "
    "scrubbing all inputs does no certain harm there, so there is nothing to recover."
)

_N_PARROTED = 12


def summary(found: View, pair: Sequence[str], title: str, files: Mapping[str, str]) -> str:
    """The answers in Markdown.

    Args:
        found: View of the entry, its verdicts among them.
        pair: Experiments that scrub one head each.
        title: What the entry is.
        files: What there is, path to description.
    """
    kept = "\n".join(f"- {code(path)}: {plain(what)}" for path, what in files.items())
    concluded = found.concluded
    blocks = [
        f"# Causal scrubbing: {plain(title)}",
        _headline(concluded.verdicts, found.resolved["curve"]),
        _heads(found.resolved["roles"]),
        "## What each hypothesis recovers",
        _HOW_TO_READ,
        _recovered(found),
        *_curves(found.curves, found.resolved["curve"]),
        "## Better than random hypotheses of its size?",
        _against_random(concluded.verdicts),
        f"## {plain(pair[0])} against {plain(pair[1])}",
        *_two(found, concluded.verdicts, pair),
        "## What induction heads look at wherever it stands",
        _parroted(found),
        *_published(found.reference),
        "## Controls of the verdicts",
        controls_table(concluded.ledger),
        "## Where everything is",
        kept,
    ]
    return join(blocks)


def _headline(verdicts: pd.DataFrame, curve: Mapping[str, float]) -> str:
    """What the hypotheses of the curve, or all if none is on it, recover on the first category."""
    own = verdicts[(verdicts["claim"] == RECOVERS) & (verdicts["by"] == SHOWN[0])]
    on_it = own["subject"].isin(curve)
    own = own[on_it] if on_it.any() else own
    parts = []
    for words, rows in own.groupby("words", sort=False):
        names = [f"{row['subject']}{_percent(row)}" for row in rows.to_dict("records")]
        parts.append(f"- **{plain(str(words))}**: {plain(', '.join(names))}")
    return "\n".join([f"**On {SHOWN[0]}, of the loss that scrubbing all inputs costs:**\n", *parts])


def _percent(row: Mapping[Any, Any]) -> str:
    return "" if pd.isna(row["estimate"]) else f" ({100 * row['estimate']:.0f} %)"


def _heads(roles: Mapping[str, Sequence[int]]) -> str:
    said = []
    for role, heads in roles.items():
        names = [f"{LAYER_OF[role]}.{head}" for head in heads]
        said.append(f"{role} {', '.join(names) or 'none'}")
    return f"Heads by role, best first: {'; '.join(said)}."


def _recovered(found: View) -> str:
    """Loss recovered with its interval, by experiment; means of the loss at both ends."""
    cells = found.table.set_index(["experiment", "category"])
    rows = []
    for name in cells.index.get_level_values(0).unique():
        if RANDOM in name:
            continue
        own = [_cell(name, cells.loc[(name, category)]) for category in SHOWN]
        rows.append([code(name), *own])
    return table(("experiment", *SHOWN), rows)


def _cell(name: str, row: Mapping[str, Any]) -> str:
    if pd.isna(row["mean"]):
        return "no positions"
    if name in (UNSCRUBBED, BASELINE):
        return f"{row['mean']:.3f} nats"
    if row["undefined"]:
        return "undefined"
    value, low, high = (
        f"{round(100 * row[name]) + 0:d}" for name in ("loss_recovered", "ci_low", "ci_high")
    )
    return f"{value} % [{low}, {high}]"


def _curves(curves: pd.DataFrame, sizes: Mapping[str, float]) -> list[str]:
    if curves.empty:
        return []
    along = ", ".join(f"{name} ({100 * size:.0f} %)" for name, size in sizes.items())
    rows = [
        [
            row["category"],
            *(
                "undefined" if pd.isna(row[name]) else
                f"{row[name]:.2f} [{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]"
                for name in ("cpr", "cmd")
            ),
        ]
        for row in curves.to_dict("records")
    ]  # fmt: skip
    return [
        "## Faithfulness over size",
        f"Hypotheses that keep more and more of the cells: {plain(along)}. CPR: area under loss "
        "recovered, more is better; CMD: area under its distance from 1, less is better.",
        table(("category", "CPR", "CMD"), rows),
    ]


def _against_random(verdicts: pd.DataFrame) -> str:
    own = verdicts[(verdicts["claim"] == BEATS) & verdicts["by"].isin(SHOWN)]
    if own.empty:
        return "No hypothesis was held against random ones (key `controls`)."
    rows = [
        [code(row["subject"]), row["by"], plain(_said(row)), _number(row["estimate"], 100, " %"),
         _number(row["null"], 100, " %"), _number(row["q"], 1, "", ".2g")]
        for row in own.to_dict("records")
    ]  # fmt: skip
    return table(("hypothesis", "category", "verdict", "recovers", "random ones", "q"), rows)


def _said(row: Mapping[Any, Any]) -> str:
    """The verdict, with the reason where there is one."""
    return f"{row['words']}: {row['reason']}" if row["reason"] else str(row["words"])


def _number(value: Any, times: float, unit: str, form: str = ".0f") -> str:
    return "" if value is None or pd.isna(value) else f"{times * value:{form}}{unit}"


def _two(found: View, verdicts: pd.DataFrame, pair: Sequence[str]) -> list[str]:
    said = verdicts[verdicts["claim"] == DIFFER].set_index("by")["words"]
    rows = []
    for row in found.two_heads.to_dict("records"):
        if pd.isna(row["difference"]):
            continue
        parts = [
            f"{row[value]:+.3f}"
            + ("" if pd.isna(row[low]) else f" [{row[low]:+.3f}, {row[high]:+.3f}]")
            for value, low, high in (
                ("first_harm", "first_low", "first_high"),
                ("second_harm", "second_low", "second_high"),
                ("difference", "low", "high"),
            )
        ]
        rows.append([row["category"], *parts, plain(said[row["category"]])])
    about = (
        "Harm of scrubbing each alone, nats a token. On the ends of repeated bigrams (CANDIDATE "
        "ERB) exact induction predicts; on NON-ERB UNCOMMON REPEATS it does not, and a head that "
        "harms there copies what came before, whatever stood before it."
    )
    blocks = [about, table(("category", *map(code, pair), "difference", "verdict"), rows)]
    agree = attribution_correlation(found.saa, *pair)
    if not pd.isna(agree):
        blocks.append(
            f"Spearman's rank correlation of their attributions over tokens is {agree:.2f}."
        )
    return blocks


def _published(reference: pd.DataFrame | None) -> list[str]:
    """How many published figures hold, and those that do not."""
    if reference is None:
        return []
    counts = reference["status"].value_counts()
    said = ", ".join(f"{counts.get(status, 0)} {status}" for status in (HOLDS, DIFFERS, NOT_TESTED))
    rows = [
        [code(row["experiment"]), row["category"], row["figure"], f"{row['published']:.3f}",
         f"{row['found']:.3f}", f"{row['tolerance']:.3f}"]
        for row in reference[reference["status"] == DIFFERS].to_dict("records")
    ]  # fmt: skip
    head = ("experiment", "category", "figure", "published", "found", "tolerance")
    listed = [table(head, rows)] if rows else []
    return ["## Against published figures", f"{len(reference)} figures: {said}.", *listed]


def _parroted(found: View) -> str:
    own = found.totals[found.totals["experiment"] == UNSCRUBBED]
    if own.empty:
        own = found.totals[found.totals["experiment"] == found.totals["experiment"].iloc[0]]
    rows = []
    for head in sorted(own["head"].unique().tolist()):
        most = parroting(own, head, _N_PARROTED)
        tokens = [
            f"{code(json.dumps(found.texts[row['token']], ensure_ascii=False))} {row['total']:.2f}"
            for row in most.to_dict("records")
        ]
        rows.append([f"1.{head}", ", ".join(tokens) or "none occurs three times"])
    about = (
        "Tokens, in quotes, by mean attention from all positions that can see them, of those seen "
        "thrice."
    )
    return join([about, table(("head", "tokens"), rows)])
