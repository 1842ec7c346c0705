"""Tables that torch makes, and that are asked for where no torch is."""

from __future__ import annotations

from clampsweep.tables import WIDE, Column, Schema

ACTIVATIONS = Schema(
    "backtracking activations",
    {
        "trace_id": Column("str", "the trace"),
        "place": Column("int", "position of the onset, prompt included"),
        "kind": Column("str", "pre, pred, onset or window"),
        "layer": Column("int", "layer, from 0"),
        "vector": Column(
            WIDE,
            "mean over the positions of the kind: post-activations of the layer's neurons, then "
            "the residual stream after the layer",
        ),
    },
    key=("trace_id", "place", "kind", "layer"),
)

ZERO, MEAN, RESAMPLE, RAISE = "zero", "mean", "resample", "raise"
NONE = "none"
INTERVENTIONS = (ZERO, MEAN, RESAMPLE, RAISE)
PRED_POS, OUTPUT = "pred_pos", "output"

TRIALS = Schema(
    "backtracking onset trials",
    {
        "sample_id": Column("str", "trace and token"),
        "match_id": Column("str", "event that it is, or is matched with"),
        "problem_id": Column("str", "the problem of the event"),
        "y": Column("int", "1 of an event, 0 of a control"),
        "intervention": Column(
            "str", "none, zero, mean (of controls), resample or raise (to events)"
        ),
        "scope": Column("str", "pred_pos: the token before the onset; output: all of the output"),
        "set_kind": Column("str", "top, bottom, random; none"),
        "k": Column("int", "neurons that are changed"),
        "draw": Column("int", "number of a random set"),
        "lp_onset": Column("float", "log-probability of a word of the lexicon, nats"),
        "lp_actual": Column("float", "log-probability of the token that was said, nats"),
        "kl_next": Column("float", "KL of the next token from the unchanged model's, nats"),
        "kl_rest": Column("float", "the same among tokens that are not of the lexicon, nats"),
        "lp_direct": Column(
            "float", "lp_onset, were the change only added before the final norm", null=True
        ),
        "nll_rest": Column("float", "of scope output: mean NLL of what was said, nats", null=True),
    },
    key=("sample_id", "match_id", "intervention", "scope", "set_kind", "k", "draw"),
)
