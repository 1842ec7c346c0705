"""Wrong input to `decode`, `edit`, `Scope` and `Steer` ends in one line that says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from clampsweep.decoder.decode import decode
from clampsweep.decoder.interventions import Edit, Scope, edit
from clampsweep.decoder.steering import Steer
from clampsweep.models.model import Model
from clampsweep.names import Neuron, parse_neuron
from clampsweep.texts.request import Decoding
from shapes import unchecked
from tiny import D_MLP, D_MODEL, N_CTX, N_LAYERS

IDS = [5, 6, 7]
N_VOCAB = 272  # BOS, EOS, 256 bytes, 14 pairs
GREEDY, SAMPLED = Decoding("greedy", 3), Decoding("sample", 3, 0.8)
STREAMS = {"decoding": SAMPLED, "streams": [(1,)]}
SET = edit(Neuron(1, 2), "set", 5.0)


@pytest.fixture(autouse=True)
def as_in_a_notebook() -> Iterator[None]:
    with unchecked():
        yield


@pytest.fixture(scope="module")
def llama(load_tiny: Any) -> Model:
    return load_tiny("llama")


def _said(model: Model, prompts: Any = (IDS,), edits: Any = ((),), **given: Any) -> Any:
    how = {"scope": Scope("all"), "decoding": GREEDY, **given}
    return [one.token_ids for one in decode(model, prompts, edits, **how)]


def _at(layer: int, index: int) -> list[list[Edit]]:
    return [[edit(Neuron(layer, index), "set", 5.0)]]


def _along(layer: int, n: int) -> list[list[Steer]]:
    return [[Steer(layer, np.ones(n), 1.0)]]


# What is given; how the error begins; what else it says.
WRONG: dict[str, tuple[dict[str, Any], type[Exception], str, str]] = {
    "sampling without streams": ({"decoding": SAMPLED}, ValueError, "streams: None", "[(0,)]"),
    "greedy with streams": ({"streams": [(1,)]}, ValueError, "streams: given", "'sample'"),
    "streams of numbers": ({**STREAMS, "streams": [1]}, TypeError, "streams[0]: got 1", "(0,)"),
    "negative stream": ({**STREAMS, "streams": [(-1,)]}, ValueError, "streams[0]: ", "0 or more"),
    "broken stream": ({**STREAMS, "streams": [(1.5,)]}, TypeError, "streams[0]: ", "got 1.5"),
    "too many streams": ({**STREAMS, "streams": [(1,)] * 2}, ValueError, "streams: got 2", "1 pr"),
    "a text": ({"prompts": "the cat"}, TypeError, "prompts: got 'the cat'", "model.encode"),
    "texts": ({"prompts": ["the cat"]}, TypeError, "prompts[0]: got 'the cat'", "model.encode"),
    "words": ({"prompts": [["the", "cat"]]}, TypeError, "prompts[0]: got ['the'", "token ids"),
    "one prompt": ({"prompts": IDS}, TypeError, "prompts[0]: got 5", "token ids"),
    "floats": ({"prompts": [[5.0, 6.0]]}, TypeError, "prompts[0]: got [5.0", "token ids"),
    "float array": ({"prompts": [np.ones(3)]}, TypeError, "prompts[0]: got", "token ids"),
    "float tensors": ({"prompts": [[torch.ones(())]]}, TypeError, "prompts[0]: got", "token ids"),
    "truths": ({"prompts": [[True]]}, TypeError, "prompts[0]: got [True]", "token ids"),
    "no prompts": ({"prompts": None}, TypeError, "prompts: got None", "token ids"),
    "empty prompt": ({"prompts": [[]]}, ValueError, "prompts[0]: got no tokens", "one at least"),
    "unknown token": ({"prompts": [[5, N_VOCAB]]}, ValueError, "prompts[0]: got token 272", "271"),
    "negative token": ({"prompts": [[5, -1]]}, ValueError, "prompts[0]: got token -1", "0 to 271"),
    "long prompt": ({"prompts": [[5] * (N_CTX + 1)]}, ValueError, "prompts[0]: got 65", "reads 64"),
    "too few edits": ({"edits": []}, ValueError, "edits: got 0 for 1 prompts", "one for each"),
    "an edit alone": ({"edits": SET}, TypeError, "edits: got Edit", "an item for each prompt"),
    "edits of no row": ({"edits": [SET]}, TypeError, "edits[0]: got Edit", "[] for a baseline"),
    "a name": ({"edits": [["L1N2"]]}, TypeError, "edits[0]: got 'L1N2'", "edit(neuron"),
    "neuron": ({"edits": _at(1, 99999)}, ValueError, "edits[0]: L1N99999: neuron", "0 to 39"),
    "negative neuron": ({"edits": _at(1, -1)}, ValueError, "edits[0]: L1N-1: neuron", "0 to 39"),
    "layer": ({"edits": _at(99, 2)}, ValueError, "edits[0]: L99N2: layer: got 99", "0 to 2"),
    "negative layer": ({"edits": _at(-1, 2)}, ValueError, "edits[0]: L-1N2: layer", "0 to 2"),
    "one neuron twice": ({"edits": [[SET, SET]]}, ValueError, "edits[0]: changes L1N2", "twice"),
    "layer to steer": ({"edits": _along(3, D_MODEL)}, ValueError, "edits[0]: layer to", "0 to 2"),
    "narrow direction": ({"edits": _along(1, 23)}, ValueError, "edits[0]: a direction of 23", "24"),
    "scope": ({"scope": "all"}, TypeError, "scope: got 'all'", "Scope('all')"),
    "decoding": ({"decoding": "greedy"}, TypeError, "decoding: got 'greedy'", "Decoding('greedy'"),
    "model": ({"model": "smollm2"}, TypeError, "model: got 'smollm2'", "load(folder"),
    "captured layer": ({"capture_layers": [3]}, ValueError, "capture_layers: got 3", "0 to 2"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_wrong_input_is_refused_in_one_line_before_anything_runs(
    llama: Model, wrong: tuple[dict[str, Any], type[Exception], str, str], monkeypatch: Any
) -> None:
    given, kind, start, remedy = wrong
    monkeypatch.setattr("clampsweep.decoder.decode.fast_path", lambda *_: pytest.fail("it ran"))
    with pytest.raises(kind) as caught:
        _said(**{"model": llama, **given})
    message = str(caught.value)
    assert type(caught.value) is kind
    assert message.startswith(start) and remedy in message and "\n" not in message


def test_the_limits_of_the_messages_are_those_of_the_model(llama: Model) -> None:
    assert (N_LAYERS, D_MLP, D_MODEL, N_CTX) == (3, 40, 24, 64)
    assert len(llama.tokenizer) == N_VOCAB
    last = [[edit(Neuron(2, 39), "set", 5.0), edit(Neuron(0, 0), "zero")]]
    assert len(_said(llama, [[N_VOCAB - 1] * (N_CTX - 3)], last)[0]) <= 3


def test_arrays_and_tensors_of_token_ids_are_prompts_too(llama: Model) -> None:
    plain = _said(llama)
    kinds = (np.array([IDS]), torch.tensor([IDS]), [np.array(IDS)], [tuple(map(np.int32, IDS))])
    assert [_said(llama, given) for given in kinds] == [plain] * 4


def test_a_neuron_and_its_random_direction_may_be_changed_together(llama: Model) -> None:
    both = [SET, edit(Neuron(1, 2, direction=0), "add", 3.0)]
    assert len(_said(llama, edits=[both])) == 1


@pytest.mark.parametrize(
    "given",
    [[0.5] * D_MODEL, np.full(D_MODEL, 0.5, np.float32), torch.full((D_MODEL,), 0.5)],
    ids=["list", "float32", "tensor"],
)
def test_a_direction_is_what_its_numbers_say_whatever_holds_them(llama: Model, given: Any) -> None:
    steer = Steer(1, given, 8.0)
    assert steer.vector.dtype == np.float64 and steer.vector.tolist() == [0.5] * D_MODEL
    assert _said(llama, edits=[[steer]]) == _said(llama, edits=[[Steer(1, np.full(24, 0.5), 8.0)]])


@pytest.mark.parametrize(
    ("vector", "multiple", "said"),
    [
        (np.full(3, np.nan), 1.0, "vector: got one that is not finite"),
        (np.ones(3), float("inf"), "multiple: got inf"),
    ],
)
def test_a_direction_that_is_not_finite_is_refused(vector: Any, multiple: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Steer(1, vector, multiple)


NAMES = "allowed: all, prompt, generated, last, last_cached, or positions from 0, such as '0,3'"


@pytest.mark.parametrize("text", ["al", "", "0,x", "-1", "3,", "indices", "ALL"])
def test_what_is_no_scope_is_refused_with_the_scopes_that_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="scope") as caught:
        Scope.parse(text)
    assert str(caught.value) == f"scope: got {text!r}; {NAMES}"


@pytest.mark.parametrize(("name", "indices"), [("all", (1,)), ("indices", ()), ("indices", (-1,))])
def test_a_scope_has_positions_exactly_if_it_is_of_positions(name: str, indices: Any) -> None:
    with pytest.raises(ValueError, match="scope"):
        Scope(name, indices)


OWN = parse_neuron("L1N2=7")
ODD_EDITS: dict[str, tuple[tuple[Any, ...], type[Exception], str]] = {
    "unknown operation": ((Neuron(1, 2), "sett", 1.0), ValueError, "allowed: set, add, scale"),
    "without a value": ((Neuron(1, 2), "sett"), ValueError, "unknown operation 'sett'"),
    "steer": ((Neuron(1, 2), "steer", 1.0), ValueError, "write a Steer"),
    "nan": ((Neuron(1, 2), "set", float("nan")), ValueError, "'set': got nan; write a finite"),
    "a value of zero": ((Neuron(1, 2), "zero", 1.0), ValueError, "takes no value; leave out 1.0"),
    "a donor of set": ((Neuron(1, 2), "set", 1.0, (1.0,)), ValueError, "takes no donor"),
    "another value": ((OWN, "set", 1.0), ValueError, "L1N2=7 has a value of its own; got 1.0"),
    "a name": (("L1N2", "set", 1.0), TypeError, "neuron: got 'L1N2'; write Neuron(11, 373)"),
    "a value in words": ((Neuron(1, 2), "set", "5"), TypeError, "'set': got '5'; write a number"),
}


@pytest.mark.parametrize("odd", ODD_EDITS.values(), ids=ODD_EDITS.keys())
def test_an_edit_that_means_nothing_is_refused(
    odd: tuple[tuple[Any, ...], type[Exception], str],
) -> None:
    given, kind, said = odd
    with pytest.raises(kind) as caught:
        edit(*given)
    assert said in str(caught.value)


def test_a_neurons_own_value_may_be_given() -> None:
    assert edit(OWN, "set", OWN.value) == Edit(OWN, shift=7.0)
