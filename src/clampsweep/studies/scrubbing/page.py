"""A page of its own on which a reader points at tokens: attribution of each, and where heads look.

It needs no network: style, script and data are in it, and its content policy allows nothing else.
Texts of tokens come from anywhere. They stand in the page as JSON without a `<`, and its script
writes them as text, never as HTML. Attention of an example, experiment and head is a triangle of
whole numbers (thousandths, 16 bits), row after row of queries, deflated; the page inflates those
that it shows.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import compress

import numpy as np
import pandas as pd

from clampsweep.html_page import filled
from clampsweep.studies.scrubbing.masks import CATEGORIES

PARTS = 1000  # of 1, in which attention is kept: it is right to half a part

DIGITS = 4  # of dloss, se and key totals after the point


def page(
    saa: pd.DataFrame,
    attention: pd.DataFrame,
    totals: pd.DataFrame,
    texts: Sequence[str],
    heads: Sequence[int],
    title: str,
    about: str,
    template: str,
) -> str:
    """The page as HTML.

    Examples are those of `saa`. Of an example, experiment or head that the other tables lack, the
    page says so.

    Args:
        saa: A `SAA` table.
        attention: An `ATTENTION` table, with at least one experiment. Its rows of differences are
            left out: the page subtracts by itself.
        totals: A `TOTALS` table.
        texts: What each token stands for.
        heads: Of layer 1, the first that is shown first.
        title: Plain text.
        about: Plain text; an empty line parts paragraphs.
        template: Content of `workflow/data/scrubbing/page.html`.
    """
    return filled(template, title, about, _data(saa, attention, totals, texts, heads))


def _data(
    saa: pd.DataFrame,
    attention: pd.DataFrame,
    totals: pd.DataFrame,
    texts: Sequence[str],
    heads: Sequence[int],
) -> dict[str, Any]:
    """All that the page's script is given."""
    pairs = list(dict.fromkeys(zip(saa["first"], saa["second"], strict=True)))
    own = attention[(attention["second"] == "") & attention["head"].isin(heads)]
    experiments = own["first"].unique().tolist()
    triangles = {
        at: _packed(rows) for at, rows in own.groupby(["example", "first", "head"], sort=False)
    }
    sums = {
        at: _rounded(rows.sort_values("position")["total"])
        for at, rows in totals.groupby(["example", "experiment", "head"], sort=False)
    }
    return {
        "parts": PARTS,
        "limit": _limit(saa["dloss"]),
        "categories": CATEGORIES,
        "texts": {str(token): texts[token] for token in sorted(saa["token"].unique().tolist())},
        "pairs": pairs,
        "experiments": experiments,
        "heads": list(heads),
        "examples": [
            {
                **_example(rows, pairs),
                "attention": _grid(triangles, number, experiments, heads),
                "totals": _grid(sums, number, experiments, heads),
            }
            for number, rows in saa.groupby("example", sort=False)
        ],
    }


def _example(rows: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Tokens of an example, categories of each by number, and its attribution under each pair.

    Args:
        rows: Of `SAA`.
        pairs: In the order of the result's; None for one that the example has no rows of.
    """
    by_pair = {pair: own.sort_values("position") for pair, own in rows.groupby(["first", "second"])}
    one = next(iter(by_pair.values()))
    names = list(CATEGORIES)
    return {
        "number": int(one["example"].iloc[0]),
        "tokens": one["token"].tolist(),
        "categories": [
            [names.index(name) for name in joined.split("; ") if name]
            for joined in one["categories"]
        ],
        "saa": [_attribution(by_pair[pair]) if pair in by_pair else None for pair in pairs],
    }


def _attribution(rows: pd.DataFrame) -> dict[str, Any]:
    return {
        "dloss": _rounded(rows["dloss"]),
        "se": _rounded(rows["se"]),
        "draws": int(rows["n_draws"].iloc[0]),
    }


def _grid(
    found: Mapping[Any, Any], number: Any, experiments: Sequence[str], heads: Sequence[int]
) -> list[list[Any]]:
    """What an example has of each experiment and head; None where it has nothing."""
    return [[found.get((number, name, head)) for head in heads] for name in experiments]


def _packed(rows: pd.DataFrame) -> str:
    """Attention of one example, experiment and head, in parts: deflated, in base 64."""
    query, key = (rows[name].to_numpy() for name in ("query", "key"))
    n = int(query.max()) + 1
    triangle = np.zeros(n * (n + 1) // 2, dtype="<u2")  # key k of query q at q (q + 1) / 2 + k
    triangle[query * (query + 1) // 2 + key] = np.rint(rows["mean"].to_numpy() * PARTS)
    return b64encode(compress(triangle.tobytes())).decode()


def _rounded(values: pd.Series) -> list[float | None]:
    """Numbers to `DIGITS` digits; None for those that are missing."""
    rounded = values.to_numpy(float).round(DIGITS) + 0.0  # no -0
    return [value if math.isfinite(value) else None for value in rounded.tolist()]


def _limit(dloss: pd.Series) -> float:
    """End of the colour scale, nats: 99 % of the sizes, rounded up to one digit."""
    size = float(np.quantile(dloss.abs(), 0.99))
    if size < 10.0**-DIGITS:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(size))
    return round(math.ceil(size / unit) * unit, DIGITS)
