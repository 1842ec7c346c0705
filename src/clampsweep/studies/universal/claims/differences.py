"""GT1: are universal neurons like the paper's? Against matched neurons, and beyond chance."""

from __future__ import annotations

import pandas as pd

from clampsweep.ledger import MATCHED_NEURONS, ran, skipped
from clampsweep.studies.universal.agreed import Agreed
from clampsweep.studies.universal.claims.conclusions import (
    DELTA,
    STUDY,
    Concluded,
    Conclusion,
    row_of,
)
from clampsweep.studies.universal.contrasts import FEW_LAYERS, MATCHED
from clampsweep.studies.universal.gt1_tables import CHANCE, METRICS
from clampsweep.studies.universal.gt1_tables import UNIVERSAL as CHOSEN
from clampsweep.verdicts import Claim, Result, conclude

NO_OTHER = "no other model is named in agreement.others, and sharing needs one"

_BY_CHANCE = "neurons of the highest correlation by shifted text"


def differences(given: Agreed) -> Concluded:
    """Claims on each metric, with their controls.

    Args:
        given: Tables of the slice.
    """
    if not len(given.corr):
        claim = Claim(STUDY, "universal neurons differ", "all statistics", "different", DELTA)
        why = "which neurons are universal is not known"
        row = conclude(claim, Result(n=0), "not asked", why, untestable=NO_OTHER)
        return [(row, [skipped(MATCHED_NEURONS, NO_OTHER), skipped(_BY_CHANCE, NO_OTHER)])]
    table = given.gt1.set_index(["chosen", "metric"])
    found = []
    for metric, about in METRICS.items():
        own, chance = (pd.Series(table.loc[(group, metric)]) for group in (CHOSEN, CHANCE))
        what = _named(metric, about.what, given.rates)
        found += [
            _against_matched(own, chance, what, about.side, given.corr),
            _beyond_chance(own, chance, what, about.side),
        ]
    return found


def _named(metric: str, what: str, rates: pd.DataFrame) -> str:
    """A metric in words; what stands for the input bias by its own name."""
    return str(rates["bias_is"].iloc[0]) if metric == "bias" else what


def _lacks(own: pd.Series, corr: pd.DataFrame | None = None) -> str:
    """Why there is no test; empty if there is one."""
    if own["n"]:
        return ""
    some = corr is None or bool(corr["universal"].any())
    return "the statistic is not defined in this model" if some else "no neuron is above the cut"


def _against_matched(
    own: pd.Series, chance: pd.Series, what: str, side: str, corr: pd.DataFrame
) -> Conclusion:
    drawn = "layers" if own["n_layers"] >= FEW_LAYERS else "neurons within layers"
    why = (
        f"{own['n']} universal neurons in {own['n_layers']} layers, each against {MATCHED} of its "
        f"layer of like output weights; median {own['median']:.3g}, of the others "
        f"{own['median_rest']:.3g}; delta against all of the layer {_delta(own, 'delta', '')}; "
        f"intervals from {drawn} drawn anew"
    )
    claim = Claim(STUDY, "universal neurons differ", what, side, DELTA, by=MATCHED_NEURONS)
    result = Result(
        own["matched"], own["matched_low"], own["matched_high"], 0.0, own["n"], own["p"], own["q"]
    )
    words = (_said(own["matched"]), "no sure difference")
    by_chance = (
        ran(_BY_CHANCE, int(chance["n"]), f"delta {_delta(chance, 'matched', 'matched_')}")
        if chance["n"] else skipped(_BY_CHANCE, "there are none")
    )  # fmt: skip
    matched = (
        ran(MATCHED_NEURONS, int(own["n"]) * MATCHED, "of the same layer, nearest in w_out norm")
        if own["n"] else skipped(MATCHED_NEURONS, _lacks(own, corr))
    )  # fmt: skip
    return row_of(claim, result, words, why, untestable=_lacks(own, corr)), [matched, by_chance]


def _said(delta: float) -> str:
    return f"{'higher' if delta > 0 else 'lower'} in universal neurons"


def _delta(row: pd.Series, name: str, ends: str) -> str:
    return f"{row[name]:.2f} [{row[ends + 'low']:.2f}, {row[ends + 'high']:.2f}]"


def _beyond_chance(own: pd.Series, chance: pd.Series, what: str, side: str) -> Conclusion:
    """How much more than neurons that match by chance: these may be alike in the same ways."""
    why = (
        f"delta of {own['n']} universal neurons less that of {chance['n']} neurons that match best "
        "where the text is shifted, both against neurons of like weights"
    )
    claim = Claim(STUDY, "sharing and not chance", what, side, f"difference of {DELTA}s",
                  by="neurons chosen by shifted text")  # fmt: skip
    result = Result(
        own["beyond"], own["beyond_low"], own["beyond_high"], 0.0, own["n"], own["beyond_p"],
        own["beyond_q"],
    )  # fmt: skip
    words = ("more so than in neurons that match by chance", "no more than by chance")
    lacks = "" if own["n"] and chance["n"] else "one of the two groups is empty"
    control = (
        ran(_BY_CHANCE, int(chance["n"])) if chance["n"] else skipped(_BY_CHANCE, "there are none")
    )
    return row_of(claim, result, words, why, untestable=lacks), [control]


ORIGINAL = {
    "negative": (
        "base rate of negative input bias",
        "the original reports 93.3 % of one model's neurons, whichever they are; in its own tables "
        "universal neurons are negative in 99.9 %, 99.7 % and 60 % of three models",
    ),
    "rare": (
        "base rate of firing at fewer than half the places",
        "the original reports 516 of 1,024 (50.4 %), a width that is no MLP's; no control",
    ),
}


def base_rates(rates: pd.DataFrame) -> Concluded:
    """What the original evaluation reports: it cannot fail.

    Args:
        rates: A `RATES` table.
    """
    found = []
    for row in rates.to_dict("records"):
        name, original = ORIGINAL[row["rate"]]
        what = str(row["bias_is"]) if row["rate"] == "negative" else "share of places above 0"
        claim = Claim(STUDY, name, what, "greater", "share of neurons")
        words = f"{row['share']:.1%} of all {row['n']:,} neurons"
        why = f"here {row['share']:.1%} of {row['n']:,}; {original}"
        result = Result(row["share"], n=row["n"])
        vacuous = "a base rate of all neurons: it compares universal ones with nothing"
        verdict = conclude(claim, result, words, why, vacuous=vacuous)
        found.append((verdict, [skipped("universal against other neurons", "see the differences")]))
    return found
