"""All values of a clamp, or multiples of a direction, at once, for the Sweep tab."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clampsweep.decoder.decode import decode
from clampsweep.decoder.interventions import Scope
from clampsweep.explorer.running import Said, changes, measure
from clampsweep.explorer.settings import Settings
from clampsweep.generation.prompts import encode
from clampsweep.models.model import Model
from clampsweep.texts.combination import stream


@dataclass(frozen=True, eq=False)
class Swept:
    """What the Sweep tab made: the baseline, and a text for each value, ascending."""

    settings: Settings
    values: list[float]
    baseline: Said
    texts: list[Said]


def sweep_values(
    model: Model,
    settings: Settings,
    values: Sequence[float],
    tell: Callable[[float], object],
) -> Swept:
    """Run the prompt without any change, and with what is swept at every value, all at once.

    Args:
        model: Loaded model.
        settings: What is asked for, checked; what is not swept holds in every text but the first.
        values: Of the clamp, or multiples of the direction, each once.
        tell: Told the share of the tokens that is done, in 0..1; may raise `Stopped`.

    Raises:
        UserError: The prompt does not fit, the direction is of another model, or logits are not
            finite.
    """
    prompt = encode(model, settings.prompt, settings.prompt_format)
    values = sorted(values)
    rows = [[], *(changes(model, settings.at(value)) for value in values)]
    most, done = len(rows) * settings.decoding.max_new_tokens, 0

    def on_tokens(n: int) -> None:
        nonlocal done
        done += n
        tell(done / most)

    seed = stream(settings.prompt, settings.seed)
    decoded = decode(
        model,
        [prompt] * len(rows),
        rows,
        Scope.parse(settings.scope),
        settings.decoding,
        streams=None if settings.draws is None else [seed] * len(rows),
        on_tokens=on_tokens,
        with_nll=True,
    )
    texts = [
        measure(
            model.decode(one.token_ids, after=prompt),
            one.token_ids,
            one.stop_reason,
            one.nll_unclamped,
        )
        for one in decoded
    ]
    return Swept(settings, values, texts[0], texts[1:])
