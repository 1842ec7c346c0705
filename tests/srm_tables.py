"""Vectors tables and what spotlight resonance makes of them, for the tests of SRM."""

from __future__ import annotations

import math

import numpy as np

from clampsweep.studies.srm.plane import Srm
from clampsweep.studies.srm.resonance import resonance
from clampsweep.texts.gather import VECTORS
from clampsweep.texts.promptset import PROMPTS
from factories import frame, prompt

NEURONS = ("L1N1", "L1N2")  # the plane, unless a test says otherwise
TARGET = "L1N0"  # what is clamped


def text(prompt_id, vector, value=None, *, target=TARGET, seed=None, layer=1, operation="set"):
    """One row of a vectors table; without a value a baseline."""
    bare = value is None and operation == "set"
    identity = (prompt_id, None if bare else target, None if bare else operation, value, seed)
    return {
        "prompt_id": prompt_id,
        "key": repr(identity),
        "target": None if bare else target,
        "layer": layer,
        "neuron": None,
        "operation": "none" if bare else operation,
        "value": value,
        "scope": None if bare else "all",
        "seed": seed,
        "vector": None if vector is None else np.asarray(vector, dtype=np.float32),
        "natural_value": None,
    }


def grid(names):
    """A prompts table of names `core/type/level`."""
    rows = []
    for name in names:
        core, kind, level = name.split("/")
        rows.append(prompt(name, name, core=core, type=kind, level=int(level)))
    return frame(rows, PROMPTS)


def names(cores="abcd", types=("declarative", "rhetorical"), levels=(1, 2, 3)):
    return [f"{core}/{kind}/{level}" for core in cores for level in levels for kind in types]


def see(rows, prompts=None, basis=NEURONS, group_by=("type",), thresholds=(0.3,)):
    known = prompts if prompts is not None else grid(dict.fromkeys(r["prompt_id"] for r in rows))
    srm = Srm("c.yaml: sweeps.s.srm", basis, tuple(group_by), tuple(thresholds))
    return resonance(frame(rows, VECTORS), known, srm)


def at(degrees, length=1.0, rest=0.0):
    """A vector of 5 neurons: 9 where it is clamped, so long in the plane, `rest` outside it."""
    angle = math.radians(degrees)
    return [9.0, length * math.cos(angle), length * math.sin(angle), rest, 0.0]


def scattered(seed=0, n_neurons=7, values=(None, -5.0, 5.0), prompts=None):
    """Random vectors of every prompt and clamp, with an offset so that means are no noise alone."""
    rng = np.random.default_rng(seed)
    offset = rng.normal(size=n_neurons)
    return [
        text(name, offset + rng.normal(size=n_neurons), value)
        for name in (prompts or names())
        for value in values
    ]
