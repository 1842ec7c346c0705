"""Batches of a request on a tiny model: rows against one prompt at a time, resuming, refusals."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModelForCausalLM

import clampsweep.generation.batch
import factories
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.generation.batch import generate
from clampsweep.generation.neuron_stats import compute_statistics, neuron_statistics
from clampsweep.models.fetching import fetch
from clampsweep.models.model import Model
from clampsweep.models.spec import ModelSpec
from clampsweep.names import parse_target
from clampsweep.provenance import text_digest
from clampsweep.texts import promptset, speed
from clampsweep.texts.combination import Combination, batch_id
from clampsweep.texts.gather import GENERATIONS, VECTORS, gather
from clampsweep.texts.planner import Planner, pin_plan
from clampsweep.texts.request import RAW, Decoding, PromptFormat, PromptsetSpec, TextRequest
from clampsweep.texts.scratch import clear
from clampsweep.texts.selection import NEURON_STATS, Selected
from clampsweep.texts.tables import BATCH_GENERATIONS, BATCH_VECTORS
from clampsweep.texts.wanted import baselines, interventions
from reference import Clamp, decode_alone, post_activations
from tiny import (
    CHAT,
    D_MLP,
    EOS,
    N_CTX,
    N_LAYERS,
    PROMPTS,
    RAGGED_PROMPTS,
    attention_only,
    make_tiny,
    tiny_tokenizer,
)

GREEDY = Decoding("greedy", 6)
WARM = Decoding("sample", 6, temperature=2.5, top_k=20, top_p=0.95)
TEXTS = (*PROMPTS[:3], RAGGED_PROMPTS[0])


def _request(spec: ModelSpec, **changes: Any) -> TextRequest:
    request = TextRequest(
        name="tiny",
        model=spec,
        promptset=PromptsetSpec("test.yaml: promptsets.tiny", "tiny", "csv", path="tiny.csv"),
        targets=("L0N3", "L1N4", "L0N5+L2N6"),
        operation="set",
        values=(-20.0, 6.0),
        scope="all",
        decoding=GREEDY,
        seeds=(None,),
    )
    return replace(request, **changes)


def _prompts(texts: Sequence[str] = TEXTS) -> pd.DataFrame:
    rows = [factories.prompt(text, f"p{at}") for at, text in enumerate(texts)]
    return factories.frame(rows, promptset.PROMPTS)


class Bench:
    """A results folder, and what a rule would do in it."""

    def __init__(self, results: Path, folder: Path, spec: ModelSpec, size: int = 1000):
        self.planner, self.folder, self.spec = Planner(results, size), folder, spec

    def batch_file(self, batch: str) -> Path:
        return self.planner.results / "batches" / f"{batch}.json"

    @property
    def speeds(self) -> Path:
        return self.planner.results.parent / "logs/speed.jsonl"

    def scratch(self, batch: str) -> Path:
        return self.planner.results / ".scratch" / f"{batch}-c0de"

    def generate(self, batch: str, rows: int = 256) -> None:
        generations, vectors = self.planner.outputs(batch)
        generate(
            batch=self.batch_file(batch),
            model_folder=self.folder,
            spec=self.spec,
            threads=1,
            device="cpu",
            rows_per_forward=rows,
            scratch=self.scratch(batch),
            code="c0de",
            generations=generations,
            vectors=vectors,
            speeds=self.speeds,
        )

    def run(self, combinations: Sequence[Combination], rows: int = 256) -> dict[str, pd.DataFrame]:
        """Both tables of all batches that the combinations need."""
        batches = self.planner.assign(combinations)
        for batch in batches:
            self.generate(batch, rows)
        return self.tables(batches)

    def tables(self, batches: Sequence[str]) -> dict[str, pd.DataFrame]:
        files = zip(*map(self.planner.outputs, batches), strict=True)
        schemas = {"generations": BATCH_GENERATIONS, "vectors": BATCH_VECTORS}
        return {
            name: pd.concat([tables.read(path, schema) for path in paths], ignore_index=True)
            for (name, schema), paths in zip(schemas.items(), files, strict=True)
        }


@pytest.fixture
def bench(tmp_path: Path, tiny_folder: Callable[..., Any]) -> Bench:
    """Of the tiny Llama."""
    return Bench(tmp_path / "results", *tiny_folder("llama"))


def _wanted(request: TextRequest, prompts: pd.DataFrame, selected: Selected | None = None):
    return baselines(request, prompts) + interventions(request, prompts, selected)


def _by_key(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows in an order that does not depend on batches."""
    order = ["key", "layer"] if "vector" in frame else ["key"]
    return frame.sort_values(order, ignore_index=True)


def _assert_same(one: dict[str, pd.DataFrame], two: dict[str, pd.DataFrame]) -> None:
    """Equal in all that is discrete; numbers up to the rounding of another batch size."""
    for name, frame in one.items():
        pd.testing.assert_frame_equal(_by_key(frame), _by_key(two[name]), rtol=1e-4, atol=1e-5)


# A model without neurons


@pytest.fixture
def attention(tmp_path: Path) -> Bench:
    """Of a model of attention alone."""
    spec = make_tiny(tmp_path / "source", "neox", model=attention_only(), d_mlp=0)
    fetch(spec, tmp_path / "model")
    return Bench(tmp_path / "results", tmp_path / "model", spec)


def test_baselines_of_a_model_without_neurons_are_those_of_hugging_face(attention: Bench) -> None:
    request = _request(attention.spec)
    got = attention.run(baselines(request, _prompts()))
    texts = got["generations"].set_index("text_digest")
    plain = AutoModelForCausalLM.from_pretrained(attention.spec.path, dtype="float64").eval()
    for text in TEXTS:
        ids = torch.tensor([tiny_tokenizer()(text).input_ids])
        wanted = plain.generate(ids, max_new_tokens=6, do_sample=False)[0, ids.shape[1] :].tolist()
        assert list(texts.loc[text_digest(text), "token_ids"]) == [at for at in wanted if at != EOS]
    vectors = got["vectors"].merge(got["generations"][["key", "n_new_tokens"]], on="key")
    assert len(vectors) == len(TEXTS) * N_LAYERS
    lengths = [None if one is None else len(one) for one in vectors["vector"]]
    assert lengths == [0 if n else None for n in vectors["n_new_tokens"]], "a mean of no neurons"


def test_what_needs_neurons_is_refused_for_a_model_without_any(attention: Bench) -> None:
    planner, spec = attention.planner, attention.spec
    request, prompts = _request(spec), _prompts()
    (batch,) = planner.assign(interventions(request, prompts, None))
    with pytest.raises(UserError, match=r"no neurons \(d_mlp: 0\)"):
        attention.generate(batch)
    attention.run(baselines(request, prompts))
    plan, batches = pin_plan(planner, "tiny", prompts, baselines(request, prompts))
    tables.write(prompts, planner.results / "prompts.parquet", promptset.PROMPTS, {})
    with pytest.raises(UserError, match=r"no neurons \(d_mlp: 0\)"):
        compute_statistics(
            plan=plan,
            prompts=planner.results / "prompts.parquet",
            batches=[planner.outputs(one).generations for one in batches],
            model_folder=attention.folder,
            spec=spec,
            prompt_format=RAW,
            threads=1,
            device="cpu",
            code="c0de",
            output=planner.results / "stats.parquet",
        )


# Rows


def _clamps(one: Combination, donors: dict[str, list[Any]]) -> list[Clamp]:
    return [
        Clamp(
            neuron,
            one.operation,
            one.value,
            tuple(donors[one.donor][neuron.layer][:, neuron.index].tolist()) if one.donor else (),
        )
        for neuron in (parse_target(one.target) if one.target else ())
    ]


@pytest.mark.parametrize(
    ("operation", "values", "scope", "seeds"),
    [
        ("set", (-20.0, 6.0), "all", (None,)),
        ("set", (-20.0,), "last", (None,)),
        ("set", (9.0,), "2,7,9", (None,)),
        ("add", (9.0, -9.0), "generated", (None,)),
        ("scale", (-12.0,), "prompt", (None,)),
        ("zero", (None,), "last_cached", (None,)),
        ("mean", (None,), "all", (None,)),
        ("resample", (None,), "all", (0, 1)),
    ],
)
def test_a_batch_holds_what_each_combination_gives_alone(
    bench: Bench,
    llama: Model,
    hugging_face: Callable[[Model], Any],
    operation: str,
    values: tuple[float | None, ...],
    scope: str,
    seeds: tuple[int | None, ...],
) -> None:
    request = _request(bench.spec, operation=operation, values=values, scope=scope, seeds=seeds)
    selected = Selected(("L1N4", "L0N3"), (11.5, -7.25)) if operation == "mean" else None
    wanted = _wanted(request, _prompts(), selected)
    greedy = {
        text: decode_alone(llama, llama.encode(text), (), "all", GREEDY.max_new_tokens).token_ids
        for text in TEXTS
    }
    donors = {
        text: post_activations(hugging_face(llama), [*llama.encode(text), *ids])
        for text, ids in greedy.items()
    }
    found = bench.run(wanted)
    rows = found["generations"].set_index("key")
    assert sorted(rows.index) == sorted({one.key for one in wanted})
    changed = 0
    for one in wanted:
        row, clamps = rows.loc[one.key], _clamps(one, donors)
        prompt = llama.encode(one.prompt)
        text = decode_alone(llama, prompt, clamps, one.scope or "all", GREEDY.max_new_tokens)
        assert row["token_ids"].tolist() == text.token_ids, one
        assert row["stop_reason"] == text.stop_reason
        assert row["text"] == llama.decode(text.token_ids)
        assert (row["n_prompt_tokens"], row["n_new_tokens"]) == (len(prompt), len(text.token_ids))
        assert row["min_margin"] == pytest.approx(min(text.margins), rel=1e-3, abs=1e-3)
        changed += text.token_ids != greedy[one.prompt]
    assert changed >= 2, "the interventions do something"


CHATS = PromptFormat("chat", "be good")


def _as_chat(text: str) -> list[int]:
    """Token ids of a prompt in the tiny template, by hand."""
    ids: list[int] = tiny_tokenizer()(f"<bos>s:be good\nu:{text}\na:").input_ids
    return ids


@pytest.fixture
def chats(tmp_path: Path, tiny_folder: Callable[..., Any]) -> Bench:
    """Of a tiny Llama whose tokenizer has a chat template, and whose raw prompts have a BOS."""
    made = tiny_folder("llama", chat_template=CHAT, prepend_bos=True)
    return Bench(tmp_path / "results", *made)


@pytest.mark.parametrize("operation", ["set", "resample"])
def test_prompts_and_donors_of_a_batch_of_chats_are_what_the_template_writes(
    chats: Bench, load_tiny: Callable[..., Model], operation: str
) -> None:
    """Their baselines, and the donors' runs, end by a stop string as every text does."""
    model = load_tiny("llama", chat_template=CHAT, prepend_bos=True)
    seeds = (0,) if operation == "resample" else (None,)
    values = (None,) if operation == "resample" else (-20.0,)
    strings = ("a", "e", "t")
    request = _request(
        chats.spec,
        operation=operation,
        values=values,
        seeds=seeds,
        prompt_format=CHATS,
        decoding=replace(GREEDY, stop_strings=strings),
    )
    wanted = _wanted(request, _prompts())
    greedy = {text: decode_alone(model, _as_chat(text), (), "all", 6, stop_strings=strings)
              for text in TEXTS}  # fmt: skip
    donors = {
        text: post_activations(model.plain, [*_as_chat(text), *alone.token_ids])
        for text, alone in greedy.items()
    }
    found = chats.run(wanted)
    rows = found["generations"].set_index("key")
    for one in wanted:
        row, clamps = rows.loc[one.key], _clamps(one, donors)
        ids = _as_chat(one.prompt)
        text = decode_alone(model, ids, clamps, "all", 6, stop_strings=strings)
        assert row["token_ids"].tolist() == text.token_ids, one
        assert (row["stop_reason"], row["n_prompt_tokens"]) == (text.stop_reason, len(ids))
        assert row["text"] == model.decode(text.token_ids, ids)
    assert set(rows["stop_reason"]) >= {"stop_string"}


def test_chats_and_raw_prompts_are_generated_apart_and_their_tables_say_which(
    chats: Bench,
) -> None:
    requests = [_request(chats.spec), _request(chats.spec, prompt_format=CHATS)]
    batches = chats.planner.assign(
        [one for request in requests for one in baselines(request, _prompts())]
    )
    said = []
    for batch in batches:
        chats.generate(batch)
        footer = tables.footer(chats.planner.outputs(batch)[0])
        said.append((footer.get("prompt_format"), footer.get("system_prompt")))
        assert footer["chat_template"] == text_digest(CHAT), "of raw prompts it is said too"
    assert sorted(said, key=str) == [("chat", "be good"), (None, None)]


def test_a_model_without_a_chat_template_is_refused_before_anything_is_computed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = baselines(_request(bench.spec, prompt_format=CHATS), _prompts())
    message = _refused(bench, wanted, monkeypatch)
    assert "prompt_format: chat" in message
    assert f"{bench.spec.name} has no chat template" in message


def test_a_row_says_what_was_done(bench: Bench) -> None:
    wanted = _wanted(_request(bench.spec, scope="last"), _prompts())
    rows = bench.run(wanted)["generations"].set_index("key")
    for one in wanted:
        row = rows.loc[one.key]
        said = row[["target", "operation", "value", "scope", "seed"]]
        said = [None if pd.isna(value) else value for value in said]
        assert said == [one.target, one.operation, one.value, one.scope, None]
        place = [None if pd.isna(row[name]) else row[name] for name in ("layer", "neuron")]
        at = {None: [None, None], "L0N3": [0, 3], "L1N4": [1, 4], "L0N5+L2N6": [0, None]}
        assert place == at[one.target]
        assert row["text_digest"] == factories.prompt(one.prompt, "")["text_digest"]


def test_vectors_are_of_the_layers_changed_and_of_all_in_a_baseline(bench: Bench) -> None:
    wanted = _wanted(_request(bench.spec), _prompts())
    found = bench.run(wanted)
    layers = {None: [0, 1, 2], "L0N3": [0], "L1N4": [1], "L0N5+L2N6": [0, 2]}
    texts = found["generations"].set_index("key")["token_ids"]
    for one in wanted:
        rows = found["vectors"][found["vectors"]["key"] == one.key].sort_values("layer")
        assert rows["layer"].tolist() == layers[one.target]
        for row in rows.itertuples():
            if not len(texts[one.key]):
                assert row.vector is None
                assert np.isnan(row.natural_value)
                continue
            assert row.vector.shape == (D_MLP,)
            assert np.isnan(row.natural_value) == (one.target is None)
            for neuron in parse_target(one.target) if one.target else ():
                if neuron.layer == row.layer:
                    assert row.vector[neuron.index] == pytest.approx(one.value)
                    assert row.natural_value != pytest.approx(one.value)


def test_a_text_that_ends_at_once_is_empty_and_has_no_vector(
    tmp_path: Path, tiny_folder: Callable[..., Any], gpt2: Model
) -> None:
    """The first token of a greedy text, made the model's EOS."""
    folder, spec = tiny_folder("gpt2")
    first = decode_alone(gpt2, gpt2.encode(PROMPTS[0]), (), "all", 1).token_ids[0]
    ending = tmp_path / "model"
    ending.mkdir()
    for path in folder.iterdir():
        (ending / path.name).write_bytes(path.read_bytes())
    _edit_json(ending / "generation_config.json", eos_token_id=first)
    _sign(ending)
    bench = Bench(tmp_path / "results", ending, spec)
    found = bench.run(baselines(_request(spec), _prompts(PROMPTS[:1])))
    row = found["generations"].iloc[0]
    assert (row["text"], len(row["token_ids"]), row["stop_reason"]) == ("", 0, "eos")
    assert found["vectors"]["vector"].tolist() == [None] * N_LAYERS
    assert found["vectors"]["natural_value"].isna().all()


def _edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _sign(folder: Path) -> None:
    """Give the manifest the digests of the files as they are."""
    from clampsweep.provenance import file_digest

    names = json.loads((folder / "model.json").read_text())["files"]
    _edit_json(folder / "model.json", files={name: file_digest(folder / name) for name in names})


def test_tables_carry_what_made_them(bench: Bench, llama: Model) -> None:
    (batch,) = bench.planner.assign(baselines(_request(bench.spec), _prompts()))
    bench.generate(batch)
    for path in bench.planner.outputs(batch):
        footer = tables.footer(path)
        assert footer["model"] == llama.manifest["digest"]
        assert footer["model_identity"] == bench.spec.identity
        assert footer["batch"] == batch
        assert footer["code"] == "c0de"
        assert footer["decoding"] == GREEDY.as_json()
        assert footer["unused_settings"] == {}


# Batches of any cut


@pytest.mark.parametrize("decoding", [GREEDY, WARM], ids=["greedy", "sample"])
def test_the_cut_into_batches_and_parts_changes_no_row(
    tmp_path: Path, tiny_folder: Callable[..., Any], decoding: Decoding
) -> None:
    folder, spec = tiny_folder("llama")
    seeds = (None,) if decoding.method == "greedy" else (0, 5)
    request = _request(spec, decoding=decoding, seeds=seeds, targets=("L0N3", "L1N4"))
    wanted = _wanted(request, _prompts(TEXTS[1:]))
    whole = Bench(tmp_path / "whole", folder, spec).run(wanted)
    single = Bench(tmp_path / "single", folder, spec).run(wanted, rows=1)
    cut = Bench(tmp_path / "cut", folder, spec, size=7).run(wanted[::-1], rows=4)
    _assert_same(whole, single)
    _assert_same(whole, cut)


def test_sweeps_of_different_scopes_and_operations_may_share_a_batch(
    bench: Bench, tmp_path: Path
) -> None:
    changes: list[dict[str, Any]] = [
        {"scope": "all"},
        {"scope": "last"},
        {"scope": "1,2", "operation": "add", "values": (9.0,)},
        {"scope": "generated", "operation": "zero", "values": (None,)},
        {"scope": "all", "operation": "resample", "values": (None,), "seeds": (0,)},
    ]
    prompts = _prompts(TEXTS[2:])
    each = [interventions(_request(bench.spec, **change), prompts, None) for change in changes]
    wanted = [one for part in each for one in part]
    assert len(bench.planner.assign(wanted)) == 1
    together = bench.run(wanted)
    alone = [
        Bench(tmp_path / str(at), bench.folder, bench.spec).run(part)
        for at, part in enumerate(each)
    ]
    _assert_same(together, {name: pd.concat([one[name] for one in alone]) for name in together})


def test_sampled_rows_share_the_draws_of_their_prompt_and_seed(bench: Bench) -> None:
    """So an intervention that changes nothing gives its baseline's text, seed by seed."""
    request = _request(bench.spec, operation="add", values=(0.0,), decoding=WARM, seeds=(0, 1, 2))
    wanted = _wanted(request, _prompts())
    rows = bench.run(wanted)["generations"].set_index("key")
    texts = {one: tuple(rows.loc[one.key, "token_ids"]) for one in wanted}
    plain = {(one.prompt, one.seed): text for one, text in texts.items() if one.target is None}
    assert all(text == plain[one.prompt, one.seed] for one, text in texts.items())
    assert len(set(plain.values())) > len(TEXTS), "seeds differ"
    assert rows["min_margin"].isna().all()


def test_a_longer_sample_begins_as_the_shorter_one(bench: Bench) -> None:
    short = _request(bench.spec, decoding=replace(WARM, max_new_tokens=4), seeds=(3,))
    texts = []
    for request in (short, replace(short, decoding=WARM)):
        wanted = baselines(request, _prompts())
        rows = bench.run(wanted)["generations"].set_index("key")
        texts.append([rows.loc[one.key, "token_ids"].tolist() for one in wanted])
    assert texts[0] == [text[:4] for text in texts[1]]


# Resuming


class Killed(BaseException):
    """Stands for a job killed from outside."""


def _count_decodes(monkeypatch: pytest.MonkeyPatch, kill_at: int | None = None) -> list[int]:
    """Rows of each decode call; the call of that number kills the job."""
    calls: list[int] = []
    decode = clampsweep.decoder.decode.decode

    def counted(model: Model, prompts: Any, *args: Any, **more: Any) -> Any:
        calls.append(len(prompts))
        if len(calls) == kill_at:
            raise Killed
        return decode(model, prompts, *args, **more)

    monkeypatch.setattr(clampsweep.generation.parts, "decode", counted)
    return calls


def test_a_finished_batch_clears_its_own_parts_of_any_code_version(bench: Bench) -> None:
    (batch,) = bench.planner.assign(baselines(_request(bench.spec), _prompts()))
    folders = [bench.scratch(batch).with_name(f"{name}-01d") for name in (batch, "another")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "part").touch()
    bench.generate(batch)
    assert [folder.exists() for folder in folders] == [False, True]


WHOLE = {"whole.generations.parquet", "whole.vectors.parquet"}


def test_a_finished_batch_that_nobody_recorded_comes_back_without_being_computed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (batch,) = bench.planner.assign(baselines(_request(bench.spec), _prompts()))
    bench.generate(batch, rows=2)
    assert {path.name for path in bench.scratch(batch).iterdir()} == WHOLE
    files = {path: path.read_bytes() for path in bench.planner.outputs(batch)}
    for path in files:  # as Snakemake does with what a killed run left incomplete
        path.unlink()
    with monkeypatch.context() as patch:
        calls = _count_decodes(patch)
        bench.generate(batch, rows=2)
    assert calls == []
    assert {path: path.read_bytes() for path in files} == files
    clear(bench.scratch(batch).parent, bench.planner.finished)
    assert not bench.scratch(batch).exists()


@pytest.mark.parametrize("decoding", [GREEDY, WARM], ids=["greedy", "sample"])
def test_a_killed_batch_resumes_at_its_unfinished_parts(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoding: Decoding
) -> None:
    seeds = (None,) if decoding.method == "greedy" else (7,)
    wanted = interventions(_request(bench.spec, decoding=decoding, seeds=seeds), _prompts(), None)
    (batch,) = bench.planner.assign(wanted)
    with monkeypatch.context() as patch:
        calls = _count_decodes(patch, kill_at=4)
        with pytest.raises(Killed):
            bench.generate(batch, rows=5)
    kept = calls[:-1]
    assert not any(path.exists() for path in bench.planner.outputs(batch))
    assert len(list(bench.scratch(batch).iterdir())) == 2 * len(kept)
    with monkeypatch.context() as patch:
        calls = _count_decodes(patch)
        bench.generate(batch, rows=5)
    assert sum(calls) == len(wanted) - sum(kept)
    assert {path.name for path in bench.scratch(batch).iterdir()} == WHOLE
    undisturbed = Bench(tmp_path / "undisturbed/results", bench.folder, bench.spec)
    assert undisturbed.planner.assign(wanted) == [batch]
    undisturbed.generate(batch, rows=5)
    for one, two in zip(
        bench.planner.outputs(batch), undisturbed.planner.outputs(batch), strict=True
    ):
        assert one.read_bytes() == two.read_bytes()


def test_a_batch_says_beforehand_how_long_it_takes_by_the_parts_before_it(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = interventions(_request(bench.spec), _prompts(), None)
    most = f"{len(wanted)} combinations, at most {len(wanted) * GREEDY.max_new_tokens} tokens: "
    said = []
    for _ in range(2):
        for made in bench.planner.outputs(batch_id(wanted)):
            made.unlink(missing_ok=True)
        shutil.rmtree(bench.planner.results / ".scratch", ignore_errors=True)
        caplog.clear()
        with caplog.at_level("INFO"):
            (batch,) = bench.planner.assign(wanted)
            bench.generate(batch, rows=5)
        said.append([line for line in caplog.messages if " most " in line or " done" in line][1:])
    (first, *first_parts), (again, *again_parts) = said
    assert re.fullmatch(rf"{most}about \d+ s \(a guess\)", first)
    assert re.fullmatch(rf"{most}about \d+ s", again)
    for parts in (first_parts, again_parts):
        assert len(parts) > 2
        assert all(re.search(r" done: about \d+ s left$", line) for line in parts[:-1])
        assert parts[-1] == f"{len(wanted)} of {len(wanted)} combinations done"
    assert re.fullmatch(r"decoded in \d+ s; expected: about \d+ s", caplog.messages[-1])
    paces = speed.read(bench.speeds)
    assert [pace.batch for pace in paces] == [batch] * 2 * len(first_parts)
    assert {(pace.device, pace.threads, pace.model) for pace in paces} == {
        ("cpu", 1, bench.spec.identity)
    }


def test_a_part_without_its_second_table_is_made_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = baselines(_request(bench.spec), _prompts())
    (batch,) = bench.planner.assign(wanted)
    write = tables.write

    def full(frame: Any, path: Any, schema: tables.Schema, provenance: Any) -> None:
        if schema is BATCH_GENERATIONS:
            raise UserError("the disk is full")
        write(frame, path, schema, provenance)

    with monkeypatch.context() as patch:
        patch.setattr(tables, "write", full)
        with pytest.raises(UserError, match="disk is full"):
            bench.generate(batch)
    bench.generate(batch)
    assert len(bench.tables([batch])["generations"]) == len(wanted)


def test_a_resumed_resampling_lends_the_same_values(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = _request(bench.spec, operation="resample", values=(None,), seeds=(0, 1))
    wanted = interventions(request, _prompts(), None)
    (batch,) = bench.planner.assign(wanted)
    with monkeypatch.context() as patch:
        _count_decodes(patch, kill_at=6)
        with pytest.raises(Killed):
            bench.generate(batch, rows=5)
    assert list(bench.scratch(batch).iterdir())
    bench.generate(batch, rows=5)
    undisturbed = Bench(tmp_path / "undisturbed/results", bench.folder, bench.spec).run(
        wanted, rows=5
    )
    _assert_same(bench.tables([batch]), undisturbed)


# Refusals


def _refused(bench: Bench, wanted: Sequence[Combination], monkeypatch: pytest.MonkeyPatch) -> str:
    """The message with which a batch is refused, before anything is computed or written."""
    (batch,) = bench.planner.assign(wanted)
    with monkeypatch.context() as patch:
        calls = _count_decodes(patch)
        with pytest.raises(UserError) as error:
            bench.generate(batch)
    assert calls == []
    assert not bench.scratch(batch).exists()
    assert not any(path.exists() for path in bench.planner.outputs(batch))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("text", ["long " * 40, "two\nlines " * 20])
def test_a_prompt_longer_than_the_context_is_refused_before_anything_is_computed(
    bench: Bench, llama: Model, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    wanted = baselines(_request(bench.spec), _prompts([*TEXTS, text]))
    message = _refused(bench, wanted, monkeypatch)
    assert repr(text[:20])[:-1] in message
    assert str(len(llama.encode(text))) in message
    assert str(N_CTX - 1) in message


def test_a_donor_longer_than_the_context_is_refused_before_anything_is_computed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "long " * 40
    request = _request(bench.spec, operation="resample", values=(None,), seeds=(0,))
    wanted = interventions(request, _prompts([TEXTS[0], text]), None)
    lent = [one for one in wanted if one.donor == text]
    assert lent
    assert "'long long" in _refused(bench, lent, monkeypatch)


def test_a_prompt_that_leaves_room_for_one_token_is_taken(bench: Bench, llama: Model) -> None:
    text = "x" * (N_CTX - 1)
    assert len(llama.encode(text)) == N_CTX - 1
    row = bench.run(baselines(_request(bench.spec), _prompts([text])))["generations"].iloc[0]
    assert (row["n_new_tokens"], row["stop_reason"]) in ((1, "context"), (0, "eos"))


def test_a_prompt_without_tokens_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    message = _refused(bench, baselines(_request(bench.spec), _prompts([""])), monkeypatch)
    assert "no tokens" in message


def test_a_damaged_batch_file_is_refused(bench: Bench) -> None:
    (batch,) = bench.planner.assign(baselines(_request(bench.spec), _prompts()))
    content = bench.batch_file(batch).read_text()
    bench.batch_file(batch).write_text(content[: len(content) // 2])
    with pytest.raises(UserError, match="damaged batch file") as error:
        bench.generate(batch)
    assert str(bench.batch_file(batch)) in str(error.value)


# From batches to the tables of a request


def test_a_sweep_goes_from_plan_to_gathered_tables(bench: Bench, llama: Model) -> None:
    results, prompts = bench.planner.results, _prompts()
    tables.write(prompts, results / "prompts.parquet", promptset.PROMPTS, {})
    request = _request(bench.spec)
    wanted = _wanted(request, prompts)
    plan, batches = pin_plan(bench.planner, "tiny", prompts, wanted)
    for batch in batches:
        bench.generate(batch)
    files = [bench.planner.outputs(batch) for batch in batches]
    out = {name: results / f"{name}.parquet" for name in ("generations", "vectors")}
    gather(
        plan=plan,
        prompts=results / "prompts.parquet",
        batches=[one for one, _ in files],
        vector_batches=[two for _, two in files],
        model=bench.spec.name,
        texts_code="c0de",
        code="c0de",
        **out,
    )
    rows = tables.read(out["generations"], GENERATIONS)
    assert len(rows) == len(wanted)
    assert rows["prompt_id"].drop_duplicates().tolist() == list(prompts["prompt_id"])
    assert set(rows["model"]) == {bench.spec.name}
    plain = rows[rows["operation"] == "none"].set_index("prompt_id")["token_ids"]
    for row in rows.itertuples():
        same = list(row.token_ids) == list(plain[row.prompt_id])
        assert pd.isna(row.first_divergence_step) == same
        if not same:
            step = row.first_divergence_step
            assert list(row.token_ids)[:step] == list(plain[row.prompt_id])[:step]
            assert list(row.token_ids)[: step + 1] != list(plain[row.prompt_id])[: step + 1]
    vectors = tables.read(out["vectors"], VECTORS)
    assert vectors[["prompt_id", "layer"]].drop_duplicates().shape[0] == len(TEXTS) * N_LAYERS


@pytest.mark.parametrize("prompt_format", [RAW, CHATS])
def test_neuron_statistics_are_of_the_planned_baselines(
    chats: Bench, load_tiny: Callable[..., Model], tmp_path: Path, prompt_format: PromptFormat
) -> None:
    """Rows that the plan does not name do not count, though they share its batches."""
    bench, model = chats, load_tiny("llama", chat_template=CHAT, prepend_bos=True)
    prompts, request = _prompts(), _request(bench.spec, prompt_format=prompt_format)
    tables.write(prompts, tmp_path / "prompts.parquet", promptset.PROMPTS, {})
    found = bench.run(_wanted(request, prompts))
    used = prompts.iloc[1:]
    plan, batches = pin_plan(bench.planner, "stats", used, baselines(request, used))
    compute_statistics(
        plan=plan,
        prompts=tmp_path / "prompts.parquet",
        batches=[bench.planner.outputs(batch)[0] for batch in batches],
        model_folder=bench.folder,
        spec=bench.spec,
        prompt_format=prompt_format,
        threads=1,
        device="cpu",
        code="c0de",
        output=tmp_path / "stats.parquet",
    )
    texts = found["generations"].set_index("key")["token_ids"]
    encode = model.encode if prompt_format == RAW else _as_chat
    wanted = neuron_statistics(
        model,
        [encode(text) for text in used["text"]],
        [texts[one.key].tolist() for one in baselines(request, used)],
    )
    got = tables.read(tmp_path / "stats.parquet", NEURON_STATS)
    pd.testing.assert_frame_equal(got, wanted, check_dtype=False, rtol=1e-6)


def test_texts_whose_logits_are_not_finite_are_named_and_cost_no_other(bench: Bench) -> None:
    request = _request(bench.spec, values=(-20.0, 1e300, 6.0), targets=("L0N3", "L1N4"))
    wanted = interventions(request, _prompts(), None)
    (batch,) = bench.planner.assign(wanted)
    with pytest.raises(UserError) as error:
        bench.generate(batch, rows=5)
    bad = [one for one in wanted if one.value == 1e300]
    said = str(error.value)
    assert said.startswith(f"the logits of {len(bad)} of {len(wanted)} texts are not finite, ")
    assert any(f"{one.prompt!r} with {one.target}, set 1e+300; use smaller" in said for one in bad)
    assert not any(path.exists() for path in bench.planner.outputs(batch))


def test_without_the_value_the_others_are_taken_over_though_the_batch_is_another(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"values": (-20.0, 1e300, 6.0), "targets": ("L0N3", "L1N4")}
    (broken,) = bench.planner.assign(
        interventions(_request(bench.spec, **values), _prompts(), None)
    )
    with pytest.raises(UserError, match="not finite"):
        bench.generate(broken)
    mended = interventions(
        _request(bench.spec, values=(-20.0, 6.0), targets=("L0N3", "L1N4", "L1N5")),
        _prompts(),
        None,
    )
    again = Bench(bench.planner.results, bench.folder, bench.spec)
    with monkeypatch.context() as patch:
        calls = _count_decodes(patch)
        found = again.run(mended)
    assert sum(calls) == 2 * len(TEXTS)  # those of L1N5
    undisturbed = Bench(tmp_path / "undisturbed/results", bench.folder, bench.spec).run(mended)
    _assert_same(found, undisturbed)


def test_of_two_jobs_on_a_batch_the_second_takes_over_what_the_first_made(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (batch,) = bench.planner.assign(baselines(_request(bench.spec), _prompts()))
    with ThreadPoolExecutor(2) as pool, monkeypatch.context() as patch, caplog.at_level("INFO"):
        calls = _count_decodes(patch)
        for job in [pool.submit(bench.generate, batch) for _ in range(2)]:
            job.result()
    assert sum(calls) == len(TEXTS)
    assert "another job made this batch meanwhile" in caplog.text
    assert len(bench.tables([batch])["generations"]) == len(TEXTS)
