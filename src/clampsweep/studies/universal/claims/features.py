"""What is concluded of features of tokens: which have a neuron that responds to them."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from clampsweep.ledger import Control, ran, skipped
from clampsweep.studies.universal.claims.conclusions import Concluded, Conclusion
from clampsweep.studies.universal.features.families import NUMBER
from clampsweep.studies.universal.features.tables import PLANTED, SAME, SHIFTED, UNTESTABLE
from clampsweep.verdicts import SUPPORTED, Claim, Result, conclude

HAS_NEURON = "feature neuron"
NUMBERS = "feature neuron for numbers"
POSITION = "feature neuron for position"

ORIGINAL_CUT = 0.1  # at which the original found no number neuron on one pair of texts

_VR, _MOVED, _PLANTED = "variance reduction", "moved labels", "planted features"


class Setting(NamedTuple):
    """How features were tested.

    Attributes:
        neurons: Number of neurons of the model.
        minimum: Positives that a feature needs in each half.
        shifts: How often the labels were moved for chosen neurons.
        null_shifts: How often for all neurons.
    """

    neurons: int
    minimum: int
    shifts: int
    null_shifts: int


def claims(
    features: pd.DataFrame, planted: pd.DataFrame, positions: pd.DataFrame, setting: Setting
) -> Concluded:
    """Verdicts on features, each with its controls.

    A feature that the very tokens of an earlier one have is that one: it is not counted again.

    Args:
        features: `FEATURES`.
        planted: `PLANTS`.
        positions: `POSITIONS`.
        setting: How they were tested.
    """
    own = features[features["outcome"] != SAME]
    control = _planted(planted)
    found = [_feature(row, setting, control) for row in own.to_dict("records")]
    found.append(_numbers(own, setting, control))
    if len(positions):
        found.append(_position(positions, int(features["n"].iloc[0]), setting))
    return found


def neuron_name(row: Any) -> str:
    """A row's neuron as in the literature, `L22N1293`."""
    return f"L{int(row['layer'])}N{int(row['neuron'])}"


def _planted(planted: pd.DataFrame) -> Control:
    """The control that all claims on features share."""
    own, copies = (planted[planted["kind"] == kind] for kind in (PLANTED, SHIFTED))
    if not len(own):
        return skipped(_PLANTED, "no neuron varies, so none could be planted")
    both = int((own["found"] & own["right"]).sum())
    why = (
        f"labels made of random neurons' own firing, a fifth of them wrong: {both} of {len(own)} "
        f"found, by that very neuron; copies shifted to nowhere: {int(copies['found'].sum())} of "
        f"{len(copies)} found"
    )
    return ran(_PLANTED, len(own), why)


def _result(row: Any) -> Result:
    return Result(
        row["vr_confirmation"], row["low"], row["high"], row["null_max"], int(row["n_positive"]),
        row["p"], row["q"],
    )  # fmt: skip


def _feature(row: dict[Any, Any], setting: Setting, control: Control) -> Conclusion:
    """Whether the neuron that discovery chose for a feature responds to it."""
    claim = Claim("universal", HAS_NEURON, row["feature"], "greater", _VR, by=row["family"])
    if row["outcome"] == UNTESTABLE:
        have = f"{row['n_discovery']:,} and {row['n_positive']:,} positions of the halves have it"
        made = conclude(
            claim, Result(n=int(row["n_positive"])), f"too rare to say: {row['what']}",
            f"{have}, of {row['n']:,}",
            untestable=f"{have}; needed, with and without it: {setting.minimum}",
        )  # fmt: skip
        return made, [skipped(_MOVED, have), control]
    least = 1 / (1 + setting.shifts)
    made = conclude(claim, _result(row), "-", _why(row, setting), least_q=least)
    name = neuron_name(row)
    yes = made["verdict"] == SUPPORTED
    made["words"] = (
        f"{name} responds: {row['what']}" if yes else f"no neuron is sure: {row['what']}"
    )
    how = "dealt out anew among blocks" if row["moved"] == "blocks" else "sequences turned round"
    return made, [ran(_MOVED, setting.shifts, how), control]


def _why(row: Any, setting: Setting) -> str:
    return (
        f"{neuron_name(row)}, chosen of {setting.neurons:,} on the other half, where it explains "
        f"{row['vr_discovery']:.3f}; {int(row['n_positive']):,} of {int(row['n']):,} positions "
        f"have the feature; no neuron explains more than {row['null_max']:.3f} of labels that were "
        f"moved {setting.null_shifts} times"
    )


def _numbers(features: pd.DataFrame, setting: Setting, control: Control) -> Conclusion:
    """The original's question: is there a neuron for numbers above its cut?"""
    claim = Claim("universal", NUMBERS, "any feature of numbers", "greater", _VR, by=NUMBER)
    said = (
        "original: no number neuron at 0.1, on one pair of texts; its notebooks on GPT2 medium: "
        "L1N2504 one digit 0.955, L2N3875 year 0.822, L2N3806 numeric 0.801"
    )
    own = features[(features["family"] == NUMBER) & features["layer"].notna()]
    if not len(own):
        lacks = f"no feature of numbers has {setting.minimum} positions in each half"
        row = conclude(claim, Result(n=0), "too few numbers to say", said, untestable=lacks)
        return row, [skipped(_MOVED, lacks), control]
    best = own.sort_values("vr_discovery").iloc[-1]
    result = _result(best)._replace(null=ORIGINAL_CUT)
    words = f"{neuron_name(best)} explains {best['vr_confirmation']:.2f} of {best['feature']}"
    row = conclude(claim, result, words, f"{said}. {_why(best, setting)}")
    return row, [ran(_MOVED, setting.shifts, "sequences turned round"), control]


def _position(positions: pd.DataFrame, n: int, setting: Setting) -> Conclusion:
    """Whether a neuron's firing tells of the position."""
    best = positions.sort_values("rank").iloc[0]
    claim = Claim("universal", POSITION, "place in the sequence", "greater", "bits", by="position")
    result = Result(
        best["mi_confirmation"], best["low"], best["high"], best["null"], n, best["p"], best["q"]
    )
    row = conclude(claim, result, "-", (
        f"mutual information of firing (gate above 0) and one of twelve parts of the sequence; it "
        f"fires at {best['firing_first']:.2f} of the first and {best['firing_last']:.2f} of the "
        f"last part's positions; chosen of {setting.neurons:,} on the other half"
    ))  # fmt: skip
    yes = row["verdict"] == SUPPORTED
    row["words"] = f"{neuron_name(best)} tells where in the sequence it is" if yes else "none"
    return row, [ran(_MOVED, setting.shifts, "firing, sequences turned round")]
