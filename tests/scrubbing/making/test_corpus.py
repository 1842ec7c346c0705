"""The corpus of installed packages, on packages that are written by hand."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from clampsweep.errors import UserError
from clampsweep.provenance import text_digest
from clampsweep.studies.scrubbing.making import corpus
from clampsweep.studies.scrubbing.making.corpus import check_digest, collect, corpus_digest

LONG = "These are words of which a document is made, again and again and again. " * 3


def install(site: Path, package: str, files: dict[str, str]) -> None:
    """Put a package into a folder that Python looks in, with its list of digests."""
    facts = site / f"{package}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = []
    for name, text in files.items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
        lines.append(f"{name},sha256={digest.rstrip('=')},{len(text)}")
    (facts / "RECORD").write_text("\n".join([*lines, f"{facts.name}/RECORD,,"]) + "\n")


SOURCE = f'''"""First one.

    {LONG}

Not words: 1 2 3 4 5 6 7 8 9 | + - * / = ( ) [ ]
"""
x = "no docstring"


class Second:
    """Second,
       in two lines."""

    def third(self):
        """Third one."""


def fourth():
    """First one.

    Fourth one.
    """
'''


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(corpus, "SHORTEST", 1)
    install(tmp_path, "toyone", {
        "toyone/b.py": f'"""{LONG}"""\n\ndef more():\n    """More of it."""\n',
        "toyone/a.py": SOURCE,
        "toyone/version.py": '"""Written when it was built."""\n',
        "toyone/broken.py": '"""No Python""" (\n',
        "toyone/data.txt": "Words of no source file.",
    })  # fmt: skip
    install(tmp_path, "toytwo", {"toytwo/c.py": '"""More of it.\n\nAnd words of its own."""\n'})
    return tmp_path


def test_a_document_is_the_docstrings_of_a_file_each_paragraph_once_in_the_corpus(site):
    found = collect(["toytwo", "toyone"], "here")
    assert found[["package", "file"]].to_numpy().tolist() == [
        ["toyone", "toyone/a.py"], ["toyone", "toyone/b.py"], ["toytwo", "toytwo/c.py"],
    ]  # fmt: skip
    first = f"First one.\n\n{LONG.strip()}\n\nSecond,\nin two lines.\n\nThird one.\n\nFourth one."
    assert list(found["text"]) == [first, "More of it.", "And words of its own."]
    assert found.equals(collect(["toyone", "toytwo"], "here"))


def test_which_documents_are_held_out_follows_from_their_names_alone(site, monkeypatch):
    found = collect(["toyone", "toytwo"], "here")
    digests = [text_digest(f"{row.package}/{row.file}") for row in found.itertuples()]
    places = [int(digest[:8], 16) / 2**32 for digest in digests]
    assert list(found["held_out"]) == [place < corpus.HELD_OUT for place in places]
    monkeypatch.setattr(corpus, "HELD_OUT", 1.0)
    assert all(collect(["toyone"], "here")["held_out"])


def test_documents_that_are_too_short_are_left_out(site, monkeypatch):
    monkeypatch.setattr(corpus, "SHORTEST", 100)
    assert list(collect(["toyone", "toytwo"], "here")["file"]) == ["toyone/a.py"]


def test_a_file_that_is_cut_or_missing_is_named(site):
    file = site / "toyone/a.py"
    file.write_text(file.read_text()[:-5])
    with pytest.raises(UserError, match=r"toyone/a\.py: not as toyone lists it, cut or edited"):
        collect(["toyone"], "here")
    file.unlink()
    with pytest.raises(UserError, match=r"toyone/a\.py: cannot be read .*install toyone again"):
        collect(["toyone"], "here")


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(UserError, match=r"m\.corpus\.packages: no-such-toy is not installed"):
        collect(["no-such-toy"], "m.corpus")


def test_a_corpus_of_other_versions_is_refused_with_both_digests(site):
    found = collect(["toyone", "toytwo"], "here")
    right = corpus_digest(found)
    check_digest(found, right, "m.corpus")
    other = found.assign(text=found["text"] + "!")
    with pytest.raises(UserError, match=rf"got {right}, .*\(toyone 1.0, toytwo 1.0\)") as raised:
        check_digest(other, right, "m.corpus")
    assert corpus_digest(other) in str(raised.value)
