"""The field's TSV in and out, the metrics CSV, and the vectors without pickles."""

from __future__ import annotations

import csv
import hashlib
import itertools
import re
import shutil
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import factories
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.bcr import extracted, recovery
from clampsweep.texts import collapse
from clampsweep.texts.gather import GENERATIONS, VECTORS
from clampsweep.texts.metrics import FURTHER_METRICS, PUBLISHED_METRICS, table
from clampsweep.texts.promptset import PROMPTS

HEADER = ["core_id", "type", "level", "sweep", "prompt", "output"]
FINE = "The night was quiet, and nobody came."
BROKEN = "no no no no no no no no no no"
VALUES = [-100, -0.5, 0, None, 3, 25]  # in the order of the file; None is the baseline

relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def sweep_rows(outputs=None):
    """Two prompts of a sweep, as rows of the file."""
    rows = []
    for kind, level in (("declarative", 2), ("rhetorical", 4)):
        for value in VALUES:
            sweep = "baseline" if value is None else str(value)
            output = (outputs or {}).get(value, f"Out {kind} at {sweep}.")
            rows.append(["tea_is_cold", kind, str(level), sweep, f"The {kind} tea", output])
    return rows


def save_rows(path, rows, header=HEADER):
    with path.open("w", encoding="utf-8", newline="") as file:
        # Python before 3.13 leaves a lone \r unquoted, which ends a row for most readers.
        quoting = csv.QUOTE_ALL if any("\r" in cell for row in rows for cell in row) else 0
        writer = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=quoting)
        writer.writerow(header)
        writer.writerows(rows)
    return path


@pytest.fixture
def save(tmp_path):
    """Writes rows to a TSV of its own for every call."""
    return lambda rows, header=HEADER: save_rows(tmp_path / f"{uuid.uuid4().hex}.tsv", rows, header)


def read(path, target="L11N373", **options):
    return extracted.read(path, target, **options)


def message_of(path, target="L11N373"):
    with pytest.raises(UserError) as caught:
        extracted.read(path, target)
    message = str(caught.value)
    assert len(message.splitlines()) == 1, "the user gets one line"
    assert message.startswith(str(path))
    return message


def assert_refused(path, row):
    """The message names the row, counted from 1 below the header, or its line in the file."""
    message = message_of(path)
    named = dict(re.findall(r"\b(row|line) (\d+)", message.removeprefix(str(path))[:40]))
    assert named, message
    assert named.get("row", str(row)) == str(row), message
    assert named.get("line", str(row + 1)) == str(row + 1), message
    return message


def nulls(frame, *columns):
    return bool(frame[list(columns)].isna().all(axis=None))


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
    rates = recovery.rates(found, prompts).query("detector == 'surface'").set_index("value")
    assert rates["n_rescued"].to_dict() == {-100: 2, -0.5: 2, 0: 2, 3: 0, 25: 2}


@pytest.mark.parametrize("output", ["", " ", "NA", "nan", "null", "None", "baseline", "#"])
def test_outputs_that_look_empty_or_special_are_texts(save, output):
    _, generations = read(save(sweep_rows({25: output})))
    assert generations[generations["value"] == 25]["text"].tolist() == [output] * 2


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


# extracted_frame


def sweep_of(rows, *prompts):
    return factories.frame(prompts, PROMPTS), factories.frame(rows, GENERATIONS)


def test_a_file_comes_out_as_it_was_read(save):
    prompts, generations = read(save(sweep_rows()))
    found = extracted.extracted_frame(prompts, generations)
    assert list(found.columns) == HEADER
    assert found.values.tolist() == sweep_rows()


def test_rows_go_prompt_by_prompt_with_the_baseline_before_the_positive_values():
    values = [3.0, -100.0, None, 100.0, 0.0, -5.0]
    rows = [
        factories.baseline(name, "x") if v is None else factories.generation(name, "x", v)
        for v, name in itertools.product(values, "ba")
    ]
    prompts, generations = sweep_of(
        rows, factories.prompt("B", "b", core="b"), factories.prompt("A", "a", core="a")
    )
    found = extracted.extracted_frame(prompts, generations)
    assert found["core_id"].tolist() == ["b"] * 6 + ["a"] * 6
    assert found["sweep"].tolist() == ["-100", "-5", "0", "baseline", "3", "100"] * 2


@pytest.mark.parametrize(
    ("values", "order"),
    [
        ([1.0, 2.0], ["baseline", "1", "2"]),
        ([-1.0, -2.0], ["-2", "-1", "baseline"]),
        ([0.0], ["0", "baseline"]),
        ([], ["baseline"]),
    ],
)
def test_the_baseline_stands_where_values_turn_positive(values, order):
    rows = [factories.baseline("p", "x"), *(factories.generation("p", "x", v) for v in values)]
    found = extracted.extracted_frame(*sweep_of(rows, factories.prompt("P", "p", core="p")))
    assert found["sweep"].tolist() == order


@pytest.mark.parametrize(
    ("value", "text"),
    [(25.0, "25"), (-100.0, "-100"), (0.0, "0"), (0.5, "0.5"), (0.1, "0.1"), (-2.25, "-2.25"),
     (1 / 3, repr(1 / 3)), (1e6, "1000000")],
)  # fmt: skip
def test_sweep_values_are_integers_without_point_or_in_full(value, text):
    rows = [factories.baseline("p", "x"), factories.generation("p", "x", value)]
    found = extracted.extracted_frame(*sweep_of(rows, factories.prompt("P", "p", core="p")))
    assert set(found["sweep"]) == {"baseline", text}


def test_several_targets_are_named_in_the_sweep():
    rows = [factories.baseline("p", "x")]
    rows += [
        factories.generation("p", "x", v, target=target)
        for v, target in itertools.product((1.0, -2.5), ("L1N2", "L3N4+L5N6"))
    ]
    found = extracted.extracted_frame(*sweep_of(rows, factories.prompt("P", "p", core="p")))
    assert set(found["sweep"]) == {
        "baseline", "L1N2:1", "L1N2:-2.5", "L3N4+L5N6:1", "L3N4+L5N6:-2.5",
    }  # fmt: skip


def test_a_prompt_without_core_is_named_by_its_id():
    rows = [factories.baseline("row_0001", "x"), factories.generation("row_0001", "y", 1.0)]
    found = extracted.extracted_frame(*sweep_of(rows, factories.prompt("P", "row_0001")))
    assert found.values.tolist() == [
        ["row_0001", "", "", "baseline", "P", "x"],
        ["row_0001", "", "", "1", "P", "y"],
    ]


def test_every_cell_is_a_string():
    rows = [factories.baseline("p", ""), factories.generation("p", "y", 1.0)]
    prompt = factories.prompt("P", "p", core="c", type="t", level=3)
    found = extracted.extracted_frame(*sweep_of(rows, prompt))
    assert all(isinstance(cell, str) for cell in found.to_numpy().ravel())
    assert found["level"].tolist() == ["3", "3"]


def test_an_exported_sweep_can_be_imported_again(tmp_path):
    rows = [factories.baseline(name, 'a "b"\tc\r\nd') for name in ("c/t/1", "row_0001")]
    rows += [
        factories.generation(name, "", v) for name in ("c/t/1", "row_0001") for v in (-1.5, 2.0)
    ]
    prompts, generations = sweep_of(
        rows,
        factories.prompt("One,\ntwo", "c/t/1", core="c", type="t", level=1),
        factories.prompt("Three", "row_0001"),
    )
    frame = extracted.extracted_frame(prompts, generations)
    extracted.write_csv(frame, tmp_path / "extracted.tsv", sep="\t")
    back_prompts, back = read(tmp_path / "extracted.tsv", "L1N2")
    assert back_prompts["prompt_id"].tolist() == ["c/t/1", "row_0001"]
    assert back_prompts["text"].tolist() == ["One,\ntwo", "Three"]
    pd.testing.assert_frame_equal(extracted.extracted_frame(back_prompts, back), frame)


# metrics_frame


@pytest.fixture
def measured():
    """Prompts, generations, metrics and recovery of two prompts and two clamps."""
    rows = [factories.baseline("p", BROKEN), factories.baseline("q", FINE)]
    rows += [factories.generation("p", FINE, v) for v in (-5.0, 5.0)]
    rows += [factories.generation("q", BROKEN, 5.0), factories.generation("q", "", -5.0)]
    prompts, generations = sweep_of(
        rows,
        factories.prompt("The P", "p", core="c", type="t", level=1, mood="calm"),
        factories.prompt("The Q", "q", core="c", type="t", level=2, mood="angry"),
    )
    metrics = table(generations)
    found = recovery.recovery(generations, metrics, ["surface", "loop"])
    return prompts, generations, metrics, found


def test_the_metrics_frame_has_every_text_once_baselines_included(measured):
    found = extracted.metrics_frame(*measured)
    assert len(found) == 6
    assert sorted(found["output"]) == sorted(measured[1]["text"])
    assert found["operation"].value_counts().to_dict() == {"set": 4, "none": 2}


def test_the_metrics_frame_carries_prompt_factors_intervention_and_metrics(measured):
    found = extracted.metrics_frame(*measured)
    wanted = {"prompt_id", "prompt", "output", "core", "type", "level", "mood"}
    wanted |= {"target", "layer", "neuron", "operation", "value", "scope", "seed"}
    wanted |= {*PUBLISHED_METRICS, *FURTHER_METRICS}
    assert wanted <= set(found.columns)
    row = found[(found["prompt_id"] == "p") & (found["value"] == 5)].iloc[0]
    assert (row["prompt"], row["output"], row["mood"], row["level"]) == ("The P", FINE, "calm", 1)
    assert row["total_tokens"] == 7
    assert (row["target"], row["layer"], row["neuron"]) == ("L1N2", 1, 2)


def test_the_metrics_frame_says_per_detector_what_became_of_each_text(measured):
    found = extracted.metrics_frame(*measured)
    by_text = found.set_index(["prompt_id", "operation", "value"])
    states = [
        f"{name}_surface" for name in ("collapsed", "baseline_collapsed", "improves", "harms")
    ]
    rescued = by_text.loc[("p", "set", 5.0), states].tolist()
    harmed = by_text.loc[("q", "set", 5.0), states].tolist()
    assert rescued == [False, True, True, False]
    assert harmed == [True, False, False, True]


def test_a_baseline_row_has_its_own_state_and_neither_improves_nor_harms(measured):
    found = extracted.metrics_frame(*measured)
    baselines = found[found["operation"] == "none"].set_index("prompt_id")
    for name, broken in (("p", True), ("q", False)):
        assert bool(baselines.loc[name, "collapsed_surface"]) is broken
        assert bool(baselines.loc[name, "baseline_collapsed_surface"]) is broken
        assert not baselines.loc[name, "improves_surface"]
        assert not baselines.loc[name, "harms_surface"]


def test_the_flags_of_the_metrics_frame_are_those_of_the_detectors(measured):
    found = extracted.metrics_frame(*measured)
    ids = dict(zip(measured[1]["text"], measured[1]["token_ids"], strict=True))
    for detector in ("surface", "loop"):
        expected = [collapse.DETECTORS[detector](text, ids[text]) for text in found["output"]]
        assert found[f"collapsed_{detector}"].tolist() == expected


def test_a_baseline_without_clamped_texts_keeps_its_row_and_state():
    rows = [factories.baseline("p", BROKEN), factories.baseline("q", BROKEN)]
    rows += [factories.generation("p", FINE, 1.0)]
    prompts, generations = sweep_of(rows, factories.prompt("P", "p"), factories.prompt("Q", "q"))
    metrics = table(generations)
    recovered = recovery.recovery(generations, metrics, ["surface"])
    found = extracted.metrics_frame(prompts, generations, metrics, recovered)
    lonely = found[found["prompt_id"] == "q"]
    assert lonely["collapsed_surface"].tolist() == [True]


def test_the_metrics_frame_survives_the_csv(measured, tmp_path):
    found = extracted.metrics_frame(*measured)
    extracted.write_csv(found, tmp_path / "metrics.csv")
    back = pd.read_csv(tmp_path / "metrics.csv")
    assert list(back.columns) == list(found.columns)
    assert back["total_tokens"].astype("Int64").tolist() == found["total_tokens"].tolist()
    assert back["token_entropy"].tolist() == pytest.approx(
        found["token_entropy"].tolist(), abs=0, nan_ok=True
    )
    assert back["harms_surface"].tolist() == found["harms_surface"].tolist()


# write_csv


def csv_cells(path, sep):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=sep, strict=True))


cell_texts = st.text(st.sampled_from("ab ,\t\"\n\r'#;NA\u2028é"), max_size=8) | st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8
)


@relaxed
@given(
    rows=st.lists(st.tuples(cell_texts, cell_texts), min_size=1, max_size=4),
    sep=st.sampled_from([",", "\t"]),
)
def test_any_cells_are_read_back_by_pandas_and_by_the_standard_library(tmp_path, rows, sep):
    path = tmp_path / f"{uuid.uuid4().hex}.csv"
    extracted.write_csv(pd.DataFrame(rows, columns=["a", "b"]), path, sep)
    back = pd.read_csv(path, sep=sep, dtype=str, keep_default_na=False)
    assert [tuple(row) for row in back.values.tolist()] == rows
    assert [tuple(row) for row in csv_cells(path, sep)] == [("a", "b"), *rows]


def test_lines_end_in_newline_and_only_what_needs_it_is_quoted(tmp_path):
    frame = pd.DataFrame({"a": ["plain words", 'say "x"'], "b": ["one,two", "three\tfour"]})
    extracted.write_csv(frame, tmp_path / "x.csv")
    expected = 'a,b\nplain words,"one,two"\n"say ""x""",three\tfour\n'
    assert (tmp_path / "x.csv").read_bytes() == expected.encode()
    extracted.write_csv(frame, tmp_path / "x.tsv", sep="\t")
    expected = 'a\tb\nplain words\tone,two\n"say ""x"""\t"three\tfour"\n'
    assert (tmp_path / "x.tsv").read_bytes() == expected.encode()


def test_text_is_written_in_utf8_without_a_byte_order_mark(tmp_path):
    extracted.write_csv(pd.DataFrame({"a": ["“é”🙂"], "b": ["漢"]}), tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_bytes() == "a,b\n“é”🙂,漢\n".encode()


def test_floats_are_written_in_full_and_integers_without_point(tmp_path):
    frame = pd.DataFrame({"a": [0.1 + 0.2, 1e-17], "b": pd.array([2**53 + 1, None], dtype="Int64")})
    extracted.write_csv(frame, tmp_path / "x.csv")
    back = csv_cells(tmp_path / "x.csv", ",")[1:]
    assert [float(row[0]) for row in back] == [0.1 + 0.2, 1e-17]
    assert [row[1] for row in back] == [str(2**53 + 1), ""]


def test_writing_a_csv_replaces_the_old_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "deep" / "x.csv"
    for text in ("old", "new"):
        extracted.write_csv(pd.DataFrame({"a": [text], "b": ["y"]}), path)
    assert path.read_text() == "a,b\nnew,y\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_csv_that_cannot_be_finished_leaves_the_old_file(tmp_path):
    class Unprintable:
        def __str__(self):
            raise ZeroDivisionError

    path = tmp_path / "x.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        extracted.write_csv(pd.DataFrame({"a": ["x", Unprintable()], "b": ["y", "z"]}), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# write_vectors


def vectors_frame(rows):
    return pd.DataFrame(rows, columns=list(VECTORS.columns)).astype(
        {"layer": "Int64", "neuron": "Int64", "seed": "Int64", "value": float}
    )


def vector_row(prompt_id, vector, value, natural, seed=None):
    row = factories.generation(prompt_id, "x", value, seed=seed)
    if value is None:
        row = factories.baseline(prompt_id, "x", layer=1)
    return {
        **{name: row[name] for name in VECTORS.columns if name in row},
        "vector": vector,
        "natural_value": natural,
    }


@pytest.fixture
def arrays(tmp_path):
    one, two = np.array([0.1, -2, 3e8], np.float32), np.array([1, 2, 3], np.float32)
    rows = [
        vector_row("p", one, 5.0, -0.25, seed=7),
        vector_row("“q”", None, 5.0, None),
        vector_row("“q”", two, None, 0.5),
    ]
    extracted.write_vectors(vectors_frame(rows), tmp_path / "vectors.npz")
    assert list(tmp_path.iterdir()) == [tmp_path / "vectors.npz"]
    with np.load(tmp_path / "vectors.npz", allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def test_vectors_load_without_pickles_and_keep_their_bits(arrays):
    assert arrays["vectors"].dtype == np.float32
    expected = np.array([[0.1, -2, 3e8], [1, 2, 3]], np.float32)
    assert arrays["vectors"].tobytes() == expected.tobytes()
    assert all(array.dtype != object for array in arrays.values())


def test_rows_without_vector_are_left_out_of_every_array(arrays):
    assert {len(array) for array in arrays.values()} == {2}
    assert arrays["prompt_id"].tolist() == ["p", "“q”"]


def test_vectors_stand_beside_their_identity(arrays):
    names = {"vectors", "key", "prompt_id", "target", "operation", "layer", "value"}
    assert set(arrays) == names | {"natural_value", "seed"}
    assert arrays["operation"].tolist() == ["set", "none"]
    assert arrays["target"][0] == "L1N2"
    assert arrays["layer"].tolist() == [1, 1]
    assert arrays["natural_value"].tolist() == [-0.25, 0.5]


def test_null_values_and_seeds_have_their_marks(arrays):
    assert arrays["value"][0] == 5
    assert np.isnan(arrays["value"][1])
    assert arrays["seed"].tolist() == [7, -1]


def test_without_vectors_the_arrays_are_empty(tmp_path):
    extracted.write_vectors(vectors_frame([]), tmp_path / "vectors.npz")
    with np.load(tmp_path / "vectors.npz", allow_pickle=False) as stored:
        assert {len(stored[name]) for name in stored.files} == {0}
        assert stored["vectors"].dtype == np.float32


def test_vectors_read_from_a_table_can_be_exported(tmp_path):
    rows = vectors_frame([vector_row("p", np.array([1, 2], np.float32), 5.0, 0.5)])
    tables.write(rows, tmp_path / "v.parquet", VECTORS, {})
    extracted.write_vectors(tables.read(tmp_path / "v.parquet", VECTORS), Path(tmp_path / "v.npz"))
    with np.load(tmp_path / "v.npz", allow_pickle=False) as stored:
        assert stored["vectors"].tolist() == [[1, 2]]
