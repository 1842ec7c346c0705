"""A model in which one neuron is known to see an error and to say 'Wait', and what the study finds.

A head of the first layer attends everywhere alike and copies the sign of an error to a coordinate
of its own; L1N17 reads it, and writes what the unembedding of 'W' reads. Nothing else reads or
writes these coordinates. Of the other sign of an error the model knows nothing: to it, that is the
sign of a right step.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from backtracking.capturing import captured
from backtracking.lined import trace, traces
from backtracking.loaded import loaded
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.studies.backtracking.captured import Captured
from clampsweep.studies.backtracking.effects import effects
from clampsweep.studies.backtracking.found_events import EVENTS, TEMPLATE, spans
from clampsweep.studies.backtracking.heldout import RankedContrast, rank_contrast
from clampsweep.studies.backtracking.output_norms import output_norms
from clampsweep.studies.backtracking.places import items
from clampsweep.studies.backtracking.position_kinds import PRED
from clampsweep.studies.backtracking.sampling import samples
from clampsweep.studies.backtracking.sets import sets
from clampsweep.studies.backtracking.splits import SPLITS
from clampsweep.studies.backtracking.token_ends import token_ends
from clampsweep.studies.backtracking.trials import part_of_trials
from shapes import unchecked
from tiny import D_MLP, N_LAYERS, random_model, tiny_tokenizer

NEURON = Neuron(1, 17)
SEEN, UNSEEN, RIGHT = "#", "~", "-"  # signs of an error, of one that the model knows not, of none
LEXICON = ("Wait",)
GRADE = "gross"
TOP, PERMUTATIONS, RANDOM_SETS = 1, 99, 24
EVENTS_TRIED = 8

_WITH, _WITHOUT = 14, 20  # problems of a split with an event, and with a right trace alone
_STEPS = ("so {} and {} are {} ", "then {} less {} is {} ", "now {} of {} gives {} ")


def plain() -> Any:
    """The model in Hugging Face's class."""
    model = random_model("llama", 3, 32, D_MLP, n_ctx=160)
    tokenizer = tiny_tokenizer()
    seen, unseen, right, wait = (
        int(tokenizer(one).input_ids[0]) for one in (SEEN, UNSEEN, RIGHT, "W")
    )
    cue, error, said, one = range(4)  # coordinates of the residual stream
    with torch.no_grad():
        embedding, head = model.model.embed_tokens.weight, model.lm_head.weight
        embedding[[seen, unseen]] = embedding[right].clone()
        embedding[:, :4] = 0
        embedding[seen, cue], embedding[:, one] = 20, 3
        head[:, :4] = 0
        head[wait] = 0
        head[wait, said], head[wait, one] = 6, -3
        model.model.norm.weight[:4] = 1
        for layer in model.model.layers:
            attention, mlp = layer.self_attn, layer.mlp
            for norm in (layer.input_layernorm, layer.post_attention_layernorm):
                norm.weight[:4] = 1
            for reads in (attention.q_proj, attention.k_proj, attention.v_proj, mlp.gate_proj,
                          mlp.up_proj):  # fmt: skip
                reads.weight[:, :4] = 0
            for writes in (attention.o_proj, mlp.down_proj):
                writes.weight[:4] = 0
        attention = model.model.layers[0].self_attn
        attention.q_proj.weight[:8] = 0  # head 0: all scores are 0
        attention.v_proj.weight[0] = 0
        attention.v_proj.weight[0, cue] = 1
        attention.o_proj.weight[:, [0, 8]] = 0  # heads 0 and 1 share their values
        attention.o_proj.weight[error, 0] = 25
        mlp = model.model.layers[NEURON.layer].mlp
        mlp.gate_proj.weight[NEURON.index] = 0
        mlp.gate_proj.weight[NEURON.index, error], mlp.gate_proj.weight[NEURON.index, one] = 40, -4
        mlp.up_proj.weight[NEURON.index] = 0
        mlp.up_proj.weight[NEURON.index, one] = 1.5
        mlp.down_proj.weight[:, NEURON.index] = 0
        mlp.down_proj.weight[said, NEURON.index] = 2
    return model


def written(sign: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`TRACES` with errors that a sign tells of, and their `EVENTS`."""
    rng, tokenizer, rows, marked = np.random.default_rng(0), tiny_tokenizer(), [], []
    for split in SPLITS:
        for number in range(_WITH + _WITHOUT):
            steps = [
                str(rng.choice(_STEPS)).format(*(int(n) for n in rng.integers(1, 99, 3)))
                for _ in range(5)
            ]
            kinds = {"clean": RIGHT}
            if number < _WITH:
                kinds |= {"error_backtrack": sign, "error_only": sign, "spurious": RIGHT}
            for kind, shown in kinds.items():
                said = [steps[0], steps[1] + shown, *steps[2:]]
                if kind in ("error_backtrack", "spurious"):
                    said.insert(3, "Wait it is off")
                row = _row(f"{split}{number}", split, kind, "\n".join(said), tokenizer)
                rows.append(row)
                if kind in ("error_backtrack", "spurious"):
                    marked.append(_event(row, "\n".join(said)))
    return traces(*rows), pd.DataFrame(marked, columns=list(EVENTS.columns))


def _row(problem: str, split: str, kind: str, output: str, tokenizer: Any) -> dict[str, Any]:
    """A row of `TRACES`."""
    ids = tokenizer(output).input_ids
    return trace(
        f"written/{problem}-{kind}", output, "written", problem_id=problem, split=split, kind=kind,
        grade=GRADE if kind.startswith("error") else None, output_ids=ids,
        prompt_ids=tokenizer("go on:\n").input_ids, ends=token_ends(tokenizer, [], ids, output),
    )  # fmt: skip


def _event(row: dict[str, Any], output: str) -> dict[str, Any]:
    """The row of `EVENTS` of a trace's fourth sentence."""
    found = spans(output, row["ends"])
    assert output[found.starts[3] :].startswith("Wait")
    return {
        "event_id": f"{row['trace_id']}/template", "trace_id": row["trace_id"],
        "rule_id": TEMPLATE, "class": "strong", "char_start": found.starts[3],
        "char_end": found.ends[3], "text": "Wait it is off", "tok_sentence": found.tokens[3],
        "tok_onset": found.tokens[3], "sentence": 3, "in_think": False, "step_right": False,
        "answer_changed": None, "label_source": TEMPLATE,
    }  # fmt: skip


class Found(NamedTuple):
    """What the study makes of the traces, table by table."""

    model: Model
    traces: pd.DataFrame
    events: pd.DataFrame
    samples: pd.DataFrame
    captured: Captured
    ranked: RankedContrast
    sets: pd.DataFrame
    trials: pd.DataFrame
    effects: pd.DataFrame


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []  # till the process ends


@functools.cache
def model() -> Model:
    """The model, loaded."""
    return loaded(_folder(), plain())


@functools.cache
def found(sign: str = SEEN) -> Found:
    """The study's modules, one after the other, on traces with errors of a sign."""
    with unchecked():  # shapes are checked in the modules' own tests
        return _found(_folder(), model(), sign)


def _found(folder: Path, own: Model, sign: str) -> Found:
    table, marked = written(sign)
    chosen = samples(table, marked, [GRADE], 4, 0)
    read = Captured(*captured(folder, own, items(chosen, table), 60), D_MLP)
    ranked = rank_contrast(read, N_LAYERS, chosen, (_WITH, _WITH), PERMUTATIONS, TOP, 0)
    first = ranked.neurons[ranked.neurons["position_kind"] == PRED]
    tried = sets(first, output_norms(own), (1, 3), TOP, RANDOM_SETS, 0)
    parts = [
        part_of_trials(lambda: own, chosen, table, tried, LEXICON, TOP, EVENTS_TRIED, part, 2)
        for part in range(2)
    ]
    made = pd.concat(parts, ignore_index=True)
    return Found(own, table, marked, chosen, read, ranked, tried, made, effects(made))


def _folder() -> Path:
    _FOLDERS.append(tempfile.TemporaryDirectory())
    return Path(_FOLDERS[-1].name)
