"""Vectors tables and what spotlight resonance makes of them, for the tests of SRM."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from clampsweep.errors import UserError
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


# ---- what to compare with


def group(found, factor, name):
    rows = found.groups[(found.groups["factor"] == factor) & (found.groups["group"] == name)]
    assert len(rows) == 1
    return rows.iloc[0]


def curve(found, factor, name, kind="mean", threshold=None):
    rows = found.curves[(found.curves["factor"] == factor) & (found.curves["group"] == name)]
    rows = rows[rows["curve"] == kind]
    rows = rows[rows["threshold"].isna() if threshold is None else rows["threshold"] == threshold]
    assert rows["angle"].tolist() == [5.0 * step for step in range(72)]
    return rows


def pair(found, a, b, factor="type"):
    rows = found.differences[found.differences["factor"] == factor]
    rows = rows[(rows["group_a"] == a) & (rows["group_b"] == b)]
    assert len(rows) == 1
    return rows.iloc[0]


def same(one, other):
    for name in ("groups", "curves", "differences"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


BASES = {
    "neurons": NEURONS,
    "neurons, the other way round": NEURONS[::-1],
    "types": ({"type": "declarative"}, {"type": "rhetorical"}),
    "prompts of a core and a level": ({"core": "a", "level": 1}, {"core": "b", "level": 3}),
}


def brute_plane(basis, rows, kept):
    """Two orthonormal vectors, by Gram and Schmidt, in plain loops."""
    if isinstance(basis[0], str):
        ends = [[float(neuron == int(name[3:])) for neuron in kept] for name in basis]
    else:
        ends = []
        for criteria in basis:
            chosen = []
            for row in rows:
                core, kind, level = row["prompt_id"].split("/")
                own = {"core": core, "type": kind, "level": int(level)}
                if row["operation"] == "none" and all(own[k] == v for k, v in criteria.items()):
                    chosen.append([float(row["vector"][neuron]) for neuron in kept])
            ends.append([sum(column) / len(chosen) for column in zip(*chosen, strict=True)])
    first, second = ends
    size = math.sqrt(sum(x * x for x in first))
    one = [x / size for x in first]
    along = sum(x * y for x, y in zip(one, second, strict=True))
    rest = [y - along * x for x, y in zip(one, second, strict=True)]
    size = math.sqrt(sum(x * x for x in rest))
    return one, [x / size for x in rest]


def brute_points(rows, basis, changed=(0,)):
    kept = [neuron for neuron in range(len(rows[0]["vector"])) if neuron not in changed]
    one, other = brute_plane(basis, rows, kept)
    points = []
    for row in rows:
        vector = [float(row["vector"][neuron]) for neuron in kept]
        size = math.sqrt(sum(x * x for x in vector))
        points.append(
            [sum(x / size * y for x, y in zip(vector, e, strict=True)) for e in (one, other)]
        )
    return points


def refused(rows, **arguments):
    with pytest.raises(UserError) as caught:
        see(rows, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("c.yaml: sweeps.s.srm")
    return message
