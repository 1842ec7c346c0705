"""The study's own files of pairs: what is read, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from clampsweep.errors import UserError
from clampsweep.studies.steering.pairs import Pair, read_topics, read_tsv, write_tsv

SHIPPED = Path(__file__).parents[2] / "promptsets" / "steering"
BEHAVIOURS = sorted(path for path in SHIPPED.glob("*.tsv") if path.stem != "prompts")


def cells(path: Path) -> list[list[str]]:
    """Cells of a file without quotes, cut by hand."""
    return [line.split("\t") for line in path.read_text("utf-8").splitlines()][1:]


@pytest.mark.parametrize("path", BEHAVIOURS, ids=lambda path: path.stem)
def test_a_shipped_behaviour_has_its_texts_and_the_topics_of_its_prompts(path):
    pairs, topics = read_tsv(path), cells(SHIPPED / "prompts.tsv")
    assert [[one.prompt, one.match, one.nonmatch] for one in pairs] == cells(path)
    assert [[one.topic, one.prompt] for one in pairs] == topics
    assert len(pairs) == 120 and len({one.topic for one in pairs}) == 12
    assert all(one.letter is None and one.prompts == (one.prompt,) * 2 for one in pairs)


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_column_of_topics_goes_before_the_file_beside(tmp_path):
    write(tmp_path / "prompts.tsv", "topic\tprompt", "food\tq")
    own = write(tmp_path / "b.tsv", "topic\tmatch\tprompt\tnonmatch", "pets\tyes\tq\tno")
    beside = write(tmp_path / "c.tsv", "prompt\tmatch\tnonmatch", "q\t yes\tno ")
    assert read_tsv(own) == [Pair("q", "yes", "no", "pets")]
    assert read_tsv(beside) == [Pair("q", "yes", "no", "food")]


def test_without_topics_anywhere_there_are_none(tmp_path):
    (one,) = read_tsv(write(tmp_path / "b.tsv", "prompt\tmatch\tnonmatch", "q\tyes\tno"))
    assert one == Pair("q", "yes", "no") and one.topic is None


def test_a_prompt_without_a_topic_is_named_with_its_line(tmp_path):
    write(tmp_path / "prompts.tsv", "topic\tprompt", "food\tq")
    path = write(tmp_path / "b.tsv", "prompt\tmatch\tnonmatch", "q\ta\tb", "r\ta\tb")
    with pytest.raises(UserError, match=r"b\.tsv, line 3: prompt: got 'r', which is not in .*"):
        read_tsv(path)


def test_a_prompt_of_two_topics_is_refused(tmp_path):
    path = write(tmp_path / "prompts.tsv", "topic\tprompt", "food\tq", "pets\tq")
    with pytest.raises(UserError, match="line 3: 'q' is of topic 'food' above and of 'pets' here"):
        read_topics(path)


def test_a_missing_column_and_an_empty_file_are_refused(tmp_path):
    with pytest.raises(UserError, match="no column 'nonmatch'"):
        read_tsv(write(tmp_path / "b.tsv", "prompt\tmatch", "q\ta"))
    with pytest.raises(UserError, match="no pairs"):
        read_tsv(write(tmp_path / "b.tsv", "prompt\tmatch\tnonmatch"))


def test_what_is_written_is_read_with_quotes_and_line_ends(tmp_path):
    pairs = [Pair('say "hi"\nnow', "a\tb", "c, d", "t"), Pair("q", "é", "e")]
    write_tsv(pairs, tmp_path / "b.tsv")
    assert read_tsv(tmp_path / "b.tsv") == pairs


def test_answers_to_two_prompts_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match="two prompts"):
        write_tsv([Pair("q", "a", "b", nonmatch_prompt="r")], tmp_path / "b.tsv")
    assert not (tmp_path / "b.tsv").exists()
