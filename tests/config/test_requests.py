"""Keys of an entry of `sweeps` that all studies share: what is accepted, what is refused."""

from __future__ import annotations

import json

import pytest

import configs
from clampsweep.errors import UserError
from clampsweep.texts.request import RAW, Decoding, PromptFormat, Selection, TextRequest
from configs import (
    BASE,
    as_sweep,
    changed,
    each_fault,
    parse,
    refusal,
    sweep,
    unsaid,
    without,
)

folder = configs.folder


NEURONS = {
    "layer": (sweep("neurons: [L3N0]"), "sweeps.main.neurons[0]", ["'L3N0'", "layer 3", "0-2"]),
    "neuron": (sweep("neurons: [L0N1, L0N40]"), "sweeps.main.neurons[1]", ["'L0N40'", "0-39"]),
    "of a model without any": (
        "{models: {tiny: {d_mlp: 0}}, sweeps: {main: {neurons: [L0N1]}}}",
        "sweeps.main.neurons[0]",
        ["'L0N1'", "tiny has no neurons", "d_mlp: 0", "model with an MLP"],
    ),
    "in a joint one": (
        sweep("neurons: [[L0N1, L99N2]]"),
        "sweeps.main.neurons[0]",
        ["'L99N2'", "layer 99", "tiny", "0-2"],
    ),
    "not a name": (sweep("neurons: ['11.373']"), "sweeps.main.neurons[0]", ["'11.373'", "L11N373"]),
    "not a name in a joint one": (
        sweep("neurons: [[L0N1, N2]]"),
        "sweeps.main.neurons[0]",
        ["'N2'", "L"],
    ),
    "a number": (sweep("neurons: [373]"), "sweeps.main.neurons[0]", ["373", "string"]),
    "a plain name": (
        sweep("neurons: L0N1"),
        "sweeps.main.neurons",
        ["'L0N1'", "expected a list, such as [L0N1], or"],
    ),
    "none": (sweep("neurons: []"), "sweeps.main.neurons", ["0 entries", "at least 1"]),
    "a joint one of one": (sweep("neurons: [[L0N1]]"), "sweeps.main.neurons[0]", ["at least 2"]),
    "twice": (sweep("neurons: [L0N1, L0N1]"), "sweeps.main.neurons", ["'L0N1'", "twice", "remove"]),
    "twice, spelled otherwise": (
        sweep("neurons: [L0N1, L0N01]"),
        "sweeps.main.neurons[1]",
        ["L0N1", "twice", "remove"],
    ),
    "joint twice": (
        sweep("neurons: [[L0N1, L1N2], [L0N1, L1N2]]"),
        "sweeps.main.neurons",
        ["L0N1", "twice", "remove"],
    ),
    "joint twice, in another order": (
        sweep("neurons: [[L0N1, L1N2], L2N2, [L1N2, L0N1]]"),
        "sweeps.main.neurons[2]",
        ["L0N1+L1N2", "twice", "remove"],
    ),
    "twice in a joint one": (
        sweep("neurons: [[L0N1, L0N1]]"),
        "sweeps.main.neurons[0]",
        ["'L0N1'", "twice", "remove"],
    ),
    "twice in a joint one, spelled otherwise": (
        sweep("neurons: [[L0N1, L0N01]]"),
        "sweeps.main.neurons[0]",
        ["L0N", "twice"],
    ),
    "joint for mean": (
        "sweeps: {main: {operation: mean, neurons: [[L0N1, L1N2]]}}",
        "sweeps.main.neurons",
        ["mean", "'L0N1+L1N2'", "one by one"],
    ),
}


VALUES = {
    "quoted": (sweep("values: [0, '3']"), "sweeps.main.values[1]", ["'3'", "number", "plainly"]),
    "minutes": (sweep("values: [1:30]"), "sweeps.main.values[0]", ["'1:30'", "plainly"]),
    "grouped": (sweep("values: [1_000]"), "sweeps.main.values[0]", ["'1_000'", "plainly"]),
    "binary": (sweep("values: [0b11]"), "sweeps.main.values[0]", ["'0b11'", "plainly"]),
    "a word": (sweep("values: [ten]"), "sweeps.main.values[0]", ["'ten'", "number"]),
    "not a number": (sweep("values: [1, .nan]"), "sweeps.main.values[1]", ["nan", "finite"]),
    "infinite": (sweep("values: [.inf]"), "sweeps.main.values[0]", ["inf", "finite"]),
    "minus infinite": (sweep("values: [-.inf]"), "sweeps.main.values[0]", ["-inf", "finite"]),
    "beyond floating point": (
        sweep(f"values: [1{'0' * 400}]"),
        "sweeps.main.values[0]",
        ["1000", "finite"],
    ),
    "boolean": (sweep("values: [true]"), "sweeps.main.values[0]", ["True", "number"]),
    "boolean of YAML 1.1": (sweep("values: [on]"), "sweeps.main.values[0]", ["'on'", "number"]),
    "null": (sweep("values: [1, null]"), "sweeps.main.values[1]", ["None", "number"]),
    "a date": (sweep("values: [2025-01-01]"), "sweeps.main.values[0]", ["2025", "number"]),
    "a list": (sweep("values: [[1]]"), "sweeps.main.values[0]", ["[1]", "number"]),
    "one number": (sweep("values: 5"), "sweeps.main.values", ["5", "expected a list, such as [5]"]),
    "empty": (sweep("values: []"), "sweeps.main.values", ["0 entries", "at least 1"]),
    "twice": (sweep("values: [3, 5, 3]"), "sweeps.main.values", ["3", "twice", "remove"]),
    "3 and 3.0": (sweep("values: [3, 3.0]"), "sweeps.main.values", ["3", "twice", "remove"]),
    "NaN twice": (sweep("values: [.nan, .nan]"), "sweeps.main.values", ["nan"]),
}


OPERATIONS = {
    "unknown": (sweep("operation: clamp"), "sweeps.main.operation", ["'clamp'", "set, add, scale"]),
    **{
        f"values given for {name}": (
            f"sweeps: {{new: {{model: tiny, promptset: few, neurons: [L0N1], operation: {name}, "
            "values: [1], scope: all, decoding: {method: greedy, max_new_tokens: 8}}}",
            "sweeps.new.values",
            [name, "none", "remove"],
        )
        for name in ("zero", "mean", "resample")
    },
    **{
        f"values missing for {name}": (
            as_sweep(operation=name, values=None),
            "sweeps.new",
            ["'values'", name, "needs"],
        )
        for name in ("set", "add", "scale")
    },
}


SEEDS = {
    "with greedy": (sweep("seeds: [0, 1]"), "sweeps.main.seeds", ["greedy", "remove", "sample"]),
    "negative": (sweep("seeds: [-1]"), "sweeps.main.seeds[0]", ["-1", "0"]),
    "twice": (sweep("seeds: [1, 1]"), "sweeps.main.seeds", ["1", "twice", "remove"]),
    "none": (sweep("seeds: []"), "sweeps.main.seeds", ["at least 1"]),
    "a fraction": (sweep("seeds: [0.5]"), "sweeps.main.seeds[0]", ["0.5", "integer"]),
    "boolean": (sweep("seeds: [true]"), "sweeps.main.seeds[0]", ["True", "integer"]),
}


SCOPES = {
    "unknown": (
        sweep("scope: everywhere"),
        "sweeps.main.scope",
        ["'everywhere'", "all, prompt, generated, last, last_cached"],
    ),
    "a number": (sweep("scope: 3"), "sweeps.main.scope", ["3", "string or a list, such as [3]"]),
    "negative position": (sweep("scope: [0, -1]"), "sweeps.main.scope[1]", ["-1", "0"]),
    "no positions": (sweep("scope: []"), "sweeps.main.scope", ["at least 1"]),
    "position twice": (sweep("scope: [2, 2]"), "sweeps.main.scope", ["2", "twice", "remove"]),
    "position as text": (sweep("scope: ['0']"), "sweeps.main.scope[0]", ["'0'", "integer"]),
}


SELECTIONS = {
    "criterion": (
        sweep("neurons: {select: best, layer: last, top: 3}"),
        "sweeps.main.neurons.select",
        ["'best'", "consistent, highest_mean"],
    ),
    "layer word": (
        sweep("neurons: {select: consistent, layer: first, top: 3}"),
        "sweeps.main.neurons.layer",
        ["'first'", "last, all"],
    ),
    "layer out of range": (
        sweep("neurons: {select: consistent, layer: 3, top: 3}"),
        "sweeps.main.neurons.layer",
        ["3", "tiny", "0-2"],
    ),
    "negative layer": (
        sweep("neurons: {select: consistent, layer: -1, top: 3}"),
        "sweeps.main.neurons.layer",
        ["-1", "0-2"],
    ),
    "layer out of range, as a float": (
        sweep("neurons: {select: consistent, layer: 99.0, top: 3}"),
        "sweeps.main.neurons.layer",
        ["99"],
    ),
    "top of nothing": (
        sweep("neurons: {select: consistent, layer: last, top: 0}"),
        "sweeps.main.neurons.top",
        ["0", "1"],
    ),
    "of a model without any": (
        "{models: {tiny: {d_mlp: 0}}, sweeps: {main: {neurons: {select: lowest_sd, layer: all, "
        "top: 1}}}}",
        "sweeps.main.neurons",
        ["tiny has no neurons", "d_mlp: 0", "model with an MLP"],
    ),
    "more than a layer has": (
        sweep("neurons: {select: consistent, layer: last, top: 41}"),
        "sweeps.main.neurons.top",
        ["41", "40"],
    ),
    "more than the model has": (
        sweep("neurons: {select: consistent, layer: all, top: 121}"),
        "sweeps.main.neurons.top",
        ["121", "120"],
    ),
}


DECODING = {
    "method": (
        sweep("decoding: {method: beam}"),
        "sweeps.main.decoding.method",
        ["'beam'", "greedy, sample"],
    ),
    "no tokens": (
        sweep("decoding: {max_new_tokens: 0}"),
        "sweeps.main.decoding.max_new_tokens",
        ["0", "1"],
    ),
    "temperature zero": (
        sweep("decoding: {method: sample, temperature: 0}"),
        "sweeps.main.decoding.temperature",
        ["0"],
    ),
    "temperature not a number": (
        sweep("decoding: {method: sample, temperature: .nan}"),
        "sweeps.main.decoding.temperature",
        ["nan", "finite"],
    ),
    "temperature infinite": (
        sweep("decoding: {method: sample, temperature: .inf}"),
        "sweeps.main.decoding.temperature",
        ["inf", "finite"],
    ),
    "a stop string of nothing": (
        sweep("decoding: {stop_strings: [a, '']}"),
        "sweeps.main.decoding.stop_strings[1]",
        ["''", "at least one character"],
    ),
    "a stop string that stands for bytes": (
        sweep('decoding: {stop_strings: ["a\\uFFFD"]}'),
        "sweeps.main.decoding.stop_strings[0]",
        ["'a\N{REPLACEMENT CHARACTER}'", "ufffd"],
    ),
    "half a surrogate pair in a stop string": (
        sweep('decoding: {stop_strings: ["a\\uD800"]}'),
        "sweeps.main.decoding.stop_strings[0]",
        ["must match"],
    ),
    "a stop string twice": (
        sweep("decoding: {stop_strings: [a, b, a]}"),
        "sweeps.main.decoding.stop_strings",
        ["'a'", "twice", "remove"],
    ),
    "a stop string that is a number": (
        sweep("decoding: {stop_strings: [3]}"),
        "sweeps.main.decoding.stop_strings[0]",
        ["3", "string", "quotes"],
    ),
    "no stop strings": (
        sweep("decoding: {stop_strings: []}"),
        "sweeps.main.decoding.stop_strings",
        ["0 entries", "at least 1"],
    ),
    "stop strings alone": (
        sweep("decoding: {stop_strings: stop}"),
        "sweeps.main.decoding.stop_strings",
        ["'stop'", "expected a list, such as [stop]"],
    ),
    "top_p above one": (
        sweep("decoding: {method: sample, temperature: 1, top_p: 1.5}"),
        "sweeps.main.decoding.top_p",
        ["1.5", "1"],
    ),
    "top_p not a number": (
        sweep("decoding: {method: sample, temperature: 1, top_p: .nan}"),
        "sweeps.main.decoding.top_p",
        ["nan", "finite"],
    ),
    "top_k zero": (
        sweep("decoding: {method: sample, temperature: 1, top_k: 0}"),
        "sweeps.main.decoding.top_k",
        ["0", "1"],
    ),
    "a word": (sweep("decoding: greedy"), "sweeps.main.decoding", ["'greedy'", "keys with values"]),
}


PROMPT_FORMAT = {
    "another": (
        sweep("prompt_format: instruct"),
        "sweeps.main.prompt_format",
        ["'instruct'", "raw, chat"],
    ),
    "a system prompt without a chat": (
        sweep("system_prompt: Be short."),
        "sweeps.main.system_prompt",
        ["'Be short.'", "prompt_format: chat", "remove"],
    ),
    "an empty system prompt of a raw prompt": (
        sweep("system_prompt: '', prompt_format: raw"),
        "sweeps.main.system_prompt",
        ["''", "prompt_format: chat", "remove"],
    ),
    "half a surrogate pair": (
        sweep('prompt_format: chat, system_prompt: "a\\uD800"'),
        "sweeps.main.system_prompt",
        ["must match"],
    ),
    "a system prompt of nothing": (
        sweep("prompt_format: chat, system_prompt: null"),
        "sweeps.main.system_prompt",
        ["None", "string"],
    ),
}


KINDS = {
    "neurons": NEURONS,
    "values": VALUES,
    "operation": OPERATIONS,
    "seeds": SEEDS,
    "scope": SCOPES,
    "selection": SELECTIONS,
    "decoding": DECODING,
    "prompt format": PROMPT_FORMAT,
}


@each_fault(**KINDS)
def test_a_fault_is_one_line_with_file_key_value_and_what_is_allowed(overlay, key, said):
    assert unsaid(refusal(config=changed(BASE, overlay)), f"config.yaml: {key}", said) == []


@each_fault(**KINDS)
def test_a_fault_that_an_overlay_brings_is_said_of_the_overlay(overlay, key, said):
    assert unsaid(refusal(config=BASE, overlay=overlay), f"overlay.yaml: {key}", said) == []


@pytest.mark.parametrize("key", ["method", "max_new_tokens"])
def test_a_missing_decoding_key_is_named_with_where_it_is_missing(key):
    message = refusal(config=without(BASE, "sweeps", "main", "decoding", key))
    assert message.startswith("config.yaml: sweeps.main.decoding")
    assert key in message


def test_sampling_needs_a_temperature():
    message = refusal(config=changed(BASE, sweep("decoding: {method: sample}")))
    assert message.startswith("config.yaml: sweeps.main.decoding: ")
    assert "'temperature'" in message


# What is accepted


def only(**files: str) -> TextRequest:
    """The one request of a config."""
    (found,) = parse(**files).requests().values()
    return found


def test_a_sweep_is_read_with_its_model_and_promptset():
    parsed = parse(config=BASE)
    (found,) = parsed.requests().values()
    assert parsed.run == ("main",)
    assert found.model is parsed.models["tiny"] and found.promptset is parsed.promptsets["few"]
    assert found.targets == ("L0N1", "L1N2+L2N3")
    assert (found.operation, found.values, found.scope) == ("set", (-3.0, 0.0, 2.5), "all")
    assert found.decoding == Decoding("greedy", 8)
    assert not found.needs_statistics


def test_greedy_decoding_draws_nothing_so_that_there_is_one_seed_that_is_none():
    assert only(config=BASE).seeds == (None,)


def test_an_overlay_changes_what_it_names_and_replaces_lists_as_a_whole():
    overlay = sweep("values: [7], decoding: {max_new_tokens: 3}")
    found = only(config=BASE, overlay=overlay)
    assert found.values == (7.0,)
    assert found.decoding == Decoding("greedy", 3)
    assert found.targets == ("L0N1", "L1N2+L2N3")


@pytest.mark.parametrize("operation", ["mean", "zero", "resample"])
def test_operations_without_values_have_one_value_that_is_none(operation):
    text = changed(without(BASE, "sweeps", "main", "values"), sweep("neurons: [L0N1]"))
    found = only(config=changed(text, sweep(f"operation: {operation}")))
    assert found.values == (None,)
    assert found.needs_statistics == (operation == "mean")


@pytest.mark.parametrize("operation", ["set", "add", "scale"])
def test_operations_with_values_take_whole_numbers_and_fractions_as_floats(operation):
    found = only(config=BASE, overlay=sweep(f"operation: {operation}"))
    assert found.values == (-3.0, 0.0, 2.5)
    assert all(isinstance(value, float) for value in found.values)


@pytest.mark.parametrize(
    ("entry", "layer"),
    [("last", 2), ("all", None), ("0", 0), ("2", 2)],
)
def test_a_selection_knows_its_layer(entry, layer):
    overlay = sweep(f"neurons: {{select: lowest_sd, layer: {entry}, top: 2}}")
    found = only(config=BASE, overlay=overlay)
    assert found.targets == Selection("lowest_sd", layer, 2)
    assert found.needs_statistics


@pytest.mark.parametrize(("layer", "most"), [("last", 40), ("all", 120)])
def test_a_selection_may_take_all_there_are(layer, most):
    overlay = sweep(f"neurons: {{select: consistent, layer: {layer}, top: {most}}}")
    assert only(config=BASE, overlay=overlay).targets.top == most


@pytest.mark.parametrize("entry", ["[0, 2, 5]", "[5, 0, 2]"])
def test_positions_are_one_scope_whatever_their_order(entry):
    assert only(config=BASE, overlay=sweep(f"scope: {entry}")).scope == "0,2,5"


@pytest.mark.parametrize("entry", ["[L1N2, L2N3]", "[L2N3, L1N2]", "[L02N3, L1N002]"])
def test_a_joint_target_has_one_name_whatever_its_order_and_spelling(entry):
    found = only(config=BASE, overlay=sweep(f"neurons: [{entry}]"))
    assert found.targets == ("L1N2+L2N3",)


def test_the_first_and_the_last_neuron_are_in_range():
    found = only(config=BASE, overlay=sweep("neurons: [L0N0, L2N39]"))
    assert found.targets == ("L0N0", "L2N39")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("prompt_format: raw", RAW),
        ("prompt_format: chat", PromptFormat("chat")),
        ("prompt_format: chat, system_prompt: ''", PromptFormat("chat", "")),
        ('prompt_format: chat, system_prompt: "Be\\nshort."', PromptFormat("chat", "Be\nshort.")),
    ],
)
def test_a_prompt_format_is_read_with_its_system_prompt(text, wanted):
    assert only(config=BASE, overlay=sweep(text)).prompt_format == wanted
    assert only(config=BASE).prompt_format == RAW


@pytest.mark.parametrize("method", ["method: greedy", "method: sample, temperature: 1"])
def test_stop_strings_are_taken_with_either_method_in_any_order(method):
    text = f'decoding: {{{method}, stop_strings: ["\\n\\n", "###", " "]}}'
    found = only(config=BASE, overlay=sweep(text)).decoding
    assert found.stop_strings == ("\n\n", " ", "###")


def test_sampling_draws_with_the_seeds_given_or_with_one():
    drawn = sweep("decoding: {method: sample, temperature: 1}")
    assert only(config=BASE, overlay=drawn).seeds == (0,)
    more = changed(drawn, sweep("seeds: [3, 1]"))
    assert only(config=BASE, overlay=more).seeds == (3, 1)


def test_resampling_takes_seeds_with_greedy_decoding():
    text = without(BASE, "sweeps", "main", "values")
    found = only(config=text, overlay=sweep("operation: resample, seeds: [0, 1]"))
    assert found.seeds == (0, 1)


def test_numbers_with_an_exponent_are_accepted_where_yaml_reads_them_as_numbers():
    found = only(config=BASE, overlay=sweep("values: [1.0e+5, -2.5e-3]"))
    assert found.values == (1e5, -0.0025)


WHOLE = {
    "top": sweep("neurons: {select: consistent, layer: last, top: 2.0}"),
    "layer": sweep("neurons: {select: consistent, layer: 1.0, top: 2}"),
    "max_new_tokens": sweep("decoding: {max_new_tokens: 8.0}"),
    "scope": sweep("scope: [0.0, 1]"),
    "n_layers": "models: {tiny: {n_layers: 3.0}}",
    "threads": "compute: {threads: 2.0}",
    "seeds": sweep("seeds: [1.0], decoding: {method: sample, temperature: 1}"),
}


@pytest.mark.parametrize("overlay", WHOLE.values(), ids=WHOLE.keys())
def test_a_whole_number_written_as_a_fraction_is_refused_or_taken_as_whole(overlay):
    try:
        parsed = parse(config=BASE, overlay=overlay)
    except UserError as error:
        assert "\n" not in str(error)
        return
    (found,) = parsed.requests().values()
    numbers = [parsed.models["tiny"].n_layers, parsed.compute.threads, *found.seeds]
    numbers.append(found.decoding.max_new_tokens)
    if isinstance(found.targets, Selection):
        numbers += [found.targets.layer, found.targets.top]
    assert not any(isinstance(number, float) for number in numbers)
    assert "." not in found.scope


@pytest.mark.parametrize("name", ["temperature", "top_p"])
def test_the_same_number_written_whole_or_as_a_fraction_is_the_same_decoding(name):
    texts = []
    for number in ("1", "1.0"):
        entry = {"method": "sample", "temperature": "0.5", name: number}
        listed = ", ".join(f"{key}: {value}" for key, value in entry.items())
        decoding = only(config=BASE, overlay=sweep(f"decoding: {{{listed}}}")).decoding
        texts.append(json.dumps(decoding.as_json(), sort_keys=True))
    assert texts[0] == texts[1]
