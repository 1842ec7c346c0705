"""Reports of a sweep in Markdown: the answers first, in words; then the tables behind them.

Prompts and generated texts are untrusted: they stand only in fences or code spans that they
cannot close.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from clampsweep.markdown import code, join, plain, table
from clampsweep.operations import clamp, describe
from clampsweep.studies.bcr.detector_report import share
from clampsweep.studies.bcr.verdict import (
    LEVEL,
    MIN_CONTROLS,
    can_tell,
    headline,
    held_out,
    significant,
    special_targets,
)
from clampsweep.studies.bcr.view import CONTROL_KINDS, Tables, intervened
from clampsweep.words import counted, listed, signed

FRAGILE_MARGIN = 1e-3  # logits

_NOT_TESTED = (
    "Not tested whether this neuron is special: that takes the same sweep on control neurons and "
    "random directions (config key `controls`). Nothing here says that another neuron does less."
)

_HOW_TO_READ = (
    "Rescued: share of the collapsed baselines whose clamped text is fine. Harmed: share of the "
    "fine baselines whose clamped text is collapsed. Brackets: 95 % Wilson intervals, as if "
    "prompts were independent. Net: rescued minus harmed, in braces its 95 % bootstrap interval "
    "over cores. p: exact two-sided McNemar test of rescued against harmed; q: after "
    "Benjamini-Hochberg correction over the rows of the table. core q: the same for a sign-flip "
    "test over cores, which allows for prompts of a core moving together. Where some prompt has no "
    f"core, prompts stand for cores. A clamp counts as significant if both q are below {LEVEL}."
)


# ---- the summary


def summary(sweep: Tables, files: Mapping[str, str] | None = None) -> str:
    """The sweep in Markdown: how many collapsed, how many rescued, at what cost; then the rates.

    Args:
        sweep: The tables.
        files: What else there is, path to description, for the last section.
    """
    blocks = [f"# {plain(sweep.title)}"]
    blocks += [_answer(sweep, detector) for detector in sweep.detectors]
    blocks += [_NOT_TESTED] if sweep.special is None else []
    blocks += _published(sweep)
    blocks += [_size(sweep), _blank(sweep), _fragile(sweep)]
    blocks += [*_special_table(sweep), "## Rates", _HOW_TO_READ]
    for detector in sweep.detectors:
        blocks += [f"### {plain(sweep.headline(detector))}", _rates_table(sweep, detector)]
    if files:
        listed = [f"- {code(path)}: {plain(what)}" for path, what in files.items()]
        blocks += ["## Where everything is", "\n".join(listed)]
    return join(blocks)


def _answer(sweep: Tables, detector: str) -> str:
    """The verdict of a detector, and a list of sentences that say what it rests on."""
    rates = sweep.rates[sweep.rates["detector"] == detector]
    changed = bool((rates["n_rescued"] + rates["n_harmed"]).sum())
    if rates.empty:
        sentences = ["No clamped text was scored."]
    elif not changed:
        sentences = ["A null result: no clamp rescued or harmed a single text."]
    else:
        sentences = [*_held_out(sweep, detector), *_best(rates), *_worst(rates)]
        sentences += [_significance(sweep, rates), *_by_any(sweep, detector)]
    sentences += [*_compared(sweep, detector), *_sampling(sweep, detector)]
    sentences += [*_trust(sweep, detector)]
    return "\n- ".join([
        f"**{plain(detector)}: {headline(sweep, detector)}.** {_collapsed(sweep, detector)}.\n",
        *sentences,
    ])  # fmt: skip


def _collapsed(sweep: Tables, detector: str) -> str:
    """How many baselines collapse, `8 of 140 baselines collapsed`."""
    return plain(sweep.headline(detector).partition(": ")[2])


def _held_out(sweep: Tables, detector: str) -> Iterator[str]:
    """What the best clamp does on prompts that did not choose it."""
    n_rates = int((sweep.rates["detector"] == detector).sum())
    if n_rates < 2 or not sweep.baselines_of(detector)["baseline_collapsed"].any():
        return
    if (row := held_out(sweep, detector)) is None:
        yield "The clamps could not be compared on halves of the prompts."
        return
    halves = sweep.split_half[sweep.split_half["detector"] == detector].to_dict("records")
    names = listed(list(dict.fromkeys(_name(row) for row in _named(halves))))
    yield (
        f"With the best clamp chosen on one half of the prompts and scored on the other, and the "
        f"reverse ({names}): rescued {row['n_rescued']} of {row['n_collapsed_baseline']:,} "
        f"collapsed texts and harmed {row['n_harmed']} of {row['n_fine_baseline']:,} fine texts, "
        f"net {signed(float(row['net']))}, p = {row['cluster_p']:.2g} (sign-flip test over "
        f"{_clusters(sweep)})."
    )


def _clusters(sweep: Tables) -> str:
    """What tests take as independent of each other."""
    return "cores" if sweep.prompts["core"].notna().all() else "prompts"


def _compared(sweep: Tables, detector: str) -> Iterator[str]:
    """Where the targets stand among their controls, by the largest net effect."""
    beside = sweep.among_controls
    if beside is None:
        return
    single, special = len(sweep.targets) == 1, special_targets(sweep, detector)
    for target in sweep.targets:
        ranks = beside.ranks_of(detector, target)
        said = [
            f"above {row['percentile']:.0f} % of {_controls(row)} (theirs: "
            f"{row['control_low']:.0f} to {row['control_high']:.0f}, median "
            f"{row['control_median']:g}; p = {row['p']:.2g}"
            f"{'' if single else ', q = {:.2g}'.format(row['q'])})"
            for row in _named(ranks[ranks["statistic"] == "largest_net"].to_dict("records"))
        ]
        answer = "Yes" if target in special else "No"
        if answer == "No" and not can_tell(sweep, detector):
            need = MIN_CONTROLS * len(sweep.targets)
            each = "" if single else " per target"
            answer = f"Cannot tell: that takes {need} controls of each kind{each}"
        yield (
            f"Is {code(target)} special? {answer}. {_largest(ranks)}, on the prompts and clamps "
            f"of its controls. That is {listed(said)}."
        )


def _controls(rank: Mapping[str, Any]) -> str:
    return counted(rank["n_controls"], CONTROL_KINDS[rank["kind"]])


def _largest(ranks: pd.DataFrame) -> str:
    """A target's largest net effect and its direction."""
    own = ranks.drop_duplicates("statistic").set_index("statistic")["observed"]
    size = int(own["largest_net"])
    more, fewer = ("rescued", "harmed") if own["best_net"] == size else ("harmed", "rescued")
    direction = f" more {more} than {fewer}" if size else ""
    return f"Its largest net effect is {counted(size, 'text')}{direction}"


def _sampling(sweep: Tables, detector: str) -> Iterator[str]:
    """What sampled baselines do, without any clamp."""
    if sweep.variability is None:
        return
    rows = sweep.variability[sweep.variability["detector"] == detector]
    n = rows[["n_rescued", "n_collapsed_baseline", "n_harmed", "n_fine_baseline"]].sum()
    said = [
        f"{100 * n[part] / n[whole]:.0f} % of the texts of prompts whose greedy baseline is "
        f"{before} are {after}"
        for part, whole, before, after in (
            ("n_rescued", "n_collapsed_baseline", "collapsed", "fine"),
            ("n_harmed", "n_fine_baseline", "fine", "collapsed"),
        )
        if n[whole]
    ]
    yield f"Sampling alone, without any clamp ({counted(len(rows), 'seed')}): {listed(said)}."


def _trust(sweep: Tables, detector: str) -> Iterator[str]:
    """How good the detector is on labelled texts."""
    if sweep.detector_quality is not None:
        precision, recall = (
            share(sweep.detector_quality, detector, name) for name in ("precision", "recall")
        )
        yield (
            f"How far to trust {code(detector)}: on labelled texts its precision is {precision}, "
            f"its recall {recall}."
        )


def _published(sweep: Tables) -> Iterator[str]:
    """How the sweep compares with published figures, the differences in full."""
    if sweep.verification is None:
        return
    rows = sweep.verification
    passed, differ, untested = (
        int((rows["status"] == status).sum()) for status in ("PASS", "DIFFERS", "NOT_TESTED")
    )
    yield (
        f"**Against the published figures:** {passed} of {passed + differ} agree (PASS), {differ} "
        f"differ; {untested} could not be tested. `verification.md` has each."
    )
    told = rows[rows["status"].isin(["DIFFERS", "SHOWN"])]
    if len(told):
        yield table(
            ("figure", "published", "here", "status"),
            [[plain(str(row[n])) for n in ("fact", "expected", "found", "status")]
             for row in told.to_dict("records")],
        )  # fmt: skip


def _special_table(sweep: Tables) -> Iterator[str]:
    """Every statistic of every target among its controls."""
    beside = sweep.among_controls
    if beside is None:
        return
    yield "## Among controls"
    yield (
        f"{beside.sizes[:1].upper()}{beside.sizes[1:]}. Each statistic is a maximum "
        "over the clamps compared, for the target and for each control, in texts. Above: share of "
        "the controls below the target, ties counting half. p: rank of the target among its "
        "controls; q: after Benjamini-Hochberg correction over targets. The verdict goes by the "
        "largest net effect, which must stand out from every kind of controls."
    )
    head = ("target", "detector", "statistic", "controls", "its", "theirs", "above", "p", "q")
    ranks = [beside.ranks_of(d, target) for d in sweep.detectors for target in sweep.targets]
    rows = []
    for row in _named(pd.concat(ranks).to_dict("records")):
        theirs = f"{row['control_low']:.0f} to {row['control_high']:.0f}"
        rows.append([
            code(row["target"]), row["detector"], row["statistic"].replace("_", " "),
            _controls(row), f"{row['observed']:.0f}", theirs,
            f"{row['percentile']:.0f} %", f"{row['p']:.2g}", f"{row['q']:.2g}",
        ])  # fmt: skip
    yield table(head, rows)


def _named(records: Iterable[Mapping[Any, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of a table, their columns by name."""
    for record in records:
        yield {str(name): value for name, value in record.items()}


def _best(rates: pd.DataFrame) -> Iterator[str]:
    """The best clamp if anything was rescued, else the worst."""
    if rates["n_rescued"].sum():
        best = _first(rates, ["net", "n_rescued"])
        chosen = f", the best of {len(rates)} on these same prompts, which flatters it"
        yield (
            f"The best clamp by net effect, {_name(best)}, {_effect(best, 'rescue')} and "
            f"{_effect(best, 'harm')}: net {signed(float(best['net']))}"
            f"{chosen if len(rates) > 1 else ''}."
        )
        return
    none = rates["n_collapsed_baseline"].sum() == 0
    yield (
        "There was nothing to rescue, so this sweep cannot show recovery."
        if none
        else "No clamp rescued any of them: a null result for recovery."
    )


def _worst(rates: pd.DataFrame) -> Iterator[str]:
    """The most harmful clamp, if there is harm and it is not the only clamp, named already."""
    worst = _first(rates, ["n_harmed"])
    if worst["n_harmed"] and (len(rates) > 1 or not worst["n_rescued"]):
        yield f"The most harmful clamp, {_name(worst)}, {_effect(worst, 'harm')}."


def _significance(sweep: Tables, rates: pd.DataFrame) -> str:
    """How many clamps have a significant net effect, in either direction."""
    sure = significant(rates)
    better, worse = int((sure & (rates["net"] > 0)).sum()), int((sure & (rates["net"] < 0)).sum())
    if not better and not worse:
        coarse = _coarse(sweep, rates)
        said = f"o clamp has a significant net effect (both q < {LEVEL})."
        return f"N{said} {coarse}" if coarse else f"A null result: n{said}"
    return (
        f"Significant net effects (both q < {LEVEL}): {better} of {len(rates)} clamps rescue more "
        f"texts than they harm, {worse} of {len(rates)} harm more than they rescue."
    )


def _coarse(sweep: Tables, rates: pd.DataFrame) -> str:
    """That few cores may hide what McNemar's test alone finds; empty if it finds nothing."""
    alone, m, n = int((rates["mcnemar_q"] < LEVEL).sum()), len(rates), rates["n_clusters"].max()
    least = 2 / 2 ** int(n)
    needed = int(least * m / LEVEL) + 1  # so many rows with the least p have q < LEVEL
    if not alone or needed == 1:
        return ""
    few = f"no fewer than {needed} of them can be significant" if needed <= m else "none can be"
    return (
        f"By McNemar's test alone, {alone} of {m} have one, but it takes prompts as independent. "
        f"The test over {n} {_clusters(sweep)} does not; its p is never below {least:.2g}, so that "
        f"after correction over {m} clamps {few}, however large."
    )


def _by_any(sweep: Tables, detector: str) -> Iterator[str]:
    """How many baselines are rescued, and harmed, by at least one of several clamps."""
    rows = sweep.recovery[sweep.recovery["detector"] == detector]
    if len(sweep.clamps) * len(sweep.targets) < 2:
        return
    by = ["prompt_id", "seed"] if sweep.sampled else ["prompt_id"]
    each = rows.groupby(by, dropna=False)[
        ["baseline_collapsed", "intervention_improves_baseline", "intervention_harms_baseline"]
    ].any()
    collapsed, rescued, harmed = (int(each[name].sum()) for name in each.columns)
    yield (
        f"Counted over all clamps, {rescued} of {collapsed} collapsed baselines are rescued at "
        f"least once and {harmed} of {len(each) - collapsed} fine ones harmed at least once; both "
        "numbers grow with every clamp tried."
    )


def _first(rates: pd.DataFrame, by: list[str]) -> dict[str, Any]:
    """The row with the highest values."""
    row = rates.sort_values(by, ascending=False, kind="stable").iloc[0]
    return {str(name): value for name, value in row.items()}


def _name(row: Mapping[str, Any]) -> str:
    change = clamp(row["operation"], row["value"], row["scope"])
    return code(f"{row['target']} {describe(change)}")


def _effect(row: Mapping[str, Any], kind: str) -> str:
    """What a clamp did, such as `rescued 7 of 8 collapsed texts (87.5 % [52.9, 97.8])`."""
    done, of = ("rescued", "collapsed") if kind == "rescue" else ("harmed", "fine")
    total = row[f"n_{of}_baseline"]
    if total == 0:
        return f"had no {of} text to {kind.removesuffix('d')}"
    return f"{done} {row[f'n_{done}']} of {total:,} {of} texts ({_rate(row, kind)})"


def _rate(row: Mapping[str, Any], kind: str) -> str:
    rate, low, high = (row[f"{kind}_{end}"] for end in ("rate", "low", "high"))
    if pd.isna(rate):
        return "none"
    return f"{100 * rate:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def _size(sweep: Tables) -> str:
    n_texts = len(intervened(sweep.generations))
    n_baselines = len(sweep.generations) - n_texts
    return (
        f"{counted(len(sweep.prompts), 'prompt')}, {counted(n_baselines, 'baseline')}, "
        f"{counted(n_texts, 'clamped text')} ({counted(len(sweep.targets), 'target')}, "
        f"{counted(len(sweep.clamps), 'clamp')})."
    )


def _blank(sweep: Tables) -> str:
    """How many texts are blank: the least of what can be called collapsed."""
    blank = sweep.generations["text"].str.strip() == ""
    own = sweep.generations["operation"] == "none"
    return (
        f"Blank texts: {int((blank & own).sum()):,} of {counted(int(own.sum()), 'baseline')} and "
        f"{int((blank & ~own).sum()):,} of {counted(int((~own).sum()), 'clamped text')}. "
        "They count as collapsed for every detector."
    )


def _fragile(sweep: Tables) -> str:
    """How many texts another rounding might change."""
    margins = sweep.generations["min_margin"].dropna()
    if margins.empty:
        return "Numerically fragile texts: not known, because no logit margins were recorded."
    n_fragile = int((margins < FRAGILE_MARGIN).sum())
    return (
        f"Numerically fragile texts: {n_fragile:,} of {len(margins):,}. "
        f"Somewhere along these the two best tokens are less than {FRAGILE_MARGIN:g} logits apart, "
        "so that other software or another precision may continue differently."
    )


def _rates_table(sweep: Tables, detector: str) -> str:
    head = ("clamp", "rescued", "rate", "harmed", "rate", "net", "p", "q", "core q")
    rows = []
    for target in sweep.targets:
        for row in sweep.rates_of(detector, target).to_dict("records"):
            values = {str(name): value for name, value in row.items()}
            rescued = f"{values['n_rescued']} / {values['n_collapsed_baseline']}"
            harmed = f"{values['n_harmed']} / {values['n_fine_baseline']}"
            names = ("mcnemar_p", "mcnemar_q", "cluster_q")
            tests = [f"{values[name]:.2g}" for name in names]
            rates = _rate(values, "rescue"), _rate(values, "harm")
            net = signed(float(values["net"])) + _net_interval(values)
            rows.append([_name(values), rescued, rates[0], harmed, rates[1], net, *tests])
    return table(head, rows)


def _net_interval(row: Mapping[str, Any]) -> str:
    low, high = row["net_boot_low"], row["net_boot_high"]
    return "" if pd.isna(low) else f" {{{low:.0f}, {high:.0f}}}"
