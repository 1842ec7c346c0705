"""The table that is made in shards; its columns are known at parse time, so no torch here."""

from __future__ import annotations

from clampsweep.tables import Column, Schema

LOSSES = Schema(
    "mystudy losses",
    {
        "prompt_id": Column("str", "the prompt's name in its promptset"),
        "n_tokens": Column("int", "its length in model tokens"),
        "loss": Column(
            "float", "mean loss of its tokens but the first, nats; null if it has one", null=True
        ),
    },
    key=("prompt_id",),  # the first column names the item
)
