"""The configured models: fetched where they are not, loaded when first wanted, then kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from clampsweep.config.entries import Config
from clampsweep.decoder.decode import fast_path
from clampsweep.decoder.interventions import Scope
from clampsweep.errors import UserError
from clampsweep.models.fetching import fetch
from clampsweep.models.loading import DIGESTS, load
from clampsweep.models.model import Model
from clampsweep.models.spec import ModelSpec


class Shelf:
    """Loaded models by name.

    Args:
        config: The config.
        folder: `resources/models`.
    """

    def __init__(self, config: Config, folder: Path):
        self.config, self.folder = config, folder
        self.busy: str | None = None  # what is being fetched or loaded
        self._models: dict[str, Model] = {}
        self._said: dict[str, str] = {}

    def spec(self, name: str) -> ModelSpec:
        """A model's config entry.

        Raises:
            UserError: There is none of that name.
        """
        if name not in self.config.models:
            raise UserError(
                f"unknown model {name!r}; configured: {', '.join(self.config.models) or 'none'}"
            )
        return self.config.models[name]

    def get(self, name: str, tell: Callable[[str], object] = lambda said: None) -> Model:
        """The loaded model; fetched and loaded first if need be.

        Args:
            name: Its name in the config.
            tell: Told what is being done.

        Raises:
            UserError: It cannot be fetched or loaded.
        """
        if name not in self._models:
            try:
                self._models[name] = self._load(name, tell)
            except UserError as error:
                self._said[name] = f"{name} is not loaded: {error}"
                raise
            finally:
                self.busy = None
        return self._models[name]

    def _load(self, name: str, tell: Callable[[str], object]) -> Model:
        def say(what: str) -> None:
            self.busy = what
            tell(what)

        spec, folder, start = self.spec(name), self.folder / name, time.monotonic()
        if not (folder / DIGESTS).exists():
            say(f"Fetching {name} ({spec.origin}), once.")
            fetch(spec, folder)
        say(f"Loading {name}.")
        spec.check_fetched(folder)
        compute = self.config.compute
        model = load(folder, spec, compute.threads, compute.device)
        self._said[name] = _describe(model, spec, time.monotonic() - start)
        return model

    def takes_chats(self, name: str) -> bool | None:
        """Whether a model's tokenizer has a chat template; None before it is loaded."""
        if name not in self._models:
            return None
        return self._models[name].tokenizer.chat_template is not None

    def describe(self, name: str) -> str:
        """The status line of a model."""
        spec = self.spec(name)
        if name in self._said:
            return self._said[name]
        if not (self.folder / name / DIGESTS).exists():
            return f"{name}: not fetched yet ({spec.origin}); it is fetched at the first run"
        return f"{name}: {spec.n_layers} layers x {spec.d_mlp} neurons; not loaded yet"


def _describe(model: Model, spec: ModelSpec, seconds: float) -> str:
    """What is loaded and how it runs, in a line."""
    dtype = str(model.dtype).removeprefix("torch.")
    path = fast_path(model, [[]], Scope("all"))
    way = "fast decoder" if not isinstance(path, str) else f"general decoder: {path}"
    return (
        f"{spec.name}: {model.n_layers} layers x {model.d_mlp:,} neurons, context {model.n_ctx:,} "
        f"tokens, {dtype} on {model.device}, {way}; loaded in {seconds:.0f} s"
    )
