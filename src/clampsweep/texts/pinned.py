"""Files whose name is the digest of their content: plans of the rows that make up a request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clampsweep.errors import UserError
from clampsweep.files import write_text


def pin(path: Path, content: Any) -> Path:
    """Write a JSON file whose name is decided by its content; return its path.

    Once, unless it was damaged since.
    """
    text = json.dumps(content, separators=(",", ":"))
    if not path.exists() or path.read_bytes() != text.encode():
        write_text(text, path)
    return path


def read_plan(path: Path) -> list[tuple[str, str]]:
    """Rows of a pinned plan: prompt id and key.

    Raises:
        UserError: The file is damaged.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        return [(str(prompt_id), str(key)) for prompt_id, key in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged plan file; delete it and run again") from error
