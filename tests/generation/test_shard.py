"""A job of one shard: what it writes, what it says, and what it does beside another job."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.generation.shard import make_shard
from clampsweep.models.model import Model
from clampsweep.models.spec import ModelSpec
from clampsweep.shards.planner import ShardPlanner
from clampsweep.shards.shard import Item, Shard, of_shard
from clampsweep.tables import Column, Schema
from conftest import TinyFolder
from shard_works import work

TEXTS = [
    f"{word} ran"
    for word in [
        "the",
        "cat",
        "dog",
        "bird",
        "hill",
        "rain",
        "glass",
        "door",
        "king",
        "moon",
        "sun",
    ]
]
TOKENS = Schema(
    "tokens",
    {"text": Column("str", "the item"), "at": Column("int", "place"), "id": Column("int", "token")},
    key=("text", "at"),
)


def tokens(model: Model, shard: Shard) -> Iterator[tuple[str, pd.DataFrame]]:
    """Token ids of each text, the last text first."""
    for item in reversed(shard.items):
        ids = model.encode(item.content)
        yield item.key, pd.DataFrame({"at": range(len(ids)), "id": ids})


class Job:
    """A pinned shard on a tiny model, and the arguments of its job."""

    def __init__(self, results: Path, tiny_folder: TinyFolder):
        folder, spec = tiny_folder("gpt2")
        items = [Item(str(at), text) for at, text in enumerate(TEXTS)]
        wanted = work(rule="tokens", model=spec, schema=TOKENS, size=99)
        (self.pinned,) = ShardPlanner(results).plan(wanted, items).shards
        self.output = self.pinned.with_suffix(".parquet")
        self.folder, self.spec = folder, spec

    def make(self, compute: Any = tokens, code: str = "c0de") -> pd.DataFrame:
        """Run the job; return the table."""
        spec: ModelSpec = self.spec
        make_shard(compute, TOKENS, self.pinned, self.folder, spec, 1, "cpu", code, self.output)
        return tables.read(self.output, of_shard(TOKENS))


@pytest.fixture
def job(tmp_path: Path, tiny_folder: TinyFolder) -> Job:
    return Job(tmp_path / "results", tiny_folder)


def test_the_table_holds_the_rows_of_each_item_in_the_shards_order(job, gpt2):
    found = job.make()
    keys = list(dict.fromkeys(found["item_key"]))
    ids = [found.loc[found["item_key"] == key, "id"].tolist() for key in keys]
    assert ids == [gpt2.tokenizer(text).input_ids for text in TEXTS]
    facts = tables.footer(job.output)
    assert (facts["shard"], facts["code"]) == (job.pinned.stem, "c0de")
    assert facts["model"] == gpt2.manifest["digest"]
    assert facts["model_identity"] == job.spec.identity
    assert {path.name for path in job.pinned.parent.iterdir()} == {
        job.pinned.name, job.output.name
    }  # fmt: skip


def test_the_log_says_how_far_the_work_is(job, caplog):
    with caplog.at_level("INFO", logger=make_shard.__module__):
        job.make()
    said = [record.getMessage() for record in caplog.records]
    done = [line.partition(" of 11 items done, ")[0] for line in said]
    assert done == ["2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]
    assert said[-1].endswith(" s each, 0 s left")


def never(model: Model, shard: Shard) -> Iterator[tuple[str, pd.DataFrame]]:
    raise AssertionError("it is computed again")


def test_no_other_job_can_be_at_work_on_the_shard_meanwhile(job):
    def alone(model: Model, shard: Shard) -> Iterator[tuple[str, pd.DataFrame]]:
        path = job.pinned.with_name(f".{job.pinned.stem}.lock")
        with path.open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield from tokens(model, shard)

    assert len(job.make(alone))


def test_what_another_job_has_made_meanwhile_stands(job, caplog):
    first = job.make()
    with caplog.at_level("INFO"):
        assert job.make(never).equals(first)
    assert "another job made this shard meanwhile" in caplog.text


def test_what_other_code_made_or_is_broken_is_made_anew(job):
    job.make(code="old")
    with pytest.raises(AssertionError):
        job.make(never)
    job.output.write_bytes(job.output.read_bytes()[:-9])
    first = job.make()
    assert tables.footer(job.output)["code"] == "c0de"
    assert job.make(never).equals(first)


@pytest.mark.parametrize("fault", ["lost", "twice", "foreign"])
def test_a_computation_that_loses_or_repeats_an_item_is_a_bug_and_leaves_no_table(job, fault):
    def faulty(model: Model, shard: Shard) -> Iterator[tuple[str, pd.DataFrame]]:
        found = list(tokens(model, shard))
        last = found.pop()
        yield from found
        if fault == "twice":
            yield from [last, last]
        elif fault == "foreign":
            yield "another", last[1]

    with pytest.raises(ValueError, match=r"items came back, not each of the shard's 11 once"):
        job.make(faulty)
    assert list(job.pinned.parent.iterdir()) == [job.pinned]
