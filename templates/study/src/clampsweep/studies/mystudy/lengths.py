"""Length of clamped texts against that of the same prompts' baselines, in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clampsweep.ledger import (
    MATCHED_NEURONS,
    RANDOM_DIRECTIONS,
    Conclusions,
    conclusions,
    ran,
    skipped,
)
from clampsweep.statistics import benjamini_hochberg, cluster_bootstrap, sign_flip
from clampsweep.tables import Column, Schema
from clampsweep.verdicts import SUPPORTED, UNTESTABLE, Claim, Result, conclude
from clampsweep.words import signed

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


def judge(table: pd.DataFrame) -> Conclusions:
    """A verdict for each row of `LENGTHS`, and the controls of each."""
    controls = [
        skipped(name, "not in this study: another clamp may do as much")
        for name in (MATCHED_NEURONS, RANDOM_DIRECTIONS)
    ]
    rows = table.to_dict("records")
    return conclusions(
        (_verdict(row), [ran("baselines", row["n"], "of the same prompts"), *controls])
        for row in rows
    )


def _verdict(row: dict[Any, Any]) -> dict[str, Any]:
    """Whether a clamp changes the length, in either direction."""
    by = f"set {signed(row['value'])}"
    found = conclude(
        Claim("mystudy", "length", row["target"], "different", "words", by),
        Result(
            estimate=row["difference"],
            low=row["low"],
            high=row["high"],
            null=0.0,
            n=row["n"],
            p=row["p"],
            q=row["q"],
        ),
        words="no effect",
        why=f"{row['n']} prompts in {row['n_clusters']} clusters",
        least_q=2 / 2 ** row["n_clusters"],  # if all clusters change alike
    )
    if found["verdict"] == UNTESTABLE:
        found["words"] = "no answer: too few prompts to tell"
    elif found["verdict"] == SUPPORTED:
        found["words"] = "longer" if row["difference"] > 0 else "shorter"
    return found
