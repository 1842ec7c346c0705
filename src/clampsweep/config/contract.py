"""What a study is to the rest of the house: an item of `registry.STUDIES`. Parse time only.

A study turns entries of the config into frozen entries of its own, and says of each which texts
and other work it wants, and which files it keeps. Its jobs know nothing of this: they get all they
need by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from clampsweep.config.checker import Checker, Key
from clampsweep.models.spec import ModelSpec
from clampsweep.shards.work import Work
from clampsweep.texts.request import PromptsetSpec, TextRequest


class Context(NamedTuple):
    """What a study's parser is given of one entry.

    Attributes:
        checker: Knows the schemas, and which file a key came from.
        key: Where the entry stands, such as `("sweeps", "bcr")`.
        name: The entry's name.
        entry: What the config says.
        models: The models by name.
        promptsets: The promptsets by name.
        request: What the common keys of an entry of `sweeps` ask for; None if the study imports
            its texts, and in a section of its own.
    """

    checker: Checker
    key: Key
    name: str
    entry: Mapping[str, Any]
    models: Mapping[str, ModelSpec]
    promptsets: Mapping[str, PromptsetSpec]
    request: TextRequest | None


def nothing(entry: Any) -> Sequence[Any]:
    """The local files of a study that reads none, the sharded work of one that asks for none."""
    return ()


def no_texts(entry: Any) -> Mapping[str, TextRequest]:
    """The requests of a study that wants no texts."""
    return {}


def figure_files(figures: Mapping[str, str]) -> dict[str, str]:
    """Files of an entry's figures, each as SVG and PNG, and what it shows.

    Args:
        figures: What each figure shows, by its name.
    """
    return {
        f"figures/{name}.{ending}": what
        for name, what in figures.items()
        for ending in ("svg", "png")
    }


@dataclass(frozen=True)
class Study:
    """A study, by one word for its folders, rules, schema, docs page and section of the config.

    Attributes:
        name: The word.
        parse: An entry of the config, checked, as a frozen dataclass of the study's own with the
            field `name`; None if the entry of `sweeps` has none of its keys.
        files: Files that are kept of an entry, relative to `results/`, and what each is.
        requests: The texts that an entry wants, by the name of the request.
        works: The work that is not texts, done in shards, that an entry wants.
        inputs: Local files that an entry reads, promptsets and models apart.
        sweep_keys: Keys of an entry of `sweeps` that are the study's. A study without any has a
            section of its own, `<name>:`, with an entry a line.
        import_key: Of these, the one with which an entry's texts come from elsewhere; the study
            then checks the whole entry.
    """

    name: str
    parse: Callable[[Context], Any]
    files: Callable[[Any], Mapping[str, str]]
    requests: Callable[[Any], Mapping[str, TextRequest]] = no_texts
    works: Callable[[Any], Sequence[Work]] = nothing
    inputs: Callable[[Any], Sequence[str]] = nothing
    sweep_keys: frozenset[str] = frozenset()
    import_key: str | None = None
