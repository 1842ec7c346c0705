"""What the tables say of each detector, in sentences: the head of the summary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from clampsweep.markdown import code, plain
from clampsweep.studies.bcr import labelled
from clampsweep.studies.bcr.among_controls import AmongControls
from clampsweep.studies.bcr.baselines import collapsed, in_chat
from clampsweep.studies.bcr.detector_report import share
from clampsweep.studies.bcr.effect import effect, significant, units
from clampsweep.studies.bcr.headline import NOT_SPECIAL, SPECIAL, headline, verdicts_of
from clampsweep.studies.bcr.phrases import clamp_name, controls_of, effect_of, named
from clampsweep.studies.bcr.special import STATISTICS
from clampsweep.studies.bcr.split_half import both_halves
from clampsweep.studies.bcr.view import Tables
from clampsweep.verdicts import LEVEL
from clampsweep.words import counted, listed, signed


def answer(view: Tables, detector: str) -> str:
    """The verdict of a detector, and a list of sentences that say what it rests on."""
    rates = view.rates[view.rates["detector"] == detector]
    changed = bool((rates["n_rescued"] + rates["n_harmed"]).sum())
    if rates.empty:
        sentences = ["No clamped text was scored."]
    elif not changed:
        sentences = ["A null result: no clamp rescued or harmed a single text."]
    else:
        sentences = [*_held_out(view, detector), *_best(rates), *_worst(rates)]
        sentences += [_significance(view, rates, detector), *_by_any(view, detector)]
    sentences += [*_compared(view, detector), *_sampling(view, detector)]
    sentences += [*_trust(view, detector)]
    guess = labelled.guess(detector, view.unlike)
    warned = f" **Beware:** {guess}." if guess else ""
    verdict = f"**{plain(detector)}: {headline(view, detector)}.**"
    return "\n- ".join([f"{verdict} {_baselines(view, detector)}{warned}\n", *sentences])


def _baselines(view: Tables, detector: str) -> str:
    """How many baselines collapse, and what the chat format makes of them."""
    return " ".join([f"{plain(collapsed(view, detector))}.", *in_chat(view, detector)])


def _held_out(view: Tables, detector: str) -> Iterator[str]:
    """What the best clamp does on prompts that did not choose it; of each target too."""
    n_rates = int((view.rates["detector"] == detector).sum())
    if n_rates < 2 or not view.baselines_of(detector)["baseline_collapsed"].any():
        return
    halves = view.split_half[view.split_half["detector"] == detector]
    if halves.empty:
        yield "The clamps could not be compared on halves of the prompts."
        return
    several = len(view.targets) > 1
    for among, rows in halves.groupby("among"):  # that among all comes first
        (row,) = named(both_halves(rows).to_dict("records"))
        names = listed(
            list(dict.fromkeys(clamp_name(one) for one in named(rows.to_dict("records"))))
        )
        chosen = (
            f"chosen among {rows['n_choices'].max()} pairs of target and clamp "
            if several
            else "chosen "
        )
        result = (
            f"rescued {row['n_rescued']} of {row['n_collapsed_baseline']:,} collapsed texts and "
            f"harmed {row['n_harmed']} of {row['n_fine_baseline']:,} fine texts, net "
            f"{signed(float(row['net']))}, p = {row['cluster_p']:.2g}"
        )
        if among:
            yield f"Among the clamps of {code(str(among))} alone ({names}): {result}."
        else:
            yield (
                f"With the best clamp {chosen}on one half of the prompts and scored on the other, "
                f"and the reverse ({names}): {result} (sign-flip test over {units(view)})."
            )


def _compared(view: Tables, detector: str) -> Iterator[str]:
    """Where the targets stand among their controls: what they rescue, and what they harm."""
    if view.among_controls is None:
        return
    for target in view.targets:
        for claim in STATISTICS:
            yield _stands(view, view.among_controls, detector, target, claim)


def _stands(view: Tables, beside: AmongControls, detector: str, target: str, claim: str) -> str:
    """Where a target stands among its controls by a claim, and whether that tells."""
    verdicts = verdicts_of(view, claim, detector).set_index("subject")
    words, reason = (str(verdicts[name][target]) for name in ("words", "reason"))
    does, best, net, before = {
        "special": ("rescue", "best", "rescued minus harmed", "collapsed"),
        "special_harm": ("harm", "worst", "harmed minus rescued", "fine"),
    }[claim]
    said = {SPECIAL: "Yes", NOT_SPECIAL: "No"}.get(words, f"{words[:1].upper()}{words[1:]}")
    if words == SPECIAL and claim == "special" and (favour := beside.favour(target)):
        reason = f"but {favour}"
    said = plain(f"{said} ({reason})" if reason else said)
    answer = f"Does {code(target)} {does} more than its controls? {said}."
    ranks = list(named(beside.ranks_of(detector, target, STATISTICS[claim]).to_dict("records")))
    if not ranks or not ranks[0]["bound"]:
        return answer
    single = len(view.targets) == 1
    above = [
        f"above {row['percentile']:.0f} % of {controls_of(row)} (theirs: "
        f"{row['control_low']:.0f} to {row['control_high']:.0f}, median "
        f"{row['control_median']:g}; p = {row['p']:.2g}"
        f"{'' if single else ', q = {:.2g}'.format(row['q'])})"
        for row in ranks
    ]
    return (
        f"{answer} At the clamps compared its {best} net, {net}, is "
        f"{signed(ranks[0]['observed'])} of {counted(ranks[0]['bound'], f'{before} text')}: "
        f"{listed(above)}."
    )


def _sampling(view: Tables, detector: str) -> Iterator[str]:
    """What sampled baselines do, without any clamp."""
    if view.variability is None:
        return
    rows = view.variability[view.variability["detector"] == detector]
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


def _trust(view: Tables, detector: str) -> Iterator[str]:
    """How good the detector is on labelled texts."""
    if view.detector_quality is not None:
        precision, recall = (
            share(view.detector_quality, detector, name) for name in ("precision", "recall")
        )
        yield (
            f"How far to trust {code(detector)}: on labelled texts its precision is {precision}, "
            f"its recall {recall}.{_measured_elsewhere(view)}"
        )


def _measured_elsewhere(view: Tables) -> str:
    """That the labelled texts are unlike those of the sweep; empty if they are like them."""
    if not view.unlike:
        return ""
    how = listed(view.unlike)
    return f" These were {labelled.SOURCE}; how good it is on {how} was not measured."


def _best(rates: pd.DataFrame) -> Iterator[str]:
    """The best clamp if anything was rescued, else the worst."""
    if rates["n_rescued"].sum():
        best = _first(rates, ["net", "n_rescued"])
        chosen = f", the best of {len(rates)} on these same prompts, which flatters it"
        yield (
            f"The best clamp by net effect, {clamp_name(best)}, {effect_of(best, 'rescue')} and "
            f"{effect_of(best, 'harm')}: net {signed(float(best['net']))}"
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
        yield f"The most harmful clamp, {clamp_name(worst)}, {effect_of(worst, 'harm')}."


def _significance(view: Tables, rates: pd.DataFrame, detector: str) -> str:
    """How many clamps have a significant net effect, in either direction."""
    sure = significant(rates)
    better, worse = int((sure & (rates["net"] > 0)).sum()), int((sure & (rates["net"] < 0)).sum())
    if not better and not worse:
        coarse = _coarse(view, rates, detector)
        said = f"o clamp has a significant net effect (both q < {LEVEL})."
        return f"N{said} {coarse}" if coarse else f"A null result: n{said}"
    return (
        f"Significant net effects (both q < {LEVEL}): {better} of {len(rates)} clamps rescue more "
        f"texts than they harm, {worse} of {len(rates)} harm more than they rescue."
    )


def _coarse(view: Tables, rates: pd.DataFrame, detector: str) -> str:
    """That few cores may hide an effect; empty if they would have let one be seen."""
    alone, m, n = int((rates["mcnemar_q"] < LEVEL).sum()), len(rates), rates["n_clusters"].max()
    least = 2 / 2 ** int(n)
    needed = int(least * m / LEVEL) + 1  # so many rows with the least p have q < LEVEL
    found = effect(view, detector)
    if not (alone and needed > 1) and not (found.rescue.words or found.harm.words):
        return ""
    if needed == 1:
        words = [change.words for change in (found.rescue, found.harm) if change.words]
        return f"That says little: {', and '.join(words)}."
    few = f"no fewer than {needed} of them can be significant" if needed <= m else "none can be"
    others = (
        f"By McNemar's test alone, {alone} of {m} have one, but it takes prompts as independent. "
        f"The test over {n} {units(view)} does not; its p"
    )
    start = others if alone else f"That says little: the p of the test over {n} {units(view)}"
    return (
        f"{start} is never below {least:.2g}, so that "
        f"after correction over {counted(m, 'clamp')} {few}, however large."
    )


def _by_any(view: Tables, detector: str) -> Iterator[str]:
    """How many baselines are rescued, and harmed, by at least one of several clamps."""
    rows = view.recovery[view.recovery["detector"] == detector]
    if len(view.clamps) * len(view.targets) < 2:
        return
    by = ["prompt_id", "seed"] if view.sampled else ["prompt_id"]
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
