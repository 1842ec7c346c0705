"""What a run will make, in a few lines before it, and what it made, after it. Parse time only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from clampsweep.models.spec import ModelSpec
from clampsweep.names import layers_in
from clampsweep.texts import speed
from clampsweep.texts.cost import Load, Size
from clampsweep.texts.request import Named, Selection, TextRequest
from clampsweep.texts.speed import Pace, Seconds
from clampsweep.words import counted, listed

START = (
    10.0  # seconds of a job around its decoding: imports, the model, tables; where none was timed
)

_FEW = 3  # names in a line


class Counts(NamedTuple):
    """Texts, or items of other work: to make, and there already."""

    new: int
    reused: int


@dataclass(frozen=True)
class Forecast:
    """What a run will make.

    Attributes:
        texts: Texts that are known at the start.
        later: Of requests whose prompts or neurons are not known yet, how many more texts there
            may be; None where nobody knows.
        items: Items of other work, by its name; None where they are not known yet.
        models: Models that must be fetched or made first.
        time: Of all that is known.
        time_later: Of the texts in `later`.
        alone: Whether the time is that of one job after another, as on a cluster.
        places: Where results will be.
    """

    texts: Counts
    later: Mapping[str, int | None]
    items: Mapping[str, Counts | None]
    models: Sequence[str]
    time: Seconds
    time_later: Seconds
    alone: bool
    places: Sequence[str]

    def lines(self) -> list[str]:
        """At most five lines for the user; one if there is nothing to do."""
        where = f"Results: {listed(_few(self.places))}"
        if self.time.seconds == 0:
            return [f"Nothing to do: {self._there()}. {where}"]
        said = [f"Texts: {self.texts.new:,} new, {self.texts.reused:,} reused{self._later()}."]
        if self.items:
            work = "; ".join(_few([_of_work(*one) for one in self.items.items()]))
            said.append(f"Other work: {work}.")
        if self.models:
            said.append(f"Models to fetch or make first: {listed(_few(self.models))}.")
        return [*said, f"Time: {self.minutes()}.", where]

    def expected(self) -> str:
        """The time of the whole run in short; nothing where nobody knows."""
        seconds = (self.time + self.time_later).seconds
        return "" if seconds is None else speed.duration(seconds)

    def minutes(self) -> str:
        """The time of the whole run, in words."""
        whole = self.time + self.time_later
        if whole.seconds is None:
            return "not known; no text was made on this machine's GPU yet"
        said = f"{self.expected()} {'of computing' if self.alone else 'in all'}"
        if self.time_later.seconds:
            said += f", {speed.duration(self.time_later.seconds)} of it for what is not known yet"
        return said + (" (a guess: no text was made here yet)" if whole.guessed else "")

    def _there(self) -> str:
        texts = counted(self.texts.reused, "text")
        return (
            f"{texts} and all results are there" if self.texts.reused else "all results are there"
        )

    def _later(self) -> str:
        bounds = {name: n for name, n in self.later.items() if n is not None}
        said = ""
        if bounds:
            more, names = sum(bounds.values()), listed(_few(list(bounds)))
            said += f"; up to {more:,} more of {names}, whose neurons follow from the first texts"
        if blank := [name for name, n in self.later.items() if n is None]:
            said += f"; those of {listed(_few(blank))} are not known yet"
        return said


def outcome(texts: Counts, seconds: float, expected: str) -> str:
    """What a run made, in a line.

    Args:
        texts: Texts made and taken over.
        seconds: How long it took.
        expected: What was said before it, if anything was.
    """
    took = speed.duration(seconds).removeprefix("about ")
    made = f"Texts: {texts.new:,} made, {texts.reused:,} reused"
    return f"{made}. Time: {took}{expected and f' (expected: {expected})'}."


def bound(
    request: TextRequest, prompts: Sequence[str], requests: Mapping[str, TextRequest]
) -> list[Load] | None:
    """The texts, baselines apart, that a request can want at most; None where nobody knows.

    Args:
        request: Its targets or values follow from texts.
        prompts: Its prompts.
        requests: All requests: a study's checkpoint names targets in the layers of its entry's.
    """
    most, layers = request.most_targets, _layers(request, requests)
    if most is None:
        return None
    added = request.targets.added if isinstance(request.targets, Named) else 0
    n_values = len(request.values) + added
    each = Load.alike(n_values, request.decoding, request.scope, prompts)
    times = most * len(request.seeds) / len(layers)
    return [each.times(times, layer) for layer in layers]


def time_of(
    wanted: Iterable[tuple[ModelSpec, Load]],
    paces: Sequence[Pace],
    device: str,
    threads: int,
    models: Path,
) -> Seconds:
    """How long some texts take to decode.

    Args:
        wanted: Their loads, each with its model.
        paces: What was measured here.
        device: `cpu`, `cuda` or `auto`; with nothing measured only a CPU's speed can be guessed.
        threads: CPU threads of a job.
        models: Folder of the fetched models.
    """
    sized = (
        (spec.identity, load, Size.of(models / spec.name, spec.n_layers, spec.d_mlp))
        for spec, load in wanted
    )
    return speed.time_of(sized, paces, device, threads)


def together(times: Sequence[Seconds], lanes: int) -> Seconds:
    """How long jobs take of which some run side by side.

    Args:
        times: Of each job.
        lanes: How many run at a time.
    """
    known = [time.seconds for time in times if time.seconds is not None]
    if len(known) < len(times):
        return Seconds(None)
    longest, in_all = max(known, default=0.0), sum(known)
    return Seconds(max(longest, in_all / max(1, lanes)), any(time.guessed for time in times))


def _layers(request: TextRequest, requests: Mapping[str, TextRequest]) -> list[int]:
    """Where a request's targets are, or about: the middle layer stands for any."""
    targets, middle = request.targets, [request.model.n_layers // 2]
    if isinstance(targets, Named):
        other = requests.get(targets.entry)
        return middle if other in (None, request) else _layers(other, requests)
    if isinstance(targets, Selection):
        return middle if targets.layer is None else [targets.layer]
    return sorted({min(layers_in(target), default=middle[0]) for target in targets}) or middle


def _few(names: Sequence[str]) -> list[str]:
    more = len(names) - _FEW
    return [*names[:_FEW], *([f"{more} more"] if more > 0 else [])]


def _of_work(name: str, counts: Counts | None) -> str:
    if counts is None:
        return f"{name} not known yet"
    return f"{name} {counts.new:,} new, {counts.reused:,} reused"
