"""A sweep's texts as HTML: all of them in rows, and one beside the baseline."""

from __future__ import annotations

from markupsafe import Markup

from clampsweep.explorer.marking import side_by_side, words
from clampsweep.explorer.pages import measures
from clampsweep.explorer.running import Said
from clampsweep.explorer.sweeping import Swept


def strip(swept: Swept, at: int) -> Markup:
    """The baseline's text and every value's in rows; a value's row is a button, `at` is pressed."""
    rows = [
        Markup('<li><div class="cs-still">{}</div></li>').format(
            _knob("baseline", swept.baseline.text, swept.baseline)
        )
    ]
    for number, (value, said) in enumerate(zip(swept.values, swept.texts, strict=True)):
        shown = f"{value:+g}" if value else "0"
        same = said.token_ids == swept.baseline.token_ids
        rows.append(
            Markup(
                '<li><button type="button" data-at="{}" aria-pressed="{}" '
                'aria-label="value {}, {}: {}">{}</button></li>'
            ).format(
                number,
                "true" if number == at else "false",
                shown,
                ", ".join(said.flags) or "fine",
                said.text.strip() or "(empty text)",
                _knob(shown, "(as the baseline)" if same else said.text, said),
            )
        )
    return Markup('<ol class="cs-knobs" aria-label="Text by value">{}</ol>').format(
        Markup().join(rows)
    )


def _knob(name: str, text: str, said: Said) -> Markup:
    """Name, text in a line, and the detectors that call it collapsed."""
    flags = [Markup('<span class="cs-bad">{}</span>').format(flag) for flag in said.flags]
    return Markup(
        '<span class="cs-knob">{}</span><span class="cs-said">{}</span>'
        '<span class="cs-flags">{}</span>'
    ).format(
        name,
        text.strip() or "(empty text)",
        Markup(" ").join(flags) or Markup('<span class="cs-good">fine</span>'),
    )


def chosen(swept: Swept, at: int) -> Markup:
    """One value's text beside the baseline."""
    value, said = swept.values[at], swept.texts[at]
    title = f"{swept.settings.changes[0].operation} {value:+g}"
    both = (words(swept.baseline.text), words(said.text))
    return side_by_side(("Baseline", title), both)


def chosen_measures(swept: Swept, at: int) -> Markup:
    """What was measured of the baseline and of one value's text."""
    title = f"{swept.settings.changes[0].operation} {swept.values[at]:+g}"
    return measures([swept.baseline, swept.texts[at]], ["baseline", title])
