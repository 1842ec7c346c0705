"""Tables of persistence over checkpoints and of ablation. No torch."""

from __future__ import annotations

from clampsweep.tables import Column, Schema

UNIVERSAL = -1  # number of the set of universal neurons

SETS = 40  # random sets of matched neurons: with 20, q of four tests could hardly be below 0.05

MEASURES = {"same": "correlation with itself", "corr": "highest correlation with any neuron"}

PERSISTENCE = Schema(
    "universal persistence",
    {
        "checkpoint": Column("str", "the earlier state of the training, a name of models"),
        "place": Column("int", "its place in the entry's list, from 0"),
        "measure": Column("str", "same: " + MEASURES["same"] + "; corr: " + MEASURES["corr"]),
        "median": Column("float", "median of universal neurons", null=True),
        "median_rest": Column("float", "median of the others", null=True),
        "n": Column("int", "universal neurons"),
        "n_layers": Column("int", "layers that they are in"),
        "delta": Column("float", "Cliff's delta against all others of the layer", null=True),
        "low": Column("float", "its 95 % interval, lower end", null=True),
        "high": Column("float", "the same, upper end", null=True),
        "matched": Column("float", "Cliff's delta against neurons of like weights", null=True),
        "matched_low": Column("float", "its 95 % interval, lower end", null=True),
        "matched_high": Column("float", "the same, upper end", null=True),
        "p": Column("float", "two-sided p value of matched", null=True),
        "q": Column("float", "that, corrected over checkpoints, by measure", null=True),
    },
    key=("checkpoint", "measure"),
)

ABLATION = Schema(
    "universal ablation",
    {
        "held": Column("str", "what the neurons are held at: mean or zero"),
        "set": Column("int", "-1: the universal neurons; from 0: a random set of matched ones"),
        "n_neurons": Column("int", "neurons of the set"),
        "domain": Column("str", "kind of text"),
        "seq_id": Column("int", "sequence of the domain"),
        "loss": Column("float", "mean loss less that of the model as it is, nats per token"),
        "kl": Column("float", "mean KL divergence from the model as it is, nats per token"),
    },
    key=("held", "set", "domain", "seq_id"),
)
