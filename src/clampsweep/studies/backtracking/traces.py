"""Traces of every source as one table: prompt, output, tokens, answer, whether it is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from clampsweep.models.chat import encode_chat
from clampsweep.models.tokens import behind_letter, decode
from clampsweep.studies.backtracking import answers
from clampsweep.studies.backtracking.entry import WRITTEN
from clampsweep.studies.backtracking.equivalence import compare
from clampsweep.studies.backtracking.splits import split_of
from clampsweep.studies.backtracking.token_ends import token_at, token_ends
from clampsweep.tables import Column, Schema
from clampsweep.texts.request import PromptFormat

OPEN, CLOSE = "<think>", "</think>"

TRACES = Schema(
    "backtracking traces",
    {
        "trace_id": Column("str", "name of the trace"),
        "source": Column("str", "name of the chain, written or given"),
        "problem_id": Column("str", "the problem that it is about"),
        "family": Column("str", "template of the problem; empty if it has none"),
        "type": Column("str", "kind of problem; empty if not known"),
        "level": Column("int", "difficulty", null=True),
        "split": Column("str", "discover, select or test; a family is in one"),
        "grade": Column("str", "of written traces, how easily the error is seen", null=True),
        "kind": Column("str", "of written traces, what happens in it", null=True),
        "seed": Column("int", "of sampling", null=True),
        "question": Column("str", "the problem's text"),
        "prompt_ids": Column("tokens", "token ids before the output"),
        "output_ids": Column("tokens", "token ids of the output"),
        "ends": Column("tokens", "for each of these, characters of the output at its end"),
        "output": Column("str", "the output"),
        "stop_reason": Column("str", "why it ended; null if not known", null=True),
        "think_open": Column("bool", "whether it begins to think, in prompt or output"),
        "think_close": Column("int", "token of the output that ends thinking", null=True),
        "answer": Column("str", "what it answers", null=True),
        "answer_method": Column("str", "how the answer was found"),
        "gold": Column("str", "the right answer", null=True),
        "correct": Column("bool", "whether they are equal; null if not known", null=True),
        "verify_error": Column("str", "why that is not known", null=True),
        "mean_logprob": Column(
            "float", "of the output's tokens under the model, nats; null if not known", null=True
        ),
    },
    key=("trace_id",),
)


class Raw(NamedTuple):
    """A trace before tokens and answer are looked at; ids are None if only the text is known."""

    trace_id: str
    source: str
    problem_id: str
    family: str
    type: str
    level: int | None
    split: str
    question: str
    prompt: str
    output: str
    gold: str | None
    output_ids: Sequence[int] | None = None
    grade: str | None = None
    kind: str | None = None
    seed: int | None = None
    stop_reason: str | None = None
    mean_logprob: float | None = None


class Encoding(NamedTuple):
    """How prompts reach a model: its tokenizer, whether BOS stands first, its name."""

    tokenizer: Any
    prepend_bos: bool
    name: str

    def prompt(self, text: str, prompt_format: PromptFormat) -> list[int]:
        """Token ids of a prompt, as `generation.prompts.encode` makes them."""
        if prompt_format.kind == "chat":
            return encode_chat(self.tokenizer, text, prompt_format.system, self.name)
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        bos = self.tokenizer.bos_token_id
        # A prompt that is given with its special tokens has it already.
        return [int(bos), *ids] if self.prepend_bos and ids[:1] != [bos] else ids


def of_chain(name: str, generations: pd.DataFrame, prompts: pd.DataFrame) -> Iterator[Raw]:
    """Traces of a chain.

    Args:
        name: The chain's.
        generations: Its `GENERATIONS`, baselines.
        prompts: Its `PROMPTS`; of further columns, family, split and those of the answer are read.
    """
    problems = {row["prompt_id"]: row for row in prompts.to_dict("records")}
    for row in generations[generations["operation"] == "none"].to_dict("records"):
        problem = {at: None if pd.isna(cell) else cell for at, cell in _plain(problems, row)}
        seed = None if pd.isna(row["seed"]) else int(row["seed"])
        nll = row["nll_unclamped"]
        yield Raw(
            trace_id=f"{name}/{row['prompt_id']}" + ("" if seed is None else f"/{seed}"),
            source=name,
            problem_id=row["prompt_id"],
            family=problem.get("family") or "",
            type=problem.get("type") or problem.get("subject") or "",
            level=problem.get("level"),
            split=problem.get("split") or split_of(row["prompt_id"]),
            question=str(problem.get("question") or problem.get("problem") or problem["text"]),
            prompt=str(problem["text"]),
            output=row["text"],
            gold=answers.gold({at: cell for at, cell in problem.items() if at != "level"}),
            output_ids=[int(one) for one in row["token_ids"]],
            seed=seed,
            stop_reason=row["stop_reason"],
            mean_logprob=None if pd.isna(nll) else -float(nll),
        )


def _plain(problems: Mapping[str, Mapping[Any, Any]], row: Mapping[Any, Any]) -> Any:
    return problems[row["prompt_id"]].items()


def of_written(written: pd.DataFrame, prompt_format: PromptFormat) -> Iterator[Raw]:
    """Our own traces.

    Args:
        written: A `WRITTEN` table.
        prompt_format: How the questions reach the model; a raw one ends its line.
    """
    end = "" if prompt_format.kind == "chat" else "\n"
    for row in written.to_dict("records"):
        yield Raw(
            trace_id=f"{WRITTEN}/{row['trace_id']}",
            source=WRITTEN,
            problem_id=row["problem_id"],
            family=row["family"],
            type=row["family"],
            level=int(row["level"]),
            split=row["split"],
            question=row["prompt"],
            prompt=row["prompt"] + end,
            output=row["output"],
            gold=row["answer_gold"],
            grade=None if pd.isna(row["grade"]) else row["grade"],
            kind=row["kind"],
        )


def traces(
    raw: Sequence[Raw],
    encoding: Encoding,
    formats: Mapping[str, PromptFormat],
    workers: int = 1,
) -> pd.DataFrame:
    """The table `TRACES`.

    Args:
        raw: Traces of all sources.
        encoding: Of the model that is looked at.
        formats: How prompts of each source reach it; raw where it is not named.
        workers: Processes that compare answers.
    """
    rows = [_row(one, encoding, formats.get(one.source, PromptFormat())) for one in raw]
    judged = compare([(row["answer"], row["gold"]) for row in rows], workers)
    for row, found in zip(rows, judged, strict=True):
        row |= {"correct": found.correct, "verify_error": found.error}
    kinds = {"level": "Int64", "seed": "Int64", "think_close": "Int64", "correct": "boolean"}
    frame = pd.DataFrame(rows, columns=list(TRACES.columns))
    return frame.astype({**kinds, "mean_logprob": "float64"})


def _row(one: Raw, encoding: Encoding, prompt_format: PromptFormat) -> dict[str, Any]:
    """A trace's row, but for whether it is right."""
    prompt_ids = encoding.prompt(one.prompt, prompt_format)
    ids, output = one.output_ids, one.output
    if ids is None:
        ids = encoding.tokenizer(output, add_special_tokens=False).input_ids
        output = behind_letter(encoding.tokenizer)(ids)  # as the model would have said it
    ends = token_ends(encoding.tokenizer, prompt_ids, ids, output)
    if output.lstrip(" ") == one.output:  # where a tokenizer adds a space, places in the text stay
        ends = [max(0, end - len(output) + len(one.output)) for end in ends]
        output = one.output
    closed = output.find(CLOSE)
    answer = answers.extract(output)
    opened = decode(encoding.tokenizer, prompt_ids, special=True).rstrip().endswith(OPEN)
    kept = one._asdict()
    del kept["prompt"]
    return {
        **kept,
        "output": output,
        "prompt_ids": prompt_ids,
        "output_ids": list(ids),
        "ends": ends,
        "think_open": opened or OPEN in output,
        "think_close": None if closed < 0 else token_at(ends, closed),
        "answer": answer.answer,
        "answer_method": answer.method,
    }
