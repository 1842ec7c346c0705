"""What the tabs of the page share: the config, the models, and each browser tab's job."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from clampsweep.config.checker import Checker
from clampsweep.config.entries import Config
from clampsweep.config.overlay import lay_over
from clampsweep.config.parse import parse
from clampsweep.config.requests import parse_prompt_format
from clampsweep.config.schemas import join
from clampsweep.errors import UserError
from clampsweep.explorer import typed
from clampsweep.explorer.jobs import Job, Worker
from clampsweep.explorer.settings import ClampSetting, Settings, check_clamps
from clampsweep.explorer.shelf import Shelf
from clampsweep.explorer.steering import NOTHING, SteerSetting, check_steering
from clampsweep.models.spec import ModelSpec
from clampsweep.registry import STUDIES
from clampsweep.strict_yaml import read_yaml
from clampsweep.texts import promptset
from clampsweep.texts.request import TextRequest

_Result = TypeVar("_Result")

SCHEMAS = Path("workflow/schemas")


def read_config(files: Sequence[str]) -> Config:
    """The config of some files laid over each other, as the workflow does it.

    Args:
        files: Names of YAML files; a later one wins.

    Raises:
        UserError: A file is missing or wrong.
    """
    contents = {name: read_yaml(name) for name in files}
    return parse(lay_over(contents, STUDIES).merged, contents, SCHEMAS, STUDIES)


class Desk:
    """The config, its models, and the job of each browser tab.

    Args:
        config: The config.
        root: The project's folder.

    Raises:
        UserError: No model is configured.
    """

    def __init__(self, config: Config, root: Path):
        if not config.models:
            raise UserError("config/config.yaml: models: there are none; the explorer needs one")
        self.config, self.root = config, root
        self.shelf = Shelf(config, root / "resources" / "models")
        self._checker = Checker({"the form": {}}, join(SCHEMAS, STUDIES))
        self._files = tempfile.TemporaryDirectory(prefix="clampsweep-")
        self.worker = Worker()
        self._jobs: dict[str, Job[Any]] = {}
        self._lock = threading.Lock()

    def downloads(self, session: str) -> Path:
        """The folder for files that a browser tab downloads, removed at the end."""
        return Path(self._files.name) / session

    def close(self) -> None:
        """Remove those files."""
        self._files.cleanup()

    # Jobs

    def start(self, session: str, work: Callable[[Job[_Result]], _Result]) -> Job[_Result]:
        """Begin a browser tab's work; what it was doing is stopped."""
        with self._lock:
            if session in self._jobs:
                self._jobs[session].stop()
            self._jobs[session] = job = self.worker.start(work)
        return job

    def stop(self, session: str) -> None:
        """Stop a browser tab's work, if there is any."""
        with self._lock:
            if session in self._jobs:
                self._jobs[session].stop()

    def leave(self, session: str) -> None:
        """Stop a browser tab's work and forget it: the tab was closed."""
        self.stop(session)
        with self._lock:
            self._jobs.pop(session, None)

    # What the form starts with

    @property
    def requests(self) -> list[TextRequest]:
        """The texts that the config's entries want, those that are run first."""
        wanted = self.config.requests() | self.config.requests(self.config.names)
        return list(wanted.values())

    @property
    def models(self) -> list[str]:
        """Names of the configured models, that of the run first."""
        first = [one.model.name for one in self.requests]
        return list(dict.fromkeys([*first, *self.config.models]))

    @property
    def promptsets(self) -> list[str]:
        """Names of the promptsets whose file is there, that of the run first."""
        names = dict.fromkeys(
            [*(one.promptset.name for one in self.requests), *self.config.promptsets]
        )
        return [name for name in names if self._promptset_file(name).is_file()]

    def prompts(self, name: str) -> pd.DataFrame:
        """Prompts of a promptset (`PROMPTS`).

        Raises:
            UserError: Its file is damaged.
        """
        spec = self.config.promptsets[name]
        return promptset.read(self._promptset_file(name), spec.format, spec.template, spec.id)

    def _promptset_file(self, name: str) -> Path:
        spec = self.config.promptsets[name]
        return Path(spec.path) if spec.path else self.root / "resources" / "promptsets" / name

    # What is asked for

    def spec(self, model: str) -> ModelSpec:
        """A model's config entry."""
        return self.shelf.spec(model)

    def settings(
        self,
        model: str,
        clamps: Sequence[ClampSetting],
        *,
        prompt: str,
        prompt_format: Mapping[str, str],
        decoding: Mapping[str, Any],
        scope: str,
        positions: str,
        seed: float | None,
        steer: SteerSetting = NOTHING,
    ) -> Settings:
        """What the form asks for, checked.

        Args:
            model: Name in the config.
            clamps: The rows, on and off.
            prompt: The prompt.
            prompt_format: How it is read, by the keys of a config.
            decoding: As in a config; what is None, or not for the method, is left out.
            scope: A name, or `positions`.
            positions: For `positions`, such as `0, 3`.
            seed: Of sampling.
            steer: What is steered along, on or off.

        Raises:
            UserError: Something is missing or out of range.
        """
        if not prompt:
            raise UserError("the prompt is empty; write one, or pick one from a promptset")
        if decoding["method"] == "sample" and (seed is None or seed != int(seed) or seed < 0):
            raise UserError(f"the form: seed: got {seed}; write a whole number from 0")
        return Settings(
            model,
            prompt,
            check_clamps(clamps, self.spec(model)),
            typed.check_scope(scope, positions, self._checker),
            typed.check_decoding(decoding, self._checker),
            int(seed or 0) if decoding["method"] == "sample" else 0,
            tuple(clamps),
            check_steering(steer, self.spec(model), self._checker),
            steer,
            parse_prompt_format(self._checker, (), prompt_format),
        )
