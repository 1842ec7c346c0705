"""Run one pinned batch of combinations, in parts that a killed job keeps."""

from __future__ import annotations

import itertools
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from clampsweep import tables
from clampsweep.activations import traces
from clampsweep.config import Decoding, ModelSpec
from clampsweep.decoding import decode
from clampsweep.errors import UserError
from clampsweep.interventions import Edit, Scope, edit
from clampsweep.models import Model, load
from clampsweep.names import Neuron, parse_target
from clampsweep.plan import Combination, read_batch
from clampsweep.provenance import json_digest, record, text_digest
from clampsweep.texts import Decoded

log = logging.getLogger(__name__)

_SAMPLE = 128  # rows that are timed for an estimate; twice as many are worth one
_STEPS = 4  # tokens of each, after its first
Lenders = Mapping[str, Mapping[Neuron, tuple[float, ...]]]  # donor prompt, neuron: its values


def generate(
    batch: Path,
    model_folder: Path,
    spec: ModelSpec,
    threads: int,
    device: str,
    rows_per_forward: int,
    scratch: Path,
    code: str,
    generations: Path,
    vectors: Path,
) -> None:
    """Make a batch's two tables (`tables.BATCH_GENERATIONS`, `tables.BATCH_VECTORS`).

    Parts already in the scratch folder are taken over; it is removed at the end.

    Args:
        batch: The pinned batch.
        model_folder: What `fetch_model` made.
        spec: The model's config entry.
        threads: CPU threads.
        device: `auto`, `cpu` or `cuda`.
        rows_per_forward: Most rows in one forward pass.
        scratch: Folder for finished parts, named by batch and code digest.
        code: Code digest, for the footer.
        generations: Output.
        vectors: Output.

    Raises:
        UserError: A prompt exceeds the context, the model folder is damaged, the disk is full.
    """
    identity, combinations = read_batch(batch)
    model = load(model_folder, spec, threads, device)
    texts = {one.prompt for one in combinations} | {one.donor for one in combinations if one.donor}
    tokens = {text: model.encode(text) for text in sorted(texts)}
    _check_lengths(model, tokens)
    decoding = combinations[0].decoding
    provenance = record(
        model=model.manifest["digest"],
        model_identity=identity,
        code=code,
        decoding=decoding.as_json(),
        batch=batch.stem,
    )
    parts = _parts(combinations, tokens, rows_per_forward)
    files = [_part_files(scratch, part) for part in parts]
    missing = [at for at, pair in enumerate(files) if not all(path.exists() for path in pair)]
    done = sum(len(part) for at, part in enumerate(parts) if at not in missing)
    log.info("%d combinations in %d parts, %d already done", len(combinations), len(parts), done)
    todo = [(parts[at], files[at]) for at in missing]
    _run_parts(model, todo, tokens, rows_per_forward, provenance)
    _join([pair[1] for pair in files], vectors, tables.BATCH_VECTORS, provenance)
    _join([pair[0] for pair in files], generations, tables.BATCH_GENERATIONS, provenance)
    for folder in scratch.parent.glob(f"{batch.stem}-*"):  # of other code versions too
        shutil.rmtree(folder, ignore_errors=True)


def _run_parts(
    model: Model,
    todo: Sequence[tuple[Sequence[Combination], tuple[Path, Path]]],
    tokens: Mapping[str, Sequence[int]],
    rows_per_forward: int,
    provenance: Mapping[str, object],
) -> None:
    """Decode the parts still missing, each written as soon as it is done."""
    combinations = [one for part, _ in todo for one in part]
    lenders = _lenders(model, combinations, rows_per_forward)
    total = sum(one.decoding.max_new_tokens for one in combinations)
    _estimate(model, [part for part, _ in todo], tokens, lenders)
    done = 0
    bar: Any
    with tqdm(total=total, unit="tok", mininterval=1, smoothing=0.1) as bar:
        for part, (generations, vectors) in todo:
            decoded = _decode(model, part, tokens, lenders, part[0].decoding, bar.update)
            frames = _Frames(part, decoded, model, tokens)
            bar.total -= len(part) * part[0].decoding.max_new_tokens - frames.tokens
            tables.write(frames.vectors, vectors, tables.BATCH_VECTORS, provenance)
            tables.write(frames.generations, generations, tables.BATCH_GENERATIONS, provenance)
            done += len(part)
            log.info("%d of %d combinations done", done, len(combinations))


def _estimate(
    model: Model,
    parts: Sequence[Sequence[Combination]],
    tokens: Mapping[str, Sequence[int]],
    lenders: Lenders,
) -> None:
    """Say how long the parts will take, by a few tokens of some of their rows."""
    rows = sum(map(len, parts))
    if rows < 2 * _SAMPLE:
        return
    sample = max(parts, key=len)[:_SAMPLE]

    def seconds(part: Sequence[Combination], n_new: int) -> float:
        decoding = replace(part[0].decoding, max_new_tokens=n_new)
        start = time.perf_counter()
        _decode(model, part, tokens, lenders, decoding, lambda n: None)
        return time.perf_counter() - start

    seconds(sample[:2], 1)  # what is done once does not count
    prompt = seconds(sample, 1)
    token = max(0.0, seconds(sample, 1 + _STEPS) - prompt) / _STEPS
    most = sum(one.decoding.max_new_tokens for part in parts for one in part)
    total = (prompt * rows + token * most) / len(sample)
    said = f"about {total / 60:.0f} minutes" if total >= 90 else f"about {total:.0f} s"
    log.info("%d combinations, at most %d tokens: %s", rows, most, said)


def _check_lengths(model: Model, tokens: Mapping[str, Sequence[int]]) -> None:
    for text, ids in tokens.items():
        if not ids:
            raise UserError(f"prompt {text!r} has no tokens; remove it from the promptset")
        if len(ids) >= model.n_ctx:
            raise UserError(
                f"prompt {text[:60]!r}... has {len(ids)} tokens; the model reads at most "
                f"{model.n_ctx - 1} and one new one; shorten it in the promptset"
            )


def _parts(
    combinations: Sequence[Combination], tokens: Mapping[str, Sequence[int]], rows: int
) -> list[list[Combination]]:
    """Rows that are decoded in one call: of one scope and the same edited layers.

    The rows of a prompt stay together, because they share most of their work, and prompts of like
    length stand side by side.
    """
    groups: dict[tuple[Any, ...], list[Combination]] = {}
    for one in combinations:
        groups.setdefault((one.scope or "", _layers(one)), []).append(one)
    parts: list[list[Combination]] = []
    for _, group in sorted(groups.items()):
        parts.append([])
        by_prompt = sorted(group, key=lambda one: (len(tokens[one.prompt]), one.prompt))
        for _, each in itertools.groupby(by_prompt, key=lambda one: one.prompt):
            mine = list(each)
            if parts[-1] and len(parts[-1]) + len(mine) > rows:
                parts.append([])
            for start in range(0, len(mine), rows):
                if start:
                    parts.append([])
                parts[-1] += mine[start : start + rows]
    return parts


def _layers(one: Combination) -> tuple[int, ...]:
    return tuple(sorted({neuron.layer for neuron in _neurons(one)}))


def _neurons(one: Combination) -> tuple[Neuron, ...]:
    return parse_target(one.target) if one.target else ()


def _part_files(scratch: Path, part: Sequence[Combination]) -> tuple[Path, Path]:
    name = json_digest([one.key for one in part])[:16]
    return scratch / f"{name}.generations.parquet", scratch / f"{name}.vectors.parquet"


class _Frames:
    def __init__(
        self,
        part: Sequence[Combination],
        decoded: Sequence[Decoded],
        model: Model,
        tokens: Mapping[str, Sequence[int]],
    ):
        pairs = list(zip(part, decoded, strict=True))
        self.tokens = sum(len(got.token_ids) + (got.stop_reason == "eos") for got in decoded)
        self.generations = pd.DataFrame(
            [_generation_row(one, got, model, len(tokens[one.prompt])) for one, got in pairs]
        ).astype(
            {
                "layer": "Int64",
                "neuron": "Int64",
                "value": "float64",
                "seed": "Int64",
                "min_margin": "float64",
                "nll_unclamped": "float64",
            }
        )
        self.vectors = pd.DataFrame(
            [
                {
                    "key": one.key,
                    "layer": layer,
                    "vector": got.vectors.get(layer),
                    "natural_value": natural,
                }
                for one, got in pairs
                for layer, natural in got.natural.items()
            ]
        ).astype({"natural_value": "float64"})


def _generation_row(
    one: Combination, got: Decoded, model: Model, n_prompt: int
) -> dict[str, object]:
    neurons = _neurons(one)
    return {
        "key": one.key,
        "text_digest": text_digest(one.prompt),
        "target": one.target,
        "layer": one.layer,
        "neuron": neurons[0].index if len(neurons) == 1 else None,
        "operation": one.operation,
        "value": one.value,
        "scope": one.scope,
        "seed": one.seed,
        "n_prompt_tokens": n_prompt,
        "token_ids": got.token_ids,
        "text": model.decode(got.token_ids),
        "n_new_tokens": len(got.token_ids),
        "stop_reason": got.stop_reason,
        "min_margin": got.min_margin,
        "nll_unclamped": got.nll_unclamped,
    }


def _decode(
    model: Model,
    part: Sequence[Combination],
    tokens: Mapping[str, Sequence[int]],
    lenders: Lenders,
    decoding: Decoding,
    on_tokens: Callable[[int], object],
) -> list[Decoded]:
    """Decode the rows of one part; of baselines every layer is captured."""
    return decode(
        model,
        [tokens[one.prompt] for one in part],
        [_edits(one, lenders) for one in part],
        Scope.parse(part[0].scope or "all"),
        decoding,
        streams=[_stream(one) for one in part] if decoding.method == "sample" else None,
        capture_layers=_layers(part[0]) or tuple(range(model.n_layers)),
        on_tokens=on_tokens,
        with_nll=True,
    )


def _edits(one: Combination, lenders: Lenders) -> list[Edit]:
    lent: Mapping[Neuron, tuple[float, ...]] = lenders[one.donor] if one.donor else {}
    return [
        edit(neuron, one.operation, one.value, lent.get(neuron, ())) for neuron in _neurons(one)
    ]


def _stream(one: Combination) -> tuple[int, ...]:
    """What seeds a combination's draws: its seed and the prompt's digest, no more.

    So its draws do not depend on the batch, and all clamps of a prompt share them with its
    baseline (common random numbers), which makes their difference less noisy.
    """
    digest = text_digest(one.prompt)
    return one.seed or 0, *(int(digest[at : at + 8], 16) for at in range(0, 64, 8))


def _lenders(
    model: Model, combinations: Sequence[Combination], rows_per_forward: int
) -> dict[str, dict[Neuron, tuple[float, ...]]]:
    """For resampling: each donor prompt's natural values over its greedy baseline run."""
    donors = sorted({one.donor for one in combinations if one.donor is not None})
    if not donors:
        return {}
    neurons = sorted({neuron for one in combinations for neuron in _neurons(one)})
    greedy = Decoding("greedy", combinations[0].decoding.max_new_tokens)
    prompts = {text: model.encode(text) for text in donors}
    sequences: dict[str, list[int]] = {}
    by_length = sorted(donors, key=lambda text: len(prompts[text]))
    for start in range(0, len(donors), rows_per_forward):
        part = by_length[start : start + rows_per_forward]
        decoded = decode(
            model, [prompts[one] for one in part], [[] for _ in part], Scope("all"), greedy
        )
        for text, got in zip(part, decoded, strict=True):
            sequences[text] = [*prompts[text], *got.token_ids]
    found = traces(model, [sequences[text] for text in donors], neurons)
    return dict(zip(donors, found, strict=True))


def _join(
    parts: Sequence[Path], path: Path, schema: tables.Schema, provenance: Mapping[str, object]
) -> None:
    frame = pd.concat([tables.read(part, schema) for part in parts], ignore_index=True)
    tables.write(frame, path, schema, provenance)
