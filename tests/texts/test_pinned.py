"""Files whose name says their content: written once, mended if damaged, refused if unreadable."""

from __future__ import annotations

import json

import pytest

from clampsweep.errors import UserError
from clampsweep.texts.pinned import pin, read_plan

CONTENT = {"sweep": "main", "rows": [["a/1", "k1"], ["é/學", "k2"]]}


def test_a_plan_reads_back_as_it_was_pinned(tmp_path):
    path = pin(tmp_path / "plans" / "main-0.json", CONTENT)
    assert path == tmp_path / "plans" / "main-0.json"
    assert json.loads(path.read_text("utf-8")) == CONTENT
    assert read_plan(path) == [("a/1", "k1"), ("é/學", "k2")]


def test_what_is_pinned_already_is_not_written_again(tmp_path):
    path = pin(tmp_path / "main-0.json", CONTENT)
    before = path.stat()
    pin(path, CONTENT)
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"sweep": "main"', b"\xff\xfe"])
def test_what_was_damaged_since_is_pinned_again(tmp_path, damage):
    path = pin(tmp_path / "main-0.json", CONTENT)
    before = path.read_bytes()
    path.write_bytes(damage)
    pin(path, CONTENT)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"7", b"{}", b'{"rows": 7}', b'{"rows": [["a"]]}', b"\xff\xfe"],
)
def test_a_damaged_plan_is_one_line_with_the_file_and_the_remedy(tmp_path, content):
    path = tmp_path / "main-0.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged plan file; delete it and run again") as caught:
        read_plan(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_plan_is_one_line_with_the_file(tmp_path):
    with pytest.raises(UserError, match=r"gone\.json: ") as caught:
        read_plan(tmp_path / "gone.json")
    assert "\n" not in str(caught.value)
