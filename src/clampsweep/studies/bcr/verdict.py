"""What a sweep shows: recovery or not, harm or not, and beyond its controls or not, by detector.

Figures and reports say it first, and read it from the tables that are drawn up here: the verdicts,
and which controls each of them has.
"""

from __future__ import annotations

from clampsweep.ledger import (
    HELD_OUT_PROMPTS,
    SAMPLED_BASELINES,
    Conclusions,
    Control,
    conclusions,
    ran,
    skipped,
)
from clampsweep.studies.bcr import labelled
from clampsweep.studies.bcr.baselines import chat_control
from clampsweep.studies.bcr.effect import Effect, effect, significant
from clampsweep.studies.bcr.phrases import which_clamp
from clampsweep.studies.bcr.special_verdict import Judged, among_controls, claim_of
from clampsweep.studies.bcr.view import Tables
from clampsweep.verdicts import Result, conclude
from clampsweep.words import counted, listed


def judge(view: Tables) -> Conclusions:
    """The verdicts on a sweep and their controls: on recovery, on harm, and on each target.

    Args:
        view: The tables; verdicts and ledger of them are not looked at.
    """
    rows: list[Judged] = []
    for detector in view.detectors:
        found = effect(view, detector)
        own = [_recovery(view, detector, found), _harm(view, detector, found)]
        own += among_controls(view, detector)
        if guess := labelled.guess(detector, view.unlike):
            own = [({**row, "why": f"{row['why']}; {guess}"}, beside) for row, beside in own]
        rows += own
    return conclusions(rows)


def _subject(view: Tables) -> str:
    """The targets, by name while they are few."""
    few = len(view.targets) <= 3
    return listed(view.targets) if few else counted(len(view.targets), "target")


def _recovery(view: Tables, detector: str, found: Effect) -> Judged:
    """The best clamp on prompts that did not choose it; that some clamp gains at all counts too."""
    rates = view.rates[view.rates["detector"] == detector]
    gaining = rates.loc[rates["net"] > 0, ["mcnemar_q", "cluster_q"]].max(axis=1)
    result, scored = Result(), found.held_out
    why = "no clamp could be scored on prompts that did not choose it"
    if scored is not None:
        which = which_clamp(rates.to_dict("records")[0])
        if len(rates) > 1:
            halves = view.split_half[view.split_half["detector"] == detector]
            halves = halves[halves["among"] == ""]
            names = dict.fromkeys(which_clamp(row) for row in halves.to_dict("records"))
            which = f"the best clamp on prompts that did not choose it ({listed(list(names))})"
        why = (
            f"{which} rescued {scored['n_rescued']} of {scored['n_collapsed_baseline']} collapsed "
            f"texts and harmed {scored['n_harmed']} of {scored['n_fine_baseline']} fine ones; "
            f"{counted(found.gains, 'clamp')} significantly better than none"
        )
        p = max(scored["mcnemar_p"], scored["cluster_p"])
        result = Result(
            estimate=scored["net"],
            low=scored["net_boot_low"],
            high=scored["net_boot_high"],
            null=0.0,
            n=scored["n"],
            p=p,
            q=max(p, gaining.min() if len(gaining) else 1.0),
        )
    empty = len(rates) and not found.n_collapsed
    row = conclude(
        claim_of("recovery", _subject(view), "greater", detector),
        result,
        found.words,
        why,
        least_q=None if found.gains else found.rescue.least_q,
        untestable=why if scored is None else "",
        vacuous="no baseline is collapsed, so nothing can recover" if empty else "",
    )
    beside = _sampled(view, detector), chat_control(view, detector)
    return row, [_held_out(view, detector, found), *beside]


def _harm(view: Tables, detector: str, found: Effect) -> Judged:
    """The clamp with the worst net, of those that do significant harm if there are any."""
    rates = view.rates[view.rates["detector"] == detector]
    sure = rates[significant(rates) & (rates["net"] < 0)]
    result, said = Result(), ""
    if len(rates):
        in_order = (sure if len(sure) else rates).sort_values("net", kind="stable")
        worst = in_order.to_dict("records")[0]
        said = f"; {which_clamp(worst)} harmed {worst['n_harmed']} and rescued {worst['n_rescued']}"
        result = Result(
            estimate=float(worst["net"]),
            low=worst["net_boot_low"],
            high=worst["net_boot_high"],
            null=0.0,
            n=int(worst["n"]),
            p=max(worst["mcnemar_p"], worst["cluster_p"]),
            q=max(worst["mcnemar_q"], worst["cluster_q"]),
        )
    empty = len(rates) and found.n_collapsed == len(view.baselines_of(detector))
    row = conclude(
        claim_of("harm", _subject(view), "less", detector),
        result,
        found.harm_words,
        f"{found.harms} of {len(rates)} clamps harm significantly more than they rescue{said}",
        least_q=None if found.harms else found.harm.least_q,
        untestable="" if len(rates) else "no clamped text was scored",
        vacuous="no baseline is fine, so nothing can be harmed" if empty else "",
    )
    alone = "the worst clamp is scored on the prompts that chose it; q allows for all clamps"
    return row, [skipped(HELD_OUT_PROMPTS, alone), _sampled(view, detector)]


def _held_out(view: Tables, detector: str, found: Effect) -> Control:
    rates = view.rates[view.rates["detector"] == detector]
    if len(rates) == 1:
        return skipped(HELD_OUT_PROMPTS, "a single clamp leaves nothing to choose")
    if found.held_out is None:
        return skipped(HELD_OUT_PROMPTS, "the clamps have no texts on two halves of the prompts")
    n = view.recovery.loc[view.recovery["detector"] == detector, "prompt_id"].nunique()
    return ran(HELD_OUT_PROMPTS, n, "each half is scored with the best clamp of the other")


def _sampled(view: Tables, detector: str) -> Control:
    if view.variability is not None:
        n = int((view.variability["detector"] == detector).sum())
        return ran(SAMPLED_BASELINES, n, "seeds; each prompt without a clamp")
    if view.sampled:
        return skipped(SAMPLED_BASELINES, "the sweep is sampled, with a baseline for each seed")
    return skipped(SAMPLED_BASELINES, "not asked for (config key variability)")
