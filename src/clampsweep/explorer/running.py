"""What the explorer runs on a model: one intervention watched closely, or many values at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from clampsweep.decoder import general
from clampsweep.decoder.interventions import Edit, Scope, edit
from clampsweep.decoder.steering import Change
from clampsweep.explorer import inspection
from clampsweep.explorer.inspection import Seen, Step
from clampsweep.explorer.marking import Piece
from clampsweep.explorer.settings import ClampSetting, Settings
from clampsweep.explorer.token_texts import alone, pieces, written
from clampsweep.generation.changes import check_width
from clampsweep.generation.prompts import encode
from clampsweep.models.model import Model
from clampsweep.texts import collapse
from clampsweep.texts.combination import stream
from clampsweep.texts.metrics import further, published

Metrics = dict[str, int | float | None]


@dataclass(frozen=True)
class Said:
    """One text, measured.

    Attributes:
        text: The text.
        token_ids: Its tokens.
        stop_reason: `eos`, `stop_string`, `max_new_tokens`, `context` or `stopped`.
        metrics: By the names of `TEXT_METRICS`.
        collapsed: What each collapse detector says.
    """

    text: str
    token_ids: list[int]
    stop_reason: str
    metrics: Metrics
    collapsed: dict[str, bool]

    @property
    def flags(self) -> list[str]:
        """The detectors that call it collapsed."""
        return [name for name, flag in self.collapsed.items() if flag]


@dataclass(frozen=True)
class Close:
    """One text with what was seen of it while it was made.

    Attributes:
        said: The text.
        pieces: The same in tokens, with what is known of each; some stand for several tokens.
        steps: The choices, an end-of-sequence token included.
        tokens: Each token of the text alone.
        hints: What is known of each.
        natural: By neuron name, its value before any change at each position, prompt included.
        changed: By neuron name, what it was changed to there; None where it was not.
    """

    said: Said
    pieces: list[Piece]
    steps: list[Step]
    tokens: list[str]
    hints: list[str]
    natural: dict[str, list[float]]
    changed: dict[str, list[float | None]]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run of the Try tab made.

    Attributes:
        settings: What it was asked for.
        prompt: The tokens that the model read, each alone; special ones are written out.
        baseline: The text without intervention.
        clamped: The text with it; None if nothing was changed.
        stopped: Whether the user ended it.
    """

    settings: Settings
    prompt: list[str]
    baseline: Close
    clamped: Close | None
    stopped: bool

    @property
    def texts(self) -> list[Close]:
        """The baseline, and the clamped text if there is one."""
        return [self.baseline] if self.clamped is None else [self.baseline, self.clamped]


def measure(text: str, ids: Sequence[int], stop_reason: str, nll: float | None) -> Said:
    """A text with its metrics and flags, as the workflow computes them."""
    metrics = {**published(text), **further(text, ids)}
    nll = math.inf if nll is None else nll  # of a text without tokens, which is collapsed anyway
    flags = {name: test(text, ids, nll) for name, test in collapse.DETECTORS.items()}
    shown = None if math.isinf(nll) else nll
    return Said(text, list(ids), stop_reason, {**metrics, "nll_unclamped": shown}, flags)


def edits(clamps: Sequence[ClampSetting]) -> list[Edit]:
    """What the decoder does for each clamp."""
    return [edit(one.place, one.operation, one.used) for one in clamps]


def changes(model: Model, settings: Settings) -> list[Change]:
    """All that the decoder does to a text.

    Raises:
        UserError: A direction is of another width than the model.
    """
    steered = settings.steering
    if steered is None:
        return [*edits(settings.clamps)]
    check_width(steered.name, steered.step.vector, model)
    return [*edits(settings.clamps), steered.step]


def try_out(model: Model, settings: Settings, tell: Callable[[list[Seen]], object]) -> Outcome:
    """Run the prompt without and with what is changed, side by side.

    Args:
        model: Loaded model.
        settings: What is asked for, checked.
        tell: Told what the texts are so far (`so_far`); may raise `Stopped`.

    Raises:
        UserError: The prompt does not fit, a direction is of another model, or logits are not
            finite.
    """
    prompt = encode(model, settings.prompt, settings.prompt_format)
    rows = [[], changes(model, settings)] if settings.changes else [[]]
    seen = inspection.watch(
        model,
        prompt,
        rows,
        Scope.parse(settings.scope),
        settings.decoding,
        stream=stream(settings.prompt, settings.seed) if settings.draws is not None else None,
        on_step=lambda seen: tell([Seen(list(one.steps), one.n_new) for one in seen]),
    )
    closes = _close(model, settings, prompt, seen)
    return Outcome(
        settings,
        written(model, prompt),
        closes[0],
        closes[1] if settings.changes else None,
        any(one.stop_reason == "stopped" for one in seen),
    )


def so_far(model: Model, settings: Settings, seen: Seen) -> Close:
    """A text that is being made, not measured yet."""
    prompt = encode(model, settings.prompt, settings.prompt_format)
    ids = seen.token_ids
    found = pieces(model, ids, [_chance(step) for step in seen.steps], prompt)
    return Close(Said("", ids, "", {}, {}), found, seen.steps, [], [], {}, {})


def _chance(step: Step) -> str:
    return f"probability {step.probability:.3g}"


def _close(
    model: Model, settings: Settings, prompt: Sequence[int], seen: Sequence[Seen]
) -> list[Close]:
    """The texts measured, each token with its probability, its rivals and the neurons' values."""
    full = [one.token_ids for one in seen if one.token_ids]
    known = iter(general.nll(model, [prompt] * len(full), full).tolist())
    found = []
    for row, one in enumerate(seen):
        ids = one.token_ids
        natural = {str(neuron): values for neuron, values in one.natural.items()}
        changed = _changed(settings, natural, len(prompt)) if row else {}
        hints = [
            _hint(model, step, [*prompt, *ids[:at]], natural, changed)
            for at, step in enumerate(one.steps[: one.n_new])
        ]
        nll = next(known) if ids else None
        said = measure(model.decode(ids, prompt), ids, one.stop_reason, nll)
        shown, tokens = pieces(model, ids, hints, prompt), alone(model, ids, prompt)
        found.append(Close(said, shown, one.steps, tokens, hints, natural, changed))
    return found


def _changed(
    settings: Settings, natural: Mapping[str, Sequence[float]], n_prompt: int
) -> dict[str, list[float | None]]:
    """What each clamped neuron was changed to at each position; None where the scope ends.

    With scope `last` a position counts as changed if it was while it was the newest.
    """
    scope, found = Scope.parse(settings.scope), {}
    if scope.reruns_newest:
        scope = Scope("last_cached")
    for one in edits(settings.clamps):
        values = natural.get(str(one.neuron), ())
        reached = scope.covers(torch.arange(len(values)), n_prompt).tolist()
        found[str(one.neuron)] = [
            one.gain * value + one.shift if covered else None
            for value, covered in zip(values, reached, strict=True)
        ]
    return found


def _hint(
    model: Model,
    step: Step,
    before: Sequence[int],
    natural: Mapping[str, Sequence[float]],
    changed: Mapping[str, Sequence[float | None]],
) -> str:
    """What is said of a token: how probable, what else was, what the neurons did there."""
    others = [
        f"{model.decode([token], before)!r} {chance:.2g}"
        for token, chance in step.rivals
        if token != step.token
    ]
    position, lines = len(before), [_chance(step), f"others: {', '.join(others)}"]
    for name, values in natural.items():
        if position < len(values):
            new = changed[name][position] if name in changed else None
            after = "" if new is None else f", changed to {new:.3g}"
            lines.append(f"{name} by itself: {values[position]:.3g}{after}")
    return "\n".join(lines)
