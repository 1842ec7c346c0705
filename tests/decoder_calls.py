"""Calls of the decoder that several of its tests make: every value, on prompts in no order."""

from __future__ import annotations

from clampsweep.decoder.decode import fast_path
from clampsweep.decoder.engine import Engine
from clampsweep.decoder.interventions import Edit, Scope, edit
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from tiny import PROMPTS, RAGGED_PROMPTS

N_NEW = 8
GREEDY = Decoding("greedy", N_NEW)
VALUES = (None, 0.0, 0.001, 0.002, 2.0, 6.0, 15.0, -20.0)


def engine_of(model: Model) -> Engine:
    """The model's engine, which it must have."""
    engine = fast_path(model, [[]], Scope("all"))
    assert isinstance(engine, Engine)
    return engine


def every_value(model: Model, layer: int) -> tuple[list[list[int]], list[list[Edit]]]:
    """Prompts and edits: every value for each of three prompts, in no order."""
    texts = (PROMPTS[0], RAGGED_PROMPTS[0], RAGGED_PROMPTS[3])
    rows = [(text, value) for value in VALUES for text in texts]
    edits = [[] if value is None else [edit(Neuron(layer, 4), "set", value)] for _, value in rows]
    return [model.encode(text) for text, _ in rows], edits
