"""Imported by every Python that a test's Snakemake starts: hands its work to the forking process.

See `forkserver.py`. Only Snakemake, the scripts of its rules and pytest are handed over, and only
where a forking process is named.
"""

import os
import sys


def _is_ours() -> bool:
    words = sys.orig_argv[1:3]
    asked = [["-m", name] for name in ("snakemake", "pytest")]
    return words in asked or any("/.snakemake/scripts/" in word for word in words[:1])


def _hand_over(address: str) -> None:
    """Let a fork do what this process was started for; end as it ends."""
    import json
    import signal
    import socket

    request = {
        "arguments": sys.orig_argv[1:],
        "folder": os.getcwd(),
        "environment": dict(os.environ),
    }
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        content = json.dumps(request).encode()
        socket.send_fds(server, [len(content).to_bytes(8, "big")], [0, 1, 2])
        server.sendall(content)
        answer = server.recv(8)
    if not answer:
        os._exit(70)
    status = int.from_bytes(answer, "big")
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) != signal.SIGKILL:  # which has no handler to be set
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status))


if "CLAMPSWEEP_FORKS" in os.environ and _is_ours():
    _hand_over(os.environ["CLAMPSWEEP_FORKS"])
