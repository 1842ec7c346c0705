"""Jobs of the explorer, and what they make of a model's texts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.explorer import export, pages
from clampsweep.explorer.export import EXPLORED
from clampsweep.explorer.inspection import Seen, Stopped
from clampsweep.explorer.jobs import Job, Worker
from clampsweep.explorer.running import try_out
from clampsweep.explorer.settings import ClampSetting, Settings
from clampsweep.explorer.sweeping import sweep_values
from clampsweep.explorer.token_texts import pieces
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts import collapse
from clampsweep.texts.metrics import further, published
from clampsweep.texts.request import Decoding
from reference import Clamp as Reference
from reference import decode_alone
from tiny import PROMPTS

SETTINGS = Settings(
    "tiny", PROMPTS[3], (ClampSetting(1, 4, "add", 6.0),), "all", Decoding("greedy", 10)
)


WORKER = Worker()


def finished(job: Job[int]) -> list[object]:
    return list(job.follow())


# Jobs


def test_a_job_tells_and_returns() -> None:
    def work(job: Job[int]) -> int:
        job.tell("half")
        return 7

    job = WORKER.start(work)
    finished(job)
    assert (job.progress, job.result, job.error, job.waiting) == ("half", 7, None, False)


def test_jobs_run_one_after_another() -> None:
    order: list[str] = []
    first_begun, go_on = threading.Event(), threading.Event()

    def first(job: Job[int]) -> int:
        first_begun.set()
        go_on.wait(10)
        order.append("first")
        return 1

    def second(job: Job[int]) -> int:
        order.append("second")
        return 2

    one = WORKER.start(first)
    first_begun.wait(10)
    two = WORKER.start(second)
    assert two.waiting
    go_on.set()
    finished(one), finished(two)
    assert order == ["first", "second"]


def test_a_stop_ends_a_job_where_it_tells_something() -> None:
    begun = threading.Event()

    def work(job: Job[int]) -> int:
        while True:
            job.tell("more")
            begun.set()

    job = WORKER.start(work)
    begun.wait(10)
    job.stop()
    finished(job)
    assert (job.result, job.error) == (None, None)


def test_a_job_that_waits_can_be_stopped_and_never_works() -> None:
    go_on, worked = threading.Event(), threading.Event()
    one = WORKER.start(lambda job: go_on.wait(10))
    two = WORKER.start(lambda job: worked.set())
    two.stop()
    list(two.follow())
    assert not worked.is_set()
    go_on.set()
    list(one.follow())


def test_a_job_that_nobody_follows_any_more_ends() -> None:
    def work(job: Job[int]) -> int:
        while True:
            job.tell("more")

    job = WORKER.start(work)
    followed = job.follow()
    next(followed)
    followed.close()
    assert job.stopped
    after: Job[int] = WORKER.start(lambda job: 1)
    finished(after)
    assert after.result == 1


@pytest.mark.parametrize(
    ("fault", "said"), [(UserError("mend it"), "mend it"), (ZeroDivisionError("x"), "a bug")]
)
def test_a_fault_is_said_and_the_next_job_runs(fault: Exception, said: str) -> None:
    def work(job: Job[int]) -> int:
        raise fault

    job = WORKER.start(work)
    finished(job)
    assert said in str(job.error)
    after: Job[int] = WORKER.start(lambda job: 3)
    finished(after)
    assert after.result == 3


# Texts


def reference(model: Model, clamps: list[Reference], n: int = 10) -> list[int]:
    return decode_alone(model, model.encode(PROMPTS[3]), clamps, "all", n).token_ids


def test_a_run_makes_the_reference_s_texts_and_measures_them(model: Model) -> None:
    made = try_out(model, SETTINGS, lambda told: None)
    assert made.clamped is not None
    clamp = Reference(Neuron(1, 4), "add", 6.0)
    for close, clamps in ((made.baseline, []), (made.clamped, [clamp])):
        ids = reference(model, clamps)
        assert close.said.token_ids == ids
        assert close.said.text == model.decode(ids) == "".join(p.text for p in close.pieces)
        known = {
            **published(close.said.text),
            **further(close.said.text, ids),
        }
        assert {name: close.said.metrics[name] for name in known} == known
        nll = close.said.metrics["nll_unclamped"]
        assert close.said.collapsed == {
            name: test(close.said.text, ids, 0.0 if nll is None else nll)
            for name, test in collapse.DETECTORS.items()
        }


def test_a_sweep_makes_the_reference_s_texts(model: Model) -> None:
    shares: list[float] = []
    made = sweep_values(model, SETTINGS, [5.0, -5.0, 0.0], shares.append)
    assert made.values == [-5.0, 0.0, 5.0]
    assert made.baseline.token_ids == made.texts[1].token_ids == reference(model, [])
    for value, said in zip(made.values, made.texts, strict=True):
        clamps = [Reference(Neuron(1, 4), "add", value)]
        assert said.token_ids == reference(model, clamps)
    assert shares == sorted(shares)
    assert 0 < shares[-1] <= 1


def test_a_stopped_run_keeps_its_texts(gpt2: Model) -> None:
    def tell(told: list[Seen]) -> None:
        if len(told[0].steps) == 2:
            raise Stopped

    made = try_out(gpt2, SETTINGS, tell)
    assert made.stopped
    assert made.baseline.said.token_ids == reference(gpt2, [])[:2]
    assert "stopped by you" in pages.texts(made.settings, [made.baseline])


def test_pieces_join_to_the_text_where_tokens_share_a_character(gpt2: Model) -> None:
    ids = gpt2.encode("é is é, naïve \N{SNOWMAN} end, and on " * 3)
    assert len(pieces(gpt2, ids)) < len(ids)
    assert "".join(piece.text for piece in pieces(gpt2, ids)) == gpt2.decode(ids)
    half = gpt2.encode("é")[:1]
    assert "".join(piece.text for piece in pieces(gpt2, half)) == gpt2.decode(half)


def test_a_prompt_that_does_not_fit_is_refused(gpt2: Model) -> None:
    long = Settings("tiny", "x" * 200, (), "all", Decoding("greedy", 3))
    with pytest.raises(UserError, match="the model reads at most 63 and one new one; shorten it"):
        try_out(gpt2, long, lambda told: None)


# Files


def test_exports_hold_what_was_made(gpt2: Model, tmp_path: Path) -> None:
    made = try_out(gpt2, SETTINGS, lambda told: None)
    bare = try_out(
        gpt2, Settings("tiny", "the", (), "last", Decoding("greedy", 4)), lambda told: None
    )
    runs = export.Runs()
    for outcome in (made, bare, bare, bare):
        runs.add(outcome)
    runs.forget(2), runs.forget(3)
    assert runs.get(2) is None
    assert runs.add(bare).number == 5
    runs.forget(5)
    as_json, as_parquet = export.save(runs.entries, tmp_path)
    first = runs.entries[0].outcome.settings
    for part in ("runs-", first.model, first.changes[0].name):
        assert part in as_json.stem
    assert as_json.stem == as_parquet.stem
    table = tables.read(as_parquet, EXPLORED)
    assert list(zip(table["run"], table["role"], strict=True)) == [
        (1, "baseline"), (1, "clamped"), (4, "baseline"),
    ]  # fmt: skip
    saved = json.loads(as_json.read_text(encoding="utf-8"))
    texts = [text for run in saved for text in run["texts"].values()]
    assert [text["text"] for text in texts] == list(table["text"])
    assert [text["token_ids"] for text in texts] == [list(ids) for ids in table["token_ids"]]
    assert json.loads(table["clamps"][1]) == saved[0]["clamps"] == SETTINGS.as_json()["clamps"]
    for text, row in zip(texts, table.itertuples(), strict=True):
        n = len(text["token_ids"])
        assert text["probabilities"][:n] == pytest.approx(list(row.probabilities), rel=1e-6)
        flags = {name: row._asdict()[f"collapsed_{name}"] for name in collapse.DETECTORS}
        assert flags == text["collapsed"]
    values = texts[1]["natural_activation"]["L1N4"]
    assert len(values) == len(gpt2.encode(PROMPTS[3])) + len(texts[1]["token_ids"])


def test_a_blank_text_has_no_metrics_in_the_table(
    load_tiny: Callable[..., Model], tmp_path: Path
) -> None:
    model = load_tiny("llama")
    for prompt in PROMPTS:
        asked = Settings(
            "tiny", prompt, (ClampSetting(2, 3, "set", 80.0),), "all", Decoding("greedy", 3)
        )
        made = try_out(model, asked, lambda told: None)
        runs = export.Runs()
        runs.add(made)
        _, path = export.save(runs.entries, tmp_path)
        table = tables.read(path, EXPLORED)
        for row in table.itertuples():
            assert pd.isna(row.nll_unclamped) == (len(row.token_ids) == 0)
            assert pd.isna(row.total_tokens) == (not row.text.strip())


# What is said of each token


def test_values_stand_under_their_tokens_where_tokens_share_a_character(gpt2: Model) -> None:
    prompt = "é is é"
    asked = Settings(
        "tiny", prompt, (ClampSetting(1, 4, "set", 2.0),), "all", Decoding("greedy", 4)
    )
    made = try_out(gpt2, asked, lambda told: None)
    ids = gpt2.encode(prompt)
    assert len(pieces(gpt2, ids)) < len(ids) == len(made.prompt)
    for close in (made.baseline, made.clamped):
        assert close is not None
        assert len(close.natural["L1N4"]) == len(made.prompt) + len(close.tokens)
        assert len(close.tokens) == len(close.hints) == len(close.said.token_ids)


@pytest.mark.parametrize(
    ("scope", "first", "last"),
    [("all", 0, 99), ("prompt", 0, 9), ("generated", 9, 99), ("last", 8, 99),
     ("last_cached", 8, 99), ("0,3", 0, 1)],
)  # fmt: skip
def test_a_change_is_said_only_where_the_scope_reaches(
    gpt2: Model, scope: str, first: int, last: int
) -> None:
    clamp = ClampSetting(1, 4, "scale", -2.0)
    asked = Settings("tiny", PROMPTS[3], (clamp,), scope, Decoding("greedy", 5))
    made = try_out(gpt2, asked, lambda told: None)
    assert len(made.prompt) == 9
    assert made.clamped is not None
    assert made.baseline.changed == {}
    natural = made.clamped.natural["L1N4"]
    reached = {0, 3} if scope == "0,3" else set(range(first, min(last, len(natural))))
    assert made.clamped.changed["L1N4"] == [
        pytest.approx(-2.0 * value) if at in reached else None for at, value in enumerate(natural)
    ]
    for at, hint in enumerate(made.clamped.hints, 9):
        assert ("changed to" in hint) == (at in reached)
