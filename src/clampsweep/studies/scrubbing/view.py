"""Tables of an entry, read for its figures, its page and its summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from clampsweep import ledger, tables
from clampsweep.ledger import Conclusions
from clampsweep.studies.scrubbing.faithfulness import CURVES
from clampsweep.studies.scrubbing.recovered import RECOVERED
from clampsweep.studies.scrubbing.reference import REFERENCE
from clampsweep.studies.scrubbing.resolved import read_resolved
from clampsweep.studies.scrubbing.roles import HEADS
from clampsweep.studies.scrubbing.tables import ATTENTION, EXAMPLES, SAA, TOKENS, TOTALS
from clampsweep.studies.scrubbing.tallying import CELL_HARM
from clampsweep.studies.scrubbing.two_heads import TWO_HEADS


class View(NamedTuple):
    """Tables of an entry.

    Attributes:
        table: `RECOVERED`.
        curves: `CURVES`.
        two_heads: `TWO_HEADS`.
        cell_harm: `CELL_HARM`.
        heads: `HEADS`.
        saa: `SAA`.
        attention: `ATTENTION`.
        totals: `TOTALS`.
        examples: `EXAMPLES`.
        texts: What each token stands for, by its id.
        resolved: What `resolved.resolved` gives.
        concluded: Verdicts, and the ledger of their controls.
        reference: `REFERENCE`; None if there are no published figures to compare with.
    """

    table: pd.DataFrame
    curves: pd.DataFrame
    two_heads: pd.DataFrame
    cell_harm: pd.DataFrame
    heads: pd.DataFrame
    saa: pd.DataFrame
    attention: pd.DataFrame
    totals: pd.DataFrame
    examples: pd.DataFrame
    texts: Sequence[str]
    resolved: Mapping[str, Any]
    concluded: Conclusions
    reference: pd.DataFrame | None = None

    @property
    def induction(self) -> list[int]:
        """The heads of layer 1 that are looked at, induction heads in the order of their scores."""
        known = self.totals["head"].unique().tolist()
        best = [head for head in self.resolved["roles"]["induction"] if head in known]
        return best or sorted(known)

    def words(self, example: int) -> list[str]:
        """Text of each token of an example.

        Args:
            example: Its number.
        """
        return [self.texts[token] for token in self.examples["tokens"].iloc[example]]


_SCHEMAS = {
    "table": RECOVERED,
    "curves": CURVES,
    "two_heads": TWO_HEADS,
    "cell_harm": CELL_HARM,
    "heads": HEADS,
    "saa": SAA,
    "attention": ATTENTION,
    "totals": TOTALS,
    "examples": EXAMPLES,
}


def read_view(files: Mapping[str, Path | str]) -> View:
    """The tables of an entry.

    Args:
        files: Path by name, as `View` has them; `tokens` for the texts, `hypotheses` for what was
            resolved, `verdicts` and `ledger`.

    Raises:
        UserError: One is missing, truncated or another table.
    """
    known = {name: tables.read(files[name], schema) for name, schema in _SCHEMAS.items()}
    tokens = tables.read(files["tokens"], TOKENS).sort_values("token")
    beside = files.get("reference")
    return View(
        **known,
        texts=tokens["text"].tolist(),
        resolved=read_resolved(files["hypotheses"]),
        concluded=ledger.read(files["verdicts"], files["ledger"]),
        reference=tables.read(beside, REFERENCE) if beside else None,
    )
