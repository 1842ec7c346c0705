"""The export files: what they hold, and that they can be read by others."""

from __future__ import annotations

import csv
import itertools
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factories
from clampsweep import tables
from clampsweep.studies.bcr import exports, recovery
from clampsweep.texts import collapse
from clampsweep.texts.gather import GENERATIONS, VECTORS
from clampsweep.texts.metrics import FURTHER_METRICS, PUBLISHED_METRICS, table
from clampsweep.texts.promptset import PROMPTS
from extracted_files import BROKEN, FINE, HEADER, read, relaxed, sweep_rows

# extracted_frame


def sweep_of(rows, *prompts):
    return factories.frame(prompts, PROMPTS), factories.frame(rows, GENERATIONS)


def test_a_file_comes_out_as_it_was_read(save):
    prompts, generations = read(save(sweep_rows()))
    found = exports.extracted_frame(prompts, generations)
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
    found = exports.extracted_frame(prompts, generations)
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
    found = exports.extracted_frame(*sweep_of(rows, factories.prompt("P", "p", core="p")))
    assert found["sweep"].tolist() == order


@pytest.mark.parametrize(
    ("value", "text"),
    [(25.0, "25"), (-100.0, "-100"), (0.0, "0"), (0.5, "0.5"), (0.1, "0.1"), (-2.25, "-2.25"),
     (1 / 3, repr(1 / 3)), (1e6, "1000000")],
)  # fmt: skip
def test_sweep_values_are_integers_without_point_or_in_full(value, text):
    rows = [factories.baseline("p", "x"), factories.generation("p", "x", value)]
    found = exports.extracted_frame(*sweep_of(rows, factories.prompt("P", "p", core="p")))
    assert set(found["sweep"]) == {"baseline", text}


def test_several_targets_are_named_in_the_sweep():
    rows = [factories.baseline("p", "x")]
    rows += [
        factories.generation("p", "x", v, target=target)
        for v, target in itertools.product((1.0, -2.5), ("L1N2", "L3N4+L5N6"))
    ]
    found = exports.extracted_frame(*sweep_of(rows, factories.prompt("P", "p", core="p")))
    assert set(found["sweep"]) == {
        "baseline", "L1N2:1", "L1N2:-2.5", "L3N4+L5N6:1", "L3N4+L5N6:-2.5",
    }  # fmt: skip


def test_a_prompt_without_core_is_named_by_its_id():
    rows = [factories.baseline("row_0001", "x"), factories.generation("row_0001", "y", 1.0)]
    found = exports.extracted_frame(*sweep_of(rows, factories.prompt("P", "row_0001")))
    assert found.values.tolist() == [
        ["row_0001", "", "", "baseline", "P", "x"],
        ["row_0001", "", "", "1", "P", "y"],
    ]


def test_every_cell_is_a_string():
    rows = [factories.baseline("p", ""), factories.generation("p", "y", 1.0)]
    prompt = factories.prompt("P", "p", core="c", type="t", level=3)
    found = exports.extracted_frame(*sweep_of(rows, prompt))
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
    frame = exports.extracted_frame(prompts, generations)
    exports.write_csv(frame, tmp_path / "extracted.tsv", sep="\t")
    back_prompts, back = read(tmp_path / "extracted.tsv", "L1N2")
    assert back_prompts["prompt_id"].tolist() == ["c/t/1", "row_0001"]
    assert back_prompts["text"].tolist() == ["One,\ntwo", "Three"]
    pd.testing.assert_frame_equal(exports.extracted_frame(back_prompts, back), frame)


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
    found = exports.metrics_frame(*measured)
    assert len(found) == 6
    assert sorted(found["output"]) == sorted(measured[1]["text"])
    assert found["operation"].value_counts().to_dict() == {"set": 4, "none": 2}


def test_the_metrics_frame_carries_prompt_factors_intervention_and_metrics(measured):
    found = exports.metrics_frame(*measured)
    wanted = {"prompt_id", "prompt", "output", "core", "type", "level", "mood"}
    wanted |= {"target", "layer", "neuron", "operation", "value", "scope", "seed"}
    wanted |= {*PUBLISHED_METRICS, *FURTHER_METRICS}
    assert wanted <= set(found.columns)
    row = found[(found["prompt_id"] == "p") & (found["value"] == 5)].iloc[0]
    assert (row["prompt"], row["output"], row["mood"], row["level"]) == ("The P", FINE, "calm", 1)
    assert row["total_tokens"] == 7
    assert (row["target"], row["layer"], row["neuron"]) == ("L1N2", 1, 2)


def test_the_metrics_frame_says_per_detector_what_became_of_each_text(measured):
    found = exports.metrics_frame(*measured)
    by_text = found.set_index(["prompt_id", "operation", "value"])
    states = [
        f"{name}_surface" for name in ("collapsed", "baseline_collapsed", "improves", "harms")
    ]
    rescued = by_text.loc[("p", "set", 5.0), states].tolist()
    harmed = by_text.loc[("q", "set", 5.0), states].tolist()
    assert rescued == [False, True, True, False]
    assert harmed == [True, False, False, True]


def test_a_baseline_row_has_its_own_state_and_neither_improves_nor_harms(measured):
    found = exports.metrics_frame(*measured)
    baselines = found[found["operation"] == "none"].set_index("prompt_id")
    for name, broken in (("p", True), ("q", False)):
        assert bool(baselines.loc[name, "collapsed_surface"]) is broken
        assert bool(baselines.loc[name, "baseline_collapsed_surface"]) is broken
        assert not baselines.loc[name, "improves_surface"]
        assert not baselines.loc[name, "harms_surface"]


def test_the_flags_of_the_metrics_frame_are_those_of_the_detectors(measured):
    found = exports.metrics_frame(*measured)
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
    found = exports.metrics_frame(prompts, generations, metrics, recovered)
    lonely = found[found["prompt_id"] == "q"]
    assert lonely["collapsed_surface"].tolist() == [True]


def test_the_metrics_frame_survives_the_csv(measured, tmp_path):
    found = exports.metrics_frame(*measured)
    exports.write_csv(found, tmp_path / "metrics.csv")
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
    exports.write_csv(pd.DataFrame(rows, columns=["a", "b"]), path, sep)
    back = pd.read_csv(path, sep=sep, dtype=str, keep_default_na=False)
    assert [tuple(row) for row in back.values.tolist()] == rows
    assert [tuple(row) for row in csv_cells(path, sep)] == [("a", "b"), *rows]


def test_lines_end_in_newline_and_only_what_needs_it_is_quoted(tmp_path):
    frame = pd.DataFrame({"a": ["plain words", 'say "x"'], "b": ["one,two", "three\tfour"]})
    exports.write_csv(frame, tmp_path / "x.csv")
    expected = 'a,b\nplain words,"one,two"\n"say ""x""",three\tfour\n'
    assert (tmp_path / "x.csv").read_bytes() == expected.encode()
    exports.write_csv(frame, tmp_path / "x.tsv", sep="\t")
    expected = 'a\tb\nplain words\tone,two\n"say ""x"""\t"three\tfour"\n'
    assert (tmp_path / "x.tsv").read_bytes() == expected.encode()


def test_text_is_written_in_utf8_without_a_byte_order_mark(tmp_path):
    exports.write_csv(pd.DataFrame({"a": ["“é”🙂"], "b": ["漢"]}), tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_bytes() == "a,b\n“é”🙂,漢\n".encode()


def test_floats_are_written_in_full_and_integers_without_point(tmp_path):
    frame = pd.DataFrame({"a": [0.1 + 0.2, 1e-17], "b": pd.array([2**53 + 1, None], dtype="Int64")})
    exports.write_csv(frame, tmp_path / "x.csv")
    back = csv_cells(tmp_path / "x.csv", ",")[1:]
    assert [float(row[0]) for row in back] == [0.1 + 0.2, 1e-17]
    assert [row[1] for row in back] == [str(2**53 + 1), ""]


def test_writing_a_csv_replaces_the_old_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "deep" / "x.csv"
    for text in ("old", "new"):
        exports.write_csv(pd.DataFrame({"a": [text], "b": ["y"]}), path)
    assert path.read_text() == "a,b\nnew,y\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_csv_that_cannot_be_finished_leaves_the_old_file(tmp_path):
    class Unprintable:
        def __str__(self):
            raise ZeroDivisionError

    path = tmp_path / "x.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        exports.write_csv(pd.DataFrame({"a": ["x", Unprintable()], "b": ["y", "z"]}), path)
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
    exports.write_vectors(vectors_frame(rows), tmp_path / "vectors.npz")
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
    exports.write_vectors(vectors_frame([]), tmp_path / "vectors.npz")
    with np.load(tmp_path / "vectors.npz", allow_pickle=False) as stored:
        assert {len(stored[name]) for name in stored.files} == {0}
        assert stored["vectors"].dtype == np.float32


def test_vectors_read_from_a_table_can_be_exported(tmp_path):
    rows = vectors_frame([vector_row("p", np.array([1, 2], np.float32), 5.0, 0.5)])
    tables.write(rows, tmp_path / "v.parquet", VECTORS, {})
    exports.write_vectors(tables.read(tmp_path / "v.parquet", VECTORS), Path(tmp_path / "v.npz"))
    with np.load(tmp_path / "v.npz", allow_pickle=False) as stored:
        assert stored["vectors"].tolist() == [[1, 2]]
