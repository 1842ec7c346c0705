"""The section on weights: what neurons do to the vocabulary."""

from __future__ import annotations

import pandas as pd

from clampsweep.markdown import code, join, plain, table
from clampsweep.studies.universal.claims.weights import beyond
from clampsweep.studies.universal.mlp import FOLDED

_SHOWN = 12  # neurons


def section(found: pd.DataFrame, vocab: pd.DataFrame) -> str:
    """The section in Markdown.

    Args:
        found: `VERDICTS` of the slice.
        vocab: `VOCABULARY`.
    """
    said = "\n".join(
        f"- {plain(row['claim'])}"
        f"{', ' + row['by'] if row['by'] else ''}: {plain(row['words'])} "
        f"({row['verdict']}; {plain(row['reason'] or row['why'])})"
        for row in found.to_dict("records")
    )
    most = beyond(vocab, FOLDED).sort_values("vocab_kurt", ascending=False).head(_SHOWN)
    rows = [
        [code(f"L{row['layer']}N{row['neuron']}"), f"{row['vocab_kurt']:.1f}",
         f"{row['vocab_skew']:+.2f}"]
        for row in most.to_dict("records")
    ]  # fmt: skip
    listed = [table(("neuron", "vocabulary kurtosis", "skewness"), rows)] if rows else []
    about = (
        "Of each neuron, the cosines of what it writes with all rows of the unembedding. A high "
        "kurtosis means that it raises or lowers few tokens far more than the rest. Gated neurons "
        "write in both signs, so skewness alone does not tell which: the roles do."
    )
    return join(["## Weights: what neurons do to the vocabulary", about, said, *listed])
