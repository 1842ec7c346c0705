"""The device that a model runs on, on the machine that runs it."""

from __future__ import annotations

import platform

import torch

from clampsweep.errors import UserError, shown

DEVICES = ("auto", "cpu", "cuda")


def device_of(name: str) -> str:
    """`cpu` or `cuda`, as torch knows them.

    Args:
        name: `auto` (a GPU if there is one), `cpu` or `cuda`.

    Raises:
        UserError: A GPU is asked for, and torch sees none here.
        ValueError: It is another name.
    """
    if name not in DEVICES:
        raise ValueError(f"device: got {shown(name)}; allowed: {', '.join(DEVICES)}")
    there = name != "cpu" and torch.cuda.is_available()
    if name == "cuda" and not there:
        raise UserError(
            f"compute.device: got 'cuda', but torch {torch.__version__} sees no GPU on "
            f"{platform.node()}; write device: auto or cpu, or run on a machine that has one "
            "(docs/cluster.md)"
        )
    return "cuda" if there else "cpu"
