"""Gather a sweep's rows from the batches that hold them, and compare each with its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.names import layers_in
from clampsweep.provenance import record
from clampsweep.tables import Column, Schema
from clampsweep.texts.pinned import read_plan
from clampsweep.texts.promptset import PROMPTS
from clampsweep.texts.tables import BATCH_GENERATIONS, BATCH_VECTORS, DECODED, ROW

GENERATIONS = Schema(
    "generations",
    {
        "model": Column("str", "model name in the config"),
        **ROW,
        **DECODED,
        "first_divergence_step": Column(
            "int",
            "first generated token (from 0) that differs from the baseline; null if none does",
            null=True,
        ),
    },
    key=("prompt_id", "key"),
)

VECTORS = Schema(
    "vectors",
    {
        **ROW,
        "layer": BATCH_VECTORS.columns["layer"],
        **{name: BATCH_VECTORS.columns[name] for name in ("vector", "natural_value")},
    },
    key=("prompt_id", "key", "layer"),
)


def gather(
    plan: Path,
    prompts: Path,
    batches: Sequence[Path],
    vector_batches: Sequence[Path],
    model: str,
    texts_code: str,
    code: str,
    generations: Path,
    vectors: Path,
) -> None:
    """Make a sweep's `generations` and `vectors` from the batches that hold its rows.

    Vectors are those of the layers that the sweep changes, baselines included.

    Args:
        plan: The pinned plan: rows of prompt id and key.
        prompts: The sweep's prompts table.
        batches: Batch generations.
        vector_batches: Batch vectors.
        model: Model name, a column.
        texts_code: Digest of the code that makes batches now.
        code: Code digest, for the footer.
        generations: Output.
        vectors: Output.

    Raises:
        UserError: A batch lacks a row that it should hold, or was made by other code.
    """
    rows = pd.DataFrame(read_plan(plan), columns=["prompt_id", "key"])
    order = tables.read(prompts, PROMPTS)["prompt_id"]
    found = pd.concat([tables.read(path, BATCH_GENERATIONS) for path in batches])
    tables.check_code(batches, texts_code, "generate")
    merged = rows.merge(found.drop_duplicates("key"), on="key", how="left")
    if merged["text"].isna().any():
        key = merged.loc[merged["text"].isna(), "key"].iloc[0]
        raise UserError(
            f"{plan}: no batch holds the row {key}; delete results/batches and run again"
        )
    merged["rank"] = merged["prompt_id"].map({name: at for at, name in enumerate(order)})
    merged = merged.sort_values(
        ["rank", "layer", "target", "value", "seed"], na_position="first", ignore_index=True
    )
    merged.insert(0, "model", model)
    merged["first_divergence_step"] = _divergence(merged)
    made = tables.footer(batches[0])  # all are of one model and prompt format
    names = ("model", "prompt_format", "system_prompt", "chat_template", "unused_settings")
    kept = {name: made[name] for name in names if name in made}
    provenance = record(code=code, plan=plan.stem, **kept)
    tables.write(merged[list(GENERATIONS.columns)], generations, GENERATIONS, provenance)
    layers = {layer for name in merged["target"].dropna().unique() for layer in layers_in(name)}
    vector_rows = pd.concat(
        [
            frame[frame["layer"].isin(layers) & frame["key"].isin(set(rows["key"]))]
            for frame in (tables.read(path, BATCH_VECTORS) for path in vector_batches)
        ]
    ).drop_duplicates(["key", "layer"])
    joined = merged.drop(columns="layer").merge(vector_rows, on="key")
    tables.write(joined[list(VECTORS.columns)], vectors, VECTORS, provenance)


def _divergence(generations: pd.DataFrame) -> pd.Series:
    """First generated token that differs from the baseline of the same prompt and seed."""
    seeds = generations["seed"].astype(object).where(generations["seed"].notna(), None)
    ids = list(zip(generations["prompt_id"], seeds, strict=True))
    texts = [list(tokens) for tokens in generations["token_ids"]]
    bare = generations["operation"] == "none"
    baseline = {at: text for at, text, own in zip(ids, texts, bare, strict=True) if own}
    steps = [
        first_difference(text, baseline.get((prompt, seed)) or baseline.get((prompt, None), []))
        for (prompt, seed), text in zip(ids, texts, strict=True)
    ]
    return pd.Series(steps, index=generations.index, dtype="Int64")


def first_difference(tokens: Sequence[int], other: Sequence[int]) -> int | None:
    """First position (from 0) at which two token lists differ, an end counting; None if equal."""
    for at, (one, two) in enumerate(zip(tokens, other, strict=False)):
        if one != two:
            return at
    return None if len(tokens) == len(other) else min(len(tokens), len(other))
