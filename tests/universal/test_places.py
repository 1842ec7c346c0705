"""The names of our tables against those of the bridge."""

from clampsweep.names import HOOK_NAMES
from clampsweep.studies.universal.places import GATE, HOOKS, POST, UP


def test_every_kind_of_activation_has_a_hook_point():
    assert set(HOOKS) == {GATE, UP, POST}
    assert set(HOOKS.values()) <= set(HOOK_NAMES)
    assert len(set(HOOKS.values())) == 3
