"""The comparison with published figures, as Markdown."""

from __future__ import annotations

import pandas as pd

from clampsweep.markdown import code, fenced, join, plain
from clampsweep.studies.bcr.verify import Reference, lines


def document(verification: pd.DataFrame, reference: Reference, title: str) -> str:
    """How many published figures hold in a sweep, and a line for each, in Markdown.

    Args:
        verification: A `VERIFICATION` table.
        reference: The figures that it compares with.
        title: What the sweep is, in a line.
    """
    count, *facts = lines(verification)
    return join(
        [
            f"# Check against published figures: {plain(title)}",
            f"**{plain(count)}.**",
            f"Published: {plain(reference.source)}; {plain(reference.model)}, "
            f"{code(reference.neuron)}, {reference.operation}, scope {reference.scope}, collapse "
            f"detector {code(reference.detector)}. DIFFERS is a finding, not an error: another "
            "model, precision or grid of prompts gives other texts. NOT_TESTED says what the sweep "
            "lacks. SHOWN is counted in another way than here, so it is not compared.",
            fenced("\n".join(facts)),
        ]
    )
