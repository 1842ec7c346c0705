"""Models of many families: their texts are those of Hugging Face's `generate`, or one line refuses.

Each row is held against `families.hf_text`, which knows neither TransformerLens nor the decoder.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import clampsweep.decoder.decode
from clampsweep.decoder.decode import decode, fast_path
from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.rows import Decoded
from clampsweep.decoder.steering import Change, Steer
from clampsweep.errors import UserError
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from families import (
    FAMILIES,
    N_NEW,
    PROMPTS,
    Clamp,
    Family,
    Push,
    hf_chance_of_end,
    hf_text,
    load_family,
)
from tiny import EOS

GREEDY = Decoding("greedy", N_NEW)
SWEPT = [name for name, family in FAMILIES.items() if not family.refused]
REFUSED = [name for name, family in FAMILIES.items() if family.refused]
Row = tuple[str, tuple[Clamp | Push, ...]]


def _rows(n_layers: int) -> list[Row]:
    """Every prompt as it is, and then with a neuron of the first layer, the last or both set.

    And twice with what a neuron's clamp adds sent along a random direction, and twice steered.
    """
    first, last = Clamp(0, 3, 15.0), Clamp(n_layers - 1, 7, -15.0)
    pushed = Clamp(0, 3, 15.0, direction=0), Clamp(n_layers - 1, 7, -15.0, direction=1)
    steered = Push(0, 1.5), Push(n_layers - 1, -1.5)
    clamps: list[tuple[Clamp | Push, ...]] = [(first,), (last,), (first, last), (last,)]
    clamps += [(one,) for one in (*pushed, *steered)]
    plain: list[Row] = [(prompt, ()) for prompt in PROMPTS]
    return [*plain, *zip([*PROMPTS, *PROMPTS], clamps, strict=True)]


def _decode(model: Model, rows: list[Row]) -> list[list[int]]:
    """Texts of rows that are decoded in one call."""
    return [text.token_ids for text in _decoded(model, rows)]


def _decoded(model: Model, rows: list[Row]) -> list[Decoded]:
    """What rows that are decoded in one call become."""
    prompts = [model.encode(prompt) for prompt, _ in rows]
    edits = [[_change(model, one) for one in clamps] for _, clamps in rows]
    return decode(model, prompts, edits, Scope("all"), GREEDY)


def _change(model: Model, one: Clamp | Push) -> Change:
    if isinstance(one, Push):
        return Steer(one.layer, one.vector(model.d_model), one.multiple)
    return edit(Neuron(one.layer, one.index, one.direction), "set", one.value)


def _wanted(family: Family, model: Model, rows: list[Row]) -> list[list[int]]:
    """The rows' texts by Hugging Face's own model, up to the end of the context."""
    plain = _plain(model.manifest["source"], family)
    prompts = [model.encode(prompt) for prompt, _ in rows]
    return [
        hf_text(family, plain, prompt, min(N_NEW, model.n_ctx - len(prompt)), clamps)
        for prompt, (_, clamps) in zip(prompts, rows, strict=True)
    ]


def _plain(folder: str, family: Family) -> Any:
    from transformers import AutoModelForCausalLM

    dtype = getattr(torch, family.dtype)
    plain: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    return plain.eval()


@pytest.mark.parametrize("name", SWEPT)
def test_texts_are_those_of_generate(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the path that the table says and on the general one, batched and alone."""
    family, model = FAMILIES[name], load_family(tmp_path, name)
    rows = _rows(model.n_layers)
    wanted = _wanted(family, model, rows)
    unclamped, clamped = wanted[: len(PROMPTS)], wanted[len(PROMPTS) :]
    assert len(set(map(tuple, unclamped))) == len(PROMPTS), "every prompt goes on in its own way"
    assert clamped[: len(PROMPTS)] != unclamped
    path = fast_path(model, [[]], Scope("all"))
    assert family.general in path if isinstance(path, str) else not family.general
    _assert_written(model, rows, wanted)
    if not family.general:
        monkeypatch.setattr(clampsweep.decoder.decode, "fast_path", lambda *ignored: "as said here")
        _assert_written(model, rows, wanted)


def _assert_written(model: Model, rows: list[Row], wanted: list[list[int]]) -> None:
    assert _decode(model, rows) == wanted
    assert [_decode(model, [row])[0] for row in rows] == wanted


@pytest.mark.parametrize("name", ["gptj", "gemma2", "granite", "cohere", "llama", "xglm"])
def test_the_chance_of_an_end_at_once_is_that_of_hugging_faces_own_model(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of baselines and of clamped and steered rows; some of these models change their logits."""
    family, model = FAMILIES[name], load_family(tmp_path, name)
    model = replace(model, eos_ids=frozenset({EOS}))
    plain, rows = _plain(model.manifest["source"], family), _rows(model.n_layers)
    wanted = [hf_chance_of_end(family, plain, model.encode(p), clamps) for p, clamps in rows]
    assert len({f"{one:.3g}" for one in wanted}) > len(PROMPTS), "what is changed moves it"
    got = [one.p_end_first for one in _decoded(model, rows)]
    assert got == pytest.approx(wanted, rel=1e-4, abs=0)
    monkeypatch.setattr(clampsweep.decoder.decode, "fast_path", lambda *ignored: "as said here")
    assert [one.p_end_first for one in _decoded(model, rows)] == pytest.approx(
        wanted, rel=1e-4, abs=0
    )


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_cannot_be_swept_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(FAMILIES[name].refused)) as error:
        load_family(tmp_path, name)
    assert "\n" not in str(error.value)


DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_table_in_the_docs_is_this_table() -> None:
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    assert rows == [_documented(name, family) for name, family in FAMILIES.items()]


def _documented(name: str, family: Family) -> str:
    """A family's row in the docs."""
    outcome = "fast"
    if family.general:
        outcome = f"general: {family.general}"
    if family.refused:
        outcome = f"refused: {family.refused}"
    return f"| `{name}` | {type(family.config()).__name__} | {outcome} |"
