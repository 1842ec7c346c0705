"""Load a model and another one, and hold their neurons against each other on an entry's texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from clampsweep.models.loading import load
from clampsweep.models.spec import ModelSpec
from clampsweep.studies.universal.correspondence import align, looked_at
from clampsweep.studies.universal.pairing import Matches, correlate


def compare(
    tokens: pd.DataFrame,
    folders: Sequence[Path],
    loading: Sequence[Mapping[str, Any]],
    wanted: Mapping[str, Any],
    threads: int,
    device: str,
) -> Matches:
    """Best matches of the model's neurons in the other model, and the nulls.

    Args:
        tokens: The entry's `TOKENS`.
        folders: Of the model and of the other one.
        loading: `ModelSpec.loading` of both.
        wanted: `skip` (first positions that do not count), `neurons` (how many are looked at),
            `shifts` and `seed`.
        threads: CPU threads.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        UserError: A folder is damaged, or a tokenizer does not say where its tokens stand.
    """
    own, other = (
        load(folder, ModelSpec(**one), threads, device)
        for folder, one in zip(folders, loading, strict=True)
    )
    aligned = align(
        tokens,
        wanted["skip"],
        own.tokenizer,
        other.tokenizer,
        (own.prepend_bos, other.prepend_bos),
        other.n_ctx,
    )
    n_other = other.n_layers * other.d_mlp
    columns = looked_at(own.n_layers, own.d_mlp, n_other, wanted["neurons"], wanted["seed"])
    return correlate(own, other, aligned, columns, wanted["shifts"], wanted["seed"])
