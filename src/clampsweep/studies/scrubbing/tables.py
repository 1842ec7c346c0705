"""Tables of the study that are known without torch."""

from __future__ import annotations

from clampsweep.tables import Column, Schema

CORPUS = Schema(
    "scrubbing corpus",
    {
        "package": Column("str", "package whose source file it is"),
        "file": Column("str", "the file, as the package lists it"),
        "held_out": Column("bool", "whether it is kept from training: examples are cut from these"),
        "text": Column("str", "its docstrings in order, each paragraph once in the whole corpus"),
    },
    key=("package", "file"),
)

CURVE = Schema(
    "scrubbing training curve",
    {
        "step": Column("int", "training step, from 0"),
        "tokens": Column("int", "tokens seen when it is done"),
        "loss": Column("float", "loss of its batch, nats"),
        "natural": Column("float", "loss on held-out text before the step, nats", null=True),
        "second_copy_30": Column(
            "float", "loss on the second copy of 30 random tokens, nats", null=True
        ),
        "second_copy_149": Column("float", "the same of 149 random tokens", null=True),
        "previous_30": Column(
            "float", "best first-layer head's mean attention to the previous token", null=True
        ),
        "previous_149": Column("float", "the same of 149 random tokens", null=True),
        "induction_30": Column(
            "float", "best second-layer head's mean attention to what followed before", null=True
        ),
        "induction_149": Column("float", "the same of 149 random tokens", null=True),
    },
    key=("step",),
)

EXAMPLES = Schema(
    "scrubbing examples",
    {
        "example": Column("str", "package, file and the place of its first token in the document"),
        "package": Column("str", "package that it is from"),
        "file": Column("str", "source file that it is from"),
        "tokens": Column("tokens", "the token that begins a text, then those of the stretch"),
    },
    key=("example",),
)

TOKENS = Schema(
    "scrubbing tokens",
    {
        "token": Column("int", "token id"),
        "text": Column("str", "what it stands for"),
        "candidate": Column("bool", "whether induction predicts well after it"),
        "common": Column("bool", "whether it is among the most frequent tokens of the examples"),
        "fuzzy": Column("int", "number of its fuzzy form: upper case, marks at its ends stripped"),
    },
    key=("token",),
)

LOSSES = Schema(
    "scrubbing losses",
    {
        "item": Column("str", "experiment, and the number of the block's first example"),
        "example": Column("int", "number of the example that was scrubbed"),
        "draws": Column("tokens", "numbers of the examples that draws are from, in order"),
        "nll": Column("vector", "loss of each token but the first, nats"),
    },
    key=("item", "example"),
)

SAA = Schema(
    "scrubbing attribution",
    {
        "item": Column("str", "what was computed: its experiments and its example"),
        "example": Column("int", "number of the example"),
        "first": Column("str", "experiment that is subtracted"),
        "second": Column("str", "experiment whose loss it is subtracted from"),
        "position": Column("int", "place of the token, from 0 (BOS)"),
        "token": Column("int", "token there"),
        "categories": Column("str", "categories of the token as a label, joined by '; '"),
        "dloss": Column("float", "mean over draws of its loss under second - first, nats"),
        "se": Column("float", "standard error of that, nats; null for one draw", null=True),
        "n_draws": Column("int", "number of draws"),
    },
    key=("item", "position"),
)

ATTENTION = Schema(
    "scrubbing attention",
    {
        "item": Column("str", "what was computed: its experiments and its example"),
        "example": Column("int", "number of the example"),
        "first": Column("str", "the experiment"),
        "second": Column("str", "experiment that is subtracted; empty if none is"),
        "layer": Column("int", "layer of the head, 1"),
        "head": Column("int", "the head"),
        "query": Column("int", "place that looks, from 0 (BOS)"),
        "key": Column("int", "place looked at"),
        "mean": Column("float", "mean over draws of the attention, or of first - second"),
    },
    key=("item", "first", "second", "layer", "head", "query", "key"),
)

TOTALS = Schema(
    "scrubbing key totals",
    {
        "item": Column("str", "what was computed: its experiments and its example"),
        "example": Column("int", "number of the example"),
        "experiment": Column("str", "what was scrubbed"),
        "head": Column("int", "head of layer 1"),
        "position": Column("int", "place of the token, from 0 (BOS)"),
        "token": Column("int", "token there"),
        "total": Column("float", "mean attention that it gets from all that can see it, 0..1"),
    },
    key=("item", "head", "position"),
)

CELLS = Schema(
    "scrubbing cells",
    {
        "item": Column("str", "number of the block's first example"),
        "head": Column("int", "head of layer 1 whose input is scrubbed"),
        "channel": Column("str", "q, k or v"),
        "upstream": Column("str", "the part that is scrubbed: E, or a head of layer 0 such as 0.3"),
        "example": Column("int", "number of the example"),
        "dloss": Column("vector", "loss of each token but the first - that unscrubbed, nats"),
    },
    key=("item", "head", "channel", "upstream", "example"),
)
