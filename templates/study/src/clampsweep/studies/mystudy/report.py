"""The summary: the verdict on each clamp, with its numbers; controls; prompts; what is kept."""

from __future__ import annotations

import pandas as pd

from clampsweep.ledger import Conclusions, controls_table
from clampsweep.markdown import code, join, plain, table

HEAD = ("clamp", "verdict", "words more", "95 % interval", "p", "q", "rests on")


def summary(concluded: Conclusions, losses: pd.DataFrame, title: str, files: dict[str, str]) -> str:
    """The answers in Markdown; a clamp without an effect is said to have none.

    Args:
        concluded: `VERDICTS` of an entry, and the `LEDGER` of their controls.
        losses: Its `LOSSES`.
        title: What the entry is.
        files: What there is, path to description.
    """
    rows = [
        (
            f"{row['subject']}, {row['by']}",
            row["words"],
            f"{row['estimate']:+.2f}",
            f"[{row['low']:+.2f}, {row['high']:+.2f}]",
            *(f"{row[name]:.2g}" for name in ("p", "q")),
            row["why"],
        )
        for row in concluded.verdicts.to_dict("records")
    ]
    kept = "\n".join(f"- {code(path)}: {plain(what)}" for path, what in files.items())
    loss = losses["loss"].dropna()
    known = f"Mean loss of {len(loss)} prompts, before any clamp: {loss.mean():.2f} nats per token."
    blocks = [f"# Length: {plain(title)}", table(HEAD, rows), known]
    blocks += ["## Controls of the verdicts", controls_table(concluded.ledger)]
    return join([*blocks, "## Where everything is", kept])
