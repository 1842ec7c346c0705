"""Before Snakemake looks at what it was called with: one line for what it would say badly."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from clampsweep.console import interrupts, locks
from clampsweep.errors import UserError
from clampsweep.strict_yaml import read_yaml


def begin() -> None:
    """Look at this process's arguments; called by the profiles, which Snakemake reads first.

    Raises:
        SystemExit: With one line: a config file that is named is not there, or not YAML; the folder
            is to be unlocked while a run is at work in it.
    """
    interrupts.listen()
    try:
        for file in _config_files(sys.argv[1:]):
            read_yaml(file)
        if "--unlock" in sys.argv:
            locks.check_no_run(Path.cwd())
    except UserError as fault:
        sys.exit(f"error: {fault}")


def _config_files(arguments: Sequence[str]) -> list[str]:
    """The config files that Snakemake's arguments name."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--configfile", "--configfiles", nargs="+", default=[])
    files: list[str] = parser.parse_known_args(arguments)[0].configfile
    return files
