"""A process that has imported the libraries, and is forked for each Snakemake, job and pytest.

A job's own work takes a moment, importing torch and transformers seven seconds. So the workflow
tests import them once. The library itself is not imported before the fork: each project runs its
own copy. `forking/sitecustomize.py` is the other end: a Python that Snakemake starts as ever hands
over its arguments, folder, environment and open files, and ends as the fork ends.

The first run and the tests of kills do without (fixture `cold`): there all is as a user has it.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

VARIABLE = "CLAMPSWEEP_FORKS"
CLIENT = Path(__file__).parent / "forking"
IMPORTED = (
    "snakemake.cli",
    "snakemake.script",
    "transformer_lens.model_bridge",
    "transformers.models.gpt2.modeling_gpt2",
    "pyarrow.parquet",
    "scipy.stats",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "jaxtyping",
    "jsonschema",
    "markdown_it",
)

Request = dict[str, Any]


@contextmanager
def started() -> Iterator[None]:
    """The process, until the block ends; meanwhile all projects of this process use it."""
    own = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory(prefix="forks-") as folder:  # a socket's path is short
        address = f"{folder}/socket"
        command = [sys.executable, str(Path(__file__).resolve()), address]
        process = subprocess.Popen(command, env={**os.environ, **own}, stdout=subprocess.PIPE)
        with process:
            assert process.stdout is not None
            process.stdout.readline()  # it listens
            os.environ[VARIABLE] = address
            try:
                yield
            finally:
                os.environ.pop(VARIABLE, None)
                process.kill()


@contextmanager
def without() -> Iterator[None]:
    """All starts anew, as a user has it, until the block ends."""
    address = os.environ.pop(VARIABLE, None)
    try:
        yield
    finally:
        if address is not None:
            os.environ[VARIABLE] = address


def _serve(address: str) -> Request:
    """Fork for each that calls, until killed; returns in the forks, with what they are to do."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(64)
        print("listening", flush=True)  # who calls meanwhile waits
        for name in IMPORTED:
            import_module(name)
        gc.collect()
        gc.freeze()
        forks: list[_Fork] = []
        while True:
            select.select([listening, *(end for one in forks for end in one.ends)], [], [])
            forks = [one for one in forks if not one.has_ended()]
            if select.select([listening], [], [], 0)[0]:
                caller, _ = listening.accept()
                request, files = _receive(caller)
                if (child := os.fork()) == 0:
                    os.setsid()
                    for number, file in enumerate(files):
                        os.dup2(file, number)
                    for one in forks:
                        one.close()
                    caller.close()
                    return request
                forks.append(_Fork(child, caller))
                for file in files:
                    os.close(file)


class _Fork:
    """A fork at work, and who called for it."""

    def __init__(self, child: int, caller: socket.socket):
        self.child, self.caller = child, caller
        self.end = os.pidfd_open(child)
        self.ends = (self.end, caller)

    def has_ended(self) -> bool:
        """Whether it has ended, which its caller is then told; killed where the caller ended."""
        ready = select.select(self.ends, [], [], 0)[0]
        if not ready:
            return False
        if self.end not in ready:
            for kill in (os.killpg, os.kill):
                with suppress(ProcessLookupError):
                    kill(self.child, signal.SIGKILL)
        status = os.waitpid(self.child, 0)[1]
        with suppress(OSError):
            self.caller.sendall(status.to_bytes(8, "big"))
        self.close()
        return True

    def close(self) -> None:
        """Close what is open of it here."""
        os.close(self.end)
        self.caller.close()


def _receive(caller: socket.socket) -> tuple[Request, list[int]]:
    """What a caller wants done, and its open files."""
    head, files, _, _ = socket.recv_fds(caller, 8, 3)
    size, content = int.from_bytes(head, "big"), b""
    while len(content) < size:
        content += caller.recv(size - len(content))
    return json.loads(content), files


def _work(arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Be the Python that was called so."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    paths = environment["PYTHONPATH"].split(":")
    if arguments[0] == "-m":
        sys.argv[:] = arguments[1:]
        sys.path[:1] = [folder, *paths]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = arguments
        sys.path[:1] = [str(Path(arguments[0]).parent), *paths]
        runpy.run_path(arguments[0], run_name="__main__")


def _exit_code(request: Request) -> int:
    """Exit code of the work, and what Python says at the end of one that failed."""
    try:
        _work(**request)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    code = _exit_code(_serve(sys.argv[1]))
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # at once: taking all that is imported apart would take a second
