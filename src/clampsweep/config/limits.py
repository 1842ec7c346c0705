"""What a config cannot ask for: numbers beyond a model's dtype, a GPU of a torch that knows none.

Without importing torch, which takes seconds.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import numpy as np

from clampsweep.models.spec import ModelSpec

LARGEST = MappingProxyType(
    {
        "float16": float(np.finfo(np.float16).max),
        "bfloat16": (2 - 2**-7) * 2.0**127,  # 8 bits of exponent, 7 of fraction
        "float32": float(np.finfo(np.float32).max),
        "float64": sys.float_info.max,
    }
)
"""The largest finite number of each dtype."""


def beyond(value: float, model: ModelSpec) -> str | None:
    """Why a value cannot be one of a model's activations, in words; None if it can."""
    most = LARGEST[model.dtype]
    if abs(value) <= most:
        return None
    wider = "" if model.dtype == "float64" else ", or give the model a wider dtype, such as float64"
    return (
        f"got {value:g}; {model.name} has dtype {model.dtype}, of numbers from {-most:g} to "
        f"{most:g}; write one of these{wider}"
    )


def no_cuda() -> str | None:
    """Why `device: cuda` cannot be, in words; None if it may be: a node may have what this has not.

    Only a torch that was built for the CPU can be known here; what it was built for is written in
    a file of it.
    """
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return None
    written = Path(found.origin).with_name("version.py")
    text = written.read_text(encoding="utf-8") if written.is_file() else ""
    built_for = dict(re.findall(r"^(cuda|hip)\b[^=\n]*= *(.*)$", text, re.MULTILINE))
    if built_for != {"cuda": "None", "hip": "None"}:
        return None
    return (
        f"got 'cuda', but the installed torch {version('torch')} is built for the CPU only; write "
        "auto or cpu, or install a build of torch for CUDA (docs/cluster.md)"
    )
