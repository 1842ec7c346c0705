"""AxBench rows: of training, of evaluation, and our own."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from clampsweep.errors import UserError
from clampsweep.studies.steering.axbench_files import (
    AXBENCH,
    HARD,
    axbench_concepts,
    read_axbench,
    write_axbench,
)
from clampsweep.studies.steering.pairs import Pair


def row(prompt, output, concept, genre, category, number, **more):
    cells = (prompt, output, concept, genre, category, "instruction", number)
    return {**dict(zip(AXBENCH, cells, strict=True)), **more}


# Negatives of training files are shared by the concepts of their genre.
TRAIN = [
    row("n1", "plain 1", "EEEEE", "text", "negative", -1),
    row("c1", "plain code", "EEEEE", "code", "negative", -1),
    row("p2", "plain 2", "EEEEE", "text", "negative", -1),
    row("n3", "plain 3", "EEEEE", "text", "negative", -1),
    row("p1", "birds 1", "birds", "text", "positive", 4),
    row("p2", "birds 2", "birds", "text", "positive", 4),
    row("p3", "loop 1", "loops", "code", "positive", 0),
    row("p4", "loop 2", "loops", "code", "positive", 0),
]
# Those of evaluation files are a concept's own, of any genre.
TEST = [
    row("p1", "birds 1", "birds", "text", "positive", 4, sae_id=9),
    row("n1", "plain 1", "birds", "code", "negative", 4, sae_id=9),
    row("h1", "a crane lifts", "crane//a machine", "text", "hard negative", 4, sae_id=9),
    row("x", "plain", "loops", "code", "negative", 0, sae_id=3),
    row("p3", "loop 1", "loops", "code", "positive", 0, sae_id=3),
]


def write(path: Path, rows: list[dict]) -> Path:
    if path.suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.fixture(params=["rows.parquet", "rows.jsonl"])
def file(request, tmp_path):
    return tmp_path / request.param


def test_shared_negatives_are_those_of_the_genre_and_the_same_prompt_goes_first(file):
    path = write(file, TRAIN)
    assert axbench_concepts(path) == {0: "loops", 4: "birds"}
    assert read_axbench(path, 4) == [
        Pair("p1", "birds 1", "plain 1", nonmatch_prompt="n1"),
        Pair("p2", "birds 2", "plain 2"),
    ]
    assert read_axbench(path, 0) == [Pair("p3", "loop 1", "plain code", nonmatch_prompt="c1")]


def test_a_concepts_own_negatives_are_taken_and_hard_ones_if_asked_for(file):
    path = write(file, TEST)
    assert read_axbench(path, 4) == [Pair("p1", "birds 1", "plain 1", nonmatch_prompt="n1")]
    (hard,) = read_axbench(path, 4, HARD)
    assert (hard.nonmatch, hard.prompts) == ("a crane lifts", ("p1", "h1"))


def test_one_prompt_with_several_outputs_is_paired_in_order(file):
    rows = [row("q", f"yes {at}", "b", "text", "positive", 0) for at in range(3)]
    rows += [row("q", f"no {at}", "b", "text", "negative", 0) for at in range(3)]
    found = [(one.match, one.nonmatch) for one in read_axbench(write(file, rows))]
    assert found == [(f"yes {at}", f"no {at}") for at in range(3)]


@pytest.mark.parametrize(
    ("rows", "concept", "negatives", "said"),
    [
        (TRAIN, None, "negative", "concept_id: got None; allowed: 0, 4"),
        (TRAIN, 2, "negative", "concept_id: got 2; allowed: 0, 4"),
        (TRAIN, -1, "negative", "concept_id: got -1"),
        (TRAIN, 4, HARD, "concept 4 has no output of category 'hard negative'"),
        (TRAIN[4:], 4, "negative", "concept 4 has no output of category 'negative'"),
        ([{**TRAIN[0], "category": "neutral"}], None, "negative", "category: got 'neutral'"),
        ([{**TRAIN[0], "output": None}], None, "negative", "row 1: output: got None; write a text"),
        ([{**TRAIN[0], "concept_id": 1.5}], None, "negative", "concept_id: got 1.5; write a whole"),
        ([{"input": "q"}], None, "negative", "lacks column 'output'"),
    ],
)
def test_what_cannot_be_paired_is_said(file, rows, concept, negatives, said):
    with pytest.raises(UserError) as caught:
        read_axbench(write(file, rows), concept, negatives)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [("rows.parquet", b"PAR1{"), ("rows.jsonl", b"PAR1{"), ("rows.jsonl", b'{"input": "q"}\n3')],
)
def test_a_damaged_file_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="neither Parquet nor JSON lines"):
        read_axbench(tmp_path / name)
    with pytest.raises(UserError, match="no such file"):
        read_axbench(tmp_path / f"other{name}")


def test_written_rows_are_as_in_training_files_and_the_pairs_come_back(file):
    pairs = [Pair("q", "yes", "no", "food"), Pair("r", "ja", "nein"), Pair("q", "si", "non")]
    write_axbench(pairs, file, "affirms")
    assert read_axbench(file) == pairs
    assert axbench_concepts(file) == {0: "affirms"}
    frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_json(file, lines=True)
    assert list(frame.columns) == [*AXBENCH, "topic"]
    # as AxBench's training code picks them
    negative = frame[(frame["output_concept"] == "EEEEE") & (frame["category"] == "negative")]
    positive = frame[(frame["output_concept"] == "affirms") & (frame["category"] == "positive")]
    assert negative["output"].tolist() == ["no", "nein", "non"]
    assert positive["output"].tolist() == ["yes", "ja", "si"]
    assert set(negative["concept_id"]) == {-1} and set(positive["concept_id"]) == {0}
    assert set(negative["concept_genre"]) == set(positive["concept_genre"]) == {"text"}
    assert set(frame["dataset_category"]) == {"instruction"}


def test_without_topics_there_are_the_seven_columns_alone(file):
    write_axbench([Pair("q", "yes", "no", nonmatch_prompt="r")], file, "affirms")
    frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_json(file, lines=True)
    assert list(frame.columns) == list(AXBENCH)
    assert read_axbench(file)[0].prompts == ("q", "r")


def test_pairs_that_would_be_paired_otherwise_are_not_written(file):
    crossed = [Pair("q", "yes", "no", nonmatch_prompt="r"), Pair("r", "ja", "nein")]
    with pytest.raises(ValueError, match="part the pairs"):
        write_axbench(crossed, file, "affirms")
    assert not file.exists()
