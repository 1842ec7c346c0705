"""Names of neurons, of joint targets and of hook points."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep import names
from clampsweep.names import OWN, Neuron

directions = st.just(OWN) | st.integers(0, 2_000_000)
neurons = st.builds(Neuron, st.integers(0, 200), st.integers(0, 100_000), directions)


def test_a_neuron_name_gives_layer_and_index():
    neuron = names.parse_neuron("L11N373")
    assert (neuron.layer, neuron.index) == (11, 373)


def test_a_neuron_prints_as_in_the_literature():
    assert str(Neuron(11, 373)) == "L11N373"


def test_the_first_neuron_of_the_first_layer_has_a_name():
    assert names.parse_neuron("L0N0") == Neuron(0, 0)


def test_a_neuron_goes_its_own_way_unless_a_direction_is_named():
    assert names.parse_neuron("L11N373").direction == OWN
    assert names.parse_neuron("L11N373R0") == Neuron(11, 373, 0)
    assert str(Neuron(11, 373, 4)) == "L11N373R4"


def test_random_directions_are_ordered_as_numbers_after_the_neurons_own():
    written = "L1N2R10+L1N2R9+L1N2+L0N7R3"
    assert names.target_name(names.parse_target(written)) == "L0N7R3+L1N2+L1N2R9+L1N2R10"


def test_a_direction_named_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        names.parse_target("L1N2R3+L1N2R03")


@given(neurons)
def test_parsing_undoes_printing(neuron):
    assert names.parse_neuron(str(neuron)) == neuron


@pytest.mark.parametrize(
    "name",
    ["", "L11", "N373", "L11N", "LN373", "l11n373", "11.373", " L11N373", "L11N373 ", "L11N373\n",
     "L-1N3", "L1N-3", "L1.0N3", "L1N3x", "xL1N3", "L1N3+L2N4", "L1 N3",
     "L1N3R", "L1N3R-1", "L1N3r2", "L1R2", "L1N3R1R2", "L1R2N3", "L1N3 R2"],
)  # fmt: skip
def test_anything_else_is_refused_and_the_error_shows_the_name(name):
    with pytest.raises(ValueError, match=r"L<layer>N<index>") as caught:
        names.parse_neuron(name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_target_of_one_neuron_is_a_tuple_of_one():
    assert names.parse_target("L11N373") == (Neuron(11, 373),)


def test_a_joint_target_is_in_layer_order_whatever_the_order_written():
    expected = (Neuron(3, 5), Neuron(11, 2), Neuron(11, 373))
    assert names.parse_target("L11N373+L3N5+L11N2") == expected


def test_layers_are_ordered_as_numbers_not_as_text():
    assert names.target_name((Neuron(11, 1), Neuron(9, 1))) == "L9N1+L11N1"


@given(st.lists(neurons, min_size=1, max_size=5, unique=True))
def test_a_target_name_is_one_for_all_orders_and_parses_back(chosen):
    name = names.target_name(tuple(chosen))
    assert name == names.target_name(tuple(reversed(chosen)))
    assert set(names.parse_target(name)) == set(chosen)
    assert names.target_name(names.parse_target(name)) == name


@pytest.mark.parametrize("name", ["", "+", "L1N2+", "+L1N2", "L1N2,L3N4", "L1N2 + L3N4"])
def test_a_target_with_a_part_that_is_no_neuron_is_refused(name):
    with pytest.raises(ValueError, match="is not a neuron name"):
        names.parse_target(name)


def test_the_hook_point_is_the_input_of_w_out():
    assert names.hook_post(11) == "blocks.11.mlp.hook_post"


def test_hook_points_are_written_as_transformer_lens_writes_them():
    points = names.hook_points(names.MLP_POST, (3, 11))
    assert [str(point) for point in points] == [names.hook_post(3), names.hook_post(11)]
    assert str(names.HookPoint(0, names.RESID_PRE)) == "blocks.0.hook_resid_pre"
    assert str(names.HookPoint(0, names.PATTERN)) == "blocks.0.attn.hook_pattern"


def test_names_imports_the_standard_library_only():
    tree = ast.parse(Path(names.__file__).read_text(encoding="utf-8"))
    found = {
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert {name.split(".")[0] for name in found} <= set(sys.stdlib_module_names)


# Values of neurons' own


values = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.tuples(st.integers(0, 99), st.integers(0, 999)), st.floats(-1e308, 1e308),
                       min_size=1, max_size=100))  # fmt: skip
def test_the_name_of_a_target_says_each_neurons_value_to_the_last_digit(given):
    target = tuple(Neuron(*place, value=value) for place, value in given.items())
    read = names.parse_target(names.target_name(target))
    assert {(one.layer, one.index): one.value for one in read} == given
    assert [(one.layer, one.index) for one in read] == sorted(given)


def test_a_value_is_written_as_one_would():
    written = {2.0: "2", -0.5: "-0.5", 1e30: "1e30", 1e-7: "1e-07"}
    assert {value: str(Neuron(1, 2, value=value)) for value in written} == {
        value: f"L1N2={text}" for value, text in written.items()
    }


@pytest.mark.parametrize("name", ["L1N2=", "L1N2=x", "L1N2=1e999", "L1N2=nan", "L1N2=--1", "=3"])
def test_a_value_that_is_no_finite_number_is_refused(name):
    with pytest.raises(ValueError, match=r"L1N2|neuron name|float"):
        names.parse_neuron(name)


@pytest.mark.parametrize("name", ["L1N2=3+L1N2=4", "L1N2=3+L1N2"])
def test_a_neuron_with_two_values_stands_in_a_target_twice(name):
    with pytest.raises(ValueError, match="twice"):
        names.parse_target(name)


def test_all_neurons_of_a_target_have_values_or_none_has():
    with pytest.raises(ValueError, match="some none"):
        names.parse_target("L1N2=3+L1N4")


# Directions


def test_a_direction_has_a_layer_and_a_name():
    direction = names.parse_direction("L15@re-fusal_2.b")
    assert (direction.layer, direction.name, direction.random) == (15, "re-fusal_2.b", OWN)
    assert str(direction) == "L15@re-fusal_2.b"


def test_a_random_direction_in_its_place_says_so():
    direction = names.parse_direction("L15R4@refusal")
    assert direction.random == 4
    assert str(direction) == "L15R4@refusal"
    assert names.plain_direction("L15R4@refusal") == "L15@refusal"


@pytest.mark.parametrize(
    "name", ["L15", "@x", "L15@", "15@x", "L15@a b", "L15@a+b", "L15R@x", "L1N2"]
)
def test_anything_else_is_no_direction(name):
    with pytest.raises(ValueError, match="L15@refusal"):
        names.parse_direction(name)


def test_targets_are_in_their_layers_and_consist_of_their_neurons():
    assert names.layers_in("L3N5+L1N2+L3N7") == (1, 3)
    assert names.layers_in("L15R4@refusal") == (15,)
    assert names.layers_in(None) == ()
    assert names.neurons_in("L3N5=2") == (Neuron(3, 5, value=2.0),)
    assert names.neurons_in("L15@refusal") == names.neurons_in(None) == ()


def test_long_names_are_shortened_and_told_apart():
    long = "+".join(f"L{at}N100" for at in range(20))
    other = long.replace("L19N100", "L19N101")
    assert names.short_names(["L1N2+L3N4", long, other]) == {
        "L1N2+L3N4": "L1N2+L3N4",
        long: "L0N100 and 19 more",
        other: "L0N100 and 19 more (2)",
    }


@pytest.mark.parametrize("name", [5, None, ["L1N2"], "L1N2=1e", "L1N2=1.2.3", "L1N2=1-2"])
def test_what_is_no_name_is_refused_as_none(name):
    for parse in (names.parse_neuron, names.parse_target, names.parse_direction):
        with pytest.raises(ValueError, match=r"^.* is not a (neuron|target's|direction's) name"):
            parse(name)
