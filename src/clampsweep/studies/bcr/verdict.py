"""What a sweep shows: recovery or not, harm or not, and beyond its controls or not, by detector.

Figures and reports say it first, and read it from the tables that are drawn up here: the verdicts,
and which controls each of them has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from clampsweep.ledger import (
    HELD_OUT_PROMPTS,
    MATCHED_NEURONS,
    RANDOM_DIRECTIONS,
    SAMPLED_BASELINES,
    Conclusions,
    Control,
    conclusions,
    ran,
    skipped,
)
from clampsweep.studies.bcr.baselines import chat_control
from clampsweep.studies.bcr.effect import Effect, effect, significant
from clampsweep.studies.bcr.headline import NOT_COMPARED, NOT_SPECIAL, SPECIAL, TOO_FEW
from clampsweep.studies.bcr.recovery import clusters
from clampsweep.studies.bcr.special import MIN_CONTROLS, is_special
from clampsweep.studies.bcr.view import Tables
from clampsweep.texts.control_table import closeness
from clampsweep.verdicts import LEVEL, Claim, Result, conclude
from clampsweep.words import counted, listed

_KINDS = {"neuron": MATCHED_NEURONS, "direction": RANDOM_DIRECTIONS}

Judged = tuple[dict[str, Any], Sequence[Control]]  # a row of VERDICTS, and its controls


def judge(view: Tables) -> Conclusions:
    """The verdicts on a sweep and their controls: on recovery, on harm, and on each target.

    Args:
        view: The tables; verdicts and ledger of them are not looked at.
    """
    rows: list[Judged] = []
    for detector in view.detectors:
        found = effect(view, detector)
        rows += [_recovery(view, detector, found), _harm(view, detector, found)]
        rows += _special(view, detector)
    return conclusions(rows)


def _claim(name: str, subject: str, side: str, detector: str) -> Claim:
    return Claim("bcr", name, subject, side, unit="texts", by=detector)


def _subject(view: Tables) -> str:
    """The targets, by name while they are few."""
    few = len(view.targets) <= 3
    return listed(view.targets) if few else counted(len(view.targets), "target")


def _least_p(view: Tables, detector: str, collapsed: bool) -> float:
    """The smallest p of the sign-flip test if every text that can be rescued, or harmed, is.

    Only clusters with such a baseline can move that way; others can only make p larger.
    """
    rows = view.recovery[view.recovery["detector"] == detector]
    rows = rows[rows["baseline_collapsed"] == collapsed]
    return float(2 / 2 ** clusters(rows, view.prompts).nunique())


def _recovery(view: Tables, detector: str, found: Effect) -> Judged:
    """The best clamp on prompts that did not choose it; that some clamp gains at all counts too."""
    rates = view.rates[view.rates["detector"] == detector]
    gaining = rates.loc[rates["net"] > 0, ["mcnemar_q", "cluster_q"]].max(axis=1)
    result, scored = Result(), found.held_out
    why = "no clamp could be scored on prompts that did not choose it"
    if scored is not None:
        which = "the clamp"
        if len(rates) > 1:
            which = "the best clamp on prompts that did not choose it"
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
        _claim("recovery", _subject(view), "greater", detector),
        result,
        found.words,
        why,
        least_q=_least_p(view, detector, collapsed=True),
        untestable=why if scored is None else "",
        vacuous="no baseline is collapsed, so nothing can recover" if empty else "",
    )
    beside = _sampled(view, detector), chat_control(view, detector)
    return row, [_held_out(view, detector, found), *beside]


def _harm(view: Tables, detector: str, found: Effect) -> Judged:
    """The clamp with the worst net, of those that do significant harm if there are any."""
    rates = view.rates[view.rates["detector"] == detector]
    sure = rates[significant(rates) & (rates["net"] < 0)]
    result = Result()
    if len(rates):
        worst = (sure if len(sure) else rates).sort_values("net", kind="stable").iloc[0]
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
        _claim("harm", _subject(view), "less", detector),
        result,
        "harm" if found.harms else "no significant harm",
        f"{found.harms} of {len(rates)} clamps harm significantly more than they rescue",
        least_q=_least_p(view, detector, collapsed=False),
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


def _special(view: Tables, detector: str) -> Iterator[Judged]:
    """Each target among its controls, by the largest net effect."""
    if view.special is None:
        for target in view.targets:
            yield _not_compared(target, detector, "no controls were run (config key controls)")
        return
    need = MIN_CONTROLS * len(view.targets)
    judged = is_special(view.special, LEVEL)
    judged = judged[judged["detector"] == detector].set_index("target")
    ranks = view.special[view.special["statistic"] == "largest_net"]
    ranks = ranks[ranks["detector"] == detector]
    for target in view.targets:
        rows = ranks[ranks["target"] == target]
        if rows.empty:
            yield _not_compared(target, detector, "it has no controls")
            continue
        special, enough = bool(judged["special"][target]), bool(judged["can_tell"][target])
        last = rows.sort_values("q").iloc[-1]  # the kind it stands out from least
        above = [f"{r.percentile:.0f} % of {r.n_controls} {r.kind} controls"
                 for r in rows.itertuples()]  # fmt: skip
        row = conclude(
            _claim("special", target, "greater", detector),
            Result(
                estimate=float(last["observed"]),
                low=float(last["low"]),
                high=float(last["high"]),
                null=float(last["control_median"]),
                n=int(last["n_controls"]),
                p=float(last["p"]),
                q=float(last["q"]),
            ),
            SPECIAL if special else NOT_SPECIAL if enough else TOO_FEW,
            f"its largest net effect is above {listed(above)}",
            untestable="" if enough else f"it takes {need} controls of each kind",
        )
        yield row, list(_beside(view, rows))


def _not_compared(target: str, detector: str, why: str) -> Judged:
    row = conclude(
        _claim("special", target, "greater", detector), Result(), NOT_COMPARED, why, untestable=why
    )
    return row, [skipped(name, why) for name in _KINDS.values()]


def _beside(view: Tables, ranks: pd.DataFrame) -> Iterator[Control]:
    """The controls that a target was ranked among, by kind."""
    numbers = dict(zip(ranks["kind"], ranks["n_controls"], strict=True))
    where = "" if view.among_controls is None else view.among_controls.where
    like = "" if view.controls is None else closeness(view.controls)
    for kind, name in _KINDS.items():
        if kind in numbers:
            said = [where, like] if kind == "neuron" else [where]
            yield ran(name, int(numbers[kind]), "; ".join(filter(None, said)))
        else:
            yield skipped(name, "none of the target's controls is of this kind")
