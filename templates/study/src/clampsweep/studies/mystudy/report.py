"""The summary: the verdict on each clamp, with its numbers; its controls; what is kept."""

from __future__ import annotations

from clampsweep.ledger import Conclusions, controls_table
from clampsweep.markdown import code, join, plain, table

HEAD = ("clamp", "verdict", "words more", "95 % interval", "p", "q", "rests on")


def summary(concluded: Conclusions, title: str, files: dict[str, str]) -> str:
    """The answers in Markdown; a clamp without an effect is said to have none.

    Args:
        concluded: `VERDICTS` of an entry, and the `LEDGER` of their controls.
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
    head, controls = f"# Length: {plain(title)}", controls_table(concluded.ledger)
    blocks = [head, table(HEAD, rows), "## Controls of the verdicts", controls]
    return join([*blocks, "## Where everything is", kept])
