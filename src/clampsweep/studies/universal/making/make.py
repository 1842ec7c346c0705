"""Make the folder of a seed's model: what transformers reads, its recipe, its loss, digests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from clampsweep.errors import UserError
from clampsweep.files import write_text
from clampsweep.models.making import BEGIN, BEGIN_ID, learn, seal
from clampsweep.provenance import file_digest
from clampsweep.studies.universal.domains import documents
from clampsweep.studies.universal.making.training import train_model

_EVERY = 100  # steps whose mean loss is kept

_BETWEEN = "\n\n"  # two documents of a stream


def make(recipe: Mapping[str, Any], threads: int, scratch: Path, folder: Path) -> None:
    """Train a model by its recipe and write its folder.

    Beside what transformers reads, it holds `recipe.json`, `losses.json` (mean loss of each 100
    steps, nats per token) and the digests of all. Models of recipes that differ in `seed` and
    `steps` alone have the same tokenizer.

    Args:
        recipe: How it is made.
        threads: CPU threads for torch; with one, a killed training gives the same weights.
        scratch: Folder for the training's state.
        folder: Where the model goes.

    Raises:
        UserError: A text is not the recipe's, a loss is not finite, or a file was refused.
    """
    torch.set_num_threads(threads)
    texts = training_texts(recipe["texts"])
    tokenizer = learn(texts, recipe["vocabulary"], eos_token=BEGIN)
    found = train_model(recipe, stream(tokenizer, texts), scratch)
    found.model.to(getattr(torch, recipe["storage"])).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    losses = torch.tensor([one["loss"] for one in found.measured])
    means = [round(float(part.mean()), 4) for part in torch.split(losses, _EVERY)]
    write_text(json.dumps({"every": _EVERY, "loss": means}) + "\n", folder / "losses.json")
    seal(folder, recipe)


def training_texts(files: Mapping[str, str]) -> list[str]:
    """Texts of the recipe's files, in its order.

    Args:
        files: Digest of each file by its path.

    Raises:
        UserError: A file is missing, damaged, or another than the recipe says.
    """
    found = []
    for path, sha256 in files.items():
        if not Path(path).is_file():
            raise UserError(f"recipe.texts: {path}: no such file; correct the path")
        if (digest := file_digest(path)) != sha256:
            raise UserError(
                f"recipe.texts: {path}: its digest is {digest}, not {sha256}; get the file again, "
                "or write this digest for a model of this text"
            )
        found += [document.text for document in documents(path, [Path(path)])]
    return found


def stream(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> Int[Tensor, " token"]:
    """Token ids of texts, one after the other, `BEGIN` before each.

    Args:
        tokenizer: Of the model.
        texts: Documents.
    """
    encoded = tokenizer([text + _BETWEEN for text in texts], add_special_tokens=False).input_ids
    return torch.cat([torch.tensor([BEGIN_ID, *ids], dtype=torch.int64) for ids in encoded])
