"""Run one pinned batch of combinations, in parts that a killed job keeps."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from clampsweep.decoder.choice import NotFiniteError
from clampsweep.decoder.decode import decode
from clampsweep.decoder.interventions import Edit, Scope, edit
from clampsweep.decoder.rows import Decoded
from clampsweep.errors import UserError
from clampsweep.generation.frames import Frames, layers_of, neurons_of
from clampsweep.models.activations import traces
from clampsweep.models.loading import Model, load
from clampsweep.models.spec import ModelSpec
from clampsweep.names import Neuron
from clampsweep.provenance import record
from clampsweep.texts.combination import Combination, read_batch, stream
from clampsweep.texts.request import Decoding
from clampsweep.texts.scratch import Scratch, alone

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
    """Make a batch's two tables (`BATCH_GENERATIONS`, `BATCH_VECTORS`).

    Parts already in the scratch folder are taken over; it is removed at the end. While another job
    is at work on the batch, this one waits, and takes over what it made.

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
        UserError: A prompt exceeds the context, the model folder is damaged, the disk is full,
            logits are not finite.
    """
    identity, combinations = read_batch(batch)
    with alone(scratch.with_name(f"{batch.stem}.lock")):
        model = load(model_folder, spec, threads, device)
        provenance = record(
            model=model.manifest["digest"],
            model_identity=identity,
            code=code,
            decoding=combinations[0].decoding.as_json(),
            batch=batch.stem,
        )
        kept = Scratch(scratch, [one.key for one in combinations], provenance)
        if kept.made(generations, vectors):
            log.info("another job made this batch meanwhile")
        else:
            _run(model, combinations, rows_per_forward, kept)
            kept.join(generations, vectors)
        kept.end(generations, vectors)


def _run(
    model: Model, combinations: Sequence[Combination], rows_per_forward: int, scratch: Scratch
) -> None:
    """Decode what is missing of a batch into parts.

    Raises:
        UserError: A prompt exceeds the context, or some texts cannot be computed; the others are.
    """
    texts = {one.prompt for one in combinations} | {one.donor for one in combinations if one.donor}
    tokens = {text: encode(model, text) for text in sorted(texts)}
    parts = _parts(combinations, tokens, rows_per_forward)
    finished = scratch.finished()
    todo = [[one for one in part if one.key not in finished] for part in parts]
    said = f"{len(combinations)} combinations in {len(parts)} parts, {len(finished)} already done"
    log.info("%s", said)
    _run_parts(model, [part for part in todo if part], tokens, rows_per_forward, scratch)


def _run_parts(
    model: Model,
    todo: Sequence[Sequence[Combination]],
    tokens: Mapping[str, Sequence[int]],
    rows_per_forward: int,
    scratch: Scratch,
) -> None:
    """Decode the parts still missing, each written as soon as it is done."""
    combinations = [one for part in todo for one in part]
    lenders = _lenders(model, combinations, rows_per_forward)
    total = sum(one.decoding.max_new_tokens for one in combinations)
    _estimate(model, todo, tokens, lenders)
    done, failed = 0, []
    bar: Any
    with tqdm(total=total, unit="tok", mininterval=1, smoothing=0.1) as bar:
        for part in todo:
            good, decoded = _decode_finite(model, part, tokens, lenders, bar.update)
            failed += [one for one in part if one not in good]
            if not good:
                continue
            frames = Frames(good, decoded, model, tokens)
            bar.total -= len(part) * part[0].decoding.max_new_tokens - frames.tokens
            scratch.add(frames.generations, frames.vectors)
            done += len(good)
            log.info("%d of %d combinations done", done, len(combinations))
    if failed:
        raise UserError(_not_finite(failed, len(combinations)))


def _decode_finite(
    model: Model,
    part: Sequence[Combination],
    tokens: Mapping[str, Sequence[int]],
    lenders: Lenders,
    on_tokens: Callable[[int], object],
) -> tuple[list[Combination], list[Decoded]]:
    """The rows of a part whose logits are finite, and what they became."""
    good = list(part)
    while good:
        try:
            return good, _decode(model, good, tokens, lenders, part[0].decoding, on_tokens)
        except NotFiniteError as error:
            good = [one for at, one in enumerate(good) if at not in set(error.rows)]
    return [], []


def _not_finite(failed: Sequence[Combination], n: int) -> str:
    """What to say of combinations whose logits are not finite."""
    one = max(failed, key=lambda one: abs(one.value or 0))
    what = "without intervention" if one.target is None else f"{one.target}, {one.operation}"
    what += "" if one.value is None else f" {one.value:g}"
    remedy = "use smaller values or a wider dtype (models.<name>.dtype)"
    if one.target is None:
        remedy = "use a wider dtype (models.<name>.dtype), or the model's weights are broken"
    return (
        f"the logits of {len(failed)} of {n} texts are not finite, for instance of prompt "
        f"{one.prompt[:60]!r} with {what}; {remedy}; the other texts of the batch are kept"
    )


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


def encode(model: Model, prompt: str) -> list[int]:
    """A prompt's token ids, at least one and fewer than the context holds.

    Raises:
        UserError: There are none, or too many.
    """
    ids = model.encode(prompt)
    if not ids:
        raise UserError(f"prompt {prompt!r} has no tokens; write something, or remove it")
    if len(ids) >= model.n_ctx:
        raise UserError(
            f"prompt {prompt[:60]!r}... has {len(ids)} tokens; the model reads at most "
            f"{model.n_ctx - 1} and one new one; shorten it"
        )
    return ids


def _parts(
    combinations: Sequence[Combination], tokens: Mapping[str, Sequence[int]], rows: int
) -> list[list[Combination]]:
    """Rows that are decoded in one call: of one scope and the same edited layers.

    The rows of a prompt stay together, because they share most of their work, and prompts of like
    length stand side by side.
    """
    groups: dict[tuple[Any, ...], list[Combination]] = {}
    for one in combinations:
        groups.setdefault((one.scope or "", layers_of(one)), []).append(one)
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
        streams=(
            [stream(one.prompt, one.seed) for one in part] if decoding.method == "sample" else None
        ),
        capture_layers=layers_of(part[0]) or tuple(range(model.n_layers)),
        on_tokens=on_tokens,
        with_nll=True,
    )


def _edits(one: Combination, lenders: Lenders) -> list[Edit]:
    lent: Mapping[Neuron, tuple[float, ...]] = lenders[one.donor] if one.donor else {}
    return [
        edit(neuron, one.operation, one.value, lent.get(neuron, ())) for neuron in neurons_of(one)
    ]


def _lenders(
    model: Model, combinations: Sequence[Combination], rows_per_forward: int
) -> dict[str, dict[Neuron, tuple[float, ...]]]:
    """For resampling: each donor prompt's natural values over its greedy baseline run."""
    donors = sorted({one.donor for one in combinations if one.donor is not None})
    if not donors:
        return {}
    neurons = sorted({neuron for one in combinations for neuron in neurons_of(one)})
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
