"""Names of downloaded files: what is in them, so that no two files have the same name."""

from __future__ import annotations

import re

from clampsweep.provenance import text_digest

_MOST = 120  # characters


def file_name(*words: str) -> str:
    """A name without ending that says what is in a file; a long one is cut and keeps a digest."""
    name = re.sub(r"[^\w.+=-]+", "-", "-".join(filter(None, words))).strip("-.")
    return name if len(name) <= _MOST else f"{name[:_MOST].rstrip('-.')}-{text_digest(name)[:8]}"
