"""Where a neuron is measured: gate, up and post activation, by the names that our tables use."""

from __future__ import annotations

from types import MappingProxyType

from clampsweep.names import MLP_POST, MLP_PRE, MLP_PRE_LINEAR

GATE, UP, POST = "gate", "up", "post"

# Of an MLP without a gate, `gate` is its pre-activation, and there is no `up`.
HOOKS = MappingProxyType({GATE: MLP_PRE, UP: MLP_PRE_LINEAR, POST: MLP_POST})
