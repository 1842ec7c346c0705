"""Reading and writing of tables: checked, atomic, and with one-line errors."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import factories
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.bcr.rates import RATES
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.metrics import PUBLISHED_METRICS
from clampsweep.texts.promptset import PROMPTS
from clampsweep.texts.tables import BATCH_VECTORS

SCHEMAS = [value for value in vars(tables).values() if isinstance(value, tables.Schema)]


def prompts(*texts):
    rows = [factories.prompt(text, f"p{i}", level=i) for i, text in enumerate(texts)]
    return factories.frame(rows, PROMPTS)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "prompts.parquet"


@pytest.fixture
def written(path):
    tables.write(prompts("One.", "Two."), path, PROMPTS, {"made_by": "test"})
    return path


def write_raw(columns, path):
    """A Parquet file that does not come from `tables.write`."""
    pq.write_table(pa.table(columns), path)


def raw_prompts(**changes):
    columns = {
        "prompt_id": pa.array(["a", "b"]),
        "text": pa.array(["One.", "Two."]),
        "text_digest": pa.array(["1", "2"]),
        "core": pa.array(["c", None]),
        "proposition": pa.array([None, None], pa.string()),
        "type": pa.array(["t", None]),
        "level": pa.array([1, None], pa.int64()),
    }
    return {name: value for name, value in {**columns, **changes}.items() if value is not None}


def error_of(action, *arguments):
    with pytest.raises(UserError) as caught:
        action(*arguments)
    message = str(caught.value)
    assert len(message.splitlines()) == 1, "the user gets one line"
    return message


def read_error(path, schema=PROMPTS):
    message = error_of(tables.read, path, schema)
    assert message.startswith(f"{path}: ")
    return message


def write_error(frame, path, schema=PROMPTS):
    message = error_of(tables.write, frame, path, schema, {})
    assert message.startswith(f"{path}: ")
    assert not path.exists()
    return message


# Round trips


def test_a_table_reads_back_as_it_was_written(path):
    frame = prompts("“Curly” é 漢字 🙂", " kept  spaces\n and lines ")
    tables.write(frame, path, PROMPTS, {})
    pd.testing.assert_frame_equal(tables.read(path, PROMPTS), frame, check_dtype=False)


def test_strings_that_look_like_missing_values_stay_strings(path):
    tables.write(prompts("NA", "nan", "None", "", "null"), path, PROMPTS, {})
    found = tables.read(path, PROMPTS)["text"].tolist()
    assert found == ["NA", "nan", "None", "", "null"]


def test_nullable_integers_stay_integers_and_null(path):
    frame = prompts("One.", "Two.")
    frame.loc[1, "level"] = pd.NA
    tables.write(frame, path, PROMPTS, {})
    level = tables.read(path, PROMPTS)["level"]
    assert level.dtype == pd.Int64Dtype()
    assert level[0] == 0
    assert level[1] is pd.NA


def test_large_integers_do_not_pass_through_floats(path):
    frame = prompts("One.", "Two.")
    frame["level"] = pd.array([2**53 + 1, None], dtype="Int64")
    tables.write(frame, path, PROMPTS, {})
    assert tables.read(path, PROMPTS)["level"][0] == 2**53 + 1


def test_token_lists_and_nulls_in_them_come_back(path):
    rows = [
        factories.baseline("a", "x", tokens=[5, 6, 2**31 - 1]),
        factories.baseline("b", "", tokens=[]),
        factories.baseline("c", "y", tokens=None),
    ]
    tables.write(factories.frame(rows, GENERATIONS), path, GENERATIONS, {})
    one, two, three = tables.read(path, GENERATIONS)["token_ids"]
    assert list(one) == [5, 6, 2**31 - 1]
    assert list(two) == []
    assert three is None


def test_vectors_keep_their_float32_bits(path):
    vector = np.random.default_rng(0).normal(size=7).astype(np.float32)
    rows = pd.DataFrame(
        {"key": ["k"], "layer": [3], "vector": [vector], "natural_value": [0.1 + 0.2]}
    )
    tables.write(rows, path, BATCH_VECTORS, {})
    found = tables.read(path, BATCH_VECTORS)
    assert found["vector"][0].dtype == np.float32
    assert found["vector"][0].tobytes() == vector.tobytes()
    assert found["natural_value"][0] == 0.1 + 0.2


def test_columns_may_come_in_any_order_and_leave_in_the_schemas(path):
    frame = prompts("One.", "Two.")
    tables.write(frame[frame.columns[::-1]], path, PROMPTS, {})
    assert list(tables.read(path, PROMPTS).columns) == list(PROMPTS.columns)


def test_an_open_table_keeps_extra_columns_as_strings(path):
    tables.write(prompts("One.", "Two.").assign(mood=["calm", "007"]), path, PROMPTS, {})
    assert tables.read(path, PROMPTS)["mood"].tolist() == ["calm", "007"]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_a_table_without_rows_keeps_its_columns_and_types(schema, path):
    tables.write(factories.frame([], schema), path, schema, {})
    found = tables.read(path, schema)
    assert (len(found), list(found.columns)) == (0, list(schema.columns))


def test_the_index_is_not_written(path):
    tables.write(prompts("One.", "Two.").set_index(pd.Index([7, 9])), path, PROMPTS, {})
    assert tables.read(path, PROMPTS).index.tolist() == [0, 1]


def test_equal_tables_give_equal_bytes(path, tmp_path):
    tables.write(prompts("One."), path, PROMPTS, {"b": 1, "a": 2})
    tables.write(prompts("One."), tmp_path / "again", PROMPTS, {"a": 2, "b": 1})
    assert path.read_bytes() == (tmp_path / "again").read_bytes()


def test_the_footer_carries_schema_version_and_provenance(written):
    expected = {"schema": "prompts", "schema_version": 1, "made_by": "test"}
    assert tables.footer(written) == expected


def test_writing_makes_missing_folders(tmp_path):
    deep = tmp_path / "a=1" / "b" / "t.parquet"
    tables.write(prompts("One."), deep, PROMPTS, {})
    assert list(tables.read(deep, PROMPTS).columns) == list(PROMPTS.columns)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_any_text_survives(tmp_path, texts):
    path = tmp_path / f"{uuid.uuid4()}.parquet"
    tables.write(prompts(*texts), path, PROMPTS, {})
    assert tables.read(path, PROMPTS)["text"].tolist() == texts


# The contract itself


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_every_schema_has_a_key_among_its_columns_and_documents_them(schema):
    assert schema.key
    assert set(schema.key) <= set(schema.columns)
    for name, column in schema.columns.items():
        assert column.doc.strip(), name
        assert column.type in {"str", "int", "float", "bool", "tokens", "vector"}, name


def test_the_published_metrics_are_the_papers_six():
    assert list(PUBLISHED_METRICS) == [
        "total_tokens",
        "unique_tokens",
        "token_entropy",
        "num_sentences",
        "avg_sentence_length",
        "num_repeated_bigrams",
    ]


# Reading what is not such a table


def test_a_missing_file_is_named(path):
    assert "no such file" in read_error(path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_or_empty_file_is_named_with_a_remedy(written, share):
    content = written.read_bytes()
    written.write_bytes(content[: int(share * len(content))])
    message = read_error(written)
    assert "not a whole Parquet file" in message
    assert "delete it" in message


def test_every_truncation_is_noticed(written):
    content = written.read_bytes()
    for length in range(0, len(content), 37):
        written.write_bytes(content[:length])
        read_error(written)


def test_a_file_of_another_kind_is_named(path):
    path.write_text("prompt_id,text\na,One.\n" * 10)
    assert "not a whole Parquet file" in read_error(path)


def test_a_damaged_byte_gives_a_user_error_or_does_no_harm(written):
    content = written.read_bytes()
    for place in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        written.write_bytes(damaged)
        try:
            tables.read(written, PROMPTS)
        except UserError as error:
            assert str(written) in str(error)


def test_a_foreign_parquet_file_is_refused_by_its_first_missing_column(path):
    write_raw({"a": [1], "b": [2]}, path)
    message = read_error(path)
    assert "'prompt_id'" in message
    assert "'prompts'" in message


def test_a_table_of_another_schema_is_refused(written):
    assert "holds a 'prompts' table, not 'rates'" in read_error(written, RATES)


def _in_results(tmp_path, *places):
    """A table written to the first place in `results` and copied to the others."""
    paths = [tmp_path / "results" / place for place in places]
    tables.write(prompts("One."), paths[0], PROMPTS, {})
    for path in paths[1:]:
        path.parent.mkdir(exist_ok=True)
        shutil.copy(paths[0], path)
    return paths


def test_a_table_copied_from_another_place_in_results_is_refused(tmp_path):
    path, copy, beside = _in_results(tmp_path, "s/p.parquet", "t/p.parquet", "s/q.parquet")
    assert len(tables.read(path, PROMPTS)) == 1
    for wrong in (copy, beside):
        message = error_of(tables.read, wrong, PROMPTS)
        assert message.startswith(f"{wrong}: ")
        assert "results/s/p.parquet" in message and "delete" in message


def test_a_table_may_be_read_elsewhere_and_its_results_folder_moved(tmp_path):
    (path,) = _in_results(tmp_path, "s/p.parquet")
    shutil.copy(path, tmp_path / "mine.parquet")
    shutil.copytree(tmp_path / "results", tmp_path / "there/results")
    for good in (tmp_path / "mine.parquet", tmp_path / "there/results/s/p.parquet"):
        assert len(tables.read(good, PROMPTS)) == 1


@pytest.mark.parametrize("column", list(PROMPTS.columns))
def test_reading_names_a_missing_column(path, column):
    write_raw(raw_prompts(**{column: None}), path)
    assert repr(column) in read_error(path)


def test_reading_names_an_unknown_column_of_a_closed_table(path):
    columns = {"key": ["k"], "layer": [1], "vector": [[1.0]], "natural_value": [1.0], "mood": ["x"]}
    write_raw(columns, path)
    assert "'mood'" in read_error(path, BATCH_VECTORS)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("level", pa.array([1.0, 2.0])),
        ("level", pa.array(["1", "2"])),
        ("level", pa.array([1, 2], pa.int32())),
        ("text", pa.array([1, 2])),
        ("core", pa.array([0.5, None])),
    ],
)
def test_reading_names_a_column_of_the_wrong_type_and_both_types(path, column, values):
    write_raw(raw_prompts(**{column: values}), path)
    message = read_error(path)
    assert repr(column) in message
    assert str(values.type) in message


def test_reading_names_the_key_that_stands_twice(path):
    write_raw(raw_prompts(prompt_id=pa.array(["a", "a"])), path)
    message = read_error(path)
    assert "prompt_id" in message
    assert "'a'" in message


@pytest.mark.parametrize("column", ["prompt_id", "text", "text_digest"])
def test_reading_names_a_column_with_empty_cells(path, column):
    write_raw(raw_prompts(**{column: pa.array(["x", None])}), path)
    assert repr(column) in read_error(path)


# Writing what does not fit


@pytest.mark.parametrize("column", list(PROMPTS.columns))
def test_writing_names_a_missing_column(path, column):
    assert repr(column) in write_error(prompts("One.").drop(columns=column), path)


def test_writing_names_an_unknown_column_of_a_closed_table(path):
    rows = factories.frame([factories.baseline("a", "x")], GENERATIONS).assign(mood="x")
    assert "'mood'" in write_error(rows, path, GENERATIONS)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("level", ["x", "y"]),
        ("level", [1.5, 2.0]),
        ("text", [1, 2]),
        ("core", [0.5, None]),
        ("text", [["One."], ["Two."]]),
    ],
)
def test_writing_names_a_column_of_the_wrong_type(path, column, values):
    assert column in write_error(prompts("One.", "Two.").assign(**{column: values}), path)


def test_writing_names_an_extra_column_that_is_no_string(path):
    assert "mood" in write_error(prompts("One.", "Two.").assign(mood=[1, 2]), path)


@pytest.mark.parametrize("column", ["prompt_id", "text", "text_digest"])
@pytest.mark.parametrize("empty", [None, np.nan])
def test_writing_names_a_column_with_empty_cells(path, column, empty):
    assert repr(column) in write_error(
        prompts("One.", "Two.").assign(**{column: ["x", empty]}), path
    )


def test_writing_names_the_key_that_stands_twice(path):
    message = write_error(prompts("One.", "Two.").assign(prompt_id="same"), path)
    assert "prompt_id" in message
    assert "'same'" in message


def test_keys_with_nulls_count_as_equal(path):
    row = dict.fromkeys(RATES.columns, 0) | {
        "detector": "surface",
        "target": "L1N2",
        "operation": "zero",
        "value": None,
        "scope": "all",
    }
    message = write_error(factories.frame([row, row], RATES), path, RATES)
    assert "more than one row" in message


# Writing by row groups


def wide_rows(*layers, dtype=np.float16):
    """A row group: a row for each layer, with a vector of three."""
    vectors = np.arange(3 * len(layers), dtype=dtype).reshape(-1, 3) + 0.5
    return {"name": [f"n{one}" for one in layers], "layer": list(layers), "vector": vectors}


WIDE_TABLE = tables.Schema(
    "wide_table",
    {
        "name": tables.Column("str", "a name"),
        "layer": tables.Column("int", "a layer"),
        "vector": tables.Column(tables.WIDE, "a vector"),
    },
    key=("name",),
)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_row_groups_read_back_as_they_were_written(path, dtype):
    with tables.appending(path, WIDE_TABLE, {"made_by": "test"}) as append:
        append(wide_rows(0, 1, dtype=dtype))
        append(wide_rows(2, dtype=dtype))
    frame = tables.read(path, WIDE_TABLE)
    assert frame["name"].tolist() == ["n0", "n1", "n2"]
    assert frame["layer"].dtype == "int64"
    vectors = np.stack(list(frame["vector"]))
    assert vectors.dtype == dtype
    assert vectors.tolist() == [[0.5, 1.5, 2.5], [3.5, 4.5, 5.5], [0.5, 1.5, 2.5]]
    assert tables.footer(path)["made_by"] == "test"
    assert tables.footer(path)["schema"] == "wide_table"
    assert pq.ParquetFile(path).num_row_groups == 2
    assert tables.read(path, WIDE_TABLE, {"layer": 2})["name"].tolist() == ["n2"]
    assert tables.read(path, WIDE_TABLE, {"layer": 7}).empty


def test_rows_that_do_not_fit_are_named_and_leave_nothing(path):
    for wrong in ({"layer": ["x"]}, {"name": [None]}, {"name": ["a", "b"]}):
        with pytest.raises(UserError) as caught, tables.appending(path, WIDE_TABLE, {}) as append:
            append(wide_rows(0))
            append({**wide_rows(1), **wrong})
        assert str(caught.value).startswith(f"{path}: rows do not fit the 'wide_table' table: ")
        assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(UserError), tables.appending(path, WIDE_TABLE, {}) as append:
        append(wide_rows(0))
        append(wide_rows(1, dtype=np.float32))
    assert list(path.parent.iterdir()) == []


def test_bytes_that_do_not_say_what_they_are_and_lists_are_no_vectors(path):
    write_raw({"name": ["a"], "layer": [1], "vector": [[1.0, 2.0]]}, path)
    assert "'vector' has type list<element: double>" in read_error(path, WIDE_TABLE)
    write_raw({"name": ["a"], "layer": [1], "vector": pa.array([b"1234"], pa.binary(4))}, path)
    assert "'vector' has type fixed_size_binary[4]" in read_error(path, WIDE_TABLE)


def test_the_bytes_of_vectors_can_be_read_without_this_project(path):
    with tables.appending(path, WIDE_TABLE, {}) as append:
        append(wide_rows(0, 1))
    table = pq.read_table(path)
    assert table.schema.field("vector").metadata[b"dtype"] == b"<f2"
    assert np.frombuffer(table["vector"][1].as_py(), "<f2").tolist() == [3.5, 4.5, 5.5]


def test_a_writer_that_is_killed_between_row_groups_leaves_the_old_table_whole(path):
    with tables.appending(path, WIDE_TABLE, {}) as append:
        append(wide_rows(0))
    before = path.read_bytes()
    script = (
        "import os, signal, sys; import numpy as np; from clampsweep import tables\n"
        "columns = {'vector': tables.Column(tables.WIDE, '')}\n"
        "with tables.appending(sys.argv[1], tables.Schema('', columns, ()), {}) as append:\n"
        "    append({'vector': np.zeros((1000, 9), np.float16)})\n"
        "    append({'vector': np.zeros((1000, 9), np.float16)})\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert killed.returncode == -9
    assert path.read_bytes() == before
    (half,) = path.parent.glob(".*.part")
    assert half.stat().st_size > 2 * 1000 * 9 * 2 * 0.9, "row groups are on the disk as they come"


# Atomic writing


def test_the_content_is_on_the_disk_before_it_is_renamed(path, monkeypatch):
    done = []
    real_fsync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append("fsync"), real_fsync(fd))[1])
    monkeypatch.setattr(
        os, "replace", lambda *paths: (done.append("replace"), real_replace(*paths))[1]
    )
    tables.write(prompts("One."), path, PROMPTS, {})
    assert done[:2] == ["fsync", "replace"]


def test_a_disk_that_fills_up_leaves_the_old_file_and_says_so(written, monkeypatch):
    before = written.read_bytes()

    def fill_up(table, where, **options):
        Path(where).write_bytes(b"PAR1 half a table")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", fill_up)
    message = error_of(tables.write, prompts("New."), written, PROMPTS, {})
    assert message.startswith(f"{written}: ")
    assert "the disk is full" in message
    assert written.read_bytes() == before
    assert list(written.parent.iterdir()) == [written]


def test_a_refused_rename_is_one_line_and_leaves_nothing(written, monkeypatch):
    def refuse(source, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    before = written.read_bytes()
    monkeypatch.setattr(os, "replace", refuse)
    message = error_of(tables.write, prompts("New."), written, PROMPTS, {})
    assert "Permission denied" in message
    assert written.read_bytes() == before
    assert list(written.parent.iterdir()) == [written]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "results").write_text("a file where a folder should be")
    target = tmp_path / "results" / "prompts.parquet"
    message = error_of(tables.write, prompts("One."), target, PROMPTS, {})
    assert str(tmp_path / "results") in message


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 16 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(place)]
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    try:
        mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("this machine does not let us mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_really_full_leaves_the_old_file_and_says_so(small_disk):
    path = small_disk / "prompts.parquet"
    tables.write(prompts("One."), path, PROMPTS, {})
    before = path.read_bytes()
    noise = np.random.default_rng(0).integers(33, 0x2FFF, size=(60, 500))
    too_large = prompts(*("".join(map(chr, row)) for row in noise))
    message = error_of(tables.write, too_large, path, PROMPTS, {})
    assert message.startswith(f"{path}: ")
    assert "the disk is full" in message
    assert path.read_bytes() == before
    assert list(small_disk.iterdir()) == [path]


def test_a_question_that_no_table_answers_is_refused_and_nothing_is_to_be_deleted(written):
    with pytest.raises(TypeError, match=r"schema: got 'prompts'; write one, such as verdicts"):
        tables.read(written, "prompts")
    with pytest.raises(ValueError, match=r"only: got column 'prompt'; 'prompts' has prompt_id"):
        tables.read(written, PROMPTS, {"prompt": "p0"})
    with pytest.raises(UserError, match=r": a folder; name a table in it$"):
        tables.read(written.parent, PROMPTS)
    with pytest.raises(UserError, match=r"gone.parquet: no such file; run the workflow"):
        tables.footer(written.with_name("gone.parquet"))
