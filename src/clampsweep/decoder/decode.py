"""The sweep decoder: text for many rows at once, each row with its own intervention.

Two paths give the same texts. The fast one (`clampsweep.decoder.trajectories`) computes what rows share
once; where it does not apply, the general one (`clampsweep.decoder.general`) does the work and the log says
why. The same passes yield the mean MLP post-activation over generated positions, the last token's
position included.
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
from clampsweep.decoder.interventions import Edit, Scope
from clampsweep.decoder.rows import Decoded, DecodeJob, RowTexts
from clampsweep.decoder.trajectories import Engine
from clampsweep.models.loading import Model
from clampsweep.texts.request import Decoding

log = logging.getLogger(__name__)

_ENGINES: WeakKeyDictionary[Any, Engine | str] = WeakKeyDictionary()


def decode(
    model: Model,
    prompts: Sequence[Sequence[int]],
    edits: Sequence[Sequence[Edit]],
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
        prompts: Token ids of each row, within the context.
        edits: The edits of each row; none for a baseline.
        scope: Positions that the edits change; one for all rows.
        decoding: Greedy or sampling, and how many tokens at most.
        streams: For sampling, the integers that seed each row's draws; None when greedy.
        capture_layers: Layers whose mean activation over generated positions is wanted.
        on_tokens: Told the number of tokens chosen, after each step.
        with_nll: Whether to compute `Decoded.nll_unclamped`: free for baselines and for edits in
            the last layer, otherwise one more pass over the texts.

    Raises:
        NotFiniteError: Logits are not numbers.
    """
    if not len(prompts):
        return []
    job = DecodeJob(prompts, edits, scope, decoding, streams, capture_layers, on_tokens, with_nll)
    engine = fast_path(model, edits, scope)
    if isinstance(engine, str):
        log.info("general decoder: %s", engine)
    groups: dict[Any, list[int]] = {}
    for row, prompt in enumerate(prompts):
        groups.setdefault(len(prompt) if isinstance(engine, str) else tuple(prompt), []).append(row)
    parts = list(groups.values())
    if not isinstance(engine, str):
        parts = [[row for rows in parts for row in rows]]
    found: dict[int, Decoded] = {}
    for rows in parts:
        part = job.take(rows)
        texts = RowTexts(model, part)
        chooser = Chooser(model, part, texts)
        try:
            if isinstance(engine, str):
                general.decode(model, part, texts, chooser)
            else:
                trajectories.decode(engine, part, texts, chooser)
        except NotFiniteError as error:
            raise NotFiniteError([rows[at] for at in error.rows]) from error
        decoded = texts.decoded()
        if with_nll and not texts.nll_known:
            decoded = _with_nll(model, engine, part, decoded)
        found |= zip(rows, decoded, strict=True)
    return [found[row] for row in range(len(prompts))]


def _with_nll(
    model: Model, engine: Engine | str, job: DecodeJob, decoded: Sequence[Decoded]
) -> list[Decoded]:
    """The rows with the likelihood of their texts, from a pass of its own."""
    rows = [row for row, one in enumerate(decoded) if one.token_ids]
    prompts, texts = [job.prompts[row] for row in rows], [decoded[row].token_ids for row in rows]
    if not rows:
        return list(decoded)
    nll = None if isinstance(engine, str) else trajectories.nll(engine, prompts, texts)
    if nll is None:
        nll = general.nll(model, prompts, texts)
    known = dict(zip(rows, nll.tolist(), strict=True))
    return [replace(one, nll_unclamped=known.get(row)) for row, one in enumerate(decoded)]


def fast_path(model: Model, edits: Sequence[Sequence[Edit]], scope: Scope) -> Engine | str:
    """The engine that shares trajectories, or why these rows go the general path."""
    layers = {one.neuron.layer for row in edits for one in row}
    if scope.reruns_newest and layers and min(layers) < model.n_layers - 1:
        return f"scope {scope.name} below the last layer computes every position twice"
    if model.bridge not in _ENGINES:
        _ENGINES[model.bridge] = _make_engine(model)
    return _ENGINES[model.bridge]


def _make_engine(model: Model) -> Engine | str:
    """The model's engine, if it gives the logits that the bridge gives."""
    if model.plain is None:
        return "the model's weights are processed"
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
        return f"the fast path does not fit this model ({' '.join(str(error).split())[:200]})"
    return engine
