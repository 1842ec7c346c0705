"""How long the parts of a batch will take, said before and between them, and kept for later."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from clampsweep.models.model import Model
from clampsweep.texts import speed
from clampsweep.texts.combination import Combination
from clampsweep.texts.cost import Load, Size
from clampsweep.texts.speed import Pace

log = logging.getLogger(__name__)


class Pacer:
    """Estimates by the speed of earlier parts on this machine; the first of all is a guess.

    Args:
        model: Loaded model.
        parts: What will be decoded.
        batch: The batch's name.
        speeds: The file of what was measured.
    """

    def __init__(
        self, model: Model, parts: Sequence[Sequence[Combination]], batch: str, speeds: Path
    ):
        self._batch, self._speeds = batch, speeds
        self._model, self._device = str(model.manifest["identity"]), model.device.type
        self._threads = torch.get_num_threads()
        self._size = Size.of(model.folder, model.n_layers, model.d_mlp)
        self._todo = [Load.of(part) for part in parts]
        self._paces = speed.read(speeds)
        self._start = self._last = time.monotonic()
        self._n, self._done = sum(one.rows for one in self._todo), 0
        tokens = sum(one.tokens for one in self._todo)
        self._said = self._expected()
        log.info("%d combinations, at most %d tokens%s", self._n, tokens, self._said)

    def done(self, finite: int) -> None:
        """The next part is done.

        Args:
            finite: Its texts; those that cannot be computed are not among them.
        """
        load, now = self._todo.pop(0), time.monotonic()
        seconds, self._last = max(now - self._last, 1e-3), now
        self._done += finite
        if finite == load.rows:
            self._note(load, seconds)
        left = self._expected()
        log.info("%d of %d combinations done%s", self._done, self._n, left and f"{left} left")
        if not self._todo and self._said:
            log.info("decoded in %.0f s; expected%s", now - self._start, self._said)

    def _note(self, load: Load, seconds: float) -> None:
        same = (self._batch, self._model, self._device, self._threads, load.layer, load.sampled)
        self._paces.append(Pace(*same, load.flops(self._size), seconds))
        speed.note(self._speeds, self._paces[-1])

    def _expected(self) -> str:
        """What the parts still to do may take, in words; blank where there is none, or no clue."""
        wanted = ((self._model, load, self._size) for load in self._todo)
        found = speed.time_of(wanted, self._paces, self._device, self._threads)
        if not self._todo or found.seconds is None:
            return ""
        return f": {speed.duration(found.seconds)}{' (a guess)' if found.guessed else ''}"
