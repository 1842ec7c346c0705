"""Writes problems to a file: python -m clampsweep.studies.backtracking.problems problems.jsonl."""

from __future__ import annotations

import argparse
import json
import sys

from clampsweep.errors import UserError
from clampsweep.files import write_text
from clampsweep.studies.backtracking.problems.made import rows


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"got {number}; write 1 or more")
    return number


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(
        prog="python -m clampsweep.studies.backtracking.problems",
        description="Write problems with exact answers, as JSON lines.",
    )
    parser.add_argument("path", help="file to write, such as problems.jsonl")
    parser.add_argument("--seed", type=int, default=0, help="decides which problems (default 0)")
    parser.add_argument(
        "--per-cell", type=_count, default=1, help="problems of each family and level (default 1)"
    )
    given = parser.parse_args()
    try:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows(given.seed, given.per_cell)]
        write_text("".join(f"{line}\n" for line in lines), given.path)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
