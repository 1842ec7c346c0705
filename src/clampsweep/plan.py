"""From config and prompts to the combinations wanted, and from those to batches of generation.

A combination is computed once, ever: its key is the digest of all that decides its text. Batches
are immutable and named by the digest of their keys; `results/batches/<id>.json` pins their content.
A key that a finished batch holds is not planned again; missing ones are packed into new batches.
No torch here; it runs at parse time.
"""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from clampsweep.config import Decoding, Sweep
from clampsweep.errors import UserError
from clampsweep.names import parse_target
from clampsweep.provenance import json_digest, text_digest
from clampsweep.tables import GENERATIONS, check_place, footer, place, read, write_text

_ID = 16  # hex digits of a batch's name


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

    @cached_property
    def key(self) -> str:
        """Digest of the identity, 32 hex digits."""
        return json_digest([self.model, self.prompt, self.decoding.as_json(), *self._rest()])[:32]

    def _rest(self) -> list[Any]:
        value = None if self.value is None else float(self.value)
        return [self.target, self.operation, value, self.scope, self.seed, self.donor]

    @property
    def layer(self) -> int | None:
        """Lowest layer that is changed, None in a baseline."""
        return parse_target(self.target)[0].layer if self.target else None

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


@dataclass(frozen=True)
class Selected:
    """What follows from the baseline's statistics: targets, and their means for `mean`."""

    targets: tuple[str, ...]
    means: tuple[float | None, ...]


def check_positions(stats: pd.DataFrame) -> None:
    """Refuse statistics of no position at all: nothing follows from them.

    Args:
        stats: A `tables.NEURON_STATS` table.

    Raises:
        UserError: Every baseline is empty.
    """
    if not stats["n_positions"].any():
        raise UserError(
            "every baseline text is empty, so that no neuron has statistics to choose by or a mean "
            "to be set to; name neurons and values, without matching by activation"
        )


def write_selected(names: Sequence[str], operation: str, stats: pd.DataFrame, output: Path) -> None:
    """Write targets, and each one's mean for operation `mean`, as JSON.

    Args:
        names: The targets; single neurons for `mean`.
        operation: The sweep's.
        stats: A `tables.NEURON_STATS` table.
        output: Where; `read_selected` reads it.

    Raises:
        UserError: A mean is needed, and every baseline is empty.
    """
    means: list[float | None] = [None] * len(names)
    if operation == "mean":
        check_positions(stats)
        table = stats.set_index(["layer", "neuron"])["mean"]
        means = [float(table[one.layer, one.index]) for (one,) in map(parse_target, names)]
    content = {"targets": list(names), "means": means, "place": place(output)}
    write_text(json.dumps(content), output)


def read_selected(path: Path | str) -> Selected:
    """What `write_selected` wrote.

    Raises:
        UserError: The file is damaged, or copied from another sweep.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        check_place(Path(path), content["place"])
        return Selected(tuple(content["targets"]), tuple(content["means"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged selection file; delete it and run again") from error


def baselines(sweep: Sweep, prompts: pd.DataFrame) -> list[Combination]:
    """The baseline of every prompt, in the prompts' order, for each seed of sampling."""
    seeds = sweep.seeds if sweep.decoding.method == "sample" else (None,)
    model = sweep.model.identity
    return [
        Combination(model, text, None, "none", None, None, sweep.decoding, seed)
        for text in prompts["text"]
        for seed in seeds
    ]


def interventions(
    sweep: Sweep, prompts: pd.DataFrame, selected: Selected | None
) -> list[Combination]:
    """Every prompt x target x value x seed that the sweep wants, in the prompts' order.

    Args:
        sweep: The sweep.
        prompts: Its prompts.
        selected: Needed where `sweep.needs_statistics`.
    """
    if selected is not None:
        pairs = list(zip(selected.targets, selected.means, strict=True))
    elif not isinstance(sweep.targets, tuple):
        raise ValueError("the sweep selects its neurons: pass what was selected")
    else:
        pairs = [(target, None) for target in sweep.targets]
    texts, model = list(prompts["text"]), sweep.model.identity
    resampled = sweep.seeds if sweep.operation == "resample" else ()
    donors = {seed: _donors(texts, seed) for seed in resampled}
    return [
        Combination(
            model,
            text,
            target,
            sweep.operation,
            mean if sweep.operation == "mean" else value,
            sweep.scope,
            sweep.decoding,
            seed,
            donors[seed][text] if donors else None,
        )
        for text in texts
        for target, mean in pairs
        for value in sweep.values
        for seed in sweep.seeds
    ]


def _donors(texts: Sequence[str], seed: int | None) -> dict[str, str]:
    """The prompt that lends each one its activations: drawn by seed and prompt, never itself.

    Every text has a place on a ring, by lot, and so has every search for a donor; the next text
    along the ring is the donor. So a new prompt changes a donor only by becoming it.
    """
    ring = sorted((json_digest([seed, text]), text) for text in set(texts))
    if len(ring) < 2:
        raise UserError("operation resample needs at least two different prompts in the promptset")
    found = {}
    for _, text in ring:
        start = bisect.bisect(ring, (json_digest([seed, text, "donor"]), ""))
        near = (ring[(start + step) % len(ring)][1] for step in (0, 1))
        found[text] = next(other for other in near if other != text)
    return found


def pin(path: Path, content: Any) -> Path:
    """Write a JSON file whose name is decided by its content; return its path.

    Once, unless it was damaged since.
    """
    text = json.dumps(content, separators=(",", ":"))
    if not path.exists() or path.read_bytes() != text.encode():
        write_text(text, path)
    return path


def _batch_id(combinations: Iterable[Combination]) -> str:
    return json_digest(sorted(one.key for one in combinations))[:_ID]


def _batch_json(combinations: Sequence[Combination]) -> dict[str, Any]:
    first = combinations[0]
    texts = {one.prompt for one in combinations} | {
        one.donor for one in combinations if one.donor is not None
    }
    return {
        "model": first.model,
        "decoding": first.decoding.as_json(),
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
            }
            for one in combinations
        ],
    }


def read_batch(path: Path | str) -> tuple[str, list[Combination]]:
    """Model identity and combinations of a pinned batch.

    Raises:
        UserError: The file is damaged.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        decoding = Decoding(**content["decoding"])
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
            )
            for row in content["combinations"]
        ]
        if _batch_id(combinations) != Path(path).stem:
            raise ValueError("other combinations than the name says")
        return content["model"], combinations
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged batch file; delete it and run again") from error


class Planner:
    """Assigns combinations to batches: those on disk first, new ones for what is missing.

    Args:
        results: The results folder.
        size: Most combinations in a batch.
    """

    def __init__(self, results: Path, size: int):
        self.results, self.size = results, size
        self._holder: dict[str, str] = {}
        self._wanted: set[str] = set()

    @cached_property
    def pinned(self) -> dict[str, frozenset[str]]:
        """Keys of each batch that was on disk at the start."""
        return {
            path.stem: frozenset(one.key for one in read_batch(path)[1])
            for path in sorted((self.results / "batches").glob("[0-9a-f]" * _ID + ".json"))
        }

    def finished(self, batch: str) -> bool:
        """Whether a batch's files are there."""
        return all(path.exists() for path in self.outputs(batch))

    def outputs(self, batch: str) -> tuple[Path, Path]:
        """Files that a batch makes: its generations and its vectors."""
        folder = self.results
        return folder / "generations" / f"{batch}.parquet", folder / "vectors" / f"{batch}.parquet"

    def assign(self, combinations: Iterable[Combination]) -> list[str]:
        """Ids of the batches that hold the combinations, sorted; missing ones are pinned.

        A pinned batch that is not finished is taken up again only if all of its keys are wanted and
        none of them is held by another batch.
        """
        wanted = {one.key: one for one in combinations}
        self._wanted |= set(wanted)
        unheld = set(wanted) - set(self._holder)
        for finished in (True, False):
            for batch, keys in self.pinned.items():
                if not unheld & keys or self.finished(batch) != finished:
                    continue
                if finished or (keys <= self._wanted and not keys & set(self._holder)):
                    self._holder.update(dict.fromkeys(unheld & keys, batch))
                    unheld -= keys
        for group in self._pack([wanted[key] for key in unheld]):
            batch = _batch_id(group)
            pin(self.results / "batches" / f"{batch}.json", _batch_json(group))
            self._holder.update(dict.fromkeys((one.key for one in group), batch))
        return sorted({self._holder[key] for key in wanted})

    def _pack(self, missing: list[Combination]) -> list[list[Combination]]:
        groups: dict[str, list[Combination]] = {}
        for one in sorted(missing, key=Combination.order):
            kind = [one.model, one.decoding.as_json(), one.target is None]
            groups.setdefault(json_digest(kind), []).append(one)
        packed = []
        for _, group in sorted(groups.items()):
            count = math.ceil(len(group) / self.size)
            cuts = [round(at * len(group) / count) for at in range(count + 1)]
            packed += [group[cuts[at] : cuts[at + 1]] for at in range(count)]
        return packed


def pin_sweep(
    planner: Planner, name: str, prompts: pd.DataFrame, combinations: Sequence[Combination]
) -> tuple[Path, list[str]]:
    """Pin which rows make up a sweep; return the plan's path and the batches that hold them.

    Args:
        planner: Assigns the batches.
        name: The sweep's name, part of the file's.
        prompts: Prompt ids and texts; several ids may share a text.
        combinations: What the sweep wants.
    """
    batches = planner.assign(combinations)
    ids: dict[str, list[str]] = {}
    for prompt_id, text in zip(prompts["prompt_id"], prompts["text"], strict=True):
        ids.setdefault(text, []).append(prompt_id)
    unique = {one.key: one for one in combinations}
    rows = [[prompt_id, key] for key, one in unique.items() for prompt_id in ids[one.prompt]]
    content = {"sweep": name, "rows": rows}
    file = f"{name.replace('/', '.')}-{json_digest(content)[:16]}.json"
    path = planner.results / "plans" / file
    return pin(path, content), batches


def read_plan(path: Path) -> list[tuple[str, str]]:
    """Rows of a pinned plan: prompt id and key.

    Raises:
        UserError: The file is damaged.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        return [(str(prompt_id), str(key)) for prompt_id, key in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged plan file; delete it and run again") from error


def _gathered(results: Path, table: Path) -> set[str]:
    """Keys of a sweep's `generations`: as its plan says, or the table where the plan is gone."""
    plan = results / "plans" / f"{footer(table).get('plan')}.json"
    if plan.exists():
        return {key for _, key in read_plan(plan)}
    return set(read(table, GENERATIONS)["key"])


def prune(results: Path, plans: Sequence[Path]) -> list[Path]:
    """Remove batches of which no sweep has a row; return the files removed.

    Args:
        results: The results folder; what its sweeps were gathered from is kept.
        plans: Plans of the current run, kept too, gathered or not.
    """
    made = [
        path for at in ("*", "*/*") for path in sorted(results.glob(f"{at}/generations.parquet"))
    ]
    used = {key for path in plans for _, key in read_plan(path)}
    for path in made:
        used |= _gathered(results, path)
    planner = Planner(results, size=1)
    removed = []
    for batch, keys in planner.pinned.items():
        if not keys & used:
            files = (*planner.outputs(batch), results / "batches" / f"{batch}.json")
            removed += [path for path in files if path.exists()]
            removed += sorted((results / ".scratch").glob(f"{batch}-*/*"))
    for path in removed:
        path.unlink()
    return removed
