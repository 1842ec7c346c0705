"""The files of a published model, by their names; known without torch."""

from __future__ import annotations

from pathlib import Path

from clampsweep.errors import UserError
from clampsweep.provenance import file_digest, json_digest

CONFIG = "config.json"

TOKENS = "validation_data.pt"
"""The original's examples: a row of token ids for each."""

CANDIDATES = "good_induction_candidates.pt"
"""The original's candidates: a flag for each token."""

VOCABULARY = "vocab.json"
"""What each token stands for, in GPT-2's form; may be missing."""


def state_file(folder: Path) -> Path:
    """The state dict of a folder.

    Raises:
        UserError: There is none, or more than one.
    """
    found = sorted(folder.glob("*final.pth")) or sorted(folder.glob("*state_dict.pt"))
    if len(found) != 1:
        raise UserError(
            f"{folder}: {len(found)} files *final.pth or *state_dict.pt, not one; put the model's "
            "state dict there"
        )
    return found[0]


def vocabulary_file(folder: Path) -> Path | None:
    """What the tokens of a folder's model stand for; None if that is not there."""
    path = folder / VOCABULARY
    return path if path.is_file() else None


def identity(folder: Path) -> str:
    """Digest of a model's files, 32 hex digits.

    Raises:
        UserError: One is missing.
    """
    if not (folder / CONFIG).is_file():
        raise UserError(f"{folder}: no {CONFIG}; download the model's repository into this folder")
    return json_digest([file_digest(folder / CONFIG), file_digest(state_file(folder))])[:32]
