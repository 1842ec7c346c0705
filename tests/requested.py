"""A request, its prompts, and combinations to generate: for tests of what is planned."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import pandas as pd

import factories
from clampsweep.models.spec import ModelSpec
from clampsweep.texts.combination import Combination
from clampsweep.texts.promptset import PROMPTS
from clampsweep.texts.request import Decoding, PromptsetSpec, TextRequest
from clampsweep.texts.wanted import baselines, interventions

GREEDY, SAMPLED = Decoding("greedy", 8), Decoding("sample", 8, 0.7, 40, 0.9)
MODEL = ModelSpec(
    where="config.yaml: models.tiny",
    name="tiny",
    source="hub",
    licence="none",
    n_layers=3,
    d_mlp=40,
    dtype="float32",
    prepend_bos=False,
    weight_processing="none",
    repo="who/what",
    revision="0" * 40,
)
REQUEST = TextRequest(
    name="main",
    model=MODEL,
    promptset=PromptsetSpec("config.yaml: promptsets.few", "few", "csv", path="few.csv"),
    targets=("L0N1", "L1N2+L2N3"),
    operation="set",
    values=(-3.0, 2.5),
    scope="all",
    decoding=GREEDY,
    seeds=(None,),
)
PLAIN = Combination("m", "The glass is", "L1N2", "set", 5.0, "all", SAMPLED, 0, "A donor")


def prompts(*texts: str, ids: Iterable[str] | None = None) -> pd.DataFrame:
    """A prompts table; ids p0, p1, ... unless given."""
    names = list(ids) if ids else [f"p{at}" for at in range(len(texts))]
    rows = [factories.prompt(text, name) for text, name in zip(texts, names, strict=True)]
    return factories.frame(rows, PROMPTS)


def change(**fields: Any) -> TextRequest:
    """`REQUEST` with other fields."""
    return dataclasses.replace(REQUEST, **fields)


def many(n: int, **fields: Any) -> list[Combination]:
    """Combinations that differ in their value, numbered so."""
    return [dataclasses.replace(PLAIN, value=float(at), **fields) for at in range(n)]


def keys(request: TextRequest, table: pd.DataFrame) -> list[str]:
    """Keys of all that a request wants of these prompts."""
    found = [*baselines(request, table), *interventions(request, table, None)]
    return [one.key for one in found]
