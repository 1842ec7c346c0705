"""The decoder: text for many rows at once, each row with its own intervention.

Two paths give the same texts. The fast one (`decoder.trajectories`) computes what rows share once;
where it does not apply, the general one (`decoder.general`) does the work and the log says why. The
same passes yield the mean MLP post-activation over generated positions, the last token's position
included.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from clampsweep.decoder import general, trajectories
from clampsweep.decoder.attention import UnsupportedError
from clampsweep.decoder.choice import Chooser, NotFiniteError
from clampsweep.decoder.engine import Engine
from clampsweep.decoder.given import checked
from clampsweep.decoder.interventions import Scope
from clampsweep.decoder.rows import Decoded, DecodeJob, RowTexts
from clampsweep.decoder.steering import Change
from clampsweep.errors import reason
from clampsweep.models.model import Model
from clampsweep.texts.request import Decoding

log = logging.getLogger(__name__)

_ENGINES: WeakKeyDictionary[Any, Engine | str] = WeakKeyDictionary()


def decode(
    model: Model,
    prompts: Sequence[Sequence[int]],
    edits: Sequence[Sequence[Change]],
    scope: Scope,
    decoding: Decoding,
    *,
    streams: Sequence[tuple[int, ...]] | None = None,
    capture_layers: Sequence[int] = (),
    on_tokens: Callable[[int], object] = lambda n: None,
    with_nll: bool = False,
) -> list[Decoded]:
    """What each row generates, in the rows' order.

    Args:
        model: Loaded model.
        prompts: Token ids of each row, one at least and within the context.
        edits: What changes each row: edits of neurons, steering; nothing for a baseline.
        scope: Positions that are changed; one for all rows.
        decoding: Greedy or sampling, and how many tokens at most.
        streams: For sampling, the integers that seed each row's draws; None when greedy.
        capture_layers: Layers whose mean activation over generated positions is wanted.
        on_tokens: Told the number of tokens chosen, after each step.
        with_nll: Whether to compute `Decoded.nll_unclamped`: free for baselines and for edits in
            the last layer, otherwise one more pass over the texts.

    Raises:
        TypeError: Something given is of another kind than it should be.
        ValueError: Something given does not fit the model, or the rest.
        NotFiniteError: Logits are not numbers.
    """
    given = DecodeJob(prompts, edits, scope, decoding, streams, capture_layers, on_tokens, with_nll)
    job = checked(model, given)
    prompts = job.prompts
    if not prompts:
        return []
    longest = max(map(len, prompts)) + decoding.max_new_tokens
    engine = fast_path(model, edits, scope, longest)
    if isinstance(engine, str):
        log.info("general decoder: %s", engine)
    decoded: dict[int, Decoded] = {}
    for rows in _parts(prompts, apart=isinstance(engine, str)):
        try:
            texts = _decode_part(model, engine, job.take(rows))
        except NotFiniteError as error:
            raise NotFiniteError([rows[at] for at in error.rows]) from error
        decoded |= zip(rows, texts, strict=True)
    return [decoded[row] for row in range(len(prompts))]


def _parts(prompts: Sequence[Sequence[int]], *, apart: bool) -> list[list[int]]:
    """Rows that run together: all, prompt by prompt, or those of one length `apart`."""
    groups: dict[Any, list[int]] = {}
    for row, prompt in enumerate(prompts):
        groups.setdefault(len(prompt) if apart else tuple(prompt), []).append(row)
    parts = list(groups.values())
    return parts if apart else [[row for rows in parts for row in rows]]


def _decode_part(model: Model, engine: Engine | str, job: DecodeJob) -> list[Decoded]:
    """What rows that run together become."""
    texts = RowTexts(model, job)
    chooser = Chooser(model, job, texts)
    if isinstance(engine, str):
        general.decode(model, job, texts, chooser)
    else:
        trajectories.decode(engine, job, texts, chooser)
    decoded = texts.decoded()
    if job.with_nll and not texts.nll_known:
        return _with_nll(model, engine, job, decoded)
    return decoded


def _with_nll(
    model: Model, engine: Engine | str, job: DecodeJob, decoded: Sequence[Decoded]
) -> list[Decoded]:
    """The rows with the likelihood of their texts, from a pass of its own."""
    rows = [row for row, text in enumerate(decoded) if text.token_ids]
    prompts, texts = [job.prompts[row] for row in rows], [decoded[row].token_ids for row in rows]
    if not rows:
        return list(decoded)
    nll = None if isinstance(engine, str) else trajectories.nll(engine, prompts, texts)
    if nll is None:
        nll = general.nll(model, prompts, texts)
    known = dict(zip(rows, nll.tolist(), strict=True))
    return [replace(text, nll_unclamped=known.get(row)) for row, text in enumerate(decoded)]


def fast_path(
    model: Model, edits: Sequence[Sequence[Change]], scope: Scope, longest: int = 0
) -> Engine | str:
    """The engine that shares trajectories, or why these rows go the general path.

    Args:
        model: Loaded model.
        edits: What changes each row.
        scope: Positions that are changed.
        longest: Tokens that the longest prompt and its text may have together.
    """
    layers = {change.layer for row in edits for change in row}
    if scope.reruns_newest and layers and min(layers) < model.n_layers - 1:
        return f"scope {scope.name} below the last layer computes every position twice"
    if model.plain not in _ENGINES:
        _ENGINES[model.plain] = _make_engine(model)
    engine = _ENGINES[model.plain]
    if isinstance(engine, Engine) and engine.window is not None and engine.window < longest:
        return f"texts of up to {longest} tokens exceed the attention window of {engine.window}"
    return engine


def _make_engine(model: Model) -> Engine | str:
    """The model's engine, if it gives the logits that Hugging Face's own model gives."""
    if model.processed:
        return "the model's weights are processed"
    if not model.d_mlp:
        return "the model has no MLP for rows to part at"
    try:
        engine = Engine(model)
        trajectories.check(engine)
    except (
        UnsupportedError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        RuntimeError,
    ) as error:
        return f"the fast path does not fit this model ({reason(error)})"
    return engine
