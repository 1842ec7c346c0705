"""Tables of the summary, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from clampsweep.markdown import code, plain, table
from clampsweep.studies.backtracking.contrast import Contrast
from clampsweep.studies.backtracking.found_events import COUNTED, REGEX
from clampsweep.studies.backtracking.heldout import confirmed
from clampsweep.studies.backtracking.position_kinds import KINDS
from clampsweep.studies.backtracking.tables import OUTPUT

_LISTED = 12  # events whose text the summary shows
_SHOWN = 5  # neurons of a position kind


def rates_table(rates: pd.DataFrame) -> str:
    """Rates of each source, level and type; what is not known is left out."""
    rows = []
    for row in rates[rates["n"] > 0].to_dict("records"):
        group = "all" if row["by"] == "all" else f"{row['by']} {row['group']}"
        rows.append(
            (
                plain(row["source"]),
                plain(group),
                row["measure"],
                f"{row['k']} of {row['n']}",
                f"{row['share']:.0%} [{row['low']:.0%}, {row['high']:.0%}]",
            )
        )
    return table(("traces", "of", "measure", "how many", "share"), rows)


def detector_table(detector: pd.DataFrame) -> str:
    """Precision and recall of the rules on labelled sentences."""
    rows = [
        (
            row["class"],
            row["split"],
            f"{row['n']:,}",
            _share(row, "precision"),
            _share(row, "recall"),
        )
        for row in detector.to_dict("records")
    ]
    head = ("class", "sentences", "n", "precision", "recall")
    return table(head, rows)


def _share(row: Mapping[Any, Any], name: str) -> str:
    if pd.isna(row[name]):
        return ""
    return f"{row[name]:.0%} [{row[f'{name}_low']:.0%}, {row[f'{name}_high']:.0%}]"


def event_list(events: pd.DataFrame, traces: pd.DataFrame) -> str:
    """The first events of the model's own and given traces, with their texts."""
    own = traces[traces["source"] != "written"].set_index("trace_id")
    seen = events[
        (events["label_source"] == REGEX)
        & events["class"].isin(COUNTED)
        & events["trace_id"].isin(own.index)
    ]
    if seen.empty:
        return "The model's own traces have no event."
    rows = [
        (
            plain(row["trace_id"]),
            row["class"],
            plain(row["rule_id"]),
            plain(row["text"][:160]),
            _known(own.loc[row["trace_id"], "correct"]),
        )
        for row in seen[:_LISTED].to_dict("records")
    ]
    more = f"\n\n{len(seen):,} events in all: `events.parquet`." if len(seen) > _LISTED else ""
    return table(("trace", "class", "rule", "sentence", "answer"), rows) + more


def _known(value: Any) -> str:
    return "not known" if pd.isna(value) else "right" if value else "wrong"


def heldout_table(heldout: pd.DataFrame) -> str:
    """Areas on held-out events: a line a method, a column a position kind."""
    rows = []
    names = heldout[["method", "k"]].drop_duplicates()
    for method, k in names.itertuples(index=False):
        own = heldout[(heldout["method"] == method) & (heldout["k"] == k)]
        by_kind = own.set_index("position_kind")
        cells = ["" if kind not in by_kind.index else _area(by_kind.loc[kind]) for kind in KINDS]
        rows.append((plain(method) + (f" ({k})" if k else ""), *cells))
    return table(("score", *KINDS), rows)


def _area(row: pd.Series) -> str:
    if pd.isna(row["low"]):
        return f"{row['estimate']:.2f}"
    return f"{row['estimate']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def confirmed_table(neurons: pd.DataFrame) -> str:
    """The best neurons of each position kind that survive both corrections."""
    rows = []
    for kind in KINDS:
        own = neurons[neurons["position_kind"] == kind]
        sure = confirmed(own)
        for row in sure[:_SHOWN].to_dict("records"):
            rows.append(
                (
                    kind,
                    code(f"L{row['layer']}N{row['neuron']}"),
                    f"{row['g']:+.2f} [{row['g_low']:+.2f}, {row['g_high']:+.2f}]",
                    f"{row['auc']:.2f}",
                    f"{row['auc_test']:.2f}",
                    f"{row['p_max']:.3g}",
                )
            )
        if sure.empty:
            rows.append((kind, "none", "", "", "", f"least {own['p_max'].min():.2g}"))
    head = ("position", "neuron", "Hedges' g", "area, discover", "area, test", "p of the largest")
    return table(head, rows)


def effects_table(name: str, one: Contrast) -> str:
    """Effects of sets of neurons of a contrast."""
    if one.insufficient:
        return f"**{plain(name)}**: {plain(one.insufficient)}"
    rows = []
    for row in one.effects.to_dict("records"):
        unit = row["nll_rest"] if row["scope"] == OUTPUT else row["kl_control"]
        random = (
            ""
            if pd.isna(row["random_low"])
            else (f"[{row['random_low']:+.3f}, {row['random_high']:+.3f}]")
        )
        rows.append(
            (
                row["scope"],
                row["intervention"],
                f"{row['set_kind']} {row['k']}",
                f"{row['estimate']:+.3f}",
                random,
                "" if pd.isna(row["p"]) else f"{row['p']:.2g}",
                f"{unit:.3g}",
                "" if pd.isna(row["direct_event"]) else f"{row['direct_event']:+.3f}",
            )
        )
    head = ("scope", "held", "set", "nats", "random sets", "p", "harm", "direct")
    return f"**{plain(name)}**\n\n" + table(head, rows)


def pairs_table(paired: pd.DataFrame) -> str:
    """What holding neurons at zero changes in generated texts."""
    if paired.empty:
        return "No neurons were named: their contrast has too few events."
    rows = [
        (
            row["condition"],
            row["measure"],
            f"{row['before']:.3g}",
            f"{row['after']:.3g}",
            plain(row["unit"]),
            "" if pd.isna(row["low"]) else f"[{row['low']:+.3g}, {row['high']:+.3g}]",
            f"{row['n']:,}",
            "" if pd.isna(row["p"]) else f"{row['p']:.2g}",
        )
        for row in paired.to_dict("records")
    ]
    head = ("held", "measure", "before", "after", "unit", "difference, 95 %", "pairs", "p")
    return table(head, rows)
