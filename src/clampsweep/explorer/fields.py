"""The form that the Try and the Sweep tab share, but for the clamps: read, and filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clampsweep.explorer import form, prompt_fields, steering_fields
from clampsweep.explorer.form import DecodingFields
from clampsweep.explorer.prompt_fields import PromptFields
from clampsweep.explorer.settings import Settings
from clampsweep.explorer.steering_fields import SteeringFields


@dataclass(frozen=True)
class Fields:
    """Prompt, decoding and steering."""

    prompt: PromptFields
    decoding: DecodingFields
    steering: SteeringFields

    @property
    def components(self) -> list[Any]:
        """All of them; what they hold is read by `asked`."""
        return [
            *self.prompt.components,
            *self.decoding.components,
            *self.steering.components,
        ]

    def asked(self, held: Sequence[Any]) -> dict[str, Any]:
        """What the components hold, as `Desk.settings` takes it."""
        first = len(self.prompt.components)
        last = first + len(self.decoding.components)
        return {
            **prompt_fields.values(*held[:first]),
            **form.values(*held[first:last]),
            **steering_fields.values(*held[last:]),
        }


def of_settings(settings: Settings) -> list[Any]:
    """What the components shall hold, in the order of `Fields.components`."""
    return [
        *prompt_fields.of_settings(settings),
        *form.of_settings(settings),
        *steering_fields.of_settings(settings),
    ]
