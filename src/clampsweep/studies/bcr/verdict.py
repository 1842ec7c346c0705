"""What a sweep shows: recovery or not, harm or not, and beyond its controls or not, by detector.

Figures and reports say it first, and read it from the table that is drawn up here. A clamp counts
as recovery only on prompts that did not choose it, and significance respects that the prompts of a
core move together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from clampsweep.studies.bcr.special import is_special
from clampsweep.studies.bcr.split_half import pooled
from clampsweep.studies.bcr.view import Tables
from clampsweep.verdicts import frame
from clampsweep.words import counted, listed

LEVEL = 0.05
MIN_CONTROLS = 20  # of each kind and target: with fewer no p value is below LEVEL
SPECIAL, NOT_SPECIAL = "special: more than its controls", "not special among its controls"
TOO_FEW, NOT_COMPARED = "too few controls to tell", "not compared with controls"


@dataclass(frozen=True)
class Effect:
    """What the clamps do by one detector, without a look at controls.

    Attributes:
        n_collapsed: Number of collapsed baselines.
        held_out: Counts, net, its interval and p values of the best clamp on prompts that did not
            choose it; of the only clamp if there is one; None if nothing was clamped, or the
            prompts have no halves.
        gains: Number of pairs of target and clamp that rescue significantly more than they harm.
        harms: Number of those that harm significantly more than they rescue.
    """

    n_collapsed: int
    held_out: dict[str, Any] | None
    gains: int
    harms: int

    @property
    def recovers(self) -> bool:
        """Whether a clamp gains, all clamps allowed for, and the best on held-out prompts too."""
        found = self.held_out
        if not self.gains or found is None or found["net"] <= 0:
            return False
        return bool(max(found["mcnemar_p"], found["cluster_p"]) < LEVEL)

    @property
    def words(self) -> str:
        """The effect in a few words, such as `no recovery, only harm`."""
        if self.recovers:
            return "recovery"
        if not self.n_collapsed:
            return f"nothing to recover, {'harm' if self.harms else 'no significant harm'}"
        if self.gains:
            return "recovery not confirmed on held-out prompts"
        return "no recovery, only harm" if self.harms else "no significant effect"


def effect(view: Tables, detector: str) -> Effect:
    """What the clamps of a sweep do by a detector.

    Args:
        view: The tables.
        detector: One of `view.detectors`.
    """
    rates = view.rates[view.rates["detector"] == detector]
    sure = significant(rates)
    return Effect(
        n_collapsed=int(view.baselines_of(detector)["baseline_collapsed"].sum()),
        held_out=held_out(view, detector),
        gains=int((sure & (rates["net"] > 0)).sum()),
        harms=int((sure & (rates["net"] < 0)).sum()),
    )


def significant(rates: pd.DataFrame) -> pd.Series[bool]:
    """Whether each net effect is: the q of McNemar's test and that over cores are below `LEVEL`.

    Args:
        rates: Rows of a `RATES` table.
    """
    return (rates["mcnemar_q"] < LEVEL) & (rates["cluster_q"] < LEVEL)


def held_out(view: Tables, detector: str) -> dict[str, Any] | None:
    """The best pair's counts on prompts that did not choose it; the only pair's own; or None."""
    rates = view.rates[view.rates["detector"] == detector]
    halves = pooled(view.split_half)
    found = rates if len(rates) == 1 else halves[halves.index == detector]
    rows = found.to_dict("records")
    return {str(name): value for name, value in rows[0].items()} if rows else None


def verdicts(view: Tables) -> pd.DataFrame:
    """The verdicts on a sweep, `VERDICTS`: by detector on recovery and harm, and on each target.

    Args:
        view: The tables; `verdicts` of them is not looked at.
    """
    rows: list[dict[str, Any]] = []
    for detector in view.detectors:
        found = effect(view, detector)
        rows += [_recovery(view, detector, found), _harm(view, detector, found)]
        rows += _special(view, detector)
    own = {"study": "bcr", "unit": "texts"}
    return frame(own | row for row in rows)


def _subject(view: Tables) -> str:
    """The targets, by name while they are few."""
    few = len(view.targets) <= 3
    return listed(view.targets) if few else counted(len(view.targets), "target")


def _recovery(view: Tables, detector: str, found: Effect) -> dict[str, Any]:
    rates = view.rates[view.rates["detector"] == detector]
    gaining = rates[rates["net"] > 0]
    row: dict[str, Any] = {
        "claim": "recovery",
        "subject": _subject(view),
        "by": detector,
        "q": gaining[["mcnemar_q", "cluster_q"]].max(axis=1).min(),
        "verdict": found.words,
        "why": "no clamp could be scored on prompts that did not choose it",
    }
    scored = found.held_out
    if scored is None:
        return row
    which = "the clamp" if len(rates) == 1 else "the best clamp on prompts that did not choose it"
    return row | {
        "estimate": scored["net"],
        "low": scored["net_boot_low"],
        "high": scored["net_boot_high"],
        "null": 0.0,
        "n": scored["n"],
        "p": max(scored["mcnemar_p"], scored["cluster_p"]),
        "why": (
            f"{which} rescued {scored['n_rescued']} of {scored['n_collapsed_baseline']} collapsed "
            f"texts and harmed {scored['n_harmed']} of {scored['n_fine_baseline']} fine ones; "
            f"{counted(found.gains, 'clamp')} significantly better than none"
        ),
    }


def _harm(view: Tables, detector: str, found: Effect) -> dict[str, Any]:
    """The clamp with the worst net, and how many do significant harm."""
    rates = view.rates[view.rates["detector"] == detector]
    row: dict[str, Any] = {
        "claim": "harm",
        "subject": _subject(view),
        "by": detector,
        "verdict": "harm" if found.harms else "no significant harm",
        "why": f"{found.harms} of {len(rates)} clamps harm significantly more than they rescue",
    }
    if rates.empty:
        return row
    worst = rates.sort_values("net", kind="stable").iloc[0]
    return row | {
        "estimate": float(worst["net"]),
        "low": worst["net_boot_low"],
        "high": worst["net_boot_high"],
        "null": 0.0,
        "n": int(worst["n"]),
        "p": max(worst["mcnemar_p"], worst["cluster_p"]),
        "q": max(worst["mcnemar_q"], worst["cluster_q"]),
    }


def _special(view: Tables, detector: str) -> Iterator[dict[str, Any]]:
    """Each target among its controls, by the largest net effect."""
    if view.special is None:
        for target in view.targets:
            why = "no controls were run (config key controls)"
            yield _on_target(target, detector, NOT_COMPARED, why)
        return
    judged = is_special(view.special, LEVEL)
    judged = judged[judged["detector"] == detector].set_index("target")
    ranks = view.special[view.special["statistic"] == "largest_net"]
    ranks = ranks[ranks["detector"] == detector]
    for target in view.targets:
        rows = ranks[ranks["target"] == target]
        if rows.empty:
            yield _on_target(target, detector, NOT_COMPARED, "it has no controls")
            continue
        special, enough = bool(judged["special"][target]), bool(judged["can_tell"][target])
        words = SPECIAL if special else NOT_SPECIAL if enough else TOO_FEW
        above = listed([f"{row.percentile:.0f} % of {row.n_controls} {row.kind} controls"
                        for row in rows.itertuples()])  # fmt: skip
        last = rows.sort_values("q").iloc[-1]  # the kind it stands out from least
        yield _on_target(target, detector, words, f"its largest net effect is above {above}") | {
            "estimate": float(last["observed"]),
            "null": float(last["control_median"]),
            "n": int(last["n_controls"]),
            "p": float(last["p"]),
            "q": float(last["q"]),
        }


def _on_target(target: str, detector: str, words: str, why: str) -> dict[str, Any]:
    return {"claim": "special", "subject": target, "by": detector, "verdict": words, "why": why}


# Reading what was concluded


def _rows(view: Tables, claim: str, detector: str) -> pd.DataFrame:
    if view.verdicts is None:
        raise ValueError("the tables hold no verdicts yet")
    rows = view.verdicts
    return rows[(rows["claim"] == claim) & (rows["by"] == detector)]


def special_targets(view: Tables, detector: str) -> tuple[str, ...]:
    """Targets that do more than every kind of controls, by a detector."""
    rows = _rows(view, "special", detector)
    return tuple(rows.loc[rows["verdict"] == SPECIAL, "subject"])


def can_tell(view: Tables, detector: str) -> bool:
    """Whether there were controls enough for every target."""
    return not _rows(view, "special", detector)["verdict"].eq(TOO_FEW).any()


def headline(view: Tables, detector: str) -> str:
    """The verdict of a detector, `no recovery, only harm; not special among its controls`."""
    words = _rows(view, "recovery", detector)["verdict"].iloc[0]
    return f"{words}; {_compared(view, detector)}"


def _compared(view: Tables, detector: str) -> str:
    said = _rows(view, "special", detector)["verdict"]
    if len(said) == 1:
        return str(said.iloc[0])
    if n_special := int(said.eq(SPECIAL).sum()):
        return f"{n_special} of {len(said)} targets special"
    for words in (TOO_FEW, NOT_SPECIAL):
        if said.eq(words).any():
            return words if words == TOO_FEW else "no target special among its controls"
    return NOT_COMPARED
