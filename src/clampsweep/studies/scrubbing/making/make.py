"""Make the folder of the study's own model: what transformers reads, how it came about, digests."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from clampsweep import tables
from clampsweep.models.making import learn, seal
from clampsweep.provenance import record
from clampsweep.studies.scrubbing.making.export import as_neox
from clampsweep.studies.scrubbing.making.training import train_model
from clampsweep.studies.scrubbing.making.vocabulary import stream
from clampsweep.studies.scrubbing.tables import CURVE


def make(
    recipe: Mapping[str, Any], corpus: pd.DataFrame, threads: int, scratch: Path, folder: Path
) -> None:
    """Train a model by its recipe and write its folder.

    Beside what transformers reads, it holds `curve.parquet` (`CURVE`), `corpus.csv` (packages,
    versions, licences, sizes), `recipe.json` and the digests of all.

    Args:
        recipe: How it is made; its corpus has been checked.
        corpus: A `CORPUS` table.
        threads: CPU threads for torch; with one, a killed training gives the same weights.
        scratch: Folder for the training's state.
        folder: Where the model goes.

    Raises:
        UserError: A loss is not finite, or the operating system refused a file.
    """
    torch.set_num_threads(threads)
    kept = corpus["held_out"]
    tokenizer = learn(corpus.loc[~kept, "text"], recipe["vocabulary"])
    natural = stream(tokenizer, list(corpus.loc[~kept, "text"]))
    held_out = stream(tokenizer, list(corpus.loc[kept, "text"]))
    model, curve = train_model(recipe, natural, held_out, scratch)
    as_neox(model, getattr(torch, recipe["storage"])).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    tables.write(curve, folder / "curve.parquet", CURVE, record())
    described(corpus).to_csv(folder / "corpus.csv", index=False)
    seal(folder, recipe)


def described(corpus: pd.DataFrame) -> pd.DataFrame:
    """What a corpus is made of: a row for each package.

    Args:
        corpus: A `CORPUS` table.
    """
    sized = corpus.assign(length=corpus["text"].str.len())
    sized["kept"] = sized["length"].where(sized["held_out"], 0)
    sizes = sized.groupby("package").agg(
        files=("file", "size"), characters=("length", "sum"), held_out=("kept", "sum")
    )
    names = sizes.index
    # Without what a build adds, as +cpu: the source files are the same.
    sizes.insert(0, "version", [metadata.version(name).partition("+")[0] for name in names])
    sizes.insert(1, "licence", [_licence(name) for name in names])
    return sizes.reset_index()


def _licence(package: str) -> str:
    """A package's licence, as it says in a line; of long texts the first line."""
    facts: Any = metadata.metadata(package)
    classified = [
        line.rpartition(" :: ")[2]
        for line in facts.get_all("Classifier") or []
        if line.startswith("License :: ")
    ]
    said = facts.get("License-Expression") or " / ".join(classified) or facts.get("License")
    return (said or "see the package").splitlines()[0]
