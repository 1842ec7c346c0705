"""Runs as HTML: texts as they are made, what was measured, neurons' values, the history."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from clampsweep.explorer.export import Entry
from clampsweep.explorer.marking import column, passage, quiet, shortened, side_by_side, table
from clampsweep.explorer.running import Close, Outcome, Said
from clampsweep.explorer.settings import Settings
from clampsweep.texts.metrics import TEXT_METRICS

_STOPS = {
    "eos": "the model ended the text",
    "stop_string": "ended by a stop string",
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


def titles(settings: Settings) -> tuple[str, str]:
    """What stands above the two texts of a run."""
    done = ("Clamped", "Clamped and steered") if settings.clamps else ("Clamped", "Steered")
    return "Baseline", done[settings.steering is not None]


def clamp_words(settings: Settings) -> str:
    """The clamps and the steering in a line."""
    return ", ".join(map(str, settings.changes)) or "no clamp"


def how_words(settings: Settings) -> str:
    """Scope, decoding and how the prompt is read, in a line."""
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
    said = [", ".join(how), f"{one.max_new_tokens} tokens", f"scope {settings.scope}"]
    if one.stop_strings:
        said.append(f"ends at {' or '.join(map(repr, one.stop_strings))}")
    if settings.prompt_format.kind == "chat":
        said.append(
            "chat" if settings.prompt_format.system is None else "chat with a system prompt"
        )
    return "; ".join(said)


def texts(settings: Settings, closes: Sequence[Close]) -> Markup:
    """One text, or two side by side with what differs marked, a line under each on how it ends."""
    names = titles(settings)
    if len(closes) == 1:
        body = column(names[0], passage(closes[0].pieces))
    else:
        pieces = closes[0].pieces, closes[1].pieces
        body = side_by_side(names, pieces, shortened(clamp_words(settings), _SHORT))
    ends = Markup().join(
        Markup("<p>{}: {}</p>").format(title, _ending(close))
        for title, close in zip(names, closes, strict=False)
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
    closes, steered = outcome.texts, outcome.settings.steering
    names = [title.lower() for title in titles(outcome.settings)]
    parts = [measures([close.said for close in closes], names)]
    if steered is not None:
        parts.append(
            quiet(
                f"{steered}: a direction has no activation of its own to show. At each position in "
                f"scope a vector of length {steered.length:.4g} is added to the residual stream "
                f"after layer {steered.step.layer}."
            )
        )
    for clamp in outcome.settings.clamps:
        name = str(clamp.place)
        for title, close in zip(("in the baseline", "in the clamped run"), closes, strict=False):
            if name in close.natural:
                note = f", and changed by {clamp}" if name in close.changed else ""
                parts.append(_activation(f"{name} {title}", note, outcome.prompt, close, name))
    parts.append(_prompt(outcome.prompt))
    for title, one in zip(names, closes, strict=False):
        parts.append(_tokens(f"Every token of the {title} text", one))
    return Markup().join(parts)


def _prompt(tokens: Sequence[str]) -> Markup:
    """The tokens that the model read, with their positions, as a table that unfolds."""
    title = "Every token of the prompt"
    rows = [[position, f"{token!r}"] for position, token in enumerate(tokens)]
    return Markup("<details><summary>{}</summary>{}</details>").format(
        title, table(["position", "token"], rows, f"{title}, as the model read it")
    )


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
        return quiet("No run yet.")
    rows = [
        [
            one.number,
            one.outcome.settings.model,
            shortened(one.outcome.settings.prompt, _SHORT),
            clamp_words(one.outcome.settings),
            how_words(one.outcome.settings),
            shortened(one.outcome.baseline.said.text, _SHORT),
            shortened(one.outcome.clamped.said.text, _SHORT) if one.outcome.clamped else "none",
            "stopped" if one.outcome.stopped else "",
            _buttons(one.number),
        ]
        for one in reversed(entries)
    ]
    heads = ["run", "model", "prompt", "changes", "how", "baseline", "clamped", "", "do"]
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
