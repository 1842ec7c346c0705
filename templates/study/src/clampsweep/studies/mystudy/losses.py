"""Loss of the prompts under the model as it is: how well it knows such texts."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from clampsweep.decoder.general import nll
from clampsweep.generation.prompts import encode
from clampsweep.models.model import Model
from clampsweep.shards.shard import Shard


def losses(model: Model, shard: Shard) -> Iterator[tuple[str, pd.DataFrame]]:
    """A row of `LOSSES` for each prompt of a shard, beside its key; the names are added later.

    Args:
        model: Loaded model.
        shard: Its items' contents are prompts.
    """
    for item in shard.items:
        ids = encode(model, item.content)
        loss = nll(model, [ids[:1]], [ids[1:]])[0] if len(ids) > 1 else None
        yield item.key, pd.DataFrame({"n_tokens": [len(ids)], "loss": [loss]})
