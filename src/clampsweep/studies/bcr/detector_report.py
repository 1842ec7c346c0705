"""Report of how good the collapse detectors are, in Markdown."""

from __future__ import annotations

import pandas as pd

from clampsweep.markdown import code, join, table

_MEASURES = ("precision", "recall", "false_alarm", "missed")


def share(quality: pd.DataFrame, detector: str, measure: str) -> str:
    """A measure of a detector with its interval, `0.97 [0.89, 0.99] (62 of 64)`."""
    rows = quality[(quality["detector"] == detector) & (quality["measure"] == measure)]
    row = rows.iloc[0]
    if pd.isna(row["share"]):
        return "none"
    interval = f"[{row['low']:.2f}, {row['high']:.2f}]"
    return f"{row['share']:.2f} {interval} ({row['k']} of {row['n']})"


def report(labelled: pd.DataFrame, quality: pd.DataFrame, calibration: pd.DataFrame) -> str:
    """Precision and recall of each detector, recall by kind of text, calibration of the scores.

    Args:
        labelled: As `detector_quality.read_labelled` gives it.
        quality: A `DETECTOR_QUALITY` table.
        calibration: A `CALIBRATION` table.
    """
    kinds = labelled["label"].value_counts()
    counts = ", ".join(f"{n} {str(name).replace('_', ' ')}" for name, n in kinds.items())
    detectors = list(dict.fromkeys(quality["detector"]))
    broken = [name.removeprefix("recall_") for name in quality["measure"].unique()
              if name.startswith("recall_")]  # fmt: skip
    rows = [[code(d), *(share(quality, d, measure) for measure in _MEASURES)] for d in detectors]
    by_kind = [[code(d), *(share(quality, d, f"recall_{k}") for k in broken)] for d in detectors]
    bins = [
        [code(row["score"]), f"{row['low_value']:.3g} to {row['high_value']:.3g}",
         f"{row['share']:.2f} [{row['low']:.2f}, {row['high']:.2f}] ({row['k']} of {row['n']})"]
        for row in calibration.to_dict("records")
    ]  # fmt: skip
    return join([
        "# How good are the collapse detectors?",
        f"On {len(labelled)} texts of real runs, labelled by reading: {counts}. Broken means not "
        "coherent. Brackets: 95 % Wilson intervals. The texts were drawn to hold many kinds of "
        "broken text, so that precision is that of such a mixture, not that of any one sweep. "
        "`coherence` was fitted to these texts, so it is judged by cross-validation: ten times, "
        "with bounds chosen on the other prompts.",
        table(("detector", "precision", "recall", "false alarm", "missed"), rows),
        "Precision: broken among the flagged. Recall: flagged among the broken. False alarm: "
        "flagged among the coherent. Missed: broken among those that were not flagged.",
        "## Recall by kind of text",
        table(("detector", *(name.replace("_", " ") for name in broken)), by_kind),
        "## Calibration: share of broken texts by fifth of a text metric",
        table(("metric", "from, to", "broken"), bins),
    ])  # fmt: skip
