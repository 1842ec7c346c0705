"""The section on features of tokens."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clampsweep.markdown import code, join, plain, table
from clampsweep.studies.universal.claims.features import HAS_NEURON, neuron_name
from clampsweep.studies.universal.features.families import FAMILIES
from clampsweep.studies.universal.features.tables import (
    PLANTED,
    SAME,
    SHIFTED,
    TESTED,
    UNTESTABLE,
)
from clampsweep.verdicts import SUPPORTED

VOCABULARY_CUT, LETTER_CUT = 0.5, 0.37  # of the paper's notebooks; it names no principle for them

_BEST, _PLACES = 20, 5

_ABOUT = (
    "A neuron responds to a feature of tokens if the feature explains its activation: variance "
    "reduction (VR) is the share of the variance of h that is gone once it is known which tokens "
    "have the feature, the square of their correlation. Discovery chooses the neuron of all "
    "neurons; confirmation, on other blocks of documents, says how much it explains. It counts if "
    "the whole 95 % interval (jackknife over blocks) lies above what any neuron reaches on labels "
    "that were moved, and if q < 0.05 over all features. Labels are moved by turning each sequence "
    "round by a number of its own; those of whole texts are dealt out anew among blocks."
)

_NOT_DONE = (
    "Features were not chosen by how neurons behave, as were some of the paper's, but most of them "
    "go together: a neuron of a comma is one of punctuation, too. VR says that a neuron responds, "
    "not what it is for, and a feature without a neuron of its own may be told by several. Syntax "
    "(the paper's spaCy tags) and its topics by singular vectors are not built. Numbers are split "
    "into digits by some tokenizers, so that features of numbers may be alike."
)


def section(
    features: pd.DataFrame,
    neurons: pd.DataFrame,
    planted: pd.DataFrame,
    positions: pd.DataFrame,
    verdicts: pd.DataFrame,
) -> str:
    """The section in Markdown.

    Args:
        features: `FEATURES`.
        neurons: `FEATURE_NEURONS`.
        planted: `PLANTS`.
        positions: `POSITIONS`.
        verdicts: `VERDICTS` of the slice.
    """
    own = verdicts[(verdicts["claim"] == HAS_NEURON) & (verdicts["verdict"] == SUPPORTED)]
    sure = set(own["subject"])
    blocks = ["## Features of tokens", _found(features, sure), _ABOUT, families(features, sure)]
    if (features["outcome"] == TESTED).any():
        blocks += [_beside(features), best(features, neurons, sure)]
    blocks += [_planted(planted)]
    if len(positions):
        blocks += [_places(positions)]
    return join([*blocks, _NOT_DONE])


def _found(features: pd.DataFrame, sure: set[str]) -> str:
    """How many features were tested and have a neuron."""
    n = features["outcome"].value_counts()
    tested, rare, same = (int(n.get(name, 0)) for name in (TESTED, UNTESTABLE, SAME))
    return (
        f"Of {len(features)} features {tested} could be tested, and **{len(sure)} have a neuron** "
        f"that responds to them; {tested - len(sure)} have none that is sure. {rare} are too rare "
        f"in these texts, and {same} are had by the very tokens of another one."
    )


def families(features: pd.DataFrame, sure: set[str]) -> str:
    """Features by family, in Markdown; those that are the same as another are not counted."""
    rows = []
    for family in FAMILIES:
        own = features[(features["family"] == family) & (features["outcome"] != SAME)]
        vr = own.loc[own["outcome"] == TESTED, "vr_confirmation"].astype(float)
        rows.append(
            [family, str(len(own)), str(len(vr)), str(int(own["feature"].isin(sure).sum())),
             f"{vr.median():.2f}" if len(vr) else "", str(int((vr > VOCABULARY_CUT).sum())),
             str(int((vr > LETTER_CUT).sum()))]
        )  # fmt: skip
    head = ("family", "features", "tested", "have a neuron", "median VR",
            f"VR > {VOCABULARY_CUT}", f"VR > {LETTER_CUT}")  # fmt: skip
    return table(head, rows)


def _beside(features: pd.DataFrame) -> str:
    """Published numbers beside ours."""
    tested = features[features["outcome"] == TESTED]
    letters = tested[tested["family"] == "alphabet"]
    over = int((letters["vr_confirmation"].astype(float) > LETTER_CUT).sum())
    return (
        f"The cuts are those of the paper's notebooks, {VOCABULARY_CUT} for vocabulary and "
        f"{LETTER_CUT} for letters, where 18 of 26 letters have a neuron in GPT2; here {over} of "
        f"the {len(letters)} letters that could be tested. The notebooks' best for numbers: one "
        "digit 0.955, year 0.822, numeric 0.801, each scored on the data that chose it. The "
        "largest VR of any neuron on moved labels is "
        f"{tested.loc[tested['moved'] == 'shift', 'null_max'].max():.3f} where sequences are "
        "turned round: of features that are frequent in one language and rare in another, for a "
        "neuron of the language explains some of these wherever they stand. The median over "
        f"features is {tested.loc[tested['moved'] == 'shift', 'null_max'].median():.3f}. Where "
        "whole texts are dealt out anew, few blocks make it larger."
    )


def best(features: pd.DataFrame, neurons: pd.DataFrame, sure: set[str]) -> str:
    """The features that are explained best, each with its neuron, in Markdown."""
    tested = features[features["outcome"] == TESTED].sort_values("vr_confirmation")[::-1]
    second = neurons[neurons["rank"] == 2].set_index("feature")
    rows = []
    for row in tested.head(_BEST).to_dict("records"):
        after: Any = second.loc[row["feature"]] if row["feature"] in second.index else None
        next_one = (
            f"{neuron_name(after)} {after['vr_confirmation']:.2f}" if after is not None else ""
        )
        rows.append(
            [code(row["feature"]), plain(row["family"]), neuron_name(row),
             f"{row['vr_discovery']:.2f}",
             f"{row['vr_confirmation']:.2f} [{row['low']:.2f}, {row['high']:.2f}]",
             f"{row['null_max']:.3f}", f"{row['q']:.2g}", f"{row['n_positive']:,}",
             "yes" if row["feature"] in sure else "no", next_one]
        )  # fmt: skip
    head = ("feature", "family", "neuron", "discovery", "VR", "moved labels", "q", "tokens",
            "sure", "second neuron")  # fmt: skip
    return table(head, rows)


def _planted(planted: pd.DataFrame) -> str:
    """What became of the planted features."""
    own, copies = (planted[planted["kind"] == kind] for kind in (PLANTED, SHIFTED))
    if not len(own):
        return "No feature could be planted: no neuron varies."
    return (
        "Planted features, labels made of a random neuron's own firing, a fifth of them wrong: "
        f"{int(own['found'].sum())} of {len(own)} were found, {int(own['right'].sum())} by the "
        f"neuron that they were made from; of their copies, shifted to where they say nothing, "
        f"{int(copies['found'].sum())} of {len(copies)}."
    )


def _places(positions: pd.DataFrame) -> str:
    """The neurons whose firing tells most of position, in Markdown."""
    rows = [
        [neuron_name(row), f"{row['mi_discovery']:.3f}", f"{row['mi_confirmation']:.3f}",
         f"{row['null']:.4f}", f"{row['q']:.2g}", f"{row['firing_first']:.2f}",
         f"{row['firing_last']:.2f}"]
        for row in positions.head(_PLACES).to_dict("records")
    ]  # fmt: skip
    head = ("neuron", "bits, discovery", "bits", "shifted", "q", "fires in the first part",
            "in the last")  # fmt: skip
    what = (
        "Position: mutual information of firing and the part of the sequence. The paper asks for "
        "kurtosis below 2 and an excess correlation above 0.5 besides; neither is asked for here."
    )
    return join([what, table(head, rows)]).strip()
