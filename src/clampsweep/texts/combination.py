"""One text to generate and its identity; batches of them, pinned to a file each."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from clampsweep.errors import UserError
from clampsweep.names import layers_in
from clampsweep.provenance import json_digest, text_digest
from clampsweep.texts.request import RAW, Decoding, PromptFormat

ID_DIGITS = 16  # hex digits of a batch's name


@dataclass(frozen=True)
class Combination:
    """One text to generate: model, prompt, intervention, scope, decoding, seed.

    Attributes:
        model: `ModelSpec.identity`.
        prompt: The prompt's text.
        target: Neurons changed, None in a baseline.
        operation: `none` in a baseline.
        value: What the operation uses, or None.
        scope: Positions changed, None in a baseline.
        decoding: How tokens are chosen.
        seed: Of sampling or resampling, None where nothing is drawn.
        donor: For resample, the prompt whose baseline run lends its activations.
        direction: For steer, the digest of the direction (`texts.directions`).
        prompt_format: How the prompt, and the donor, reach the model.
    """

    model: str
    prompt: str
    target: str | None
    operation: str
    value: float | None
    scope: str | None
    decoding: Decoding
    seed: int | None
    donor: str | None = None
    direction: str | None = None
    prompt_format: PromptFormat = RAW

    @cached_property
    def key(self) -> str:
        """Digest of the identity, 32 hex digits."""
        return json_digest([self.model, self.prompt, self.decoding.as_json(), *self._rest()])[:32]

    def _rest(self) -> list[Any]:
        value = None if self.value is None else float(self.value)
        rest: list[Any] = [
            self.target,
            self.operation,
            value,
            self.scope,
            self.seed,
            self.donor,
        ]
        if self.direction is not None:
            rest.append({"direction": self.direction})
        written = self.prompt_format.as_json()  # of raw prompts nothing, as in older keys
        return [*rest, written] if written else rest

    @property
    def layer(self) -> int | None:
        """Lowest layer that is changed, None in a baseline."""
        return min(layers_in(self.target), default=None)

    def order(self) -> tuple[Any, ...]:
        """Sort key of packing: rows that can share work stand together."""
        layer = -1 if self.layer is None else self.layer
        value = -math.inf if self.value is None else self.value
        prompt = (len(self.prompt), text_digest(self.prompt))
        return (layer, *prompt, self.target or "", self.operation, value, self.seed or 0, self.key)


def stream(prompt: str, seed: int | None) -> tuple[int, ...]:
    """The integers that seed a text's draws: its seed and the prompt's digest, no more.

    So its draws do not depend on the batch, and all clamps of a prompt share them with its
    baseline (common random numbers), which makes their difference less noisy.
    """
    digest = text_digest(prompt)
    return seed or 0, *(int(digest[at : at + 8], 16) for at in range(0, 64, 8))


def batch_id(combinations: Iterable[Combination]) -> str:
    """A batch's name: the digest of its combinations' keys, `ID_DIGITS` hex digits."""
    return json_digest(sorted(one.key for one in combinations))[:ID_DIGITS]


def batch_json(combinations: Sequence[Combination]) -> dict[str, Any]:
    """A batch as JSON values, each prompt's text once; `read_batch` reads it.

    Args:
        combinations: Of one model, decoding and prompt format.
    """
    first = combinations[0]
    texts = {one.prompt for one in combinations} | {
        one.donor for one in combinations if one.donor is not None
    }
    return {
        "model": first.model,
        "decoding": first.decoding.as_json(),
        **first.prompt_format.as_json(),
        "prompts": {text_digest(text): text for text in sorted(texts)},
        "combinations": [
            {
                "key": one.key,
                "prompt": text_digest(one.prompt),
                "target": one.target,
                "operation": one.operation,
                "value": one.value,
                "scope": one.scope,
                "seed": one.seed,
                "donor": one.donor and text_digest(one.donor),
                **({} if one.direction is None else {"direction": one.direction}),
            }
            for one in combinations
        ],
    }


class Batch(NamedTuple):
    """Combinations to generate together, and the identity of their model."""

    model: str
    combinations: list[Combination]


def read_batch(path: Path | str) -> Batch:
    """A pinned batch.

    Raises:
        UserError: The file is damaged.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        decoding, prompt_format = Decoding(**content["decoding"]), PromptFormat.of(content)
        texts = content["prompts"]
        combinations = [
            Combination(
                content["model"],
                texts[row["prompt"]],
                row["target"],
                row["operation"],
                None if row["value"] is None else float(row["value"]),
                row["scope"],
                decoding,
                row["seed"],
                row["donor"] and texts[row["donor"]],
                row.get("direction"),
                prompt_format,
            )
            for row in content["combinations"]
        ]
        if batch_id(combinations) != Path(path).stem:
            raise ValueError("other combinations than the name says")
        return Batch(content["model"], combinations)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged batch file; delete it and run again") from error
