"""A folder that an earlier fetch left, and what stands where; a port at which nobody listens."""

from __future__ import annotations

import socket
from pathlib import Path


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def listing(folder: Path) -> list[str]:
    """Every file below a folder, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def good_folder(parent: Path) -> Path:
    """A model's folder as an earlier fetch left it."""
    folder = parent / "model"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("earlier")
    return folder


def is_untouched(folder: Path) -> bool:
    """Whether that folder is as it was, and nothing lies beside it."""
    return listing(folder.parent) == ["model/model.json"] and (
        (folder / "model.json").read_text() == "earlier"
    )
