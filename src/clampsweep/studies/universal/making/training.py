"""Training of a small GPT-2 by its recipe, and what its loss is held against."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor
from torch.optim import AdamW
from transformers import GPT2Config, GPT2LMHeadModel

from clampsweep.errors import UserError
from clampsweep.models.making import BEGIN_ID
from clampsweep.models.training import Measured, train

WARM_UP = 50  # steps in which the rates rise

LAST_RATE = 0.02  # share of the learning rates that is left at the end


class Trained(NamedTuple):
    """A model, and the loss of each step."""

    model: GPT2LMHeadModel
    measured: Measured


def untrained(recipe: Mapping[str, Any]) -> GPT2LMHeadModel:
    """The model of a recipe before its first step; the seed draws its weights.

    Args:
        recipe: How it is trained.
    """
    shape = recipe["shape"]
    config = GPT2Config(
        vocab_size=recipe["vocabulary"],
        n_positions=shape["n_ctx"],
        n_embd=shape["d_model"],
        n_layer=shape["n_layers"],
        n_head=shape["n_heads"],
        n_inner=shape["d_mlp"],
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=BEGIN_ID,
        eos_token_id=BEGIN_ID,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe["seed"])
        return GPT2LMHeadModel(config)


def train_model(recipe: Mapping[str, Any], stream: Int[Tensor, " token"], scratch: Path) -> Trained:
    """The model of a recipe, and the loss of each step in nats per token.

    With fewer `steps` than `of_steps` it is the same training, stopped early: a checkpoint.

    Args:
        recipe: How it is trained.
        stream: Token ids of the training documents, one after the other.
        scratch: Folder for the state, named by recipe and code.

    Raises:
        UserError: The texts are shorter than a sequence, a loss is not finite, or the operating
            system refused a file.
    """
    length = recipe["shape"]["n_ctx"]
    if len(stream) < length:
        raise UserError(
            f"recipe.texts: got {len(stream)} tokens, fewer than shape.n_ctx, {length}; add texts"
        )
    if recipe["steps"] > recipe["of_steps"]:
        raise UserError(
            f"recipe.steps: got {recipe['steps']}; at most of_steps, {recipe['of_steps']}"
        )
    model = untrained(recipe)

    def step(number: int, generator: torch.Generator) -> dict[str, Tensor]:
        ids = batch(stream, recipe["batch"], length, generator)
        loss: Tensor = model(input_ids=ids, labels=ids).loss
        return {"loss": loss}

    def rate(number: int) -> float:
        done = number / recipe["of_steps"]
        falling = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * done)) / 2
        return min(1.0, (number + 1) / WARM_UP) * falling

    optimizer = AdamW(
        model.parameters(), lr=recipe["rate"], betas=(0.9, 0.98), weight_decay=recipe["decay"]
    )
    seed, n_steps = recipe["seed"], recipe["steps"]
    model.train()
    measured = train(model, [optimizer], step, n_steps, seed, scratch, schedule=rate)
    model.train(mode=False)
    return Trained(model, measured)


def batch(
    stream: Int[Tensor, " token"], size: int, length: int, generator: torch.Generator
) -> Int[Tensor, "size length"]:
    """Windows of the stream, each behind the token that begins a sequence.

    Args:
        stream: Token ids.
        size: Number of sequences.
        length: Tokens of each, the first among them.
        generator: What places are drawn with.
    """
    starts = torch.randint(0, len(stream) - length + 2, (size,), generator=generator)
    windows = torch.stack([stream[start : start + length - 1] for start in starts.tolist()])
    return torch.cat([torch.full((size, 1), BEGIN_ID), windows], dim=1)
