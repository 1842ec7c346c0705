"""The summary of an entry: answers first, then traces, events, ranking, trials, texts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from clampsweep import ledger, tables
from clampsweep.ledger import Conclusions, controls_table
from clampsweep.markdown import code, join, plain, table
from clampsweep.studies.backtracking.contrast import Contrast
from clampsweep.studies.backtracking.detector import DETECTOR
from clampsweep.studies.backtracking.found_events import EVENTS
from clampsweep.studies.backtracking.pairs import PAIRED
from clampsweep.studies.backtracking.ranking import NEURONS
from clampsweep.studies.backtracking.rates import RATES
from clampsweep.studies.backtracking.sections import (
    confirmed_table,
    detector_table,
    effects_table,
    event_list,
    heldout_table,
    pairs_table,
    rates_table,
)
from clampsweep.studies.backtracking.traces import TRACES
from clampsweep.studies.backtracking.view import by_contrast, contrasts_of
from clampsweep.words import counted, listed

_ABOUT = (
    "Supported: the interval and a corrected test agree with the claim; contradicted: the interval "
    "says the opposite; vacuous: the statistic could not have failed; untestable: what the test "
    "needs is not there. Brackets are 95 % intervals; area is that under the ROC curve, 0.5 for "
    "what tells nothing."
)
_POSITIONS = (
    "Positions: `pre`, the tokens from 12 to 8 before the sentence; `pred`, the token before the "
    "onset, which predicts it; `onset`, the first token itself, where a ranking measures which "
    "token stands there (see *next token*); `window`, 50 characters on either side."
)


def summary(
    concluded: Conclusions,
    parts: Mapping[str, pd.DataFrame],
    contrasts: Mapping[str, Contrast],
    neurons: Mapping[str, pd.DataFrame],
    title: str,
    files: Mapping[str, str],
) -> str:
    """The answers in Markdown.

    Args:
        concluded: `VERDICTS` of the entry and their `LEDGER`.
        parts: `rates`, `detector`, `events` and `traces`; `paired` where there is one.
        contrasts: By name.
        neurons: `NEURONS` of each contrast that has a ranking.
        title: What the entry is.
        files: What there is, path to description.
    """
    kept = "\n".join(f"- {code(path)}: {plain(what)}" for path, what in files.items())
    blocks = [
        f"# Backtracking neurons: {plain(title)}",
        _ABOUT,
        *_answers(contrasts, concluded.verdicts),
        "## Verdicts",
        _verdicts(concluded.verdicts, [one.insufficient for one in contrasts.values()]),
        "## Traces",
        rates_table(parts["rates"]),
        "## Events that the rules see",
        detector_table(parts["detector"]),
        event_list(parts["events"], parts["traces"]),
        "## Neurons on held-out events",
        _POSITIONS,
        *(_contrast(name, one, neurons.get(name)) for name, one in contrasts.items()),
        "## What changing them does to the onset",
        *(effects_table(name, one) for name, one in contrasts.items()),
    ]
    if "paired" in parts:
        blocks += ["## Texts with neurons held at zero", pairs_table(parts["paired"])]
    blocks += ["## Controls of the verdicts", controls_table(concluded.ledger)]
    return join([*blocks, "## Where everything is", kept])


def _answers(contrasts: Mapping[str, Contrast], verdicts: pd.DataFrame) -> Sequence[str]:
    """A sentence for each contrast."""
    lines = []
    for name, one in contrasts.items():
        own = verdicts[
            (verdicts["subject"] == name)
            & (verdicts["claim"] == "neurons tell events from controls")
        ].set_index("by")
        if one.insufficient:
            lines.append(f"- **{plain(name)}**: {plain(one.insufficient)}")
            continue
        said = [
            f"{by}: area {row['estimate']:.2f} [{row['low']:.2f}, {row['high']:.2f}], "
            f"{row['verdict']} ({plain(row['words'])})"
            for by, row in own.iterrows()
        ]
        lines.append(f"- **{plain(name)}**: {'; '.join(said)}")
    return ["\n".join(lines)]


def _verdicts(verdicts: pd.DataFrame, insufficient: Collection[str]) -> str:
    """Verdicts, a line each; what a contrast has too few events for is counted."""
    lacking = verdicts["reason"].isin({one for one in insufficient if one})
    rows = []
    for row in verdicts[~lacking].to_dict("records"):
        known = pd.notna(row["estimate"])
        rows.append(
            (
                plain(row["claim"]),
                plain(row["subject"]),
                plain(row["by"]),
                f"{row['estimate']:+.3g} {plain(row['unit'])}" if known else "",
                _between(row) if known else "",
                f"{row['q']:.2g}" if pd.notna(row["q"]) else "",
                f"**{row['verdict']}**",
                plain(row["reason"] or row["words"]),
            )
        )
    head = ("claim", "of", "by", "estimate", "95 %", "q", "verdict", "in words")
    subjects = listed([plain(str(one)) for one in verdicts.loc[lacking, "subject"].unique()])
    told = f"Untestable for want of events: {counted(int(lacking.sum()), 'claim')} on {subjects}."
    return join([table(head, rows), *([told] if lacking.any() else [])])


def _between(row: Mapping[Any, Any]) -> str:
    return "" if pd.isna(row["low"]) else f"[{row['low']:+.3g}, {row['high']:+.3g}]"


def _contrast(name: str, one: Contrast, neurons: pd.DataFrame | None) -> str:
    """A contrast's held-out areas and confirmed neurons."""
    head = f"### {plain(name)}"
    if one.insufficient or neurons is None:
        return join([head, plain(one.insufficient or "no ranking")])
    return join([head, heldout_table(one.heldout), confirmed_table(neurons)])


def written_summary(given: Mapping[str, Any], params: Any) -> str:
    """The summary of the tables in files.

    Args:
        given: Files of the entry, as the rule has them.
        params: The rule's: contrasts, minimum, top, title, files.
    """
    names = {"rates": RATES, "detector": DETECTOR, "events": EVENTS, "traces": TRACES}
    if given.get("paired"):
        names["paired"] = PAIRED
    read = {name: tables.read(given[name], schema) for name, schema in names.items()}
    contrasts = contrasts_of(given, params.contrasts, tuple(params.minimum), params.top)
    neurons = by_contrast(given["neurons"], params.contrasts, NEURONS)
    concluded = ledger.read(given["verdicts"], given["ledger"])
    ranked = {name: one for name, one in neurons.items() if len(one)}
    return summary(concluded, read, contrasts, ranked, params.title, params.files)
