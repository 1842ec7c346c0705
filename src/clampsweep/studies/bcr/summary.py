"""Reports of a sweep in Markdown: the answers first, in words; then the tables behind them.

Prompts and generated texts are untrusted: they stand only in fences or code spans that they
cannot close.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from clampsweep.ledger import controls_table
from clampsweep.markdown import code, join, plain, table
from clampsweep.models.unused_settings import sentence
from clampsweep.studies.bcr.answers import answer
from clampsweep.studies.bcr.baselines import collapsed, ends_section, many_blank
from clampsweep.studies.bcr.chat_baselines import blank
from clampsweep.studies.bcr.phrases import clamp_name, controls_of, named, rate_of
from clampsweep.studies.bcr.view import Tables, intervened
from clampsweep.texts.collapse import NEEDS_TOKENS
from clampsweep.verdicts import LEVEL
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


def summary(view: Tables, files: Mapping[str, str] | None = None) -> str:
    """The sweep in Markdown: how many collapsed, how many rescued, at what cost; then the rates.

    Args:
        view: The tables.
        files: What else there is, path to description, for the last section.
    """
    blocks = [f"# {plain(view.title)}", *many_blank(view)]
    blocks += [answer(view, detector) for detector in view.detectors]
    blocks += [_NOT_TESTED] if view.special is None else []
    blocks += _published(view)
    blocks += [_size(view), _blank(view), *_unasked(view), _fragile(view)]
    unused: Any = view.made.get("unused_settings")
    blocks += [plain(sentence(unused))] if unused else []
    blocks += [*_special_table(view), *_ledger(view), *ends_section(view)]
    blocks += ["## Rates", _HOW_TO_READ]
    for detector in view.detectors:
        blocks += [f"### {plain(detector)}", f"{plain(collapsed(view, detector))}."]
        blocks += [_rates_table(view, detector)]
    if files:
        lines = [f"- {code(path)}: {plain(what)}" for path, what in files.items()]
        blocks += ["## Where everything is", "\n".join(lines)]
    return join(blocks)


def _published(view: Tables) -> Iterator[str]:
    """How the sweep compares with published figures, the differences in full."""
    if view.verification is None:
        return
    rows = view.verification
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


def _special_table(view: Tables) -> Iterator[str]:
    """Every statistic of every target among its controls."""
    beside = view.among_controls
    if beside is None:
        return
    yield "## Among controls"
    yield (
        f"{beside.sizes[:1].upper()}{beside.sizes[1:]}. Two statistics, each a maximum over the "
        "clamps compared, for the target and for each control, in texts: best net, rescued minus "
        "harmed (does it rescue more than they do?), and worst net, harmed minus rescued (does it "
        "harm more?). Of: the most that it can be. Above: share of the controls below the target, "
        "ties counting half. p: rank of the target among its controls; q: after "
        "Benjamini-Hochberg correction over targets. A target must stand out from every kind of "
        "controls. Where half of them or more are within a text of the most that there can be, "
        "the test cannot answer."
    )
    yield from _best_clamps(view)
    head = ("target", "detector", "statistic", "controls", "its", "of", "theirs", "above", "p", "q")
    ranks = [beside.ranks_of(d, target) for d in view.detectors for target in view.targets]
    rows = []
    for row in named(pd.concat(ranks).to_dict("records")):
        theirs = f"{row['control_low']:.0f} to {row['control_high']:.0f}"
        rows.append([
            code(row["target"]), row["detector"], row["statistic"].replace("_", " "),
            controls_of(row), f"{row['observed']:.0f}", f"{row['bound']:.0f}", theirs,
            f"{row['percentile']:.0f} %", f"{row['p']:.2g}", f"{row['q']:.2g}",
        ])  # fmt: skip
    yield table(head, rows)


def _best_clamps(view: Tables) -> Iterator[str]:
    """The clamp that each target chose to be compared at, and what that favours."""
    beside, best = view.among_controls, view.best_clamps
    if beside is None or best is None:
        return
    rows = []
    for row in named(best.to_dict("records")):
        found, where = beside.best_of(row["detector"], row["target"]), "yes"
        if found is None:
            where = "no: it rescues no more than it harms"
        elif beside.left_out(row["detector"], row["target"]):
            where = f"no (config key {code('controls.best_clamp')})"
        on = f"{row['n_prompts']} {'other' if row['held_out'] else 'of the same'}"
        net = f"{signed(float(row['net']))} of {row['n_collapsed_baseline']}"
        rows.append([row["detector"], clamp_name(row), str(row["n_choices"]), on, net, where])
    yield "The best clamp of each target, and the prompts that chose it:"
    yield table(
        ("detector", "best clamp", "chosen among", "prompts", "net there", "compared"), rows
    )
    told = dict.fromkeys(filter(None, map(beside.favour, view.targets)))
    yield from (f"{why[:1].upper()}{why[1:]}." for why in told)


def _ledger(view: Tables) -> Iterator[str]:
    """Which controls ran and which did not."""
    if view.ledger is not None:
        yield "## Controls of the verdicts"
        yield controls_table(view.ledger)


def _size(view: Tables) -> str:
    n_texts = len(intervened(view.generations))
    n_baselines = len(view.generations) - n_texts
    return (
        f"{counted(len(view.prompts), 'prompt')}, {counted(n_baselines, 'baseline')}, "
        f"{counted(n_texts, 'clamped text')} ({counted(len(view.targets), 'target')}, "
        f"{counted(len(view.clamps), 'clamp')})."
    )


def _blank(view: Tables) -> str:
    """How many texts are blank: the least of what can be called collapsed."""
    empty = blank(view.generations)
    own = view.generations["operation"] == "none"
    return (
        f"Blank texts: {int((empty & own).sum()):,} of {counted(int(own.sum()), 'baseline')} and "
        f"{int((empty & ~own).sum()):,} of {counted(int((~own).sum()), 'clamped text')}. "
        "They count as collapsed for every detector."
    )


def _unasked(view: Tables) -> Iterator[str]:
    """The detectors that cannot say anything of imported texts."""
    if view.generations["token_ids"].isna().all():
        names = listed([code(name) for name in sorted(NEEDS_TOKENS)])
        yield (
            f"Not asked: {names}. They look at token ids, and coherence at the model's likelihood "
            "of the text; imported texts have neither."
        )


def _fragile(view: Tables) -> str:
    """How many texts another rounding might change."""
    margins = view.generations["min_margin"].dropna()
    if margins.empty:
        return "Numerically fragile texts: not known, because no logit margins were recorded."
    n_fragile = int((margins < FRAGILE_MARGIN).sum())
    return (
        f"Numerically fragile texts: {n_fragile:,} of {len(margins):,}. "
        f"Somewhere along these the two best tokens are less than {FRAGILE_MARGIN:g} logits apart, "
        "so that other software or another precision may continue differently."
    )


def _rates_table(view: Tables, detector: str) -> str:
    head = ("clamp", "rescued", "rate", "harmed", "rate", "net", "p", "q", "core q")
    rows = []
    for target in view.targets:
        for row in view.rates_of(detector, target).to_dict("records"):
            values = {str(name): value for name, value in row.items()}
            rescued = f"{values['n_rescued']} / {values['n_collapsed_baseline']}"
            harmed = f"{values['n_harmed']} / {values['n_fine_baseline']}"
            names = ("mcnemar_p", "mcnemar_q", "cluster_q")
            tests = [f"{values[name]:.2g}" for name in names]
            rates = rate_of(values, "rescue"), rate_of(values, "harm")
            net = signed(float(values["net"])) + _net_interval(values)
            rows.append([clamp_name(values), rescued, rates[0], harmed, rates[1], net, *tests])
    return table(head, rows)


def _net_interval(row: Mapping[str, Any]) -> str:
    low, high = row["net_boot_low"], row["net_boot_high"]
    return "" if pd.isna(low) else f" {{{low:.0f}, {high:.0f}}}"
