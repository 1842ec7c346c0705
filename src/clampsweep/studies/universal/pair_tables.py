"""Tables of a model's neurons held against those of another. No torch."""

from __future__ import annotations

from clampsweep.tables import Column, Schema

SHIFTED, SWAPPED, PERMUTED = "shifted", "swapped", "permuted"

_NEURON = {
    "layer": Column("int", "layer, from 0"),
    "neuron": Column("int", "neuron of the layer, from 0"),
}

PAIRS = Schema(
    "universal pairs",
    {
        "other": Column("str", "the other model"),
        "aligned": Column("str", "by tokens, or at characters where both models end a token"),
        **_NEURON,
        "corr": Column(
            "float", "highest correlation with a neuron of the other; null if constant", null=True
        ),
        "other_layer": Column("int", "layer of that neuron"),
        "other_neuron": Column("int", "that neuron"),
        "baseline": Column(
            "float", "the same with the other's layers rotated, Gaussian, one draw", null=True
        ),
        "baseline_orthogonal": Column(
            "float", "the same, orthogonal, mean over the draws", null=True
        ),
        "shifted": Column(
            "float", "the same with the text shifted in a circle, one shift", null=True
        ),
        "same": Column(
            "float", "correlation with the other's neuron of the same name; null if none", null=True
        ),
        "p": Column(
            "float",
            "rank of corr among all shifts, or among all swaps, the larger; null where not tried",
            null=True,
        ),
        "n": Column("int", "places of the texts"),
    },
    key=("other", "layer", "neuron"),
)

NULLS = Schema(
    "universal nulls",
    {
        "other": Column("str", "the other model"),
        "kind": Column(
            "str",
            "shifted or swapped (neurons with a p; the text shifted in a circle, or another one), "
            "gaussian or orthogonal (all neurons): mean of the highest correlation; permuted: "
            "share of a permuted copy's neurons that are found",
        ),
        "draw": Column("int", "number of the draw, from 0"),
        "mean": Column("float", "see kind", null=True),
        "n": Column("int", "number of neurons"),
    },
    key=("other", "kind", "draw"),
)

CORR = Schema(
    "universal correlation",
    {
        **_NEURON,
        "aligned": Column("str", "as in un_corr_pairs; of models of the same tokenizer if any is"),
        "n_others": Column("int", "number of other models"),
        "mean_corr": Column("float", "mean over them of the highest correlation", null=True),
        "mean_baseline": Column("float", "the same, rotated, Gaussian", null=True),
        "mean_baseline_orthogonal": Column("float", "the same, rotated, orthogonal", null=True),
        "mean_shifted": Column("float", "the same, the text shifted in a circle", null=True),
        "excess_corr": Column("float", "mean_corr - mean_baseline", null=True),
        "excess_orthogonal": Column("float", "mean_corr - mean_baseline_orthogonal", null=True),
        "universal": Column("bool", "whether excess_corr is above the entry's cut"),
        "chance": Column("bool", "whether it is among as many neurons of the highest mean_shifted"),
    },
    key=("layer", "neuron"),
)
