"""A sweep's texts as HTML: all of them in rows, and one beside the baseline."""

from __future__ import annotations

from markupsafe import Markup

from clampsweep.explorer.marking import quiet, side_by_side, words
from clampsweep.explorer.pages import measures
from clampsweep.explorer.running import Said
from clampsweep.explorer.settings import Settings
from clampsweep.explorer.sweeping import Swept
from clampsweep.words import listed


def swept_words(settings: Settings) -> str:
    """What is swept, and what is held beside it: `L29N1479 set, beside L15N100 set +10`."""
    one, held = settings.swept, settings.held
    beside = f", beside {listed([str(clamp) for clamp in held])}" if held else ""
    return f"{one.name} {one.operation}{beside}"


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
    return Markup('{}<ol class="cs-knobs" aria-label="Text by value">{}</ol>').format(
        quiet(f"Text by value: {swept_words(swept.settings)}"), Markup().join(rows)
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
    said = swept.texts[at]
    both = (words(swept.baseline.text), words(said.text))
    return side_by_side(("Baseline", _title(swept, at)), both)


def chosen_measures(swept: Swept, at: int) -> Markup:
    """What was measured of the baseline and of one value's text."""
    return measures([swept.baseline, swept.texts[at]], ["baseline", _title(swept, at)])


def _title(swept: Swept, at: int) -> str:
    """All that is changed in a value's text."""
    return ", ".join(map(str, swept.settings.at(swept.values[at]).changes))
