"""Examples to scrub: stretches of text of one length, each after the token that begins a text."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clampsweep.errors import UserError
from clampsweep.provenance import text_digest
from clampsweep.studies.scrubbing.tables import EXAMPLES


def cut(documents: pd.DataFrame, tokenizer: Any, length: int, where: str) -> pd.DataFrame:
    """Examples of some documents, the table `EXAMPLES`.

    A document is cut from its start into stretches that do not overlap; the rest is left out. Their
    order follows from the digests of their names.

    Args:
        documents: Rows of a `CORPUS` table.
        tokenizer: Of the model, with a token that begins a text.
        length: Tokens of an example but the first: its predictions.
        where: Place in the config, for messages.

    Raises:
        UserError: No token begins a text.
    """
    if tokenizer.bos_token_id is None:
        raise UserError(
            f"{where}: the model's tokenizer has no BOS token, which examples begin with"
        )
    rows = []
    for document in documents.to_dict("records"):
        package, file = document["package"], document["file"]
        ids = tokenizer(document["text"], add_special_tokens=False).input_ids
        for start in range(0, len(ids) - length + 1, length):
            tokens = [tokenizer.bos_token_id, *ids[start : start + length]]
            rows.append((f"{package}/{file}:{start}", package, file, tokens))
    rows.sort(key=lambda row: text_digest(row[0]))  # so that the first are of all packages
    return pd.DataFrame(rows, columns=list(EXAMPLES.columns))
