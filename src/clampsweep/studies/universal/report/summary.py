"""The summary: the original's checklist beside ours, then a section of each slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from clampsweep.ledger import Conclusions, controls_table
from clampsweep.markdown import code, join, plain, table
from clampsweep.studies.universal.joined import QUESTIONS, answers
from clampsweep.verdicts import OUTCOMES

_ABOUT = (
    "Supported: the interval and a corrected test agree with the claim; contradicted: the interval "
    "says the opposite; vacuous: the statistic could not have failed; untestable: what the test "
    "needs is not there. Brackets are 95 % intervals."
)


def summary(
    concluded: Conclusions,
    parts: Mapping[str, pd.DataFrame],
    sections: Sequence[str],
    title: str,
    files: Mapping[str, str],
) -> str:
    """The answers in Markdown.

    Args:
        concluded: Of all slices.
        parts: `VERDICTS` of each slice, by its name.
        sections: Markdown of each slice, in order.
        title: What the entry is.
        files: What there is, path to description.
    """
    kept = "\n".join(f"- {code(path)}: {plain(what)}" for path, what in files.items())
    blocks = [
        f"# Universal neurons: {plain(title)}",
        checklist(parts),
        _ABOUT,
        "## Verdicts",
        verdict_counts(concluded.verdicts),
        *(section.strip() for section in sections),
        "## Controls of the verdicts",
        controls_table(concluded.ledger),
        "## Where everything is",
        kept,
    ]
    return join(blocks)


def checklist(parts: Mapping[str, pd.DataFrame]) -> str:
    """The original's questions with its answers and ours, in Markdown."""
    given = answers(parts)
    rows = [
        [name.partition("_")[0], plain(one.asks), plain(one.original),
         f"**{given[name].verdict}**", plain(given[name].why)]
        for name, one in QUESTIONS.items()
    ]  # fmt: skip
    return table(("", "question", "original", "here", "because"), rows)


def verdict_counts(found: pd.DataFrame) -> str:
    """How many subjects of each claim got which verdict, in Markdown."""
    rows = []
    for claim, own in found.groupby("claim", sort=False):
        counts = [int((own["verdict"] == word).sum()) for word in OUTCOMES]
        rows.append([plain(str(claim)), *(str(n) if n else "" for n in counts)])
    return table(("claim", *OUTCOMES), rows)
