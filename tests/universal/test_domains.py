"""Documents from files of every kind, and what is said of files that cannot be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from clampsweep.errors import UserError
from clampsweep.studies.universal.domains import Document, documents, files_of


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fault(domain: str, files: list[Path]) -> str:
    with pytest.raises(UserError) as raised:
        documents(domain, files)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_files_of_a_file_a_folder_and_a_pattern(here):
    for name in ("b.txt", "a.md", "in/c.py", "in/d.bin", ".git/e.txt", "in/.f.txt"):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text(name)
    assert files_of("in/d.bin") == [Path("in/d.bin")]  # named, so it is read
    assert files_of(".") == [Path("a.md"), Path("b.txt"), Path("in/c.py")]
    assert files_of(str(here)) == [here / "a.md", here / "b.txt", here / "in/c.py"]
    assert files_of("in/*") == [Path("in/c.py"), Path("in/d.bin")]
    assert files_of("**/*.txt") == [Path("b.txt")]
    assert files_of(f"{here}/in/*.py") == [here / "in/c.py"]


@pytest.mark.parametrize("named", ["none.txt", "none/*.txt", "empty"])
def test_files_that_are_not_there(here, named):
    (here / "empty").mkdir()
    with pytest.raises(UserError, match=rf"^{named.replace('*', '.')}: ") as raised:
        files_of(named)
    assert "\n" not in str(raised.value)


def test_a_folder_in_a_hidden_folder_is_read(here):
    (here / ".cache/texts").mkdir(parents=True)
    (here / ".cache/texts/a.txt").write_text("x")
    assert files_of(".cache/texts") == [Path(".cache/texts/a.txt")]


def test_each_plain_file_is_a_document(here):
    (here / "a.txt").write_bytes("\ufeffcafé\r\nau lait\n".encode())
    (here / "b.md.gz").write_bytes(gzip.compress(b"  two\n"))
    (here / "blank.txt").write_text(" \n\t")
    found = documents("d", [Path("a.txt"), Path("b.md.gz"), Path("blank.txt")])
    assert found == [Document("a.txt", "café\nau lait\n"), Document("b.md.gz", "  two\n")]


def test_each_row_is_a_document(here):
    rows = [{"doc_id": "one", "text": "A.\u2028B"}, {"text": "C"}, {"doc_id": 3, "text": "D"}]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n"
    (here / "a.jsonl").write_text(lines, encoding="utf-8")
    (here / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    pd.DataFrame(rows[:1]).to_parquet(here / "c.parquet")
    pd.DataFrame({"text": ["E"]}).to_parquet(here / "d.parquet")
    texts = ["A.\u2028B", "C", "D"]
    found = documents("d", [here / "a.jsonl"])
    assert [one.text for one in found] == texts
    assert [one.doc_id for one in found] == ["one"] + [
        f"{here}/a.jsonl, line {number}" for number in (2, 3)
    ]
    assert [one.text for one in documents("d", [here / "b.jsonl.gz"])] == texts
    assert documents("d", [here / "c.parquet"]) == [Document("one", "A.\u2028B")]
    assert documents("d", [here / "d.parquet"])[0].doc_id == f"{here}/d.parquet, row 0"


def test_what_stands_there_twice_counts_once(here, caplog):
    (here / "a.txt").write_text("same\n")
    (here / "b.txt").write_bytes(b"same\r\n")
    (here / "c.txt").write_text("other\n")
    with caplog.at_level("INFO"):
        found = documents("d", files_of("*.txt"))
    assert [one.doc_id for one in found] == ["a.txt", "c.txt"]
    assert "d: 1 documents stand there twice" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"fine\ncaf\xe9", "line 2: byte 0xe9 is not UTF-8"),
        ("a.txt.gz", b"no gzip", "not a whole gzip file"),
        ("a.txt.gz", gzip.compress(b"much text" * 99, mtime=0)[:-9], "not a whole gzip file"),
        ("a.jsonl", b'{"text": "fine"}\n{', "line 2: not JSON"),
        ("a.jsonl", b'{"content": "x"}', 'line 1: its "text" is no string'),
        ("a.jsonl", b"[1]", 'line 1: its "text" is no string'),
        ("a.jsonl", b'{"text": "\\ud800"}', "line 1: holds half a surrogate pair"),
        ("a.parquet", b"no table", "not a whole Parquet file"),
        ("a.txt", b" \n", "domain d: a.txt: no text in it"),
        ("a.jsonl", b"", "domain d: a.jsonl: no text in it"),
    ],
)
def test_a_file_that_cannot_be_read(here, name, content, said):
    (here / name).write_bytes(content)
    assert said in fault("d", [Path(name)])


def test_a_file_that_is_gone_or_has_no_column(here):
    assert "gone.txt: no such file" in fault("d", [Path("gone.txt")])
    assert "gone.parquet: no such file" in fault("d", [Path("gone.parquet")])
    assert "cannot read" in fault("d", [here])
    pd.DataFrame({"content": ["x"]}).to_parquet(here / "a.parquet")
    assert "no column 'text'; it has content" in fault("d", [Path("a.parquet")])
    pd.DataFrame({"text": [1.5]}).to_parquet(here / "b.parquet")
    assert 'row 0: its "text" is no string' in fault("d", [Path("b.parquet")])
