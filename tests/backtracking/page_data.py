"""What stands in a page, read back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "workflow/data/backtracking"


def template(name: str) -> str:
    """A page's template."""
    return (DATA / f"{name}.html").read_text(encoding="utf-8")


def data_of(page: str) -> dict[str, Any]:
    """The data that a page's script is given."""
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    if found is None:
        raise ValueError("the page has no data")
    content: dict[str, Any] = json.loads(found[1])
    return content
