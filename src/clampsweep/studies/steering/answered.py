"""How likely a model finds an answer while the residual stream is changed after a layer.

A text is read once as it is. Then, for each change, only the layers above it run, on the tokens of
the answer: what is changed is every position from the prompt's last token on, as in a text that is
generated with scope `last_cached`, so the prompt's keys and values stay what they are. Of a model
of L layers, changed after layer l, a change costs (L - l - 1) / L of a pass over the answer, and
its logits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from clampsweep.errors import UserError
from clampsweep.models.hook_points import reader
from clampsweep.models.model import Model
from clampsweep.names import RESID_POST, HookPoint, hook_points
from clampsweep.studies.steering.upper import Past, Upper

_TOKENS = 512  # of a pass, whose logits are 100 MB with a vocabulary of 50,000


class Change(NamedTuple):
    """What is done to the residual stream after a layer.

    Attributes:
        added: What is added.
        removed: A unit vector along which it is made 0 before that; None for none.
    """

    added: Float64[np.ndarray, " d_model"]
    removed: Float64[np.ndarray, " d_model"] | None = None


def set_along(direction: Float64[np.ndarray, " d_model"], value: float) -> Change:
    """A change after which the residual stream is `value` along a direction of any length."""
    unit = direction / np.linalg.norm(direction)
    return Change(value * unit, unit)


class Reader:
    """Reads answers behind prompts, to be changed after some layers.

    Args:
        model: Loaded model.
        layers: The layers.

    Raises:
        UserError: The model keeps no plain keys and values, or its upper layers, run by themselves,
            give other logits than the whole model.
    """

    def __init__(self, model: Model, layers: Sequence[int]):
        self.model = model
        self.uppers = {layer: Upper(model, layer) for layer in sorted(set(layers))}
        if not all(upper.keeps for upper in self.uppers.values()):
            raise UserError(
                f"{model.manifest['name']}: keeps no plain keys and values of every layer, so "
                "answers cannot be steered; name another model"
            )
        ids = list(range(1, 9))
        read = Answer(self, ids[:4], ids[4:])
        for layer, upper in self.uppers.items():
            upper.check(partial(self._tried, read, layer))

    def _tried(self, read: Answer, layer: int) -> tuple[Tensor, Tensor]:
        """Logits of an answer without a change: gone on with, and run in full."""
        nothing = Change(np.zeros(self.model.d_model))
        return read.logits(layer, [nothing])[0], read.natural


class Answer:
    """An answer behind its prompt, read as it is.

    Args:
        read: What reads it.
        prompt: Token ids, at least one.
        answer: Token ids, at least one.

    Attributes:
        natural: Logits of the unchanged model that predict the answer's tokens.
    """

    def __init__(self, read: Reader, prompt: Sequence[int], answer: Sequence[int]):
        model, self._uppers = read.model, read.uppers
        self._start = len(prompt) - 1  # place of the first position that is changed
        self._said = torch.tensor(list(answer), device=model.device)  # [pos]
        ids = torch.tensor([[*prompt, *answer]], device=model.device)
        self._ids = ids[0, self._start : -1]  # [pos]
        self._given: dict[int, Float[Tensor, "pos d_model"]] = {}

        def keep(point: HookPoint, value: Tensor) -> None:
            self._given[point.layer] = value[0, self._start : -1].clone()

        cache = next(iter(self._uppers.values())).cache()
        found = reader(model, hook_points(RESID_POST, list(self._uppers)))
        with torch.inference_mode(), found.reading(keep):
            every = found.plain(input_ids=ids, past_key_values=cache, use_cache=True).logits
        self.natural: Float[Tensor, "pos d_vocab"] = every[0, self._start : -1]
        self._pasts: Mapping[int, Past] = {
            layer: upper.past(cache, self._start) for layer, upper in self._uppers.items()
        }

    def logits(self, layer: int, changes: Sequence[Change]) -> Float[Tensor, "change pos d_vocab"]:
        """Logits that predict the answer's tokens, under each change after a layer."""
        given = _changed(self._given[layer], changes)
        ids: Int[Tensor, "change pos"] = self._ids.expand(len(changes), -1)
        with torch.inference_mode():
            return self._uppers[layer].logits(given, ids, self._start, self._pasts[layer])

    def log_probs(self, layer: int, changes: Sequence[Change]) -> Float64[np.ndarray, " change"]:
        """Mean log-probability of the answer's tokens under each change, in nats per token."""
        few = max(1, _TOKENS // len(self._said))
        parts = [changes[at : at + few] for at in range(0, len(changes), few)]
        means = [mean_log_prob(self.logits(layer, part), self._said) for part in parts]
        return np.concatenate(means) if means else np.empty(0)

    def natural_log_prob(self) -> float:
        """The same of the unchanged model."""
        return float(mean_log_prob(self.natural[None], self._said)[0])


def mean_log_prob(
    logits: Float[Tensor, "row pos d_vocab"], said: Int[Tensor, " pos"]
) -> Float64[np.ndarray, " row"]:
    """Mean log-probability of what is said, in nats per token.

    Args:
        logits: Those that predict each token.
        said: The tokens.
    """
    own = logits[:, torch.arange(len(said)), said].double()  # [row, pos]
    found: np.ndarray = (own - logits.logsumexp(-1).double()).mean(-1).cpu().numpy()
    return found


def _changed(
    given: Float[Tensor, "pos d_model"], changes: Sequence[Change]
) -> Float[Tensor, "change pos d_model"]:
    added = torch.from_numpy(np.stack([one.added for one in changes])).to(given)
    nothing = np.zeros(given.shape[-1])
    units = np.stack([nothing if one.removed is None else one.removed for one in changes])
    along = torch.from_numpy(units).to(given)  # [change, d_model]
    sizes = given @ along.T  # [pos, change]
    return given + added[:, None] - sizes.T[:, :, None] * along[:, None]
