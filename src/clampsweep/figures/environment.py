"""Matplotlib as if the user had set nothing for it; to be called before it is imported."""

from __future__ import annotations

import os
from pathlib import Path

from clampsweep.errors import UserError


def plain_matplotlib() -> None:
    """Let matplotlib be imported without the user's backend and settings file.

    A notebook leaves `MPLBACKEND` to what it starts, where its backend may not be installed. No
    figure needs a backend: each is drawn for its file's format.

    Raises:
        UserError: A `matplotlibrc` stands here, which matplotlib reads in any case, and cannot.
    """
    os.environ |= {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}
    here = Path("matplotlibrc")
    try:
        if here.is_file():
            here.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{here}: matplotlib cannot read it ({error}); delete it, figures do not use it"
        ) from error
