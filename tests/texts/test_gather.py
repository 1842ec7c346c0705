"""Gathering a sweep's rows from batches made by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import factories
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.texts import promptset
from clampsweep.texts.gather import GENERATIONS, VECTORS, first_difference, gather
from clampsweep.texts.tables import BATCH_GENERATIONS, BATCH_VECTORS


@pytest.mark.parametrize(
    ("one", "two", "wanted"),
    [
        ([], [], None),
        ([1, 2, 3], [1, 2, 3], None),
        ([1, 2, 3], [9, 2, 3], 0),
        ([1, 2, 3], [1, 2, 9], 2),
        ([1, 2], [1, 2, 3], 2),
        ([1, 2, 3], [1], 1),
        ([], [5], 0),
        ([1, 9], [1, 2, 3], 1),
    ],
)
def test_the_first_difference_counts_an_end(
    one: list[int], two: list[int], wanted: int | None
) -> None:
    assert first_difference(one, two) == wanted
    assert first_difference(two, one) == wanted


PROMPTS = [("p/2", "the second"), ("p/1", "the first")]
TEXT = dict(PROMPTS)


def _row(
    prompt: str,
    tokens: Sequence[int],
    value: float | None = None,
    target: str | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    make = factories.baseline if target is None else factories.generation
    more = {} if target is None else {"target": target, "value": value}
    row = make(prompt, f"text {list(tokens)}", tokens=tokens, seed=seed, **more)
    row["text_digest"] = factories.prompt(TEXT[prompt], prompt)["text_digest"]
    row["key"] = f"{TEXT[prompt]}|{target}|{value}|{seed}"
    return row


FORMAT = {"prompt_format": "chat", "system_prompt": None, "chat_template": "d1ge57"}


class Bench:
    """Prompts, batches and a plan on disk."""

    def __init__(self, folder: Path):
        self.folder = folder
        prompts = [factories.prompt(text, name) for name, text in PROMPTS]
        frame = factories.frame(prompts, promptset.PROMPTS)
        tables.write(frame, folder / "prompts.parquet", promptset.PROMPTS, {})
        self.batches: list[tuple[Path, Path]] = []

    def batch(
        self, rows: Sequence[dict[str, Any]], layers: Sequence[int] = (0, 1), code: str = "7e47"
    ) -> None:
        names = self.folder / f"g{len(self.batches)}", self.folder / f"v{len(self.batches)}"
        frame = factories.frame(rows, BATCH_GENERATIONS)[[*BATCH_GENERATIONS.columns]]
        facts = {"code": code, "model": "d16e57", "unused_settings": {"num_beams": 4}, **FORMAT}
        tables.write(frame, names[0], BATCH_GENERATIONS, facts)
        vectors = [
            {"key": row["key"], "layer": layer, "vector": [layer, 0.5], "natural_value": None}
            for row in rows
            for layer in layers
        ]
        frame = factories.frame(vectors, BATCH_VECTORS)
        tables.write(frame, names[1], BATCH_VECTORS, {})
        self.batches.append(names)

    def gather(self, rows: Sequence[dict[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
        plan = self.folder / "plan.json"
        pairs = [[row["prompt_id"], row["key"]] for row in rows]
        plan.write_text(json.dumps({"sweep": "tiny", "rows": pairs}))
        out = {name: self.folder / name for name in ("generations", "vectors")}
        gather(
            plan=plan,
            prompts=self.folder / "prompts.parquet",
            batches=[one for one, _ in self.batches],
            vector_batches=[two for _, two in self.batches],
            model="tiny",
            texts_code="7e47",
            code="c0de",
            **out,
        )
        return (
            tables.read(out["generations"], GENERATIONS),
            tables.read(out["vectors"], VECTORS),
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty one."""
    return Bench(tmp_path)


def test_rows_stand_prompt_by_prompt_baseline_first_values_rising(bench: Bench) -> None:
    rows = [
        _row(prompt, [1], value, target)
        for target, value in (("L1N2", 3.0), ("L0N7", 5.0), (None, None), ("L1N2", -10.0))
        for prompt in ("p/1", "p/2")
    ]
    bench.batch(rows[:3])
    bench.batch(rows[3:])
    got, _ = bench.gather(rows)
    assert got["prompt_id"].tolist() == ["p/2"] * 4 + ["p/1"] * 4
    order = [None if pd.isna(value) else value for value in got["value"]]
    assert order == [None, 5.0, -10.0, 3.0] * 2
    assert got["model"].tolist() == ["tiny"] * 8
    footer = tables.footer(bench.folder / "generations")
    assert (footer["plan"], footer["unused_settings"]) == ("plan", {"num_beams": 4})
    assert footer["model"] == "d16e57"
    assert {name: footer[name] for name in FORMAT} == FORMAT


def test_a_row_diverges_where_it_leaves_the_baseline_of_its_own_prompt(bench: Bench) -> None:
    rows = [
        _row("p/1", [1, 2, 3]),
        _row("p/2", [7, 8]),
        _row("p/1", [1, 2, 3], 0.0, "L0N1"),
        _row("p/1", [1, 2, 9], 1.0, "L0N1"),
        _row("p/1", [1, 2], 2.0, "L0N1"),
        _row("p/2", [1, 2, 3], 0.0, "L0N1"),
        _row("p/2", [7, 8, 3], 1.0, "L0N1"),
    ]
    bench.batch(rows)
    got, _ = bench.gather(rows)
    steps = got.set_index("key")["first_divergence_step"]
    assert [None if pd.isna(steps[row["key"]]) else steps[row["key"]] for row in rows] == (
        [None, None, None, 2, 2, 0, 2]
    )


def test_a_sampled_row_is_compared_with_the_baseline_of_its_seed(bench: Bench) -> None:
    rows = [
        _row("p/1", [1, 2], seed=0),
        _row("p/1", [], seed=1),
        _row("p/1", [1, 2], 3.0, "L0N1", seed=0),
        _row("p/1", [1, 2], 3.0, "L0N1", seed=1),
        _row("p/1", [], 5.0, "L0N1", seed=1),
    ]
    bench.batch(rows)
    got, _ = bench.gather(rows)
    steps = got.set_index("key")["first_divergence_step"]
    assert [None if pd.isna(steps[row["key"]]) else steps[row["key"]] for row in rows] == (
        [None, None, None, 0, None]
    )


def test_a_greedy_baseline_serves_every_seed(bench: Bench) -> None:
    rows = [_row("p/1", [1, 2]), *(_row("p/1", [1, s], None, "L0N1", seed=s) for s in (2, 3))]
    bench.batch(rows)
    got, _ = bench.gather(rows)
    steps = got.set_index("key")["first_divergence_step"]
    assert pd.isna(steps[rows[1]["key"]])
    assert steps[rows[2]["key"]] == 1


def test_rows_that_the_plan_does_not_name_are_left_out(bench: Bench) -> None:
    rows = [_row("p/1", [1]), _row("p/1", [2], 3.0, "L0N1"), _row("p/1", [3], 5.0, "L0N1")]
    bench.batch(rows)
    got, vectors = bench.gather(rows[:2])
    assert set(got["key"]) == set(vectors["key"]) == {row["key"] for row in rows[:2]}


def test_a_row_in_two_batches_counts_once(bench: Bench) -> None:
    rows = [_row("p/1", [1]), _row("p/1", [2], 3.0, "L0N1")]
    bench.batch(rows)
    bench.batch(rows[1:])
    got, vectors = bench.gather(rows)
    assert (len(got), len(vectors)) == (2, 2)


def test_two_prompt_ids_of_one_text_each_get_its_rows(bench: Bench) -> None:
    rows = [_row("p/1", [1]), _row("p/1", [2], 3.0, "L0N1")]
    bench.batch(rows)
    twins = [{**row, "prompt_id": "p/2"} for row in rows]
    got, vectors = bench.gather([*rows, *twins])
    assert got.groupby("prompt_id").size().to_dict() == {"p/1": 2, "p/2": 2}
    assert vectors.groupby("prompt_id").size().to_dict() == {"p/1": 2, "p/2": 2}


def test_vectors_are_of_the_layers_that_the_sweep_changes_with_the_baselines(bench: Bench) -> None:
    rows = [_row("p/1", [1]), _row("p/1", [2], 3.0, "L1N2"), _row("p/1", [3], 3.0, "L1N2+L4N0")]
    bench.batch(rows[:1], layers=range(6))
    bench.batch(rows[1:2], layers=[1])
    bench.batch(rows[2:], layers=[1, 4])
    _, vectors = bench.gather(rows)
    got = {key: sorted(frame["layer"]) for key, frame in vectors.groupby("key")}
    assert got == {rows[0]["key"]: [1, 4], rows[1]["key"]: [1], rows[2]["key"]: [1, 4]}
    assert [list(vector) for vector in vectors["vector"]] == [[at, 0.5] for at in vectors["layer"]]


def test_a_batch_that_other_code_made_is_refused(bench: Bench) -> None:
    rows = [_row("p/1", [1]), _row("p/1", [2], 3.0, "L0N1"), _row("p/1", [3], 5.0, "L0N1")]
    bench.batch(rows[:1])
    bench.batch(rows[1:2], code="01d")
    bench.batch(rows[2:], code="01d")
    with pytest.raises(UserError, match=r"g1: made by another version .*\(so are 1 of "):
        bench.gather(rows)
    assert not (bench.folder / "generations").exists()


def test_a_missing_row_is_named_in_one_line(bench: Bench) -> None:
    rows = [_row("p/1", [1]), _row("p/1", [2], 3.0, "L0N1")]
    bench.batch(rows[:1])
    with pytest.raises(UserError, match="no batch holds") as error:
        bench.gather(rows)
    assert rows[1]["key"] in str(error.value)
    assert "\n" not in str(error.value)
    assert not (bench.folder / "generations").exists()
