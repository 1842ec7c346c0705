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

AROUND = Schema(
    "backtracking around",
    {
        "sample_id": Column("str", "trace and token"),
        "match_id": Column("str", "event that it is, or is matched with"),
        "problem_id": Column("str", "its problem"),
        "y": Column("int", "1 of an event, 0 of a control"),
        "offset": Column("int", "tokens from the onset; -1 is the one before"),
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "index in the layer"),
        "value": Column("float", "post-activation"),
    },
    key=("sample_id", "match_id", "offset", "layer", "neuron"),
)

STRIPS = Schema(
    "backtracking strips",
    {
        "trace_id": Column("str", "the trace"),
        "position": Column("int", "token of the output, from 0"),
        "token": Column("str", "its text"),
        "event": Column("bool", "whether it is of the sentence of an event"),
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "index in the layer"),
        "value": Column("float", "post-activation"),
    },
    key=("trace_id", "position", "layer", "neuron"),
)

SPANS = Schema(
    "backtracking spans",
    {
        "position_kind": Column("str", "pre, pred, onset or window"),
        "layer": Column("int", "layer of the residual direction"),
        "k": Column("int", "neurons of that layer or below"),
        "share": Column(
            "float", "share of the direction's squared length in the span of what they write, 0..1"
        ),
        "random_mean": Column("float", "mean of as many other neurons of the same layers"),
        "random_high": Column("float", "95th percentile of these"),
        "p": Column("float", "share of these that span as much"),
    },
    key=("position_kind",),
)

EXITS = Schema(
    "backtracking exits",
    {
        "event_id": Column("str", "the event"),
        "source": Column("str", "chain or given"),
        "problem_id": Column("str", "its problem"),
        "answer": Column("str", "answer where thinking is ended before the event", null=True),
        "correct": Column("bool", "whether it is right; null if not known", null=True),
        "final_correct": Column("bool", "whether the trace's own answer is", null=True),
        "text": Column("str", "what the model went on with"),
    },
    key=("event_id",),
)
