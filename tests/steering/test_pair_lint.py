"""What is wrong with pairs, each fault planted, and the split by topic."""

from __future__ import annotations

from pathlib import Path

import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.steering.pair_lint import (
    PAIR_LINT,
    Limits,
    lint,
    refuse,
)
from clampsweep.studies.steering.pairs import Pair, read_tsv

SHIPPED = Path(__file__).parents[2] / "promptsets" / "steering"
BEHAVIOURS = sorted(path for path in SHIPPED.glob("*.tsv") if path.stem != "prompts")


def made(n: int = 24, topics: int = 12) -> list[Pair]:
    """Pairs without a fault."""
    return [
        Pair(f"Prompt {at}?", f"{at} is so good", f"{at} is so bad", f"t{at % topics:02}")
        for at in range(n)
    ]


def found(pairs: list[Pair], **limits: float) -> dict[tuple[str, str], tuple[str, int]]:
    """What a list is warned of: check and column -> severity and count."""
    table = lint(pairs, limits=Limits(**limits))
    rows = table.to_dict("records")
    return {(one["check"], one["column"]): (one["severity"], one["n_pairs"]) for one in rows}


@pytest.mark.parametrize("path", BEHAVIOURS, ids=lambda path: path.stem)
def test_a_shipped_behaviour_has_no_fault(path):
    assert lint(read_tsv(path)).empty


def test_pairs_without_a_fault_have_no_row_and_are_not_refused():
    assert found(made()) == {}
    refuse(lint(made()), "b.tsv")


def changed(pairs: list[Pair], at: int, **cells: str | None) -> list[Pair]:
    return [*pairs[:at], pairs[at]._replace(**cells), *pairs[at + 1 :]]


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        (changed(made(), 3, match=" "), {("empty", "match"): ("error", 1)}),
        (changed(made(), 3, prompt=""), {("empty", "prompt"): ("error", 1)}),
        (changed(made(), 3, match="3 is  SO bad."),
         {("equal answers", "answers"): ("error", 1),
          ("answer in both columns", "answers"): ("warning", 1)}),
        (changed(made(), 3, match="4 is so bad"),
         {("answer in both columns", "answers"): ("warning", 1)}),
        (changed(made(), 3, match="15 is so good"), {("duplicates", "match"): ("warning", 2)}),
        (changed(made(), 3, prompt="prompt 15"), {("duplicates", "prompt"): ("warning", 2)}),
        (changed(made(), 3, prompt="Prompt 4?"),  # of another topic
         {("duplicates", "prompt"): ("warning", 2),
          ("prompt of two topics", "prompt"): ("error", 2)}),
        (changed(made(), 3, topic=None), {("no topic", "topic"): ("error", 1)}),
        ([one._replace(topic=None) for one in made()], {("no topic", "topic"): ("warning", 24)}),
        (made(topics=2), {("too few topics", "topic"): ("error", 24)}),
        (made(topics=3), {("shares", "topic"): ("warning", 8)}),
        ([], {("no pairs", "prompt"): ("error", 0)}),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found_and_no_other(pairs, wanted):
    assert found(pairs) == wanted


def test_lengths_are_of_words_by_pair_and_on_average():
    longer = changed(made(), 3, match="3 is so very very very good")  # 7 words against 4
    assert found(longer) == {}
    assert found(longer, words=2) == {("lengths of a pair", "answers"): ("warning", 1)}
    all_longer = [one._replace(match=f"{one.match} indeed") for one in made()]  # 5 against 4
    table = lint(all_longer)
    assert table["check"].tolist() == ["lengths"]
    assert table["value"].tolist() == pytest.approx([1 / 4.5])
    assert table["detail"][0].startswith("match is the longer one")
    swapped = [one._replace(match=one.nonmatch, nonmatch=one.match) for one in all_longer]
    assert lint(swapped)["value"].tolist() == pytest.approx([-1 / 4.5])


@pytest.mark.parametrize(("first", "warned"), [(7, True), (8, False), (12, False), (13, True)])
def test_letters_are_balanced_between_two_and_three_fifths(first, warned):
    pairs = [one._replace(letter="A" if at < first else "B") for at, one in enumerate(made(20))]
    table = lint(pairs)
    assert table["check"].tolist() == (["letters"] if warned else [])
    if warned:
        assert table["value"].tolist() == [first / 20]


def test_an_opening_of_more_than_eight_answers_is_named():
    def openings(count: int) -> list[str]:
        pairs = made(30, 10)
        for at in range(count):
            pairs[at] = pairs[at]._replace(nonmatch=f"I am not {at}")
        table = lint(pairs)
        return table.loc[table["check"] == "opening", "detail"].tolist()

    assert openings(8) == []
    assert openings(9) == ["'i am not'; value: answers that begin so"]


def test_errors_stand_first_and_are_refused_in_a_line():
    pairs = changed(changed(made(), 3, prompt="prompt 15"), 5, match="")
    table = lint(pairs)
    assert table["severity"].tolist() == ["error", "warning"]
    with pytest.raises(UserError, match=r"^b\.tsv: empty in match: pair 6 \(1 such errors"):
        refuse(table, "b.tsv")


def test_findings_are_a_table_that_is_written_and_read(tmp_path):
    table = lint(changed(made(), 3, prompt="Prompt 4?", match=""))
    tables.write(table, tmp_path / "lint.parquet", PAIR_LINT, {})
    assert tables.read(tmp_path / "lint.parquet", PAIR_LINT)["check"].tolist() == [*table["check"]]
