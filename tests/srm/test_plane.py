"""The plane: its words, and what is checked once prompts and neurons are known.

The faults of a config are in test_config.py.
"""

from __future__ import annotations

import dataclasses

import pytest

from clampsweep.errors import UserError
from clampsweep.names import Neuron
from clampsweep.studies.srm.plane import Srm, check_prompts, check_vectors
from clampsweep.texts import promptset
from factories import frame, prompt

PLANE = Srm("c.yaml: sweeps.s.srm", ("L1N5", "L1N7"), ("type", "level"), (0.3,))
GROUPS = dataclasses.replace(PLANE, basis=({"type": "x", "level": 2}, {"core": "door"}))
PROMPTS = frame(
    [prompt("p", "p", type="x", level=2, core="door"), prompt("q", "q", type="y", level=1)],
    promptset.PROMPTS,
)


def test_a_plane_says_what_spans_it():
    assert PLANE.title == "plane of L1N5 and L1N7"
    assert GROUPS.title == "plane of type x, level 2 and core door"
    assert (PLANE.neurons, PLANE.prompt_groups) == ((Neuron(1, 5), Neuron(1, 7)), ())
    assert (GROUPS.neurons, GROUPS.prompt_groups) == ((), GROUPS.basis)


def test_a_parameter_is_the_key_whatever_file_it_stands_in():
    found = Srm(**PLANE.as_parameter("s"))
    assert found == dataclasses.replace(PLANE, where="sweeps.s.srm")
    moved = dataclasses.replace(PLANE, where="other.yaml: sweeps.s.srm")
    assert moved.as_parameter("s") == PLANE.as_parameter("s")
    assert Srm(**GROUPS.as_parameter("s")).basis == GROUPS.basis


def fault(check, *arguments):
    with pytest.raises(UserError) as caught:
        check(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("c.yaml: sweeps.s.srm.")
    return message.removeprefix("c.yaml: sweeps.s.srm.")


def test_a_plane_that_fits_is_accepted():
    check_vectors(PLANE, [0, 1], {Neuron(1, 6), Neuron(0, 5)})
    check_vectors(GROUPS, [1], {Neuron(1, 5)})
    check_prompts(PLANE, PROMPTS)
    check_prompts(GROUPS, PROMPTS)


def test_a_selected_neuron_in_the_basis_is_refused():
    message = fault(check_vectors, PLANE, [1], {Neuron(1, 7)})
    assert message.startswith("basis[1]: 'L1N7' is changed by the sweep")


def test_a_layer_that_was_not_selected_is_refused():
    message = fault(check_vectors, PLANE, [0, 2], {Neuron(0, 5)})
    assert message.startswith("basis[0]: 'L1N5' is in layer 1") and "layers 0, 2" in message


def test_prompts_in_several_layers_are_refused():
    assert fault(check_vectors, GROUPS, [1, 2], set()).startswith("basis: the sweep")


@pytest.mark.parametrize(
    ("basis", "said"),
    [
        ({"type": "z"}, "no prompt has type z; there are type: x, y"),
        ({"type": "y", "level": 2}, "no prompt has type y, level 2; there are type: x, y; level: "),
        ({"core": "wall"}, "no prompt has core wall; there are core: door"),
    ],
)
def test_a_group_without_prompts_is_refused_with_what_there_is(basis, said):
    srm = dataclasses.replace(GROUPS, basis=({"type": "x"}, basis))
    assert f"basis[1]: {said}" in fault(check_prompts, srm, PROMPTS)


def test_a_factor_of_more_groups_than_can_be_compared_pair_by_pair_is_refused():
    many = [prompt(f"p{at}", f"p{at}", type=f"t{at}", level=1, core="c") for at in range(101)]
    check_prompts(PLANE, frame(many[:100], promptset.PROMPTS))
    message = fault(check_prompts, PLANE, frame(many, promptset.PROMPTS))
    assert message.startswith("group_by[0]: the prompts have 101 values of type, and each pair")
    assert "at most 100" in message and "leave 'type' out" in message


def test_a_factor_without_values_is_refused():
    bare = PROMPTS.assign(level=PROMPTS["level"].where(PROMPTS["level"] > 9))
    message = fault(check_prompts, PLANE, bare)
    assert message == "group_by[1]: no prompt has a level; leave 'level' out"
