"""A real SLURM on this machine: a controller and some nodes, on the loopback interface only.

It needs Debian's packages slurm-wlm and munge, and no root. All that it writes is in one folder, so
that it can run beside an installation: /etc/slurm is neither read nor changed. By hand:

    eval "$(python tests/cluster/slurm.py start)"    # then squeue, sbatch, snakemake
    python tests/cluster/slurm.py stop "$SLURM_CONF"
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from patience import PATIENCE

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
# Node: its partition. Jobs go to the node with the least load.
NODES = {"n1": "main", "n2": "main", "n3": "fragile", "n4": "fragile", "n5": "fragile"}
# Processors and memory are only what SLURM believes: no job is held to them.
_CONFIG = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory,CR_LLN
SlurmdParameters=config_overrides
MpiDefault=none
MinJobAge=3600
ReturnToService=2
SlurmdTimeout=6
SchedulerParameters=sched_interval=2,bf_interval=2
"""


def missing() -> list[str]:
    """The programs that are not installed."""
    return [name for name in PROGRAMS if _found(name) is None]


def _found(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


@dataclass(frozen=True)
class Job:
    """What the scheduler knows of a job; its times are local, `2026-01-31T12:00:00`."""

    id: str
    state: str
    node: str
    what: str
    folder: str
    started: str
    ended: str


class Slurm:
    """A SLURM in a folder.

    Args:
        folder: Its path is short, because it holds a socket.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}:/usr/sbin:/sbin",
        }

    @classmethod
    def start(cls) -> Slurm:
        """A SLURM whose nodes are idle."""
        slurm = cls(Path(tempfile.mkdtemp(prefix="slurm-")))
        slurm.folder.chmod(0o755)  # munged wants to be reached
        for name in ("state", "bin"):
            (slurm.folder / name).mkdir()
        slurm._configure()
        key = slurm.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        named = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log"}
        options = [f"--{name}={slurm.folder}/munge.{end}" for name, end in named.items()]
        slurm.call("munged", *options, f"--seed-file={slurm.folder}/munge.seed")
        slurm.call("slurmctld")
        for node in NODES:
            slurm.restore(node)
        slurm._wait_until_idle()
        return slurm

    def _configure(self) -> None:
        host = socket.gethostname().partition(".")[0]
        ports = _free_ports(1 + len(NODES))
        lines = [
            _CONFIG.format(host=host, port=ports[0], user=getpass.getuser(), folder=self.folder)
        ]
        for node, port in zip(NODES, ports[1:], strict=True):
            where = f"NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
            lines.append(f"NodeName={node} {where} CPUs=16 RealMemory=200000\n")
        for name in dict.fromkeys(NODES.values()):
            members = ",".join(node for node in NODES if NODES[node] == name)
            default = "YES" if name == "main" else "NO"
            lines.append(f"PartitionName={name} Nodes={members} Default={default} State=UP\n")
        (self.folder / "slurm.conf").write_text("".join(lines))
        # The executor plugin takes SLURM_CONF away from srun, which then finds no configuration.
        srun = self.folder / "bin/srun"
        srun.write_text(
            f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {_found("srun")} "$@"\n'
        )
        srun.chmod(0o755)

    def _wait_until_idle(self) -> None:
        end = monotonic() + PATIENCE
        while self.call("sinfo", "--noheader", "--Node", "--states=idle").count("\n") < len(NODES):
            if monotonic() > end:
                raise RuntimeError(f"SLURM's nodes do not come up; its logs are in {self.folder}")
            sleep(0.2)

    def call(self, program: str, *arguments: str, **variables: str) -> str:
        """What a program says."""
        done = subprocess.run(
            [_found(program) or program, *arguments],
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def jobs(self, folder: Path, what: str = "") -> list[Job]:
        """Jobs of a project whose comment holds `what`, ended ones too, in the order submitted."""
        form = "--format=%A|%T|%N|%k|%Z|%S|%e"
        lines = self.call("squeue", "--all", "--states=all", "--noheader", "--sort=i", form)
        jobs = [Job(*line.split("|")) for line in lines.splitlines()]
        return [job for job in jobs if what in job.what and job.folder == str(folder)]

    def lose(self, node: str) -> None:
        """Kill all that runs on a node, without a word, as a power cut does."""
        for process in self._processes(node):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _processes(self, node: str) -> Iterator[int]:
        """Processes of a node: its slurmd, and all that it has started."""
        marks = {f"SLURM_CONF={self.folder}/slurm.conf", f"SLURMD_NODENAME={node}"}
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if marks <= set(path.read_text(errors="replace").split("\0")):
                    yield int(path.parent.name)

    def restore(self, node: str) -> None:
        """Start a node's daemon."""
        self.call("slurmd", "-N", node, SLURMD_NODENAME=node)

    def stop(self) -> None:
        """End jobs, nodes and controller, and remove the folder."""
        for node in NODES:
            self.lose(node)
        for path in (self.folder / "slurmctld.pid", self.folder / "munge.pid"):
            with suppress(OSError, ValueError):
                os.kill(int(path.read_text()), signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _exports(environment: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}='{environment[name]}'" for name in ("SLURM_CONF", "PATH"))


def main(arguments: list[str]) -> str:
    """What the command says."""
    if lacking := missing():
        return f"echo 'error: no {', '.join(lacking)}; install slurm-wlm and munge' >&2"
    if arguments == ["start"]:
        return _exports(Slurm.start().environment)
    if len(arguments) == 2 and arguments[0] == "stop":
        Slurm(Path(arguments[1]).parent).stop()
        return ""
    return "usage: slurm.py start | stop $SLURM_CONF"


if __name__ == "__main__":
    print(main(sys.argv[1:]))
