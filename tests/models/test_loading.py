"""Fetching from a local folder, and loading: what is refused, and what a loaded model does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, BioGptConfig

from clampsweep.errors import UserError
from clampsweep.models.directions import random_direction
from clampsweep.models.fetching import fetch
from clampsweep.models.hooks import hooked
from clampsweep.models.loading import load
from clampsweep.models.model import Model
from clampsweep.models.spec import ModelSpec
from clampsweep.names import OWN, Neuron
from clampsweep.provenance import file_digest
from reference import w_out
from shapes import unchecked
from tiny import (
    BOS,
    D_MLP,
    D_MODEL,
    EOS,
    N_CTX,
    N_LAYERS,
    PROMPTS,
    attention_only,
    make_tiny,
    random_model,
    tiny_tokenizer,
)

Place = tuple[Path, ModelSpec]


def _load(place: Place, **changes: Any) -> Model:
    return load(place[0], replace(place[1], **changes), threads=1, device="cpu")


def _message(error: pytest.ExceptionInfo[UserError]) -> str:
    """Its text, one line."""
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def copy(tmp_path: Path, tiny_folder: Callable[..., Place]) -> Place:
    """A fetched folder of the tiny GPT-2 that may be damaged."""
    folder, spec = tiny_folder("gpt2")
    return Path(shutil.copytree(folder, tmp_path / "copy")), spec


@pytest.fixture
def source(tmp_path: Path, tiny_folder: Callable[..., Place]) -> ModelSpec:
    """A source folder of the tiny GPT-2 that may be damaged."""
    _, spec = tiny_folder("gpt2")
    assert spec.path is not None
    folder = shutil.copytree(spec.path, tmp_path / "source")
    return replace(spec, path=str(folder))


def _source_folder(spec: ModelSpec) -> Path:
    assert spec.path is not None
    return Path(spec.path)


def _edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# Fetching


def test_a_fetched_folder_holds_the_files_and_their_digests(
    tmp_path: Path, source: ModelSpec
) -> None:
    fetch(source, tmp_path / "models" / "tiny")
    folder = tmp_path / "models" / "tiny"
    manifest = json.loads((folder / "model.json").read_text())
    files = {path.name for path in folder.iterdir()} - {"model.json", "model.sha256"}
    assert files == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert manifest["files"] == {name: file_digest(folder / name) for name in files}
    sums = dict(
        line.split("  ")[::-1] for line in (folder / "model.sha256").read_text().split("\n")[:-1]
    )
    assert sums == manifest["files"]
    assert (manifest["n_layers"], manifest["d_mlp"]) == (N_LAYERS, D_MLP)
    assert (manifest["name"], manifest["source"]) == ("tiny-gpt2", source.path)
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"], "nothing beside it"


@pytest.fixture
def made(tmp_path: Path, source: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    """The same as a rule of the study `toy` would make it, in a folder that may be damaged."""
    monkeypatch.chdir(tmp_path)
    spec = replace(source, source="made", path=None, by="toy", recipe={"seed": 0, "rate": 0.5})
    shutil.copytree(source.path or "", spec.origin)
    return spec


def test_a_made_model_is_fetched_like_any_folder_and_its_manifest_says_the_recipe(
    tmp_path: Path, source: ModelSpec, made: ModelSpec
) -> None:
    fetch(source, tmp_path / "one")
    fetch(made, tmp_path / "two")
    one, two = (json.loads((tmp_path / at / "model.json").read_text()) for at in ("one", "two"))
    assert (two["by"], two["recipe"]) == ("toy", {"seed": 0, "rate": 0.5})
    assert two["source"] == f"resources/made/{made.made}"
    assert (one["digest"], one["files"]) == (two["digest"], two["files"])
    assert one["identity"] != two["identity"] == made.identity
    made.check_fetched(tmp_path / "two")
    logits = [
        _load((tmp_path / at, spec)).plain(torch.arange(5)[None]).logits
        for at, spec in (("one", source), ("two", made))
    ]
    assert torch.equal(*logits)


def test_a_made_model_that_is_not_whole_or_not_there_is_refused(
    tmp_path: Path, made: ModelSpec
) -> None:
    (Path(made.origin) / "tokenizer.json").unlink()
    with pytest.raises(UserError, match="no tokenizer"):
        fetch(made, tmp_path / "model")
    shutil.rmtree(made.origin)
    with pytest.raises(UserError, match=f"no folder {made.origin}; run the workflow") as error:
        fetch(made, tmp_path / "model")
    assert made.where in _message(error)
    assert not (tmp_path / "model").exists()


def test_the_digest_of_a_model_follows_its_files(tmp_path: Path, source: ModelSpec) -> None:
    digests = []
    for at, changes in enumerate([{}, {}, {"initializer_range": 0.5}]):
        _edit_json(_source_folder(source) / "config.json", **changes)
        fetch(source, tmp_path / str(at))
        digests.append(json.loads((tmp_path / str(at) / "model.json").read_text())["digest"])
    assert digests[0] == digests[1] != digests[2]


def test_fetching_replaces_what_was_there(tmp_path: Path, source: ModelSpec) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "left-over.json").write_text("{}")
    fetch(source, folder)
    assert not (folder / "left-over.json").exists()
    assert _load((folder, source)).d_mlp == D_MLP


def test_a_fetched_folder_is_known_from_that_of_another_model(
    tmp_path: Path, source: ModelSpec
) -> None:
    folder = tmp_path / "model"
    fetch(source, folder)
    source.check_fetched(folder)
    for other in (replace(source, dtype="float32"), replace(source, prepend_bos=True)):
        with pytest.raises(UserError, match="of another model than") as error:
            other.check_fetched(folder)
        assert f"delete {folder} and run again" in _message(error)
    for content in ("", "[]", "{}", None):
        (folder / "model.json").unlink()
        if content is not None:
            (folder / "model.json").write_text(content)
        with pytest.raises(UserError, match="missing or damaged") as error:
            source.check_fetched(folder)
        assert f"delete {folder} and run again" in _message(error)


def test_code_and_pickles_that_lie_beside_the_weights_are_not_taken(
    tmp_path: Path, source: ModelSpec
) -> None:
    for name in ("pytorch_model.bin", "modeling_tiny.py", "training_args.bin", "notes.txt"):
        (_source_folder(source) / name).write_text("raise SystemExit")
    fetch(source, tmp_path / "model")
    kinds = {path.suffix for path in (tmp_path / "model").iterdir()}
    assert kinds == {".json", ".safetensors", ".sha256"}


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "generation_config.json"])
@pytest.mark.parametrize("size", [0, -5], ids=["empty", "truncated"])
def test_a_source_file_that_is_not_whole_is_named(
    tmp_path: Path, source: ModelSpec, name: str, size: int
) -> None:
    path = _source_folder(source) / name
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError) as error:
        fetch(source, tmp_path / "model")
    assert f"{name} is not a whole JSON file" in _message(error)
    assert not (tmp_path / "model").exists()


def test_pickled_weights_alone_are_refused(tmp_path: Path, source: ModelSpec) -> None:
    folder = _source_folder(source)
    (folder / "model.safetensors").unlink()
    torch.save(random_model("gpt2").state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="safetensors") as error:
        fetch(source, tmp_path / "model")
    assert source.where in _message(error)
    assert [path.name for path in tmp_path.iterdir()] == ["source"], "nothing is left"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_source_without_a_needed_file_is_refused(
    tmp_path: Path, source: ModelSpec, name: str
) -> None:
    (_source_folder(source) / name).unlink()
    with pytest.raises(UserError) as error:
        fetch(source, tmp_path / "model")
    assert source.where in _message(error)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"n_layers": 4}, ["n_layers 4", "n_layers 3"]),
        ({"d_mlp": 96}, ["d_mlp 96", "d_mlp 40"]),
    ],
)
@pytest.mark.parametrize("architecture", ["gpt2", "llama", "neox"])
def test_sizes_other_than_the_config_says_are_refused(
    tmp_path: Path,
    tiny_folder: Callable[..., Place],
    architecture: str,
    wrong: dict[str, Any],
    said: list[str],
) -> None:
    _, spec = tiny_folder(architecture)
    with pytest.raises(UserError) as error:
        fetch(replace(spec, **wrong), tmp_path / "model")
    message = _message(error)
    assert spec.where in message
    assert all(part in message for part in said)
    assert not (tmp_path / "model").exists()


def test_the_usual_width_of_gpt2_is_four_times_its_residual(
    tmp_path: Path, source: ModelSpec
) -> None:
    """As in GPT-2 small, whose config names no width."""
    _edit_json(_source_folder(source) / "config.json", n_inner=None)
    fetch(replace(source, d_mlp=96), tmp_path / "model")


def test_a_refused_fetch_keeps_the_folder_that_was_there(tmp_path: Path, source: ModelSpec) -> None:
    fetch(source, tmp_path / "model")
    with pytest.raises(UserError):
        fetch(replace(source, d_mlp=1), tmp_path / "model")
    assert _load((tmp_path / "model", source)).d_mlp == D_MLP


# Damaged folders


def test_a_flipped_byte_in_the_weights_is_found(copy: Place) -> None:
    weights = copy[0] / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match="wrong digest") as error:
        _load(copy)
    assert str(weights) in _message(error)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "tokenizer.json", "generation_config.json"]
)
def test_a_missing_file_is_named(copy: Place, name: str) -> None:
    (copy[0] / name).unlink()
    with pytest.raises(UserError, match="incomplete") as error:
        _load(copy)
    assert name in _message(error)


@pytest.mark.parametrize("content", [None, "", '{"name": "tiny"}', '{"files": {'])
def test_a_folder_without_a_whole_manifest_is_refused(copy: Place, content: str | None) -> None:
    (copy[0] / "model.json").unlink()
    if content is not None:
        (copy[0] / "model.json").write_text(content)
    with pytest.raises(UserError) as error:
        _load(copy)
    assert str(copy[0]) in _message(error)


@pytest.mark.parametrize("wrong", [{"n_layers": 2}, {"d_mlp": 41}])
def test_loading_checks_the_sizes_again(copy: Place, wrong: dict[str, int]) -> None:
    with pytest.raises(UserError) as error:
        _load(copy, **wrong)
    assert str(next(iter(wrong.values()))) in _message(error)


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "neox"])
def test_a_model_whose_neurons_do_not_reach_the_logits_is_refused(
    tmp_path: Path, architecture: str
) -> None:
    """Its last MLP has an output projection of zeros."""
    dead = random_model(architecture)
    names = {
        "gpt2": "transformer.h.2.mlp.c_proj.weight",
        "llama": "model.layers.2.mlp.down_proj.weight",
        "neox": "gpt_neox.layers.2.mlp.dense_4h_to_h.weight",
    }
    with torch.no_grad():
        dead.get_parameter(names[architecture]).zero_()
    spec = make_tiny(tmp_path / "source", architecture, model=dead)
    fetch(spec, tmp_path / "model")
    with pytest.raises(UserError, match="does not change the logits") as error:
        _load((tmp_path / "model", spec))
    assert "blocks.2.mlp.hook_post" in _message(error)


# Models without neurons


@pytest.fixture(scope="module")
def attention(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A fetched folder of a model of attention alone."""
    folder = tmp_path_factory.mktemp("attention")
    spec = make_tiny(folder / "source", "neox", model=attention_only(), d_mlp=0)
    fetch(spec, folder / "model")
    return folder / "model", spec


def test_a_model_without_an_mlp_loads_for_who_needs_none_and_says_what_hugging_face_says(
    attention: Place, hugging_face: Callable[[Model], Any]
) -> None:
    got = load(*attention, threads=1, device="cpu", neurons=False)
    assert (got.n_layers, got.d_mlp, got.outs) == (N_LAYERS, 0, [])
    tokens = torch.tensor([got.encode(PROMPTS[0])])
    with torch.inference_mode():
        wanted = hugging_face(got)(tokens).logits
        torch.testing.assert_close(got.plain(tokens).logits, wanted, rtol=0, atol=0)
        torch.testing.assert_close(got.bridge(tokens), wanted, rtol=1e-6, atol=1e-6)


def test_a_model_without_an_mlp_is_refused_by_who_needs_neurons(attention: Place) -> None:
    with pytest.raises(UserError, match=r"no neurons \(d_mlp: 0\), and this job needs") as error:
        _load(attention)
    assert attention[1].where in _message(error)


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "neox"])
@pytest.mark.parametrize("neurons", [True, False])
def test_a_model_with_an_mlp_is_the_same_for_who_needs_none(
    tiny_folder: Callable[..., Place], architecture: str, neurons: bool
) -> None:
    got = load(*tiny_folder(architecture), threads=1, device="cpu", neurons=neurons)
    assert (got.d_mlp, len(got.outs)) == (D_MLP, N_LAYERS)


@pytest.mark.parametrize("left", ["weight", "bias", "all"])
def test_an_mlp_that_writes_is_not_passed_over_by_writing_d_mlp_0(
    tmp_path: Path, left: str
) -> None:
    model = attention_only()
    last = model.gpt_neox.layers[-1].mlp.dense_4h_to_h
    with torch.no_grad():
        for name, weight in last.named_parameters():
            weight.copy_(torch.full_like(weight, 1e-3 * (left in (name, "all"))))
    spec = make_tiny(tmp_path / "source", "neox", model=model, d_mlp=0)
    fetch(spec, tmp_path / "model")
    with pytest.raises(UserError, match=r"d_mlp 0, but blocks\.2\.mlp\.hook_post has 1") as error:
        load(tmp_path / "model", spec, threads=1, device="cpu", neurons=False)
    assert _message(error).endswith("write d_mlp: 1")


def test_an_empty_mlp_whose_neurons_the_config_counts_is_refused_with_the_remedy(
    tmp_path: Path,
) -> None:
    spec = make_tiny(tmp_path / "source", "neox", model=attention_only(), d_mlp=1)
    fetch(spec, tmp_path / "model")
    with pytest.raises(UserError, match="does not change the logits") as error:
        _load((tmp_path / "model", spec))
    assert "write d_mlp: 0" in _message(error)


def test_a_folder_that_was_fetched_as_of_other_sizes_is_refused(copy: Place) -> None:
    with pytest.raises(UserError, match="was fetched as of 3 and 40") as error:
        load(copy[0], replace(copy[1], d_mlp=0), threads=1, device="cpu", neurons=False)
    assert "delete it and run again" in _message(error)


def test_a_truncated_source_is_a_one_line_error(tmp_path: Path, source: ModelSpec) -> None:
    weights = _source_folder(source) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError) as error:
        fetch(source, tmp_path / "model")
        _load((tmp_path / "model", source))
    _message(error)


def test_a_source_without_a_tokenizer_is_a_one_line_error(
    tmp_path: Path, source: ModelSpec
) -> None:
    for path in _source_folder(source).glob("tokenizer*"):
        path.unlink()
    with pytest.raises(UserError, match="tokenizer") as error:
        fetch(source, tmp_path / "model")
        _load((tmp_path / "model", source))
    _message(error)


def test_an_unknown_architecture_is_a_one_line_error_and_its_code_is_not_run(
    tmp_path: Path, source: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the user asked whether to run it."""
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda text="": asked.append(text) or "n")
    folder = _source_folder(source)
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\nclass Config: ...\n")
    _edit_json(
        folder / "config.json",
        model_type="unheard_of",
        architectures=["UnheardOf"],
        auto_map={"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Config"},
    )
    with pytest.raises(UserError) as error:
        fetch(source, tmp_path / "model")
    assert source.where in _message(error)
    assert not (tmp_path / "run").exists()
    assert asked == []


def test_an_architecture_that_transformer_lens_lacks_is_a_one_line_error(tmp_path: Path) -> None:
    sizes = {"hidden_size": 24, "intermediate_size": D_MLP, "num_hidden_layers": N_LAYERS}
    config = BioGptConfig(**sizes, num_attention_heads=4, vocab_size=272, pad_token_id=EOS)
    spec = make_tiny(tmp_path / "source", "gpt2", model=AutoModelForCausalLM.from_config(config))
    fetch(spec, tmp_path / "model")
    with pytest.raises(UserError) as error:
        _load((tmp_path / "model", spec))
    assert spec.where in _message(error)


# Loaded models


def test_a_loaded_model_knows_its_sizes(model: Model) -> None:
    assert (model.n_layers, model.d_mlp, model.n_ctx) == (N_LAYERS, D_MLP, N_CTX)
    assert model.device == torch.device("cpu")
    assert not model.plain.training


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_weights_are_in_the_stated_dtype(tiny_folder: Callable[..., Place], dtype: str) -> None:
    got = _load(tiny_folder("llama"), dtype=dtype)
    assert got.dtype == getattr(torch, dtype)
    assert {one.dtype for one in got.plain.parameters()} == {got.dtype}


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "neox"])
@pytest.mark.parametrize("processing", ["none", "compatibility"])
def test_a_loaded_model_says_what_hugging_face_says(
    load_tiny: Callable[..., Model],
    hugging_face: Callable[[Model], Any],
    architecture: str,
    processing: str,
) -> None:
    """Up to what TransformerLens adds to all logits alike when it processes weights."""
    got = load_tiny(architecture, weight_processing=processing)
    tokens = torch.tensor([got.encode(PROMPTS[0])])
    with torch.inference_mode():
        one = got.plain(tokens).logits.log_softmax(-1)
        two = hugging_face(got)(tokens).logits.log_softmax(-1)
    torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


def test_prepend_bos_decides_whether_a_prompt_begins_with_it(
    load_tiny: Callable[..., Model],
) -> None:
    plain, marked = load_tiny("llama"), load_tiny("llama", prepend_bos=True)
    ids = tiny_tokenizer()(PROMPTS[0]).input_ids
    assert plain.encode(PROMPTS[0]) == ids
    assert marked.encode(PROMPTS[0]) == [BOS, *ids]
    assert (plain.encode(""), marked.encode("")) == ([], [BOS])


@pytest.mark.parametrize("prepend_bos", [False, True])
def test_a_tokenizer_that_adds_bos_by_itself_changes_nothing(
    tmp_path: Path, source: ModelSpec, prepend_bos: bool
) -> None:
    path = _source_folder(source) / "tokenizer.json"
    pieces = [
        {"SpecialToken": {"id": "<bos>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ]
    special = {"<bos>": {"id": "<bos>", "ids": [BOS], "tokens": ["<bos>"]}}
    template = {"single": pieces, "pair": pieces, "special_tokens": special}
    _edit_json(path, post_processor={"type": "TemplateProcessing", **template})
    fetch(source, tmp_path / "model")
    got = _load((tmp_path / "model", source), prepend_bos=prepend_bos)
    assert got.tokenizer(PROMPTS[0]).input_ids[0] == BOS
    ids = tiny_tokenizer()(PROMPTS[0]).input_ids
    assert got.encode(PROMPTS[0]) == ([BOS, *ids] if prepend_bos else ids)


def test_prepending_a_bos_that_the_tokenizer_lacks_is_refused(
    tmp_path: Path, source: ModelSpec
) -> None:
    path = _source_folder(source) / "tokenizer_config.json"
    content = json.loads(path.read_text())
    del content["bos_token"]
    path.write_text(json.dumps(content))
    fetch(source, tmp_path / "model")
    with pytest.raises(UserError, match="prepend_bos") as error:
        _load((tmp_path / "model", source), prepend_bos=True)
    assert source.where in _message(error)
    assert _load((tmp_path / "model", source)).encode("a") != []


@pytest.mark.parametrize("text", ["the cat , ran .", " it 's  so\n", "café “quoted”", "a"])
def test_decoding_gives_back_what_was_encoded(load_tiny: Callable[..., Model], text: str) -> None:
    got = load_tiny("llama", prepend_bos=True)
    assert got.decode(got.encode(text)) == text


def test_special_tokens_are_left_out_of_a_text(llama: Model) -> None:
    ids = llama.encode("cat")
    assert llama.decode([BOS, *ids, EOS]) == "cat"
    assert llama.decode([]) == ""


@pytest.mark.parametrize(
    ("generation", "config", "wanted"),
    [
        (7, EOS, {7}),
        ([7, 9], EOS, {7, 9}),
        (None, 5, {5}),
        (None, [5, 6], {5, 6}),
        (None, None, set()),
    ],
)
def test_texts_end_where_the_generation_config_says_else_the_config(
    tmp_path: Path, source: ModelSpec, generation: Any, config: Any, wanted: set[int]
) -> None:
    _edit_json(_source_folder(source) / "generation_config.json", eos_token_id=generation)
    _edit_json(_source_folder(source) / "config.json", eos_token_id=config)
    fetch(source, tmp_path / "model")
    assert _load((tmp_path / "model", source)).eos_ids == wanted


def test_loading_twice_gives_the_same_logits(copy: Place) -> None:
    tokens = torch.arange(10)[None]
    with torch.inference_mode():
        one, two = (_load(copy).plain(tokens).logits for _ in range(2))
    assert torch.equal(one, two)


# Output directions


@pytest.mark.parametrize("layer", range(N_LAYERS))
def test_the_output_direction_of_a_neuron_is_its_stored_weights(model: Model, layer: int) -> None:
    neurons = [0, D_MLP - 1, 7, 7]
    got = model.output_directions(layer, torch.tensor(neurons))
    wanted = torch.stack([w_out(model, Neuron(layer, index)) for index in neurons])
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "neox"])
@pytest.mark.parametrize("processing", ["none", "compatibility"])
def test_the_output_direction_is_what_one_unit_adds_to_what_w_out_gives(
    load_tiny: Callable[..., Model], architecture: str, processing: str
) -> None:
    got = load_tiny(architecture, weight_processing=processing)
    tokens = torch.tensor([got.encode(PROMPTS[0])])
    outputs = []

    def move(activation: torch.Tensor) -> torch.Tensor:
        moved = activation.clone()
        moved[:, :, 5] += 1
        return moved

    def keep(output: torch.Tensor) -> None:
        outputs.append(output[0])

    with torch.inference_mode():
        for before in ({}, {1: move}):
            with hooked(got.plain, got.outs, before, {1: keep}):
                got.plain(input_ids=tokens)
    direction = got.output_directions(1, torch.tensor([5]))
    moved = outputs[1] - outputs[0]
    torch.testing.assert_close(direction.expand_as(moved), moved, rtol=1e-6, atol=1e-6)


def test_along_a_random_direction_one_unit_goes_as_far(model: Model) -> None:
    neurons, along = torch.tensor([3, 3, 3, 11]), torch.tensor([OWN, 0, 4, 4])
    got = model.output_directions(2, neurons, along)
    own = model.output_directions(2, neurons)
    torch.testing.assert_close(got.norm(dim=1), own.norm(dim=1), rtol=1e-12, atol=0)
    assert torch.equal(got[0], own[0])
    for at, number in ((1, 0), (2, 4), (3, 4)):
        unit = torch.from_numpy(random_direction(2, number, D_MODEL))
        torch.testing.assert_close(got[at] / got[at].norm(), unit, rtol=0, atol=1e-12)


def test_no_neurons_have_no_output_directions(model: Model) -> None:
    none = torch.empty(0, dtype=torch.int64)
    assert model.output_directions(0, none, none).shape == (0, D_MODEL)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_output_directions_are_in_the_models_dtype_unless_another_is_asked_for(
    load_tiny: Callable[..., Model], dtype: str
) -> None:
    got, one = load_tiny("llama", dtype=dtype), torch.tensor([1])
    assert got.output_directions(0, one).dtype == getattr(torch, dtype)
    wide = got.output_directions(0, one, dtype=torch.float64)
    assert wide.dtype == torch.float64
    assert torch.equal(wide[0], w_out(got, Neuron(0, 1)).double())


def test_a_text_is_read_behind_its_prompt(tmp_path: Path, source: ModelSpec) -> None:
    """With a decoder that strips the first space, as that of Llama 2."""
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    level = json.loads((_source_folder(source) / "tokenizer.json").read_text())["decoder"]
    decoder = {"type": "Sequence", "decoders": [level, {"type": "Fuse"}, strip]}
    _edit_json(_source_folder(source) / "tokenizer.json", decoder=decoder)
    fetch(source, tmp_path / "model")
    got = _load((tmp_path / "model", source))
    prompt, text = got.encode("the cat"), got.encode(" ran")
    assert got.decode(text) == "ran"
    assert got.decode(text, after=prompt) == " ran"


def test_a_folder_that_is_no_model_is_not_to_be_deleted(tiny_folder: Any, tmp_path: Path) -> None:
    _, spec = tiny_folder("gpt2")
    for place in (tmp_path, tmp_path / "gone"):
        with pytest.raises(UserError, match=r"no model folder, it has no model.json") as caught:
            load(place, spec, 1)
        assert "delete" not in str(caught.value) and "resources/models" in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"spec": "smollm2"}, TypeError, "spec: got 'smollm2'; write a ModelSpec"),
        ({"threads": 0}, ValueError, "threads: got 0; allowed: 1 or more"),
        ({"threads": "2"}, TypeError, "threads: got '2'; write a whole number"),
        ({"device": "gpu"}, ValueError, "device: got 'gpu'; allowed: auto, cpu, cuda"),
    ],
)
def test_loading_in_a_way_that_there_is_not_is_refused_in_one_line(
    tiny_folder: Any, changed: dict[str, Any], kind: type[Exception], said: str
) -> None:
    folder, spec = tiny_folder("gpt2")
    with pytest.raises(kind) as caught:
        load(**{"folder": folder, "spec": spec, "threads": 1, "device": "cpu", **changed})
    assert type(caught.value) is kind and str(caught.value).startswith(said)


@pytest.mark.parametrize("text", [None, ["a", "b"], [5, 6], b"a"])
def test_what_is_no_text_is_not_encoded(load_tiny: Any, text: Any) -> None:
    with unchecked(), pytest.raises(TypeError, match=r"^text: got .*; write one text$"):
        load_tiny("gpt2").encode(text)
