"""Small tables built by hand, for the tests of several modules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from clampsweep import tables


def prompt(text: str, prompt_id: str, **columns: Any) -> dict[str, Any]:
    """One row of a prompts table."""
    return {
        "prompt_id": prompt_id,
        "text": text,
        "text_digest": hashlib.sha256(text.encode()).hexdigest(),
        "core": None,
        "proposition": None,
        "type": None,
        "level": None,
        **columns,
    }


def generation(
    prompt_id: str,
    text: str,
    value: float | None = None,
    *,
    target: str | None = "L1N2",
    operation: str = "set",
    tokens: Sequence[int] | None = (1, 2, 3),
    seed: int | None = None,
    **columns: Any,
) -> dict[str, Any]:
    """One row of a generations table: a changed one, or (`baseline`) one where nothing is.

    Layer and neuron are those of a target of one neuron, and the layer that of a direction.
    """
    layer, neuron = (None, None)
    if target is not None and "@" in target:
        layer = int(target.partition("@")[0].split("R")[0][1:])
    elif target is not None and "+" not in target:
        bare = target.split("=")[0].split("R")[0]
        layer, neuron = (int(part) for part in bare[1:].split("N"))
    row = {
        "model": "tiny",
        "prompt_id": prompt_id,
        "target": target,
        "layer": layer,
        "neuron": neuron,
        "operation": operation,
        "value": value,
        "scope": None if operation == "none" else "all",
        "seed": seed,
        "n_prompt_tokens": 4,
        "token_ids": None if tokens is None else list(tokens),
        "text": text,
        "n_new_tokens": None if tokens is None else len(tokens),
        "stop_reason": "max_new_tokens",
        "min_margin": 0.5,
        "nll_unclamped": None,
        "p_end_first": None,
        "first_divergence_step": None,
        **columns,
    }
    identity = [str(row[name]) for name in ("prompt_id", "target", "operation", "value", "scope")]
    row.setdefault("key", hashlib.sha256("|".join([*identity, str(seed)]).encode()).hexdigest())
    return row


def baseline(prompt_id: str, text: str, **columns: Any) -> dict[str, Any]:
    """One row of a generations table: nothing changed."""
    return generation(prompt_id, text, target=None, operation="none", **columns)


def frame(rows: Iterable[dict[str, Any]], schema: tables.Schema) -> pd.DataFrame:
    """The rows with the schema's columns in their place and their types as `tables.read` gives."""
    rows = list(rows)
    extra = [name for row in rows[:1] for name in row if name not in schema.columns]
    table = pd.DataFrame(rows, columns=[*schema.columns, *extra])
    dtypes = {"int": "Int64", "float": "float64", "str": "str"}
    kinds = {name: dtypes[c.type] for name, c in schema.columns.items() if c.type in dtypes}
    return table.astype(kinds)
