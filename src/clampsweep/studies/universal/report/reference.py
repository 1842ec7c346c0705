"""The section on a published table of the same model."""

from __future__ import annotations

import pandas as pd

from clampsweep.markdown import code, join, table
from clampsweep.studies.universal.published import ABSOLUTE, RELATIVE

HEAD = ("statistic", "neurons", "agree", "largest difference", "rank correlation", "mixed up",
        "verdict")  # fmt: skip


def section(verdicts: pd.DataFrame, found: pd.DataFrame, path: str) -> str:
    """The section in Markdown.

    Args:
        verdicts: `VERDICTS` of the slice.
        found: `REFERENCE`.
        path: Of the published table.
    """
    said = dict(zip(verdicts["subject"], verdicts["verdict"], strict=True))
    rows = [
        [code(row["column"]), f"{row['n']:,}", f"{100 * row['n_within'] / row['n']:.1f} %",
         f"{row['largest']:.2g}", f"{row['correlation']:.4f}", f"{100 * row['dealt']:.1f} %",
         said[row["column"]]]
        for row in found.to_dict("records")
    ]  # fmt: skip
    about = (
        f"Statistics of weights as {code(path)} has them, beside those computed here, folded. "
        f"They agree within {RELATIVE:g} of the value plus {ABSOLUTE:g}; the largest difference is "
        "given as a share of that. Mixed up: the share that agrees if neurons of a layer change "
        "places. Statistics of activations depend on the texts, and are not compared. The "
        "published moments over the vocabulary take in rows that pad it and stand for no token, as "
        "in Pythia; here these are left out."
    )
    return join(["## Beside the published table", about, table(HEAD, rows)])
