"""What is said of the baselines themselves: blank or broken, why blank, what chats make of them.

A blank text is collapsed for every detector. Whether a text is blank hangs on one choice, the
first: so a clamp, a chat format or a bias on the token that ends texts can all undo it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from clampsweep.ledger import CHAT_BASELINES, Control, ran, skipped
from clampsweep.markdown import table
from clampsweep.studies.bcr.chat_baselines import blank
from clampsweep.studies.bcr.phrases import clamp_name, named, rate_of
from clampsweep.studies.bcr.view import Tables, baselines, intervened
from clampsweep.verdicts import LEVEL
from clampsweep.words import listed, signed

MANY_BLANK = 0.1  # share of the baselines from which the summary opens with them

_CLAMP = ["target", "operation", "value", "scope"]


def collapsed(view: Tables, detector: str) -> str:
    """How many baselines collapse, `18 of 160 baselines collapsed: 16 blank, 2 broken`."""
    rows = view.baselines_of(detector)
    n, said = int(rows["baseline_collapsed"].sum()), view.headline(detector).partition(": ")[2]
    if not n:
        return said
    n_blank = len(_blank_names(view) & set(_names(view, rows)))
    return f"{said}: {n_blank or 'none'} blank, {n - n_blank} broken"


# ---- blank baselines


def many_blank(view: Tables) -> Iterator[str]:
    """That a tenth of the baselines or more are blank, the cause and the usual remedy."""
    own = baselines(view.generations)
    empty = blank(own)
    if not len(own) or empty.mean() < MANY_BLANK:
        return
    said = f"**{int(empty.sum())} of {len(own):,} baselines are blank.** {_cause(own, empty)}"
    yield f"{said}{_undone(view)} {_remedy(view)}"


def _cause(own: pd.DataFrame, empty: pd.Series[bool]) -> str:
    """What the first choice of blank baselines is, beside that of the others."""
    at_once = int((own.loc[empty, "n_new_tokens"] == 0).sum())
    median = own["p_end_first"].groupby(empty).median().dropna()
    if True not in median.index:
        return "How probable the end of the text was at the first token is not known."
    others = f", {median[False]:.2g} among the others" if False in median.index else ""
    return (
        f"In {at_once} of them the first token ends the text; the probability of that "
        f"(`p_end_first`) is {median[True]:.2g} in the median among the blank ones{others}."
    )


def _undone(view: Tables) -> str:
    """What the best clamp makes of that probability, if it rescues anything."""
    rates = view.rates[view.rates["detector"] == view.detectors[0]]
    best = rates.sort_values(["net", "n_rescued"], ascending=False, kind="stable").head(1)
    found = ends(view)
    rows = found.merge(best[best["n_rescued"] > 0], on=_CLAMP) if len(found) else found
    if rows.empty or pd.isna(rows["p_blank"].iloc[0]):
        return ""
    row = next(named(rows.to_dict("records")))
    return (
        f" With {clamp_name(row)} it is {row['p_blank']:.2g} on the same prompts: what rescues "
        "these may be no more than a bias against ending."
    )


def _remedy(view: Tables) -> str:
    """What to try where many baselines are blank."""
    if _is_chat(view):
        return "The usual remedy is another prompt, or another system prompt."
    if _lacks_template(view):
        return "The usual remedy is another prompt: the tokenizer has no chat template."
    known = "which the tokenizer has" if view.made.get("chat_template") else "if the model has one"
    remedy = f"The usual remedy is the chat format, {known} (`prompt_format: chat`)"
    if view.chat_baselines is not None and len(view.chat_baselines):
        row = view.chat_baselines.iloc[0]
        remedy += f": there {row['n_blank_chat']} of {row['n']:,} baselines are blank"
    return f"{remedy}; else another prompt."


def ends(view: Tables) -> pd.DataFrame:
    """How probable an end at once is, clamp by clamp: a row each, the columns of a clamp and four.

    `p_blank` and `p_other` are medians of `p_end_first` over prompts whose baseline is blank and
    over the others, nan where not known; `n_blank` and `n_other` count their clamped texts that
    are blank.
    """
    rows = intervened(view.generations)
    was = pd.Series(_names(view, rows), rows.index, dtype=object).isin(_blank_names(view))
    rows = rows.assign(
        p_blank=rows["p_end_first"].where(was),
        p_other=rows["p_end_first"].where(~was),
        n_blank=blank(rows) & was,
        n_other=blank(rows) & ~was,
    )
    how = {"p_blank": "median", "p_other": "median", "n_blank": "sum", "n_other": "sum"}
    return rows.groupby(_CLAMP, dropna=False, as_index=False).agg(how)


def ends_section(view: Tables) -> Iterator[str]:
    """A table of `ends`, if any baseline is blank and the probabilities are known."""
    own = baselines(view.generations)
    empty = blank(own)
    if not empty.any() or own["p_end_first"].isna().all():
        return
    yield "## Ends at once"
    yield (
        "Probability that the first token ends the text, in the median, and number of blank texts: "
        f"for the {int(empty.sum())} prompts whose baseline is blank, and for the others."
    )
    chances = own["p_end_first"].groupby(empty).median()
    lines = [["no clamp", _chance(chances.get(True)), str(int(empty.sum())),
              _chance(chances.get(False)), "0"]]  # fmt: skip
    found = ends(view)
    for target in view.targets:
        of_target = found[found["target"] == target]
        of_target = of_target.assign(position=view.positions(of_target)).sort_values("position")
        lines += [
            [clamp_name(row), _chance(row["p_blank"]), str(row["n_blank"]),
             _chance(row["p_other"]), str(row["n_other"])]
            for row in named(of_target.to_dict("records"))
        ]  # fmt: skip
    yield table(("clamp", "blank: p", "blank texts", "others: p", "blank texts"), lines)


def _chance(p: Any) -> str:
    return "" if p is None or pd.isna(p) else f"{p:.2g}"


def _names(view: Tables, rows: pd.DataFrame) -> list[tuple[str, int | None]]:
    """The baseline of each row, by prompt and seed; without a seed unless there is one per seed."""
    seeds = [int(seed) for seed in rows["seed"]] if view.sampled else [None] * len(rows)
    return list(zip(rows["prompt_id"], seeds, strict=True))


def _blank_names(view: Tables) -> set[tuple[str, int | None]]:
    own = baselines(view.generations)
    return set(_names(view, own[blank(own)]))


# ---- baselines in the chat format


def in_chat(view: Tables, detector: str) -> Iterator[str]:
    """What becomes of the collapsed baselines in the chat format, and of the fine ones."""
    row = _chat_row(view, detector)
    if row is None:
        return
    p = max(row["mcnemar_p"], row["cluster_p"])
    yield (
        f"{_lead(row, p)} {_changes(row)}, net {signed(float(row['net']))}, p = {p:.2g} "
        "(the larger of McNemar's and the sign-flip test). Of all "
        f"{row['n']:,}, {row['n_collapsed_chat']} collapse there, {row['n_blank_chat'] or 'none'} "
        "blank."
    )


def _lead(row: Mapping[str, Any], p: float) -> str:
    """How the sentence begins: with a claim where both tests allow one."""
    where = "in the model's own chat format, without a clamp,"
    if p >= LEVEL:
        return f"The prompt's form makes no significant difference: {where}"
    if row["net"] < 0:
        return f"The raw prompt is not the cause: {where}"
    much = "Much" if 2 * row["n_rescued"] >= row["n_collapsed_baseline"] else "Some"
    return f"{much} of this collapse is the raw prompt: {where}"


def _changes(row: Mapping[str, Any]) -> str:
    """How many collapsed baselines are fine in the chat format, and how many fine ones collapse."""
    n_blank, n = row["n_blank_baseline"], row["n_collapsed_baseline"]
    kinds = [
        (row["n_blank_rescued"], n_blank, "blank"),
        (row["n_rescued"] - row["n_blank_rescued"], n - n_blank, "broken"),
    ]
    each = "; ".join(f"{part} of {whole} {kind}" for part, whole, kind in kinds if whole)
    said = []
    if n:
        fine = f"{row['n_rescued']} of {n} collapsed baselines are fine"
        said.append(f"{fine} ({each}; {rate_of(row, 'rescue')})")
    if row["n_fine_baseline"]:
        said.append(
            f"{row['n_harmed']} of {row['n_fine_baseline']:,} fine ones collapse "
            f"({rate_of(row, 'harm')})"
        )
    return listed(said)


def _is_chat(view: Tables) -> bool:
    return view.made.get("prompt_format") == "chat"


def _lacks_template(view: Tables) -> bool:
    """Whether the tokenizer is known to have no chat template."""
    return view.made.get("chat_template", "not known") is None


def _chat_row(view: Tables, detector: str) -> dict[str, Any] | None:
    if view.chat_baselines is None:
        return None
    rows = view.chat_baselines[view.chat_baselines["detector"] == detector]
    return next(named(rows.to_dict("records")), None)


def chat_control(view: Tables, detector: str) -> Control:
    """The baselines in the chat format as a control of recovery: that ran, or why not."""
    row = _chat_row(view, detector)
    if row is not None:
        return ran(CHAT_BASELINES, row["n"], "each prompt without a clamp")
    if _is_chat(view):
        return skipped(CHAT_BASELINES, "the sweep's own prompts are chats")
    if _lacks_template(view):
        return skipped(CHAT_BASELINES, "the tokenizer has no chat template")
    return skipped(CHAT_BASELINES, "not asked for (config key chat_baselines)")
