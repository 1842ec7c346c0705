"""Markdown that untrusted text cannot break out of: fences, code spans, escaped lines, tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from markdown_it import MarkdownIt

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;font-size:.85rem}td,th{padding:.2rem .6rem}"
    "tr:nth-child(even){background:#f4f4f4}code,pre{background:#f4f4f4}"
)

# Control characters but tab and newline, as the symbols that picture them (U+2400 and on); others,
# ends of lines, and marks that turn the writing round by their number.
_NUMBERED = (*range(0x80, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))

_PICTURES: dict[int, int | str] = {
    **{code: 0x2400 + code for code in range(32) if code not in (9, 10)},
    127: 0x2421,
    **{code: f"<U+{code:04X}>" for code in (*_NUMBERED, 0xFFFE, 0xFFFF)},
}


def fenced(text: str) -> str:
    """A text as a fenced block whose fence is longer than any run of backticks in it."""
    if not text.strip():
        return "*Blank: empty, or white space only.*"
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text.translate(_PICTURES)}\n{fence}"


def code(text: str) -> str:
    """A text as a code span, on one line."""
    line = text.replace("\n", " ").translate(_PICTURES)
    ticks = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") or not line.strip() else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def plain(text: str) -> str:
    """A text on one line, its Markdown and HTML signs made harmless."""
    return re.sub(r"([\\`*_\[\]<>#|&~])", r"\\\1", " ".join(text.translate(_PICTURES).split()))


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of finished cells, the first column to the left, the others to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    safe = ([cell.replace("|", "\\|") for cell in cells] for cells in lines)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in safe)


def join(blocks: Iterable[str]) -> str:
    """A document of blocks, an empty line between them."""
    return "\n\n".join(blocks) + "\n"


def fragment(markdown: str) -> str:
    """A part of a web page from Markdown; HTML inside the Markdown is escaped, never rendered."""
    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown))


def page(markdown: str, title: str) -> str:
    """A web page of its own from Markdown, as safe as its `fragment`."""
    body = fragment(markdown)
    head = f'<meta charset="utf-8">\n<title>{escape(title)}</title>\n<style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en">\n{head}\n<body>\n{body}</body>\n</html>\n'
