"""Pairs of answers that show a behaviour and do not, and the study's own files of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from clampsweep.errors import UserError
from clampsweep.files import write_text
from clampsweep.texts.prompt_files import delimited

PROMPTS = "prompts.tsv"  # topics of the prompts, beside the files of behaviours

_COLUMNS = ("prompt", "match", "nonmatch")


class Pair(NamedTuple):
    """Two answers: one that shows a behaviour, and one that does not.

    Attributes:
        prompt: What is answered, without the list of choices that a file may have in it.
        match: The answer that shows the behaviour.
        nonmatch: The one that does not.
        topic: What is talked about; pairs of a topic stay together when they are split.
        letter: Of the choice that matches, such as `A`, where the file has choices.
        nonmatch_letter: Of the one that does not.
        question: The prompt with its choices, as the file has it; None where it has none.
        nonmatch_prompt: What `nonmatch` answers, where that is another prompt (AxBench).
    """

    prompt: str
    match: str
    nonmatch: str
    topic: str | None = None
    letter: str | None = None
    nonmatch_letter: str | None = None
    question: str | None = None
    nonmatch_prompt: str | None = None

    @property
    def prompts(self) -> tuple[str, str]:
        """What `match` and what `nonmatch` answer."""
        return self.prompt, self.prompt if self.nonmatch_prompt is None else self.nonmatch_prompt

    @property
    def content(self) -> tuple[str, str, str, str, str | None]:
        """What every format keeps: both prompts, both answers, the topic."""
        return *self.prompts, self.match, self.nonmatch, self.topic


def read_tsv(path: Path | str) -> list[Pair]:
    """Pairs of a behaviour, in the order of the file: tab-separated prompt, match, nonmatch.

    Topics are a column `topic` or, where that is missing, those of `prompts.tsv` beside the file.

    Args:
        path: The file; cells are taken as they are, but for spaces around them.

    Raises:
        UserError: It cannot be read, lacks a column, or a prompt has no topic in `prompts.tsv`.
    """
    path = Path(path)
    rows = delimited(path, "\t", _COLUMNS)
    if not rows:
        raise UserError(f"{path}: no pairs; write a row of {', '.join(_COLUMNS)} for each")
    beside = path.with_name(PROMPTS)
    topics = None if "topic" in rows[0][1] or not beside.exists() else read_topics(beside)
    pairs = []
    for line, row in rows:
        cells = {name: cell.strip() for name, cell in row.items()}
        topic = cells.get("topic") or None
        if topics is not None:
            topic = topics.get(cells["prompt"])
            if topic is None:
                raise UserError(
                    f"{path}, line {line}: prompt: got {cells['prompt']!r}, which is not in "
                    f"{beside}; add it there with its topic, or give this file a column topic"
                )
        pairs.append(Pair(cells["prompt"], cells["match"], cells["nonmatch"], topic))
    return pairs


def read_topics(path: Path | str) -> dict[str, str]:
    """Topic of each prompt.

    Args:
        path: Tab-separated, with the columns topic and prompt.

    Raises:
        UserError: It cannot be read, lacks a column, or a prompt stands in two topics.
    """
    topics: dict[str, str] = {}
    for line, row in delimited(path, "\t", ("topic", "prompt")):
        topic, prompt = row["topic"].strip(), row["prompt"].strip()
        if topics.setdefault(prompt, topic) != topic:
            raise UserError(
                f"{path}, line {line}: {prompt!r} is of topic {topics[prompt]!r} above and of "
                f"{topic!r} here; keep one"
            )
    return topics


def write_tsv(pairs: Sequence[Pair], path: Path | str) -> None:
    """Write pairs as `read_tsv` reads them, each with its topic.

    Raises:
        UserError: The file cannot be written.
        ValueError: A pair's answers are to two prompts, which such a file cannot hold.
    """
    if any(len(set(pair.prompts)) > 1 for pair in pairs):
        raise ValueError("a pair's answers are to two prompts; write it as AxBench rows")
    lines = io.StringIO()
    writer = csv.writer(lines, delimiter="\t", lineterminator="\n")
    writer.writerow([*_COLUMNS, "topic"])
    writer.writerows([one.prompt, one.match, one.nonmatch, one.topic or ""] for one in pairs)
    write_text(lines.getvalue(), Path(path))
