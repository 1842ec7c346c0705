"""Length of clamped texts against that of the same prompts' baselines, in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clampsweep.statistics import benjamini_hochberg, cluster_bootstrap, sign_flip
from clampsweep.tables import Column, Schema
from clampsweep.verdicts import VERDICTS
from clampsweep.words import signed

LEVEL = 0.05
MIN_CLUSTERS = 6  # with fewer no p of the sign-flip test is below LEVEL

LENGTHS = Schema(
    "mystudy lengths",
    {
        "target": Column("str", "neurons that are set"),
        "value": Column("float", "what they are set to, activation units"),
        "n": Column("int", "number of prompts"),
        "n_clusters": Column("int", "number of cores, or of prompts where some has no core"),
        "difference": Column("float", "mean of clamped - baseline over prompts, words"),
        "low": Column("float", "95 % bootstrap interval over clusters, lower end", null=True),
        "high": Column("float", "the same, upper end", null=True),
        "p": Column("float", "two-sided sign-flip test over clusters"),
        "q": Column("float", "p after Benjamini-Hochberg correction over the rows"),
    },
    key=("target", "value"),
)


def lengths(generations: pd.DataFrame, prompts: pd.DataFrame) -> pd.DataFrame:
    """The table `LENGTHS`: a row for each target and value.

    Args:
        generations: A `GENERATIONS` table, greedy, baselines included.
        prompts: The `PROMPTS` table of its prompts; those of a core move together.
    """
    by = prompts["core" if prompts["core"].notna().all() else "prompt_id"]
    ids = generations["prompt_id"]
    texts = generations.assign(
        cluster=ids.map(dict(zip(prompts["prompt_id"], by, strict=True))),
        words=[len(text.split()) for text in generations["text"]],
    )
    bare = texts["operation"] == "none"
    more = texts["words"] - ids.map(texts[bare].set_index("prompt_id")["words"])
    groups = texts.assign(more=more)[~bare].groupby(["target", "value"], sort=False)
    rows = [{"target": name, "value": value} | _row(own) for (name, value), own in groups]
    found = pd.DataFrame(rows)
    return found.assign(q=benjamini_hochberg(list(found["p"])))


def _row(texts: pd.DataFrame) -> dict[str, Any]:
    """Mean of `more` over the texts of a clamp, how sure it is, and on how many it rests."""
    clusters = texts.groupby("cluster")["more"].agg(["sum", "size"]).astype(float)
    sums, sizes = clusters[["sum"]].to_numpy(), clusters[["size"]].to_numpy()  # [cluster, 1]
    low, high = cluster_bootstrap(sums, sizes)[0]
    found = {"n": len(texts), "n_clusters": len(clusters), "difference": texts["more"].mean()}
    return found | {"low": low, "high": high, "p": sign_flip(sums)[0]}


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """A row of `VERDICTS` for each row of `LENGTHS`."""
    found = table.rename(columns={"target": "subject", "difference": "estimate"}).assign(
        study="mystudy",
        claim="length",
        by=[f"set {signed(value)}" for value in table["value"]],
        unit="words",
        null=0.0,
        verdict=[_verdict(row) for row in table.to_dict("records")],
        why=[f"{n} prompts in {k} clusters"
             for n, k in zip(table["n"], table["n_clusters"], strict=True)],
    )  # fmt: skip
    return found[list(VERDICTS.columns)]


def _verdict(row: dict[Any, Any]) -> str:
    if row["n_clusters"] < MIN_CLUSTERS:
        return "no answer: too few prompts to tell"
    if row["q"] >= LEVEL:
        return "no effect"
    return "longer" if row["difference"] > 0 else "shorter"
