"""The section on texts: what everything is measured on, where it comes from, how it is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from clampsweep.markdown import join, plain, table

HEAD = ("domain", "language", "source", "licence", "documents", "tokens", "characters per token")


def section(tokens: pd.DataFrame, domains: Sequence[Mapping[str, str]], skip: int) -> str:
    """The section in Markdown.

    Args:
        tokens: The `TOKENS` table.
        domains: `name`, `source`, `licence` and `language` of each domain.
        skip: First positions of a sequence that do not count.
    """
    rows = []
    for domain in domains:
        own = tokens[tokens["domain"] == domain["name"]]
        n_tokens = sum(map(len, own["tokens"]))
        about = (domain[name] for name in ("name", "language", "source", "licence"))
        per_token = own["text"].str.len().sum() / n_tokens
        rows.append(
            [*map(plain, about), str(own["doc_id"].nunique()), f"{n_tokens:,}", f"{per_token:.2f}"]
        )
    first = tokens[tokens["domain"] == domains[0]["name"]]
    n_blocks, context = first["block"].nunique(), len(first["tokens"].iloc[0])
    cut = (
        f"Each domain gives {len(first)} sequences of {context} tokens, spread evenly over its "
        f"documents, in {n_blocks} blocks of neighbouring sequences: the blocks are what intervals "
        f"are made of. The first {skip} positions of a sequence do not count. Even blocks are for "
        "discovery, odd ones for confirmation. A token says more or less in one language than in "
        "another: the last column is how many characters it stands for."
    )
    return join(["## The texts", table(HEAD, rows), cut])
