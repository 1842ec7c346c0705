"""Pages that need no network: style, script and data are in them, and their policy allows no more.

Texts come from models and from anywhere. They stand in a page as JSON without a `<`, and its script
writes them as text, never as HTML.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html import escape


def filled(template: str, title: str, about: str, data: object) -> str:
    """A page as HTML.

    Args:
        template: With one style, one script, and the places `{{title}}`, `{{about}}`, `{{data}}`,
            and `{{style}}` and `{{script}}` in its content policy.
        title: Plain text.
        about: Plain text; an empty line parts paragraphs.
        data: What the page's script is given, JSON values.
    """
    parts = {
        "title": escape(title),
        "about": "\n".join(f"<p>{escape(part)}</p>" for part in about.split("\n\n") if part),
        "data": _json(data),
        **{tag: _hash_of(tag, template) for tag in ("style", "script")},
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], template)


def _json(value: object) -> str:
    """JSON in ASCII that ends no script element."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", r"\u003c")


def _hash_of(tag: str, template: str) -> str:
    """What the page's content policy knows the text of its one style or script by."""
    content = template.split(f"<{tag}>")[1].split(f"</{tag}>")[0]
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"
