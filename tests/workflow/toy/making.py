"""A model of two layers of attention, trained on random tokens that repeat.

What it does is written down in `steps.txt`; where there is a file `kill`, the job dies in step 5.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from clampsweep.models.training import train

N_WORDS = 272


def make(
    recipe: Mapping[str, Any], threads: int, scratch: Path, tokenizer: Path, folder: Path
) -> None:
    """Make a model's folder: what transformers reads of model and tokenizer."""
    torch.set_num_threads(threads)
    model = _empty(recipe["seed"])
    trained = [weight for name, weight in model.named_parameters() if ".mlp." not in name]

    def step(number: int, generator: torch.Generator) -> dict[str, Tensor]:
        with open("steps.txt", "a") as file:
            file.write(f"{number}\n")
        if number == 5 and os.path.exists("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        once = torch.randint(N_WORDS, (4, 8), generator=generator)
        ids = torch.cat([once, once], 1)
        return {"loss": model(input_ids=ids, labels=ids).loss}

    optimizers = [AdamW(trained, lr=recipe["rate"])]
    train(model, optimizers, step, recipe["steps"], recipe["seed"], scratch, every=0)
    model.save_pretrained(folder)
    for path in tokenizer.parent.glob("tokenizer*.json"):
        shutil.copyfile(path, folder / path.name)


def _empty(seed: int) -> Any:
    """The model before its first step; its MLPs write nothing."""
    config = GPTNeoXConfig(
        vocab_size=N_WORDS,
        hidden_size=16,
        intermediate_size=1,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        use_parallel_residual=False,
        bos_token_id=0,
        eos_token_id=1,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = GPTNeoXForCausalLM(config)
        for layer in model.gpt_neox.layers:
            for weight in layer.mlp.parameters():
                weight.zero_()
    return model
