"""Names of the roles, and the tables of candidates, controls and interventions. No torch."""

from __future__ import annotations

from clampsweep.tables import Column, Schema

PREDICTION, SUPPRESSION, PARTITION = "prediction", "suppression", "partition"
ENTROPY, ATTENTION = "entropy", "attention"

TRIED = (PREDICTION, SUPPRESSION, ENTROPY, ATTENTION)
"""Roles that are tried by interventions; the others are only listed."""

FEATURE = "feature:"  # what the role of a neuron that responds to a feature begins with

ROLES = Schema(
    "universal roles",
    {
        "role": Column("str", "role; `feature:<name>` of a neuron that responds to a feature"),
        "rank": Column("int", "place among the role's candidates, 1 the best"),
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "neuron of the layer, from 0"),
        "score": Column("float", "what candidates are ranked by"),
        "measure": Column("str", "what the score is"),
        "sign": Column("int", "of its largest post-activations, 1 or -1; 1 without a gate"),
        "why": Column("str", "why it is a candidate, a phrase"),
    },
    key=("role", "rank"),
)

CANDIDATE, MATCHED, PLAIN = "candidate", "matched", "plain"
"""Kinds of neurons that are tried."""

CONTROLS = Schema(
    "universal role controls",
    {
        "role": Column("str", "role"),
        "kind": Column(
            "str",
            "matched: nearest to a candidate of its layer in norm of w_out and size of activation; "
            "plain: by lot from the last two layers, not in the top decile of that norm nor in the "
            "bottom decile of vocab_var",
        ),
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "neuron of the layer, from 0"),
        "like_neuron": Column("int", "the candidate of its layer; null of a plain one", null=True),
        "distance": Column(
            "float", "how far apart, in SDs of the logarithms over the layer", null=True
        ),
        "sign": Column("int", "of its largest post-activations, 1 or -1"),
    },
    key=("role", "kind", "layer", "neuron"),
)

MEAN, CLAMP = "mean", "clamp"
"""Operations: held at its own mean over the text; held at a given value."""

SCALE, ENTROPY_OF, RANK, LOSS = "log_scale", "entropy", "reciprocal_rank", "loss"
OWN_TOKENS, TO_BOS = "own_tokens", "to_bos"
"""Measures at a position."""

MEASURES = {
    SCALE: "log of the root mean square that the final norm divides by",
    ENTROPY_OF: "entropy of the distribution of the next token, nats",
    RANK: "1 / rank of the token that follows",
    LOSS: "negative log-probability of the token that follows, nats",
    OWN_TOKENS: "mean log-probability of the 20 tokens that its output weights move most, nats",
    TO_BOS: "attention to the first token, of the head of the next layer that it is read by most",
}

INTERVENTIONS = Schema(
    "universal interventions",
    {
        "role": Column("str", "role"),
        "kind": Column("str", "candidate, matched or plain"),
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "neuron of the layer, from 0"),
        "operation": Column("str", "mean: held at its mean over the text; clamp: at `value`"),
        "value": Column("float", "what it was held at, activation units"),
        "measure": Column("str", "what is measured"),
        "block": Column("int", "block of the text"),
        "n": Column("int", "positions in the block"),
        "natural": Column("float", "mean of the measure over them, with nothing held"),
        "held": Column("float", "the same with the neuron held"),
    },
    key=("role", "kind", "layer", "neuron", "operation", "value", "measure", "block"),
)

ATTENTION_SCORES = Schema(
    "universal attention scores",
    {
        "layer": Column("int", "layer of the neuron, from 0"),
        "neuron": Column("int", "neuron of the layer, from 0"),
        "head": Column("int", "head of the next layer where the score is largest in size"),
        "score": Column(
            "float",
            "w_out / |w_out| through the norm and W_Q of the head, times the key of BOS, by the "
            "square root of the key's width",
        ),
    },
    key=("layer", "neuron"),
)
