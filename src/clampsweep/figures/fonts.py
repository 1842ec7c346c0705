"""Fonts for names in any writing: letters that matplotlib's own font lacks come from others."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

OWN = "DejaVu Sans"  # comes with matplotlib

# Where several fonts have a letter: these first, then the rest by name.
_FIRST = (
    "Noto Sans CJK SC", "Noto Sans", "WenQuanYi Micro Hei", "PingFang SC", "Hiragino Sans",
    "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Symbola",
)  # fmt: skip

_LOG = logging.getLogger(__name__)

_said: set[str] = set()
"""Letters that the log has said are in no font."""


class Choice(NamedTuple):
    """Families that draw some letters, matplotlib's own first, and the letters that none has."""

    families: tuple[str, ...]
    missing: frozenset[str]


def dress(figure: Figure) -> bool:
    """Give the texts of a drawn figure fonts that have their letters; say once which none has.

    Returns:
        Whether there is another font in it now than matplotlib's own, so that it is to be drawn
        again.
    """
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    choice = choose({letter for text in texts for letter in text.get_text()})
    _warn(choice.missing)
    if choice.families == (OWN,):
        return False
    for text in texts:
        text.set_fontfamily(list(choice.families))
    return True


def choose(letters: Iterable[str]) -> Choice:
    """The fewest families, in order of preference, that draw all letters that any font has."""
    families, missing = [OWN], {letter for letter in letters if letter.isprintable()}
    missing -= _held(OWN, missing)
    for family in _by_preference() if missing else ():
        held = _held(family, missing)
        if held:
            families.append(family)
            missing -= held
    return Choice(tuple(families), frozenset(missing))


def _warn(missing: Iterable[str]) -> None:
    new = sorted(set(missing) - _said)
    if new:
        _said.update(new)
        _LOG.warning(
            "no font on this machine has %s%s: boxes stand for them in the figures; install one "
            "that has, such as the package fonts-noto-cjk (Chinese, Japanese, Korean), "
            "fonts-noto-core (other scripts) or fonts-symbola (emoji), delete the figures and run "
            "again",
            " ".join(new[:20]),
            f" and {len(new) - 20} more" if len(new) > 20 else "",
        )


def _held(family: str, letters: Iterable[str]) -> set[str]:
    """Those of some letters that a family has."""
    font = font_manager.get_font(_files()[family])
    return {letter for letter in letters if font.get_char_index(ord(letter))}


def _by_preference() -> list[str]:
    def rank(family: str) -> tuple[int, bool, str]:
        known = [at for at, name in enumerate(_FIRST) if family.startswith(name)]
        return min(known, default=len(_FIRST)), "Serif" in family or "Mono" in family, family

    return sorted(_files(), key=rank)


@functools.cache
def _files() -> dict[str, str]:
    """A regular face of each family on this machine, but of none that has boxes for all letters.

    matplotlib keeps a list of fonts, and does not look for new ones by itself.
    """
    manager = font_manager.fontManager
    known = {os.fspath(entry.fname) for entry in manager.ttflist}
    for path in font_manager.findSystemFonts():
        if path not in known:
            # FreeType cannot read it (RuntimeError), or it has coloured pixels instead of shapes.
            with suppress(OSError, RuntimeError, NotImplementedError):
                manager.addfont(path)
    return {
        entry.name: entry.fname
        for entry in manager.ttflist
        if (entry.style, entry.weight, entry.stretch) == ("normal", 400, "normal")
        and not entry.name.startswith(("Last", "."))
    }
