"""The ledger of controls: which ones each claim of a study has, which were skipped, and why.

A control is what could have shown that a claim is empty. Verdicts and ledger are made and written
together, so that no claim goes without a word on its controls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from clampsweep import tables, verdicts
from clampsweep.errors import UserError
from clampsweep.markdown import plain, table
from clampsweep.tables import Column, Schema
from clampsweep.verdicts import VERDICTS
from clampsweep.words import counted, listed

LEDGER = Schema(
    "ledger",
    {
        **{name: VERDICTS.columns[name] for name in VERDICTS.key},
        "control": Column("str", "what could have shown that the claim is empty, in the plural"),
        "ran": Column("bool", "whether it ran"),
        "n": Column("int", "how many of them; null where it was skipped", null=True),
        "why": Column("str", "why it was skipped; of one that ran, on what and how good it is"),
    },
    key=(*VERDICTS.key, "control"),
)

# Controls of more than one study, by one name.
MATCHED_NEURONS = "matched neurons"
RANDOM_DIRECTIONS = "random directions"
HELD_OUT_PROMPTS = "held-out prompts"
LABEL_PERMUTATIONS = "label permutations"
SAMPLED_BASELINES = "sampled baselines"
LOGIT_BIASES = "logit biases"
CHAT_BASELINES = "baselines in the chat format"


class Control(NamedTuple):
    """A control of a claim.

    Attributes:
        name: What it is, in the plural.
        ran: Whether it ran.
        n: How many of them ran; None where it was skipped.
        why: Why it was skipped; of one that ran, on what and how good it is.
    """

    name: str
    ran: bool
    n: int | None
    why: str


class Conclusions(NamedTuple):
    """What a study concludes of an entry: its `VERDICTS`, and the `LEDGER` of their controls."""

    verdicts: pd.DataFrame
    ledger: pd.DataFrame


def ran(name: str, n: int, why: str = "") -> Control:
    """A control that ran.

    Args:
        name: What it is, in the plural.
        n: How many of them.
        why: On what it ran, and how good it is; may be empty.
    """
    return Control(name, True, n, why)


def skipped(name: str, why: str) -> Control:
    """A control that did not run, and why."""
    return Control(name, False, None, why)


def conclusions(
    claims: Iterable[tuple[Mapping[str, Any], Sequence[Control]]],
) -> Conclusions:
    """The two tables of an entry.

    Args:
        claims: Rows that `verdicts.conclude` made, each with the controls of its claim.
    """
    rows, controls = [], []
    for row, own in claims:
        key = {name: row[name] for name in VERDICTS.key}
        rows.append(row)
        controls += [
            key | {"control": each.name, "ran": each.ran, "n": each.n, "why": each.why}
            for each in own
        ]
    ledger = pd.DataFrame(controls, columns=list(LEDGER.columns))
    return Conclusions(verdicts.frame(rows), ledger.astype({"ran": "bool", "n": "Int64"}))


def write(
    found: Conclusions,
    verdicts_to: Path | str,
    ledger_to: Path | str,
    provenance: Mapping[str, Any],
) -> None:
    """Check and write an entry's verdicts and their controls: both, or neither.

    Args:
        found: The two tables.
        verdicts_to: `verdicts.parquet`.
        ledger_to: `ledger.parquet`, beside it.
        provenance: What made them (`clampsweep.provenance.record`).

    Raises:
        UserError: A verdict does not follow from its numbers; a claim has no line in the ledger, or
            a line no claim; a control neither ran nor says why not.
    """
    for row in found.verdicts.to_dict("records"):
        if said := verdicts.fault({str(name): value for name, value in row.items()}):
            raise UserError(f"{verdicts_to}: {_claim_of(row)}: {said}; use verdicts.conclude")
    known, listed_keys = _keys(found.verdicts), _keys(found.ledger)
    for key in [*(known - listed_keys), *(listed_keys - known)]:
        one = dict(zip(VERDICTS.key, key, strict=True))
        lacks = "a line in the ledger" if key in known else "a verdict"
        raise UserError(
            f"{ledger_to}: {_claim_of(one)} lacks {lacks}; say of each claim which controls ran "
            "and which were skipped, with ledger.conclusions"
        )
    for row in found.ledger.to_dict("records"):
        if row["ran"] and not (pd.notna(row["n"]) and row["n"] > 0):
            raise UserError(f"{ledger_to}: {_claim_of(row)}: {row['control']} ran; say how many")
        if not row["ran"] and not row["why"]:
            raise UserError(f"{ledger_to}: {_claim_of(row)}: {row['control']} skipped; say why")
    tables.write(found.verdicts, verdicts_to, VERDICTS, provenance)
    tables.write(found.ledger, ledger_to, LEDGER, provenance)


def read(verdicts_from: Path | str, ledger_from: Path | str) -> Conclusions:
    """What `write` wrote.

    Raises:
        UserError: A file is missing, truncated or another table.
    """
    return Conclusions(tables.read(verdicts_from, VERDICTS), tables.read(ledger_from, LEDGER))


def _keys(frame: pd.DataFrame) -> set[tuple[Any, ...]]:
    return set(frame[list(VERDICTS.key)].itertuples(index=False, name=None))


def _claim_of(row: Mapping[Any, Any]) -> str:
    by = f" by {row['by']}" if row["by"] else ""
    return f"claim {row['claim']!r} of study {row['study']!r} on {row['subject']}{by}"


def controls_table(ledger: pd.DataFrame) -> str:
    """The ledger in Markdown: a line a control, whether it ran, how many, and why not.

    Lines that say the same of several claims, subjects or detectors are one.

    Args:
        ledger: `LEDGER` of an entry.
    """
    alike = ["control", "ran", "n", "why"]
    lines = []
    for (control, did_run, n, why), rows in ledger.groupby(alike, sort=False, dropna=False):
        claims = [
            f"{claim} ({counted(subjects, 'subject')})" if subjects > 1 else str(claim)
            for claim, subjects in rows.groupby("claim", sort=False)["subject"].nunique().items()
        ]
        state, many = ("ran", f"{n:,}") if did_run else ("skipped", "")
        lines.append([plain(str(control)), plain(listed(claims)), state, many, plain(str(why))])
    return table(("control", "of the claim", "it", "how many", "why, or on what"), lines)
