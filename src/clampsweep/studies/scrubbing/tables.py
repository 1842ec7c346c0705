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
