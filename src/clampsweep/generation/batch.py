"""Run one pinned batch of combinations, in parts that a killed job keeps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from clampsweep.decoder.choice import NotFiniteError
from clampsweep.decoder.decode import fast_path
from clampsweep.decoder.interventions import Scope
from clampsweep.decoder.rows import Decoded
from clampsweep.errors import UserError
from clampsweep.files import alone
from clampsweep.generation.changes import Supplies, supplies
from clampsweep.generation.frames import Frames
from clampsweep.generation.pace import Pacer
from clampsweep.generation.parts import cut, decode_part
from clampsweep.generation.prompts import encode
from clampsweep.models.chat import template_digest
from clampsweep.models.loading import load
from clampsweep.models.model import Model
from clampsweep.models.spec import ModelSpec
from clampsweep.models.unused_settings import unused_settings
from clampsweep.names import neurons_in
from clampsweep.provenance import record
from clampsweep.texts.combination import Combination, read_batch
from clampsweep.texts.scratch import Scratch

log = logging.getLogger(__name__)


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
    speeds: Path,
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
        speeds: File to which how long parts took is added, for later estimates.

    Raises:
        UserError: A prompt exceeds the context, the model folder is damaged, the disk is full,
            logits are not finite.
    """
    identity, combinations = read_batch(batch)
    with alone(scratch.with_name(f"{batch.stem}.lock")):
        needs_neurons = any(neurons_in(one.target) for one in combinations)
        model = load(model_folder, spec, threads, device, neurons=needs_neurons)
        provenance = record(
            model=model.manifest["digest"],
            model_identity=identity,
            code=code,
            decoding=combinations[0].decoding.as_json(),
            **combinations[0].prompt_format.as_json(),
            chat_template=template_digest(model.tokenizer),
            batch=batch.stem,
            unused_settings=unused_settings(model_folder),
        )
        kept = Scratch(scratch, [one.key for one in combinations], provenance)
        if kept.made(generations, vectors):
            log.info("another job made this batch meanwhile")
        else:
            _run(model, combinations, rows_per_forward, kept, batch, speeds)
            kept.join(generations, vectors)
        kept.end(generations, vectors)


def _run(
    model: Model,
    combinations: Sequence[Combination],
    rows_per_forward: int,
    scratch: Scratch,
    batch: Path,
    speeds: Path,
) -> None:
    """Decode what is missing of a batch into parts.

    Raises:
        UserError: A prompt exceeds the context, or some texts cannot be computed; the others are.
    """
    texts = {one.prompt for one in combinations} | {one.donor for one in combinations if one.donor}
    how = combinations[0].prompt_format  # a batch has one
    tokens = {text: encode(model, text, how) for text in sorted(texts)}
    parts = cut(combinations, tokens, rows_per_forward)
    finished = scratch.finished()
    todo = [[one for one in part if one.key not in finished] for part in parts]
    said = f"{len(combinations)} combinations in {len(parts)} parts, {len(finished)} already done"
    log.info("%s", said)
    todo = [part for part in todo if part]
    _run_parts(model, todo, tokens, rows_per_forward, scratch, batch, speeds)


def _run_parts(
    model: Model,
    todo: Sequence[Sequence[Combination]],
    tokens: Mapping[str, Sequence[int]],
    rows_per_forward: int,
    scratch: Scratch,
    batch: Path,
    speeds: Path,
) -> None:
    """Decode the parts still missing, each written as soon as it is done."""
    combinations = [one for part in todo for one in part]
    results = batch.parent.parent
    given = supplies(model, combinations, tokens, rows_per_forward, results)
    total = sum(one.decoding.max_new_tokens for one in combinations)
    fast_path(model, [], Scope.parse("all"))  # laid out once: no part's time
    pacer, failed = Pacer(model, todo, batch.stem, speeds), []
    bar: Any
    with tqdm(total=total, unit="tok", mininterval=1, smoothing=0.1) as bar:
        for part in todo:
            good, decoded = _decode_finite(model, part, tokens, given, bar.update)
            failed += [one for one in part if one not in good]
            if not good:
                pacer.done(0)
                continue
            frames = Frames(good, decoded, model, tokens)
            bar.total -= len(part) * part[0].decoding.max_new_tokens - frames.tokens
            scratch.add(frames.generations, frames.vectors)
            pacer.done(len(good))
    if failed:
        raise UserError(_not_finite(failed, len(combinations)))


def _decode_finite(
    model: Model,
    part: Sequence[Combination],
    tokens: Mapping[str, Sequence[int]],
    given: Supplies,
    on_tokens: Callable[[int], object],
) -> tuple[list[Combination], list[Decoded]]:
    """The rows of a part whose logits are finite, and what they became."""
    good = list(part)
    while good:
        try:
            return good, decode_part(model, good, tokens, given, part[0].decoding, on_tokens)
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
