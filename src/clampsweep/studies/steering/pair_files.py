"""Behaviour pairs of any of the three formats, read into one list and written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clampsweep.errors import UserError
from clampsweep.studies.steering.axbench_files import AXBENCH, read_axbench, write_axbench
from clampsweep.studies.steering.caa_files import read_caa, write_caa
from clampsweep.studies.steering.pairs import Pair, read_tsv, write_tsv
from clampsweep.texts.prompt_files import read_text

TSV, CAA, AXBENCH_ROWS = FORMATS = ("tsv", "caa", "axbench")


def read_pairs(path: Path | str, concept: int | None = None) -> list[Pair]:
    """Pairs of a file, in its order, whichever format it has (`format_of`).

    Args:
        path: The file.
        concept: `concept_id` of AxBench rows, where they have several.

    Raises:
        UserError: It cannot be read as what its name says.
    """
    found = format_of(path)
    if found == TSV:
        return read_tsv(path)
    return read_axbench(path, concept) if found == AXBENCH_ROWS else read_caa(path)


def format_of(path: Path | str) -> str:
    """Format of a file, one of `FORMATS`: by its name, of JSON lines by the first one's keys.

    Raises:
        UserError: No format has files of this name, or it is missing.
    """
    suffix = Path(path).suffix
    if suffix == ".jsonl":
        line = next((line for line in read_text(path).splitlines() if line.strip()), "")
        return AXBENCH_ROWS if all(f'"{name}"' in line for name in AXBENCH) else CAA
    known = {".tsv": TSV, ".json": CAA, ".parquet": AXBENCH_ROWS}
    if suffix not in known:
        allowed = ", ".join([*known, ".jsonl"])
        raise UserError(f"{path}: its name ends with {suffix!r}; allowed: {allowed}; rename it")
    return known[suffix]


def write_pairs(pairs: Sequence[Pair], path: Path | str, behaviour: str, seed: int) -> None:
    """Write pairs in the format that a file's name says; JSON lines are AxBench rows.

    Read back, they have the same prompts, answers and topics.

    Args:
        pairs: At least one.
        path: Where; ends with .tsv, .json, .parquet or .jsonl.
        behaviour: What it is, in words: the concept of AxBench rows.
        seed: Which letter matches, in CAA's files.

    Raises:
        UserError: No format has files of this name, or it cannot be written.
        ValueError: The format cannot hold the pairs.
    """
    if Path(path).suffix == ".jsonl" or format_of(path) == AXBENCH_ROWS:
        write_axbench(pairs, path, behaviour)
    elif format_of(path) == CAA:
        write_caa(pairs, path, seed)
    else:
        write_tsv(pairs, path)
