"""Files of contrastive activation addition: every form that the public ones have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clampsweep.errors import UserError
from clampsweep.studies.steering.caa_files import parse_choices, read_caa, write_caa
from clampsweep.studies.steering.pairs import Pair

SPACED = "Is it late?\n\nChoices:\n (A) No\n (B) Yes"


def item(question: str, matching: str, other: str, **more: str) -> dict[str, str]:
    keys = "answer_matching_behavior", "answer_not_matching_behavior"
    return {"question": question, keys[0]: matching, keys[1]: other, **more}


def write(path: Path, *items: object) -> Path:
    path.write_text(json.dumps(items), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("question", "letters", "prompt", "texts"),
    [
        (SPACED, "BA", "Is it late?", ("Yes", "No")),  # most behaviours
        ("Late?\n\nChoices:\n(A) No.\n(B) Yes.", "AB", "Late?", ("No.", "Yes.")),  # refusal
        ("I'm Jo.\nWhich one?\n(A) Tea \n(B) Milk", "AB", "I'm Jo.\nWhich one?", ("Tea", "Milk")),
        ("Late?\n\nChoices:\n (A)Yes, it is\n (B)No", "AB", "Late?", ("Yes, it is", "No")),
        ("Tea?\n\nChoices:\n (A) 1\n (B) 2\n (C) A&B\n (D) x", "CA", "Tea?", ("A&B", "1")),
        ("Pick.\n(1) one\n(2) two\n\nChoices:\n (A) 1\n (B) 2", "AB", "Pick.\n(1) one\n(2) two",
         ("1", "2")),
        ("Why?\n\nChoices:\n (A) so\nand so\n\n (B) (A) is wrong", "BA", "Why?",
         ("(A) is wrong", "so\nand so")),
        ("(A) is what?\n\nChoices:\n (A) a\n (B) b", "AB", "(A) is what?", ("a", "b")),
        ("Choices: hard?\n (A) a\n (B) b", "AB", "Choices: hard?", ("a", "b")),
        ("Empty?\n\nChoices:\n(A) some\n(B) ", "AB", "Empty?", ("some", "")),  # TruthfulQA
    ],
)  # fmt: skip
def test_answers_are_the_texts_of_the_choices(tmp_path, question, letters, prompt, texts):
    match, other = letters
    for form in ("({})", " ({})"):  # the latter in raw files
        path = write(tmp_path / "c.json", item(question, form.format(match), form.format(other)))
        assert read_caa(path) == [Pair(prompt, *texts, None, match, other, question)]


def test_letters_out_of_order_end_the_choices():
    prompt, choices = parse_choices("Q\n (A) one\n (B) two\n (D) three")
    assert prompt == "Q" and choices == {"A": "one", "B": "two\n (D) three"}
    assert parse_choices(" What? ") == ("What?", {})


def test_answers_that_are_no_letters_are_the_texts(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_text(f"{json.dumps(item('Is it late?', ' Yes', ' No'))}\n\n", encoding="utf-8")
    assert read_caa(path) == [Pair("Is it late?", "Yes", "No")]


def test_files_of_knowledge_have_their_category_as_topic(tmp_path):
    question = "2 + 2?\n\nChoices:\n(A) 4\n(B) 5"
    row = {"prompt": question, "correct": "(A)", "incorrect": "(B)", "category": "sums"}
    (pair,) = read_caa(write(tmp_path / "mmlu.json", {**row, "correct_full_text": "4"}))
    assert pair == Pair("2 + 2?", "4", "5", "sums", "A", "B", question)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[{]", "c.json: not JSON"),
        ('{"question": "q"}', "no list of objects"),
        ("[1]", "no list of objects"),
        ("[]", "no items"),
        ([{"question": "How are you?"}], "item 1: an open-ended question, without answers"),
        ([{"prompt": "q"}], "item 1: question: got None; write a text in quotes"),
        ([item(SPACED, "(A)", "(B)"), item(SPACED, "(C)", "(A)")],
         "item 2: the answer is (C), but the choices are A, B"),
        ([item("Is it late?", "(A)", "(B)")], "but the choices are none"),
        ([{**item(SPACED, "(A)", "(B)"), "answer_matching_behavior": 1}],
         "answer_matching_behavior: got 1"),
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_said_in_a_line(tmp_path, content, said):
    path = tmp_path / "c.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    with pytest.raises(UserError) as caught:
        read_caa(path)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def pairs(n: int) -> list[Pair]:
    return [Pair(f"Question {at}?", f"yes {at}", f"no {at}", f"t{at % 3}") for at in range(n)]


def test_a_prompt_that_ends_as_choices_begin_comes_back_whole(tmp_path):
    given = Pair("Pick.\n\nChoices:", "one", "two\nthree")
    write_caa([given], tmp_path / "c.json", 0)
    assert [one[:4] for one in read_caa(tmp_path / "c.json")] == [given[:4]]


@pytest.mark.parametrize("n", [1, 2, 7, 120])
def test_written_files_have_each_letter_match_in_half_and_the_pairs_come_back(tmp_path, n):
    path, given = tmp_path / "c.json", pairs(n)
    write_caa(given, path, seed=5)
    back = read_caa(path)
    assert [one[:4] for one in back] == [one[:4] for one in given]
    letters = [one.letter for one in back]
    assert letters.count("A") == (n + 1) // 2 and letters.count("B") == n // 2
    items = json.loads(path.read_text("utf-8"))  # as CAA's own code reads it: by letter, by line
    for one, made in zip(given, items, strict=True):
        head, choices = made["question"].split("\n\nChoices:\n")
        lines = dict(zip(("(A)", "(B)"), choices.split("\n"), strict=True))
        assert head == one.prompt
        assert lines[made["answer_matching_behavior"]].strip()[4:] == one.match
        assert lines[made["answer_not_matching_behavior"]].strip()[4:] == one.nonmatch


def test_letters_follow_the_seed_and_nothing_else(tmp_path):
    def letters(seed: int, given: list[Pair]) -> str:
        write_caa(given, tmp_path / "c.json", seed)
        return "".join(one.letter or "" for one in read_caa(tmp_path / "c.json"))

    given = pairs(40)
    assert letters(1, given) == letters(1, [one._replace(letter="B") for one in given])
    assert letters(1, given) != letters(2, given)
    assert letters(1, given) not in ("AB" * 20, "BA" * 20)  # no reader could learn the order


@pytest.mark.parametrize(
    "pair",
    [
        Pair("Q?", "one\n (B) two", "three"),
        Pair("Q? ", "one", "two"),
        Pair("Q?", "one", "two", nonmatch_prompt="R?"),
    ],
)
def test_what_would_be_read_otherwise_is_not_written(tmp_path, pair):
    with pytest.raises(ValueError, match="would be read as"):
        write_caa([pair], tmp_path / "c.json", 0)
    assert not (tmp_path / "c.json").exists()
