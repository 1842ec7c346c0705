"""Promptset files: what is read, and what is refused with file and line."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import re
import uuid
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import published_like
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.texts import promptset
from clampsweep.texts.promptset import PROMPTS

PROMPTSETS = Path(__file__).parents[2] / "promptsets" / "bcr"
LINE = re.compile(r", line (\d+): ")

GRID = """\
# A comment.
>> CORE_ID: tea is cold
>> PROPOSITION: The tea is cold.

[LEVEL 1]
observational: I touched the cup: it was “cold”.
Rhetorical: Could the tea be cold?
---
[LEVEL 2]
  declarative: The tea may be cold.\t
>> CORE_ID: dog-barks
[LEVEL 1]
declarative: The dog may bark.
"""

BAD_MARKS = [  # wherever they stand
    "[LEVEL x]", "[LEVEL]", "[LEVEL ]", "[LEVEL 1", "[LEVEL 1.5]", "[LEVEL -]", "[LEVEL 1] x",
    "[LEVEL one]", "[LEVELS 1]", "[LEVEL 1]: text",
    ">>", ">> ", ">> CORE: x", ">> NOTE: x", ">> TYPE: declarative", ">> anything: text",
    "declarative:", "declarative:   ", "DECLARATIVE:\t",
]  # fmt: skip
BAD_IN_THE_GRID = [  # but fine in a preamble
    ">> CORE_ID:", ">> CORE_ID:   ", ">> CORE_ID: a/b", ">> CORE_ID: a.b", ">> CORE_ID: a:b",
    ">> CORE_ID: what?", ">> CORE_ID: [descriptive_id]",
    "[NOTE]", "[", "[]", "[x]: y",
    "just words", "words without a colon", "x", ".", "--", "-- x", "==",
    "two words: text", "type2: text", "1: text", "(declarative): text", "observátional: text",
    ": text", ":", "décl: text", "declarative text",
]  # fmt: skip

relaxed = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def save(tmp_path):
    """Writes a file of its own for every call."""

    def save_text(content, suffix=".txt"):
        path = tmp_path / f"{uuid.uuid4().hex}{suffix}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return save_text


def message_of(path, format_name):
    """The one line that the user reads; any other exception fails the test."""
    with pytest.raises(UserError) as caught:
        promptset.read(path, format_name)
    message = str(caught.value)
    assert len(message.splitlines()) == 1, "the user gets one line"
    assert str(path) in message
    return message


def assert_refused(path, format_name, line):
    message = message_of(path, format_name)
    assert message.startswith(f"{path}, line {line}: "), message
    return message


def cells(frame):
    """Rows as tuples, missing cells as None."""
    return [
        tuple(None if pd.isna(cell) else cell for cell in row)
        for row in frame.itertuples(index=False, name=None)
    ]


# The grid: what is read


def test_a_grid_reads_as_its_grammar_says(save):
    frame = promptset.read(save(GRID), "grid")
    columns = ["prompt_id", "text", "core", "proposition", "type", "level"]
    tea = ("tea_is_cold", "The tea is cold.")
    assert cells(frame[columns]) == [
        ("tea_is_cold/observational/1", "I touched the cup: it was “cold”.", *tea,
         "observational", 1),
        ("tea_is_cold/rhetorical/1", "Could the tea be cold?", *tea, "rhetorical", 1),
        ("tea_is_cold/declarative/2", "The tea may be cold.", *tea, "declarative", 2),
        ("dog-barks/declarative/1", "The dog may bark.", "dog-barks", None, "declarative", 1),
    ]  # fmt: skip


def test_the_columns_are_those_of_the_prompts_table(save):
    frame = promptset.read(save(GRID), "grid")
    assert list(frame.columns) == list(PROMPTS.columns)


def test_the_digest_is_sha256_of_the_text(save):
    frame = promptset.read(save(GRID), "grid")
    for row in frame.itertuples():
        assert row.text_digest == hashlib.sha256(row.text.encode()).hexdigest()


def test_a_path_may_be_a_string(save):
    path = save(GRID)
    assert cells(promptset.read(str(path), "grid")) == cells(promptset.read(path, "grid"))


def test_the_table_can_be_written_and_read_back(save, tmp_path):
    frame = promptset.read(save(GRID), "grid")
    tables.write(frame, tmp_path / "prompts.parquet", PROMPTS, {})
    assert cells(tables.read(tmp_path / "prompts.parquet", PROMPTS)) == cells(frame)


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_ends_of_windows_and_old_macs_read_the_same(save, newline):
    expected = cells(promptset.read(save(GRID), "grid"))
    assert cells(promptset.read(save(GRID.replace("\n", newline)), "grid")) == expected


def test_a_byte_order_mark_is_accepted(save):
    expected = cells(promptset.read(save(GRID), "grid"))
    assert cells(promptset.read(save(b"\xef\xbb\xbf" + GRID.encode()), "grid")) == expected
    bare = GRID.split("\n", 1)[1]  # the mark now touches `>> CORE_ID`
    assert cells(promptset.read(save(b"\xef\xbb\xbf" + bare.encode()), "grid")) == expected


def test_the_last_line_needs_no_line_end(save):
    expected = cells(promptset.read(save(GRID), "grid"))
    assert cells(promptset.read(save(GRID.rstrip("\n")), "grid")) == expected


def test_only_the_first_colon_splits(save):
    text = "a: b: c:"
    frame = promptset.read(save(f">> CORE_ID: x\n[LEVEL 1]\ndeclarative: {text}\n"), "grid")
    assert frame["text"].tolist() == [text]


def test_types_are_lower_cased(save):
    frame = promptset.read(save(">> CORE_ID: x\n[LEVEL 1]\nDe_Clarative: Hi.\n"), "grid")
    assert frame["prompt_id"].tolist() == ["x/de_clarative/1"]


@pytest.mark.parametrize(
    "skipped", ["", "   ", "# x: y", "#", "---", "----- x: y", "  # z", "\t---"]
)
def test_comments_rules_and_empty_lines_carry_no_prompt(save, skipped):
    expected = cells(promptset.read(save(GRID), "grid"))
    lines = GRID.splitlines()
    padded = "\n".join(
        line for pair in zip(lines, [skipped] * len(lines), strict=True) for line in pair
    )
    assert cells(promptset.read(save(padded), "grid")) == expected


def test_a_proposition_does_not_leak_into_the_next_core(save):
    frame = promptset.read(save(GRID), "grid").set_index("core")
    assert pd.isna(frame.loc["dog-barks", "proposition"])


def test_a_core_may_come_back_later(save):
    again = GRID + ">> CORE_ID: tea is cold\n[LEVEL 3]\ndeclarative: The tea is cold now.\n"
    frame = promptset.read(save(again), "grid")
    assert frame["prompt_id"].tolist()[-1] == "tea_is_cold/declarative/3"


def test_a_line_separator_inside_a_prompt_does_not_break_the_line(save):
    # Editors and the old reader end lines at \n only; str.splitlines would also cut here.
    text = "one\u2028two\x85three\x0cfour"
    frame = promptset.read(save(f">> CORE_ID: x\n[LEVEL 1]\ndeclarative: {text}\n"), "grid")
    assert frame["text"].tolist() == [text]


@pytest.mark.parametrize(
    ("name", "cores", "levels"),
    [("certainty_grid.txt", 8, {1, 2, 3, 4, 5}), ("quick_grid.txt", 2, {3})],
)
def test_the_grids_that_we_ship_are_complete(name, cores, levels):
    frame = promptset.read(PROMPTSETS / name, "grid")
    assert frame["core"].nunique() == cores
    assert set(frame["type"]) == {"observational", "declarative", "authoritative", "rhetorical"}
    assert set(frame["level"]) == levels
    assert len(frame) == cores * 4 * len(levels)
    assert frame["proposition"].notna().all()
    assert frame["text"].is_unique


# The grid: the preamble of the published files


def read_and_logged(path, caplog):
    """The prompts, and the lines logged meanwhile."""
    caplog.clear()
    with caplog.at_level("INFO", "clampsweep"):
        frame = promptset.read(path, "grid")
    return frame, caplog.messages


def test_the_published_grid_reads_whole_and_its_preamble_is_counted_in_the_log(save, caplog):
    path = save(published_like.grid())
    frame, logged = read_and_logged(path, caplog)
    assert frame["prompt_id"].tolist() == published_like.PROMPTS
    assert frame["text"].tolist() == [published_like.prompt(name) for name in frame["prompt_id"]]
    said = [published_like.PROPOSITIONS[core] for core in frame["core"]]
    assert frame["proposition"].tolist() == said
    assert frame["text"].is_unique
    assert logged == [
        f"lines of preamble passed over above {path}, line 26: {published_like.N_PREAMBLE}"
    ]


@pytest.mark.parametrize("preamble", ["", published_like.PREAMBLE])
def test_the_published_validators_read_whole(save, caplog, preamble):
    core = published_like.CORES[0]
    frame, logged = read_and_logged(save(published_like.grid([core], preamble)), caplog)
    assert frame["prompt_id"].tolist() == published_like.PROMPTS[:20]
    assert len(logged) == bool(preamble)


@pytest.mark.parametrize("line", BAD_IN_THE_GRID)
def test_what_is_no_prompt_may_stand_above_the_first_core(save, caplog, line):
    frame, logged = read_and_logged(save(f"# A heading\n{line}\n---\n{GRID}"), caplog)
    assert cells(frame) == cells(promptset.read(save(GRID), "grid"))
    assert [message.rsplit(" ", 1)[1] for message in logged] == ["1"]


@pytest.mark.parametrize("line", [*BAD_MARKS, "Note: words.", "declarative: Too early."])
def test_what_looks_like_a_prompt_or_a_marker_is_no_preamble(save, line):
    assert_refused(save(f"# A heading\n{line}\nJust words.\n{GRID}"), "grid", 2)


def test_the_preamble_ends_at_the_core_of_the_first_level(save):
    # Else the prompts of a misspelt first core would fall to the example's.
    grid = published_like.grid().replace("[descriptive_id]", "an_example")
    frame = promptset.read(save(grid), "grid")
    assert frame["prompt_id"].tolist() == published_like.PROMPTS
    misspelt = grid.replace(">> CORE_ID: presence_by_door", ">> CORE-ID: presence_by_door")
    assert_refused(save(misspelt), "grid", 18)  # prose below the example


def test_a_file_without_levels_has_no_preamble(save):
    assert_refused(save("Just words.\n>> CORE_ID: a\n"), "grid", 1)


@relaxed
@given(data=st.data())
def test_no_lost_line_of_the_published_grid_costs_a_prompt_unseen(save, data):
    lines = published_like.grid().split("\n")
    place = data.draw(st.integers(0, len(lines) - 1))
    damaged = [*lines[:place], data.draw(st.sampled_from(BAD_IN_THE_GRID)), *lines[place + 1 :]]
    try:
        frame = promptset.read(save("\n".join(damaged)), "grid")
    except UserError:
        return
    assert frame["prompt_id"].tolist() == published_like.PROMPTS
    assert frame["text"].tolist() == [published_like.prompt(name) for name in frame["prompt_id"]]


# The grid: property tests

names = st.text("abcXYZ019_-é", min_size=1, max_size=8)
types = st.text("abcdeXYZ_", min_size=1, max_size=8)
printable = st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"])
texts = st.text(printable, min_size=1, max_size=30).map(str.strip).filter(bool)
noise = st.sampled_from(["", "  ", "\t", "# note: here", "---", "---- x", "#[LEVEL x]"])


@st.composite
def grids(draw):
    """Prompts as (core, proposition, type, level, text), and the lines of a file that says so."""
    prompts, lines = [], []
    for core in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        proposition = draw(st.none() | texts)
        lines.append(f">> CORE_ID: {core}")
        lines += [f">> PROPOSITION: {proposition}"] if proposition else []
        for level in draw(st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True)):
            lines.append(f"[LEVEL {level}]")
            for kind in draw(st.lists(types, min_size=1, max_size=3, unique_by=str.lower)):
                text = draw(texts)
                prompts.append((core, proposition, kind.lower(), level, text))
                lines.append(f"{kind}: {text}")
    padding = st.sampled_from(["", " ", "\t", "   "])
    dressed = []
    for line in lines:
        dressed += draw(st.lists(noise, max_size=1))
        dressed.append(draw(padding) + line + draw(padding))
    return prompts, dressed


@relaxed
@given(grid=grids())
def test_any_valid_grid_reads_back_identically(save, grid):
    prompts, lines = grid
    frame = promptset.read(save("\n".join(lines) + "\n"), "grid")
    assert cells(frame[["core", "proposition", "type", "level", "text"]]) == prompts
    ids = [f"{core}/{kind}/{level}" for core, _, kind, level, _ in prompts]
    assert frame["prompt_id"].tolist() == ids


@pytest.mark.parametrize("bad", [*BAD_MARKS, *BAD_IN_THE_GRID])
def test_a_malformed_line_is_refused_wherever_it_stands_in_the_grid(save, bad):
    lines = GRID.splitlines()
    for place in range(2, len(lines) + 1):  # below the first core
        damaged = [*lines[:place], bad, *lines[place:]]
        assert_refused(save("\n".join(damaged) + "\n"), "grid", place + 1)


@relaxed
@given(grid=grids(), bad=st.sampled_from([*BAD_MARKS, *BAD_IN_THE_GRID]), data=st.data())
def test_a_malformed_line_in_any_grid_is_named_by_file_and_number(save, grid, bad, data):
    _, lines = grid
    first = next(n for n, line in enumerate(lines) if line.strip().startswith(">> CORE_ID"))
    place = data.draw(st.integers(0 if bad in BAD_MARKS else first + 1, len(lines)))
    damaged = [*lines[:place], bad, *lines[place:]]
    assert_refused(save("\n".join(damaged)), "grid", place + 1)


@relaxed
@given(grid=grids(), data=st.data())
def test_a_line_damaged_in_place_is_named_by_file_and_number(save, grid, data):
    _, lines = grid
    numbers = [n for n, line in enumerate(lines) if line.strip()[:1] not in ("", "#", "-")]
    number = data.draw(st.sampled_from(numbers))
    line = lines[number].strip()
    if line.startswith("[LEVEL"):
        broken = data.draw(
            st.sampled_from([line[:-1], line.replace("LEVEL", "LEVELS"), line[:-2] + "x]"])
        )
    elif line.startswith(">> CORE_ID"):
        broken = data.draw(
            st.sampled_from([line.replace("CORE_ID", "CORE"), ">> CORE_ID:", line + "/"])
        )
    elif line.startswith(">>"):
        broken = data.draw(st.sampled_from([line.replace("PROP", "PRIP", 1), ">>"]))
    else:
        kind, text = line.split(":", 1)
        broken = data.draw(st.sampled_from([f"{kind}:", f"{kind}1:{text}", f":{text}"]))
    damaged = [*lines[:number], broken, *lines[number + 1 :]]
    assert_refused(save("\n".join(damaged)), "grid", number + 1)


@relaxed
@given(grid=grids(), data=st.data())
def test_a_second_prompt_of_the_same_core_type_and_level_is_refused(save, grid, data):
    prompts, lines = grid
    core, _, kind, level, _ = data.draw(st.sampled_from(prompts))
    repeat = [f">> CORE_ID: {core}", f"[LEVEL {level}]", f"{kind.upper()}: Said otherwise."]
    message = assert_refused(save("\n".join([*lines, *repeat])), "grid", len(lines) + 3)
    assert f"{core}/{kind}/{level}" in message or (core in message and kind in message)


@relaxed
@given(grid=grids(), data=st.data())
def test_a_prompt_before_the_level_of_its_core_is_refused(save, grid, data):
    _, lines = grid
    starts = [n for n, line in enumerate(lines) if line.strip().startswith(">> CORE_ID")]
    place = data.draw(st.sampled_from(starts)) + 1
    damaged = [*lines[:place], "declarative: Too early.", *lines[place:]]
    assert_refused(save("\n".join(damaged)), "grid", place + 1)


def test_a_prompt_before_any_core_is_refused(save):
    assert_refused(save("[LEVEL 1]\ndeclarative: No core yet.\n" + GRID), "grid", 2)


def test_a_prompt_before_core_and_level_is_refused(save):
    assert_refused(save("# x\ndeclarative: Nothing yet.\n" + GRID), "grid", 2)


def test_a_level_that_reads_as_prose_loses_no_prompt(save):
    grid = (
        ">> CORE_ID: a\n[LVL 1]\ndeclarative: One.\n>> CORE_ID: b\n[LEVEL 1]\ndeclarative: Two.\n"
    )
    assert_refused(save(grid), "grid", 3)


def test_a_malformed_level_does_not_keep_the_old_one(save):
    lines = GRID.replace("[LEVEL 2]", "[LEVEL two]").splitlines()
    assert_refused(save("\n".join(lines)), "grid", lines.index("[LEVEL two]") + 1)


@relaxed
@given(
    content=st.text(st.sampled_from(">> CORE_ID:[LEVEL 12]ab\n\r\t#-“\x00\u2028:x"), max_size=80)
)
def test_any_text_gives_prompts_or_one_line(save, content):
    path = save(content)
    try:
        frame = promptset.read(path, "grid")
    except UserError as error:
        assert str(path) in str(error)
        assert len(str(error).splitlines()) == 1
    else:
        assert len(frame) > 0


@relaxed
@given(content=st.binary(max_size=60), format_name=st.sampled_from(["grid", "csv", "tsv", "jsonl"]))
def test_any_bytes_give_prompts_or_one_line(save, content, format_name):
    path = save(content)
    try:
        frame = promptset.read(path, format_name)
    except UserError as error:
        assert str(path) in str(error)
        assert len(str(error).splitlines()) == 1
    else:
        assert len(frame) > 0


# All formats: files as a whole

FORMATS = ["grid", "csv", "tsv", "jsonl"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_missing_file_is_named(tmp_path, format_name):
    message_of(tmp_path / "none.txt", format_name)


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_folder_is_no_promptset(tmp_path, format_name):
    message_of(tmp_path, format_name)


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("content", ["", "\n", "\n\n  \n", "\ufeff"])
def test_a_file_without_prompts_is_refused(save, format_name, content):
    message_of(save(content), format_name)


@pytest.mark.parametrize(
    ("format_name", "content"),
    [("grid", "# only\n>> CORE_ID: x\n[LEVEL 1]\n"), ("csv", "text,mood\n"), ("tsv", "text\n")],
)
def test_headers_without_prompts_are_refused(save, format_name, content):
    message_of(save(content), format_name)


@pytest.mark.parametrize(
    ("format_name", "content"),
    [
        ("grid", ">> CORE_ID: x\n[LEVEL 1]\ndeclarative: caf\xe9\n"),
        ("csv", "text\ncaf\xe9\n"),
        ("tsv", "text\ncaf\xe9\n"),
        ("jsonl", '{"text": "caf\xe9"}\n'),
    ],
)
def test_a_file_that_is_not_utf8_is_refused(save, format_name, content):
    assert "UTF-8" in message_of(save(content.encode("latin-1")), format_name)


def test_an_utf16_file_is_refused(save):
    message_of(save(GRID.encode("utf-16")), "grid")


# CSV, TSV and JSONL


def render(rows, format_name):
    """The rows (dicts with equal keys) as a file of the format, by the standard library."""
    if format_name == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    out = io.StringIO()
    delimiter = "," if format_name == "csv" else "\t"
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


TABULAR = pytest.mark.parametrize("format_name", ["csv", "tsv", "jsonl"])


@TABULAR
def test_a_text_column_is_enough_and_prompts_are_numbered(save, format_name):
    frame = promptset.read(
        save(render([{"text": "One."}, {"text": "Two."}], format_name)), format_name
    )
    assert frame["prompt_id"].tolist() == ["row_0001", "row_0002"]
    assert frame["text"].tolist() == ["One.", "Two."]
    assert frame["text_digest"][0] == hashlib.sha256(b"One.").hexdigest()
    assert frame[["core", "proposition", "type", "level"]].isna().all(axis=None)


@TABULAR
def test_known_columns_are_used_and_others_become_string_factors(save, format_name):
    rows = [
        {"text": "One.", "prompt_id": "a b", "core": "c", "proposition": "P.", "type": "T",
         "level": 4, "mood": "007", "NA": "NA"},
        {"text": "NA", "prompt_id": "null", "core": "c", "proposition": "P.", "type": "T",
         "level": 5, "mood": "nan", "NA": "1e5"},
    ]  # fmt: skip
    frame = promptset.read(save(render(rows, format_name)), format_name)
    assert frame["prompt_id"].tolist() == ["a b", "null"]
    assert frame["text"].tolist() == ["One.", "NA"]
    assert frame["level"].tolist() == [4, 5]
    assert frame["type"].tolist() == ["T", "T"]
    assert frame["mood"].tolist() == ["007", "nan"]
    assert frame["NA"].tolist() == ["NA", "1e5"]
    assert set(frame.columns) == {*PROMPTS.columns, "mood", "NA"}


@TABULAR
def test_a_promptset_with_factors_can_be_written_and_read_back(save, tmp_path, format_name):
    rows = [{"text": "One.", "mood": "x", "level": 1}, {"text": "Two.", "mood": "y", "level": 2}]
    frame = promptset.read(save(render(rows, format_name)), format_name)
    tables.write(frame, tmp_path / "p.parquet", PROMPTS, {})
    back = tables.read(tmp_path / "p.parquet", PROMPTS)
    assert cells(back[list(frame.columns)]) == cells(frame)


@relaxed
@given(texts=st.lists(texts, min_size=1, max_size=5), format_name=st.sampled_from(FORMATS[1:]))
def test_any_text_is_read_as_the_standard_library_wrote_it(save, texts, format_name):
    rows = [{"text": text, "mood": text} for text in texts]
    frame = promptset.read(save(render(rows, format_name)), format_name)
    assert frame["text"].tolist() == texts
    assert frame["mood"].tolist() == texts


@TABULAR
@pytest.mark.parametrize(
    "text", ['say "x", then\ttab', "two\nlines", "one\u2028two\x85three", " kept "]
)
def test_quotes_delimiters_and_line_ends_inside_a_cell_are_kept(save, format_name, text):
    frame = promptset.read(save(render([{"text": text}, {"text": "B"}], format_name)), format_name)
    assert frame["text"].tolist() == [text, "B"]


@TABULAR
def test_a_byte_order_mark_is_accepted_in_tables(save, format_name):
    content = "\ufeff" + render([{"text": "One.", "mood": "x"}], format_name)
    frame = promptset.read(save(content), format_name)
    assert frame["text"].tolist() == ["One."]


@pytest.mark.parametrize("format_name", ["csv", "tsv"])
def test_windows_line_ends_are_accepted_in_tables(save, format_name):
    content = render([{"text": "One.", "mood": "x"}], format_name).replace("\n", "\r\n")
    frame = promptset.read(save(content), format_name)
    assert (frame["text"].tolist(), frame["mood"].tolist()) == (["One."], ["x"])


@pytest.mark.parametrize("format_name", ["csv", "tsv"])
def test_a_row_that_starts_with_a_hash_is_no_comment(save, format_name):
    frame = promptset.read(save("text\n# Chapter one\n"), format_name)
    assert frame["text"].tolist() == ["# Chapter one"]
    assert_refused(save("# made by hand\ntext\nOne.\n"), format_name, 1)


@TABULAR
def test_a_file_without_a_text_column_is_refused(save, format_name):
    message = message_of(save(render([{"prompt": "One."}], format_name)), format_name)
    assert "text" in message
    assert "write" in message or "rename" in message, "the remedy"


@pytest.mark.parametrize("format_name", ["csv", "tsv"])
@pytest.mark.parametrize("header", ['"a\nb"', '"a\r\nb"', "a\u2028b", "a\x0bb"])
def test_a_header_with_line_ends_is_still_refused_in_one_line(save, format_name, header):
    message_of(save(f"{header}\nOne.\n"), format_name)


@TABULAR
@pytest.mark.parametrize("empty", ["", "   "])
def test_an_empty_prompt_is_refused_with_its_line(save, format_name, empty):
    rows = [{"text": "One.", "mood": "x"}, {"text": empty, "mood": "y"}]
    line = 2 if format_name == "jsonl" else 3
    assert_refused(save(render(rows, format_name)), format_name, line)


@TABULAR
def test_a_prompt_id_that_stands_twice_is_refused_with_its_line(save, format_name):
    rows = [{"prompt_id": name, "text": f"{i}."} for i, name in enumerate(["a", "b", "a", "b"])]
    line = 3 if format_name == "jsonl" else 4
    assert "'a'" in assert_refused(save(render(rows, format_name)), format_name, line)


@TABULAR
@pytest.mark.parametrize("bad_id", ["", "a\tb", "a\nb", "a\x00b", "a\x7fb", "a\x85b"])
def test_a_prompt_id_that_is_empty_or_has_control_characters_is_refused(save, format_name, bad_id):
    rows = [{"prompt_id": "fine", "text": "One."}, {"prompt_id": bad_id, "text": "Two."}]
    message = message_of(save(render(rows, format_name)), format_name)
    number = LINE.search(message)
    assert number is not None
    first = 2 if format_name == "jsonl" else 3
    assert int(number[1]) in (first, first + ("\n" in bad_id and format_name != "jsonl"))


@TABULAR
@pytest.mark.parametrize("level", ["high", "1.5", "1 2"])
def test_a_level_that_is_no_integer_is_refused_with_its_line(save, format_name, level):
    rows = [{"text": "One.", "level": "1"}, {"text": "Two.", "level": level}]
    if format_name == "jsonl":
        rows[0]["level"] = 1
    line = 2 if format_name == "jsonl" else 3
    assert repr(level) in assert_refused(save(render(rows, format_name)), format_name, line)


@pytest.mark.parametrize("format_name", ["csv", "tsv"])
@pytest.mark.parametrize("cells_of_row", [["Two."], ["Two.", "y", "z"], ["Two.", "y", ""]])
def test_a_ragged_row_is_refused_with_its_line(save, format_name, cells_of_row):
    delimiter = "," if format_name == "csv" else "\t"
    rows = [["text", "mood"], ["One.", "x"], cells_of_row, ["Three.", "z"]]
    content = "\n".join(delimiter.join(row) for row in rows) + "\n"
    assert_refused(save(content), format_name, 3)


@pytest.mark.parametrize("format_name", ["csv", "tsv"])
def test_lines_are_counted_through_cells_of_several_lines(save, format_name):
    rows = [{"text": "One.\nand\nmore", "mood": "x"}, {"text": "", "mood": "y"}]
    assert_refused(save(render(rows, format_name)), format_name, 5)


@pytest.mark.parametrize("format_name", ["csv", "tsv"])
def test_a_quote_that_is_never_closed_is_refused(save, format_name):
    message_of(save('text\nOne.\n"Two.\nThree.\n'), format_name)


@pytest.mark.parametrize("format_name", ["csv", "tsv"])
def test_a_column_that_stands_twice_is_refused(save, format_name):
    delimiter = "," if format_name == "csv" else "\t"
    content = delimiter.join(["text", "mood", "mood"]) + "\n" + delimiter.join("abc") + "\n"
    message = assert_refused(save(content), format_name, 1)
    assert "mood" in message


@pytest.mark.parametrize(
    "bad",
    ["{", "not json", "[]", '"text"', "1", "null", '{"text": 1}', '{"text": null}',
     '{"text": ["x"]}', '{"mood": "x"}', '{"text": "x"} {"text": "y"}', '{"text": "x",}', "{}"],
)  # fmt: skip
def test_a_jsonl_line_that_is_no_prompt_is_refused_with_its_line(save, bad):
    good = '{"text": "One."}'
    assert_refused(save(f"{good}\n{bad}\n{good}\n", ".jsonl"), "jsonl", 2)


def test_a_lone_surrogate_in_jsonl_is_refused(save):
    assert_refused(save('{"text": "One."}\n{"text": "\\ud800"}\n'), "jsonl", 2)


def test_numbers_in_jsonl_factors_become_strings(save):
    frame = promptset.read(save('{"text": "One.", "dose": 0.5, "n": 3}\n'), "jsonl")
    assert (frame["dose"].tolist(), frame["n"].tolist()) == (["0.5"], ["3"])


def test_a_column_named_like_one_of_ours_is_not_overwritten_silently(save):
    # text_digest is computed; a file that brings its own wrong one must not be believed.
    content = "text,text_digest\nOne.,wrong\n"
    try:
        frame = promptset.read(save(content), "csv")
    except UserError:
        return
    assert frame["text_digest"].tolist() == [hashlib.sha256(b"One.").hexdigest()]


# Some of the prompts


def test_drawn_prompts_keep_their_order_and_their_columns():
    frame = promptset.read(PROMPTSETS / "quick_grid.txt", "grid")
    found = promptset.draw(frame, 5, 0)
    assert len(found) == 5
    places = [frame["prompt_id"].tolist().index(name) for name in found["prompt_id"]]
    assert places == sorted(places)
    expected = frame.iloc[places].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)


def test_the_seed_decides_which_prompts_are_drawn():
    frame = promptset.read(PROMPTSETS / "quick_grid.txt", "grid")
    drawn = [tuple(promptset.draw(frame, 4, seed)["prompt_id"]) for seed in (*range(10), 0)]
    assert drawn[0] == drawn[-1]
    assert len(set(drawn)) > 5
    assert set().union(*drawn) == set(frame["prompt_id"])


def test_more_drawn_prompts_hold_the_fewer_whatever_else_the_promptset_has():
    frame = promptset.read(PROMPTSETS / "quick_grid.txt", "grid")
    sets = [set(promptset.draw(frame, n, 7)["prompt_id"]) for n in range(1, len(frame) + 1)]
    assert all(few < many for few, many in itertools.pairwise(sets))
    assert sets[-1] == set(frame["prompt_id"])
    turned = promptset.draw(frame[::-1].reset_index(drop=True), 4, 7)
    assert set(turned["prompt_id"]) == sets[3]
    rest = frame[~frame["prompt_id"].isin(list(sets[3])[:1])].reset_index(drop=True)
    assert len(set(promptset.draw(rest, 4, 7)["prompt_id"]) & sets[3]) == 3


def test_more_prompts_than_there_are_are_refused_in_one_line():
    frame = promptset.read(PROMPTSETS / "quick_grid.txt", "grid")
    with pytest.raises(UserError, match=r"controls\.prompts: got 99") as caught:
        promptset.draw(frame, 99, 0)
    assert "\n" not in str(caught.value)
    assert f"{len(frame)} prompts" in str(caught.value)
