"""YAML as it is read: wrong files are one line with the line number, odd ones are read right."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clampsweep.errors import UserError
from clampsweep.strict_yaml import as_list, read_arguments, read_yaml, yaml_text


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def unreadable(content: str | bytes) -> str:
    """The one line with which a file of this content is refused, without the file's name."""
    data = content if isinstance(content, bytes) else content.encode()
    Path("bad.yaml").write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_yaml("bad.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("bad.yaml")
    return message.removeprefix("bad.yaml")


FAULTS = {
    "a tab for indentation": ("a:\n  b: 1\n\tc: 3\n", 3, 1, "a tab; write spaces"),
    "a tab behind a colon": ("a:\t1\n", 1, 3, "a tab; write spaces"),
    "indented too far": ("a:\n  b: 1\n   c: 2\n", 3, 4, "begin the line where its neighbours"),
    "indented too far below a value": ("run: main\n models: {}\n", 2, 2, "begin the line where"),
    "indented too little": ("a:\n  b:\n    c: 1\n   d: 2\n", 4, 4, "like none above it"),
    "an item indented too little": ("a:\n  - x\n - y\n", 3, 2, "like none above it"),
    "no colon": ("a\n  b: 1\n", 2, 3, "whether the line before has its ': '"),
    "no space behind a colon": ("a:\n  b:1\n  c: 2\n", 3, 3, "the line before has its ': '"),
    "a key alone": ("a: 1\nb\nc: 2\n", 2, 1, "a ': ' is missing after this key"),
    "a quote not closed": ('a: 1\nb: "open\nc: 2\n', 2, 4, "a quote opens here and is not closed"),
    "closed by the next one's": ('a: "open\nb: "x"\n', 2, 5, "is a quote before it not closed"),
    "an apostrophe": ("a: 'it's'\n", 1, 8, "quotes of the other kind"),
    "a list not closed": ("run: [main\nmodels: {}\n", 1, 6, "write ']' at its end"),
    "keys not closed": ("a: 1\nb: {c: 1, d: 2\n", 2, 4, "write '}' at its end"),
    "no comma": ("a: {b: c d: 5}\n", 1, 4, "the ',' that is missing before line 1, column 11"),
    "closed twice": ("a: [1, 2]]\n", 1, 10, "a ']' that nothing opened; remove it"),
    "a second colon": ("a: 1\nb: 2: 3\n", 2, 5, "put the value in quotes"),
    "a sign": ("a: @b\n", 1, 4, "a value cannot begin with '@'; put it in quotes"),
    "a star alone": ("a: *\n", 1, 5, "put a plain text in quotes"),
    "a backslash": ('a: "C:\\path"\n', 1, 8, "use single quotes"),
    "an alias of nothing": ("a: 1\nb: *gone\n", 2, 4, "'gone'"),
    "a tag": ("a: 1\nb: !secret x\n", 2, 4, "!secret"),
    "a second document": ("a: 1\n---\nb: 2\n", 2, 1, "begins a second document; remove it"),
}


@pytest.mark.parametrize(("text", "line", "column", "said"), FAULTS.values(), ids=FAULTS)
def test_wrong_yaml_is_one_line_with_line_column_and_remedy(text, line, column, said):
    message = unreadable(text)
    assert message.startswith(f", line {line}, column {column}: not valid YAML: ")
    assert said in message


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("run: [a]\nmodels: {}\nrun: [b]\n", "run", 3),
        ("sweeps:\n  a: {}\n  b: {}\n  a: {}\n", "a", 4),
        ("sweeps:\n  a:\n    scope: all\n    values: [1]\n    scope: last\n", "scope", 5),
        ("a: {x: 1, y: 2, x: 3}\n", "x", 1),
        ("a: [{x: 1,\n x: 2}]\n", "x", 2),
    ],
)
def test_a_key_given_twice_is_one_line_with_the_line_of_the_second(text, key, line):
    message = unreadable(text)
    assert message.startswith(f", line {line}, column ")
    assert repr(key) in message and "twice" in message


@pytest.mark.parametrize("text", ["a: {{ value }}\n", "? [1]\n: 2\n", "? {a: 1}\n: 2\n"])
def test_a_key_that_is_no_scalar_is_one_line_with_the_line_number(text):
    assert unreadable(text).startswith(", line 1, column ")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "null\n"])
def test_an_empty_file_is_refused_by_saying_what_is_expected(text):
    assert "expected keys with values" in unreadable(text)


@pytest.mark.parametrize("text", ["- run\n- models\n", "just words\n", "7\n", "2025-01-01\n"])
def test_a_file_that_is_no_mapping_is_refused_by_saying_what_is_expected(text):
    assert "expected keys with values" in unreadable(text)


@pytest.mark.parametrize(
    ("content", "place", "said"),
    [
        (b"a: \xff\xfe\n", "line 1, column 4", "save it as UTF-8"),
        ("é: 1\né: caf".encode() + b"\xe9\n", "line 2, column 7", "save it as UTF-8"),
        (b"a: 1\nb: \x00\n", "line 2, column 4", "remove it"),
    ],
)
def test_content_that_is_no_text_is_one_line_that_says_where(content, place, said):
    message = unreadable(content)
    assert message.startswith(f", {place}: not valid YAML: ") and said in message


@pytest.mark.parametrize("content", ["a: 2025-13-45\n", "a: 0x_\n", f"a: 1{'0' * 5000}\n"])
def test_what_would_end_snakemakes_own_reading_is_one_line_with_the_remedy(content):
    with pytest.raises(ValueError):
        yaml.load(content, yaml.FullLoader)  # as Snakemake does
    message = unreadable(content)
    assert "not valid YAML" in message and message.endswith("in quotes")


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("010", 10), ("-010", -10), ("08", 8), ("+5", 5), ("0o17", 15), ("0x1F", 31),
        ("1e5", 1e5), ("1E+5", 1e5), (".5e3", 500.0), ("5.", 5.0), ("-2.5", -2.5),
        ("1e400", math.inf), ("-.inf", -math.inf),
        ("true", True), ("FALSE", False), ("~", None), ("", None),
    ],
)  # fmt: skip
def test_a_scalar_is_read_as_yaml_1_2_reads_it(scalar, value):
    Path("one.yaml").write_text(f"a: {scalar}\n")
    found = read_yaml("one.yaml")["a"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "scalar", ["1:30", "0b11", "1_000", "yes", "no", "on", "off", "y", "2026-01-01", "'10'", "."]
)
def test_a_scalar_that_only_yaml_1_1_reads_otherwise_is_text(scalar):
    Path("one.yaml").write_text(f"a: {scalar}\n")
    assert read_yaml("one.yaml") == {"a": scalar.strip("'")}


def test_words_of_the_command_line_are_read_as_in_a_file_in_sections_only():
    given = {"run": ["010"], "sweeps": {"s": {"values": ["010", "1e5", "-2.5"], "scope": "all"}}}
    assert read_arguments(given) == {
        "run": ["010"],
        "sweeps": {"s": {"values": [10, 1e5, -2.5], "scope": "all"}},
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text("0123456789.eExobn_:-+", max_size=6),
        st.lists(st.text("0123456789.eExobn_:-+", max_size=6) | st.floats(allow_nan=False)),
    )
)
def test_what_is_written_as_yaml_is_read_as_it_was(content):
    Path("written.yaml").write_text(yaml_text(content), encoding="utf-8")
    assert read_yaml("written.yaml") == content


def test_a_missing_config_file_is_one_line_with_the_reason():
    with pytest.raises(UserError, match=r"^gone\.yaml: cannot read .*No such file.*correct"):
        read_yaml("gone.yaml")


def test_a_folder_for_a_config_file_is_one_line_with_the_reason():
    Path("tiny").mkdir()
    with pytest.raises(UserError, match=r"^tiny: cannot read .*directory"):
        read_yaml("tiny")


def test_anchors_and_merge_keys_are_read_as_yaml_means_them():
    text = "a: &common {x: 1, y: 2}\nb:\n  <<: *common\n  y: 3\nc: *common\n"
    Path("base.yaml").write_text(text)
    assert read_yaml("base.yaml") == yaml.safe_load(text)


def test_a_byte_order_mark_and_other_scripts_are_read():
    Path("bom.yaml").write_bytes("licence: 學術 © é\n".encode("utf-8-sig"))
    assert read_yaml("bom.yaml") == {"licence": "學術 © é"}


@pytest.mark.parametrize(
    ("scalar", "text"),
    [(5, "[5]"), (-2.5, "[-2.5]"), (True, "[true]"), ("L29N1479", "[L29N1479]"), ("10", "['10']"),
     ("loop, surface", "[loop, surface]"), ("-5,0, 2.5", "[-5, 0, 2.5]"), ("a: b", "['a: b']")],
)  # fmt: skip
def test_a_value_is_shown_as_the_list_that_it_should_have_been(scalar, text):
    assert as_list(scalar) == text
