"""The section on heads and embedding dimensions."""

from __future__ import annotations

import pandas as pd

from clampsweep.markdown import join, plain, table
from clampsweep.studies.universal.claims.heads import (
    FORETELLS,
    HEAD_NORMS,
    HIGH_DIMENSIONS,
    STANDS_OUT,
)


def section(
    found: pd.DataFrame, heads: pd.DataFrame, dimensions: pd.DataFrame, begins: bool
) -> str:
    """The section in Markdown.

    Args:
        found: `VERDICTS` of the slice.
        heads: `HEADS`.
        dimensions: `EMBEDDINGS`.
        begins: Whether sequences begin with BOS.
    """
    own = found[found["claim"] == FORETELLS]
    rows = [
        [plain(row["subject"]), plain(row["by"]), f"{row['estimate']:+.2f}",
         f"[{row['low']:+.2f}, {row['high']:+.2f}]", f"{row['q']:.2g}", row["verdict"]]
        for row in own.to_dict("records")
    ]  # fmt: skip
    by_claim = {str(row["claim"]): row for row in found.to_dict("records")}
    norms, out, high = (by_claim[name] for name in (HEAD_NORMS, STANDS_OUT, HIGH_DIMENSIONS))
    most = dimensions.sort_values("kurt", ascending=False).iloc[0]
    first = "BOS" if begins else "the first token (there is no BOS)"
    return join(
        [
            "## Other components: heads and embedding dimensions (GT3)",
            f"Do the weights of {len(heads)} heads say what they do? Of {first}: heads look at it "
            f"with {100 * heads['first'].mean():.0f} % of their attention. Rank correlations "
            "within layers; the norm's gain is folded in, rotations by position are left out.",
            table(("weights", "behaviour", "correlation", "95 %", "q", "verdict"), rows),
            f"That norms of heads differ is {norms['verdict']}: {plain(norms['words'])} "
            f"({plain(norms['why'])}).",
            f"Embedding: {plain(out['words'])} (largest kurtosis {out['estimate']:.2f}, dimension "
            f"{int(most['dimension'])}; random bases' largest {out['null']:.2f} in the median; "
            f"{out['verdict']}). {plain(high['words'])}; {plain(high['why'])}: {high['verdict']}.",
        ]
    )
