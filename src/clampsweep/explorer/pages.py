"""Runs as HTML: texts as they are made, what was measured, neurons' values, the history."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from clampsweep.explorer.export import Entry
from clampsweep.explorer.marking import column, passage, side_by_side, table, words
from clampsweep.explorer.running import Close, Outcome, Said
from clampsweep.explorer.settings import Settings
from clampsweep.explorer.sweeping import Swept
from clampsweep.texts.metrics import TEXT_METRICS

_STOPS = {
    "eos": "the model ended the text",
    "max_new_tokens": "cut at the most new tokens",
    "context": "cut at the end of the model's context",
    "stopped": "stopped by you",
}

_ACTIONS = (
    ("use", "Use", "Use the settings of run {}"),
    ("again", "Run again", "Run the settings of run {} again"),
    ("config", "Config", "Config file of run {}"),
    ("forget", "Forget", "Forget run {}"),
)

_SIGNS = {True: "cs-up", False: "cs-down"}  # of a bar

_SHORT = 90  # characters of a text in the history


def clamp_words(settings: Settings) -> str:
    """The clamps in a line."""
    return ", ".join(map(str, settings.clamps)) or "no clamp"


def how_words(settings: Settings) -> str:
    """Scope and decoding in a line."""
    one = settings.decoding
    drawn = [
        f"{name} {value:g}"
        for name, value in (
            ("temperature", one.temperature),
            ("top k", one.top_k),
            ("top p", one.top_p),
            ("seed", settings.seed),
        )
        if value is not None
    ]
    how = [one.method, *(drawn if one.method == "sample" else [])]
    return f"{', '.join(how)}; {one.max_new_tokens} tokens; scope {settings.scope}"


def texts(titles: Sequence[str], closes: Sequence[Close]) -> Markup:
    """One text, or two side by side with what differs marked, a line under each on how it ends."""
    if len(closes) == 1:
        body = column(titles[0], passage(closes[0].pieces))
    else:
        body = side_by_side((titles[0], titles[1]), (closes[0].pieces, closes[1].pieces))
    ends = Markup().join(
        Markup("<p>{}: {}</p>").format(title, _ending(close))
        for title, close in zip(titles, closes, strict=True)
        if close.said.stop_reason
    )
    return Markup('{}<div class="cs-quiet">{}</div>').format(body, ends)


def _ending(close: Close) -> str:
    """How a text ends, in words."""
    n, reason = len(close.said.token_ids), close.said.stop_reason
    words = f"{n} tokens, {_STOPS[reason]}"
    if reason == "eos":
        words += f" (probability {close.steps[-1].probability:.3g})"
    return words


def details(outcome: Outcome) -> Markup:
    """What was measured of a run's texts, and the neurons' values beside their clamps."""
    closes = outcome.texts
    parts = [measures([close.said for close in closes], ["baseline", "clamped"])]
    for clamp in outcome.settings.clamps:
        name = str(clamp.place)
        for title, close in zip(("in the baseline", "in the clamped run"), closes, strict=False):
            if name in close.natural:
                note = f", and changed by {clamp}" if name in close.changed else ""
                parts.append(_activation(f"{name} {title}", note, outcome.prompt, close, name))
    for title, one in zip(("baseline", "clamped text"), closes, strict=False):
        parts.append(_tokens(f"Every token of the {title}", one))
    return Markup().join(parts)


def _tokens(title: str, close: Close) -> Markup:
    """What the pointer shows of each token, as a table that unfolds."""
    rows = [
        [number, f"{token!r}", *hint.split("\n")[:2]]
        for number, (token, hint) in enumerate(zip(close.tokens, close.hints, strict=True), 1)
    ]
    heads = ["", "token", "", "most probable others"]
    return Markup("<details><summary>{}</summary>{}</details>").format(
        title, table(heads, rows, f"{title}, with its probability")
    )


def measures(said: Sequence[Said], titles: Sequence[str]) -> Markup:
    """Metrics and collapse flags of some texts, a column each."""
    rows: list[list[object]] = [
        [name, *(one.metrics[name] for one in said)] for name in said[0].metrics
    ]
    flags = [
        [f"collapsed ({name})", *(_flag(one.collapsed[name]) for one in said)]
        for name in said[0].collapsed
    ]
    heads = [*titles[: len(said)], "meaning"]
    for row in rows:
        row.append(TEXT_METRICS.columns[str(row[0])].doc)
    for flag in flags:
        flag.append("whether the detector calls the text broken")
    return table(["", *heads], [*flags, *rows], "Collapse flags and text metrics")


def _flag(collapsed: bool) -> Markup:
    words = ("cs-bad", "collapsed") if collapsed else ("cs-good", "fine")
    return Markup('<span class="{}">{}</span>').format(*words)


def _activation(title: str, note: str, prompt: Sequence[str], close: Close, name: str) -> Markup:
    """A neuron's value at each token before any change, with bars, and what it was changed to."""
    values, tokens = close.natural[name], [*prompt, *close.tokens]
    changed = close.changed.get(name, [None] * len(values))
    most = max(map(abs, values), default=0.0) or 1.0
    cells = []
    for at, (token, value, new) in enumerate(zip(tokens, values, changed, strict=False)):
        kind = "cs-prompt" if at < len(prompt) else "cs-new"
        height = f"{abs(value) / most * 100:.0f}"
        after = "" if new is None else f"→ {new:.3g}"
        cells.append(
            Markup(
                '<li class="{0}" title="{1}: {2} {5}"><span class="cs-bar {3}" '
                'style="height:{4}%"></span><span class="cs-token">{1}</span>'
                '<span class="cs-value">{2}</span><span class="cs-value">{5}</span></li>'
            ).format(kind, token, f"{value:.3g}", _SIGNS[value >= 0], height, after)
        )
    return Markup(
        '<h4>{0}, by itself at each token{1}</h4><ol class="cs-strip" tabindex="0" '
        'aria-label="{0}: natural activation by token">{2}</ol>'
    ).format(title, note, Markup().join(cells))


def history(entries: Sequence[Entry]) -> Markup:
    """The runs of a browser tab, newest first, each with its buttons."""
    if not entries:
        return Markup('<p class="cs-quiet">No run yet.</p>')
    rows = [
        [
            one.number,
            one.outcome.settings.model,
            _cut(one.outcome.settings.prompt),
            clamp_words(one.outcome.settings),
            how_words(one.outcome.settings),
            _cut(one.outcome.baseline.said.text),
            _cut(one.outcome.clamped.said.text) if one.outcome.clamped else "none",
            "stopped" if one.outcome.stopped else "",
            _buttons(one.number),
        ]
        for one in reversed(entries)
    ]
    heads = ["run", "model", "prompt", "clamps", "how", "baseline", "clamped", "", "do"]
    return table(heads, rows, "Runs, newest first")


def _buttons(number: int) -> Markup:
    return Markup('<span class="cs-buttons">{}</span>').format(
        Markup().join(
            Markup(
                '<button type="button" data-run="{}" data-action="{}" aria-label="{}">{}</button>'
            ).format(number, action, label.format(number), word)
            for action, word, label in _ACTIONS
        )
    )


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else f"{line[:_SHORT]} …"


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
    title = f"{swept.settings.clamps[0].operation} {value:+g}"
    both = (words(swept.baseline.text), words(said.text))
    return side_by_side(("Baseline", title), both)


def chosen_measures(swept: Swept, at: int) -> Markup:
    """What was measured of the baseline and of one value's text."""
    title = f"{swept.settings.clamps[0].operation} {swept.values[at]:+g}"
    return measures([swept.baseline, swept.texts[at]], ["baseline", title])
