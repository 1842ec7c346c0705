"""Tables of features and their neurons. No torch."""

from __future__ import annotations

from clampsweep.tables import Column, Schema

_NEURON = {
    "layer": Column("int", "layer of the neuron, from 0"),
    "neuron": Column("int", "number of the neuron in its layer, from 0"),
}
_CHOSEN = {
    "layer": Column("int", "layer of the neuron that discovery chose; null if none", null=True),
    "neuron": Column("int", "number of it in its layer; null if none", null=True),
}

REAL, PLANTED, SHIFTED, PLACE = "feature", "planted", "shifted", "position"
"""Kinds of candidates: of a feature, of a planted one, of its copy that is shifted, of position."""

CANDIDATES = Schema(
    "universal feature candidates",
    {
        "kind": Column("str", f"{REAL}, {PLANTED}, {SHIFTED} (a planted one's copy) or {PLACE}"),
        "feature": Column("str", "feature; of a planted one its number"),
        "rank": Column("int", "1 for the neuron that explains most on discovery"),
        **_NEURON,
        "value": Column(
            "float", f"variance reduction on discovery, 0..1; of {PLACE} information, bits"
        ),
        "null_max": Column(
            "float",
            "largest value of any neuron for labels that were shifted; null: none",
            null=True,
        ),
    },
    key=("kind", "feature", "rank"),
)

TRUTHS = Schema(
    "universal planted features",
    {
        "feature": Column("str", "number of the planted feature"),
        **_NEURON,
        "sign": Column("int", "side of 0 on which its tail is heavier: 1 or -1"),
        "threshold": Column("float", "sign times value above which it fires, activation units"),
    },
    key=("feature",),
)

PLANTS = Schema(
    "universal planted results",
    {
        "kind": Column("str", f"{PLANTED} or {SHIFTED}: labels of a neuron, or shifted to nowhere"),
        "feature": Column("str", "number of the planted feature"),
        "true_layer": Column("int", "layer of the neuron that it was made from"),
        "true_neuron": Column("int", "number of that neuron"),
        **_NEURON,
        "vr_discovery": Column("float", "variance reduction of the neuron chosen, discovery, 0..1"),
        "vr_confirmation": Column("float", "the same on confirmation"),
        "low": Column("float", "its 95 % interval, lower end", null=True),
        "high": Column("float", "the same, upper end", null=True),
        "null_max": Column("float", "largest VR of any neuron for its copy, discovery"),
        "p": Column("float", "p value against shifted labels"),
        "q": Column("float", "that, corrected for all planted features and copies"),
        "found": Column("bool", "whether it counts as found: q < 0.05 and low above null_max"),
        "right": Column("bool", "whether the neuron chosen is the one it was made from"),
    },
    key=("kind", "feature"),
)

TESTED, UNTESTABLE, SAME = "tested", "untestable", "same"

FEATURES = Schema(
    "universal features",
    {
        "feature": Column("str", "short name of the feature"),
        "family": Column("str", "family of the feature"),
        "what": Column("str", "which tokens have it"),
        "outcome": Column(
            "str", f"{TESTED}; {UNTESTABLE}: too few positives; {SAME}: the tokens of `same_as`"
        ),
        "same_as": Column("str", "earlier feature that the very same tokens have; empty if none"),
        "moved": Column("str", "how labels are moved: shift (sequences turned round) or blocks"),
        "n_discovery": Column("int", "positions that have it, discovery"),
        "n_positive": Column("int", "positions that have it, confirmation"),
        "n": Column("int", "positions of confirmation"),
        **_CHOSEN,
        "vr_discovery": Column("float", "its variance reduction on discovery, 0..1", null=True),
        "vr_confirmation": Column("float", "the same on confirmation: the estimate", null=True),
        "low": Column("float", "its 95 % interval over blocks, lower end", null=True),
        "high": Column("float", "the same, upper end", null=True),
        "null_max": Column(
            "float", "largest VR of any neuron on discovery for moved labels", null=True
        ),
        "p": Column("float", "p value against moved labels, on confirmation", null=True),
        "p_fwer": Column(
            "float", "p value against the largest of all features and chosen neurons", null=True
        ),
        "q": Column("float", "p corrected for all features (Benjamini, Hochberg)", null=True),
    },
    key=("feature",),
)

FEATURE_NEURONS = Schema(
    "universal feature neurons",
    {
        "feature": Column("str", "feature"),
        "rank": Column("int", "1 for the neuron that explains most on discovery"),
        **_NEURON,
        "vr_discovery": Column("float", "variance reduction on discovery, 0..1"),
        "vr_confirmation": Column("float", "the same on confirmation"),
    },
    key=("feature", "rank"),
)

POSITIONS = Schema(
    "universal position neurons",
    {
        "rank": Column("int", "1 for the neuron whose firing tells most of position, discovery"),
        **_NEURON,
        "mi_discovery": Column("float", "mutual information of firing and position, bits"),
        "mi_confirmation": Column("float", "the same on confirmation"),
        "low": Column("float", "95 % bound by the shifts' ranks, lower", null=True),
        "high": Column("float", "the same, upper", null=True),
        "null": Column("float", "median over shifts of firing, bits"),
        "p": Column("float", "p value against shifts of firing"),
        "q": Column("float", "that, corrected for the neurons of the table"),
        "firing_first": Column("float", "share of positions of the first bin at which it fires"),
        "firing_last": Column("float", "the same of the last bin"),
    },
    key=("rank",),
)

HISTOGRAM = Schema(
    "universal variance reductions",
    {
        "low": Column("float", "lower end of the bin of the variance reduction"),
        "high": Column("float", "upper end"),
        "neurons": Column(
            "int", "neurons whose largest VR of any feature but topics is in the bin"
        ),
        "null_neurons": Column("float", "the same for shifted labels, mean over shifts"),
    },
    key=("low",),
)

CONFIRMED = {
    "features": FEATURES,
    "neurons": FEATURE_NEURONS,
    "planted": PLANTS,
    "positions": POSITIONS,
}
"""The tables of confirmation, by what rules call them."""
