"""The field's TSV in and out, the metrics CSV, and the vectors without pickles."""

from __future__ import annotations

import hashlib
import shutil

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.bcr import rates, recovery
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.metrics import table
from clampsweep.texts.promptset import PROMPTS
from extracted_files import (
    BROKEN,
    FINE,
    HEADER,
    assert_refused,
    message_of,
    nulls,
    read,
    relaxed,
    sweep_rows,
)

# Reading


def test_prompts_are_read_in_file_order(save):
    prompts, _ = read(save(sweep_rows()))
    assert prompts["prompt_id"].tolist() == [
        "tea_is_cold/declarative/2",
        "tea_is_cold/rhetorical/4",
    ]
    assert prompts["text"].tolist() == ["The declarative tea", "The rhetorical tea"]
    assert prompts["core"].tolist() == ["tea_is_cold"] * 2
    assert prompts["type"].tolist() == ["declarative", "rhetorical"]
    assert prompts["level"].tolist() == [2, 4]
    digest = hashlib.sha256(b"The declarative tea").hexdigest()
    assert prompts["text_digest"][0] == digest


def test_each_row_is_a_generation_of_the_named_neuron(save):
    _, generations = read(save(sweep_rows()))
    assert len(generations) == 12
    clamped = generations[generations["operation"] == "set"]
    assert set(clamped["value"]) == {-100, -0.5, 0, 3, 25}
    assert set(clamped["target"]) == {"L11N373"}
    assert (set(clamped["layer"]), set(clamped["neuron"])) == ({11}, {373})
    assert set(clamped["scope"]) == {"all"}
    one = clamped[(clamped["prompt_id"] == "tea_is_cold/rhetorical/4") & (clamped["value"] == 3)]
    assert one["text"].tolist() == ["Out rhetorical at 3."]


def test_baselines_have_no_intervention(save):
    _, generations = read(save(sweep_rows()))
    baselines = generations[generations["operation"] == "none"]
    assert baselines["text"].tolist() == [
        "Out declarative at baseline.",
        "Out rhetorical at baseline.",
    ]
    assert nulls(baselines, "target", "layer", "neuron", "value", "scope")


def test_what_the_file_does_not_tell_is_null(save):
    _, generations = read(save(sweep_rows()))
    assert set(generations["model"]) == {"imported"}
    unknown = ["token_ids", "n_prompt_tokens", "n_new_tokens", "stop_reason"]
    unknown += ["min_margin", "nll_unclamped"]
    assert nulls(generations, "seed", "first_divergence_step", *unknown)


def test_target_operation_and_scope_are_taken_as_told(save):
    _, generations = read(save(sweep_rows()), "L3N5+L11N2", operation="add", scope="last")
    clamped = generations[generations["operation"] != "none"]
    assert set(clamped["operation"]) == {"add"}
    assert set(clamped["scope"]) == {"last"}
    assert set(clamped["target"]) == {"L3N5+L11N2"}
    assert set(clamped["layer"]) == {3}
    assert nulls(clamped, "neuron")


def test_keys_are_unique_and_do_not_depend_on_the_path(save, tmp_path):
    path = save(sweep_rows())
    copy = shutil.copy(path, tmp_path / "elsewhere.tsv")
    keys = read(path)[1]["key"]
    assert keys.is_unique
    assert read(copy)[1]["key"].tolist() == keys.tolist()


def test_keys_follow_prompt_sweep_and_target(save):
    def keys(path, target="L11N373"):
        return set(read(path, target)[1].query("operation != 'none'")["key"])

    rows = sweep_rows()
    original = keys(save(rows))
    assert not original & keys(save(rows), "L11N374")
    assert not original & keys(save([[*r[:4], r[4] + "!", r[5]] for r in rows]))
    other_output = keys(save([[*row[:5], "Another output."] for row in rows]))
    assert other_output == original


def test_both_tables_can_be_written_and_read_back(save, tmp_path):
    prompts, generations = read(save(sweep_rows()))
    tables.write(prompts, tmp_path / "p", PROMPTS, {})
    tables.write(generations, tmp_path / "g", GENERATIONS, {})
    back = tables.read(tmp_path / "g", GENERATIONS)
    assert sorted(back["text"]) == sorted(row[5] for row in sweep_rows())


def test_an_imported_sweep_goes_through_metrics_recovery_and_rates(save):
    prompts, generations = read(save(sweep_rows({None: BROKEN, 25: FINE, 3: BROKEN})))
    found = recovery.recovery(generations, table(generations), ["surface", "entropy"])
    by_clamp = rates.rates(found, prompts).query("detector == 'surface'").set_index("value")
    assert by_clamp["n_rescued"].to_dict() == {-100: 2, -0.5: 2, 0: 2, 3: 0, 25: 2}


@pytest.mark.parametrize("output", ["", " ", "NA", "nan", "null", "None", "baseline", "#"])
def test_outputs_that_look_empty_or_special_are_texts(save, output):
    _, generations = read(save(sweep_rows({25: output})))
    assert generations[generations["value"] == 25]["text"].tolist() == [output] * 2


def test_no_new_tokens_is_how_the_published_programs_write_an_empty_text(save):
    _, generations = read(save(sweep_rows({None: "(No new tokens)", 25: "Said (No new tokens)"})))
    assert set(generations[generations["operation"] == "none"]["text"]) == {""}
    assert set(generations[generations["value"] == 25]["text"]) == {"Said (No new tokens)"}


@pytest.mark.parametrize(
    "output",
    [
        'He said "no".',
        '"',
        '""',
        "two\nlines",
        "tab\there",
        " spaces ",
        "\r\n",
        "a\rb",
        "x\u2028y",
        "é“🙂",
    ],
)
def test_standard_quoting_is_undone(save, output):
    _, generations = read(save(sweep_rows({25: output})))
    assert generations[generations["value"] == 25]["text"].tolist() == [output] * 2


def test_a_byte_order_mark_is_accepted(save):
    path = save(sweep_rows())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read(path)[1]) == 12


def test_columns_may_come_in_any_order(save):
    order = [5, 3, 4, 0, 2, 1]
    rows = [[row[i] for i in order] for row in sweep_rows()]
    prompts, generations = read(save(rows, [HEADER[i] for i in order]))
    expected_prompts, expected = read(save(sweep_rows()))
    pd.testing.assert_frame_equal(prompts, expected_prompts)
    pd.testing.assert_frame_equal(generations, expected)


# Refusals


@pytest.mark.parametrize("column", HEADER)
def test_a_missing_column_is_named(save, column):
    place = HEADER.index(column)
    rows = [[cell for i, cell in enumerate(row) if i != place] for row in sweep_rows()]
    header = [name for name in HEADER if name != column]
    assert repr(column) in message_of(save(rows, header))


@pytest.mark.parametrize(
    "sweep", ["", "x", "Baseline", "nan", "inf", "-inf", "1e999", "3,5", "0x10"]
)
def test_a_sweep_that_is_neither_baseline_nor_a_finite_number_is_refused(save, sweep):
    rows = sweep_rows()
    rows[7][3] = sweep
    assert repr(sweep) in assert_refused(save(rows), 8)


@pytest.mark.parametrize("again", ["3", "3.0", "3e0", " 3"])
def test_a_second_output_for_a_prompt_and_value_is_refused(save, again):
    rows = sweep_rows()
    rows[8] = ["tea_is_cold", "declarative", "2", again, "The declarative tea", "Twice."]
    assert "tea_is_cold/declarative/2" in assert_refused(save(rows), 9)


def test_a_second_baseline_is_refused(save):
    rows = sweep_rows()
    rows[5] = [*rows[5][:3], "baseline", *rows[5][4:]]
    assert_refused(save(rows), 6)


def test_minus_zero_and_zero_are_the_same_value(save):
    rows = sweep_rows()
    rows[1][3] = "-0.0"
    assert_refused(save(rows), 3)
    rows = sweep_rows()
    expected = set(read(save(rows))[1]["key"])
    rows[2][3] = "-0.0"
    assert set(read(save(rows))[1]["key"]) == expected


def test_a_prompt_without_baseline_is_named(save):
    rows = [row for row in sweep_rows() if row[1] != "rhetorical" or row[3] != "baseline"]
    message = message_of(save(rows))
    assert "tea_is_cold/rhetorical/4" in message
    assert "baseline" in message


def test_one_id_with_two_texts_is_refused(save):
    rows = sweep_rows()
    rows[4][4] = "The declarative tea, said otherwise"
    assert "tea_is_cold/declarative/2" in assert_refused(save(rows), 5)


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_prompt_is_refused(save, empty):
    rows = [[*row[:4], empty, row[5]] if row[1] == "rhetorical" else row for row in sweep_rows()]
    assert_refused(save(rows), 7)


def test_a_prompt_that_the_published_programs_did_not_find_is_refused(save):
    rows = sweep_rows()
    rows = [[*row[:4], "PROMPT NOT FOUND", row[5]] if row[2] == "4" else row for row in rows]
    assert "PROMPT NOT FOUND" in assert_refused(save(rows), 7)


def test_a_ragged_row_is_refused(save):
    rows = sweep_rows()
    rows[3] = rows[3][:5]
    assert_refused(save(rows), 4)


def test_a_level_that_is_no_integer_is_refused(save):
    rows = [[*row[:2], "high", *row[3:]] if row[1] == "rhetorical" else row for row in sweep_rows()]
    assert "'high'" in assert_refused(save(rows), 7)


@pytest.mark.parametrize("content", [b"", b"\t".join(name.encode() for name in HEADER) + b"\n"])
def test_a_file_without_rows_is_refused(tmp_path, content):
    path = tmp_path / "empty.tsv"
    path.write_bytes(content)
    message_of(path)


def test_a_missing_file_and_one_that_is_not_utf8_are_refused(save, tmp_path):
    message_of(tmp_path / "none.tsv")
    path = save(sweep_rows())
    path.write_bytes(path.read_bytes() + b"\xff\xfe")
    message_of(path)


@relaxed
@given(data=st.data())
def test_any_damaged_cell_gives_tables_or_one_line(save, data):
    rows = sweep_rows()
    row, column = data.draw(st.integers(0, 11)), data.draw(st.integers(0, 5))
    rows[row][column] = data.draw(st.text(max_size=6))
    path = save(rows)
    try:
        _, generations = read(path)
    except UserError as error:
        assert str(path) in str(error)
        assert len(str(error).splitlines()) == 1
    else:
        assert len(generations) == 12
