"""Fetching of models and promptsets, against a server of our own: no network needed."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
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
from fetched import closed_port, good_folder, is_untouched, listing
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
