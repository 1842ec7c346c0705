"""Identity of a text to generate, and batches of them as files."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import batch_history
from batch_history import quickly
from clampsweep.errors import UserError
from clampsweep.texts.combination import Combination, batch_id, batch_json, read_batch, stream
from clampsweep.texts.planner import Planner
from clampsweep.texts.request import RAW, Decoding, PromptFormat
from requested import GREEDY, PLAIN, SAMPLED, many

folders = batch_history.folders
CHAT = PromptFormat("chat")


AWKWARD = (
    'She said "no".',
    "two\nlines\tand a tab\r\n",
    "“curly”, é, 學, 🙂, \u2028 and \x85",
    "a \\ and a \\n, {braces}, 'quotes'",
    " ",
)


# Keys


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "n"},
        {"prompt": "The glass is "},
        {"target": "L1N3"},
        {"target": "L1N2+L2N3"},
        {"operation": "add"},
        {"value": 5.5},
        {"value": -5.0},
        {"value": None},
        {"scope": "last"},
        {"scope": "0,1"},
        {"seed": 1},
        {"seed": None},
        {"donor": "Another donor"},
        {"donor": None},
        {"decoding": GREEDY},
        {"decoding": Decoding("sample", 9, 0.7, 40, 0.9)},
        {"decoding": Decoding("sample", 8, 0.8, 40, 0.9)},
        {"decoding": Decoding("sample", 8, 0.7, 41, 0.9)},
        {"decoding": Decoding("sample", 8, 0.7, 40, 0.8)},
        {"decoding": Decoding("sample", 8, 0.7, 40, None)},
        {"decoding": Decoding("sample", 8, 0.7, 40, 0.9, ("###",))},
        {"prompt_format": CHAT},
        {"prompt_format": PromptFormat("chat", "Be short.")},
        {"prompt_format": PromptFormat("chat", "")},
    ],
    ids=str,
)
def test_a_key_changes_with_each_part_of_the_identity(changes):
    assert dataclasses.replace(PLAIN, **changes).key != PLAIN.key


def test_keys_and_batches_of_raw_prompts_without_stop_strings_are_those_of_earlier_versions():
    """As they were before there were chats and stop strings, so that texts of then are found."""
    baseline = Combination("m", "The glass is", None, "none", None, None, GREEDY, None)
    assert PLAIN.key == "c7a004b4aff457b8101b628ba7977c5d"
    assert baseline.key == "11a484b91a7ba8d87e122d4d9faee00e"
    assert batch_id(many(3)) == "437fc2911c1a5431"
    assert set(batch_json([PLAIN])) == {"model", "decoding", "prompts", "combinations"}
    assert set(batch_json([PLAIN])["decoding"]) == {
        "method", "max_new_tokens", "temperature", "top_k", "top_p"
    }  # fmt: skip


def test_a_key_is_the_same_for_stop_strings_in_any_order():
    one, other = (
        dataclasses.replace(PLAIN, decoding=Decoding("greedy", 8, stop_strings=strings))
        for strings in (("a", "b"), ("b", "a"))
    )
    assert one == other
    assert one.key == other.key


def test_chats_with_different_system_prompts_have_different_keys():
    formats = [CHAT, *(PromptFormat("chat", system) for system in ("", "a", "b"))]
    assert len({dataclasses.replace(PLAIN, prompt_format=one).key for one in formats}) == 4


def test_a_key_is_32_hex_digits_and_the_same_in_every_process():
    code = (
        "from clampsweep.texts.combination import Combination; "
        "from clampsweep.texts.request import Decoding; "
        "print(Combination('m', 'The glass is', 'L1N2', 'set', 5.0, 'all', "
        "Decoding('sample', 8, 0.7, 40, 0.9), 0, 'A donor').key)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == PLAIN.key
    assert len(PLAIN.key) == 32 and int(PLAIN.key, 16) >= 0


def test_a_key_is_the_same_for_a_whole_number_and_the_float_it_equals():
    assert dataclasses.replace(PLAIN, value=5).key == PLAIN.key


def test_a_key_ignores_what_greedy_decoding_does_not_use():
    one = dataclasses.replace(PLAIN, decoding=GREEDY)
    other = dataclasses.replace(PLAIN, decoding=Decoding("greedy", 8, 0.7, 40, 0.9))
    assert one.key == other.key


def test_a_direction_has_a_key_of_its_own():
    keys_of = {dataclasses.replace(PLAIN, target=f"L1N2{r}").key for r in ("", "R0", "R1", "R10")}
    assert len(keys_of) == 4


# Layer and draws


@pytest.mark.parametrize(
    ("target", "layer"), [(None, None), ("L1N2", 1), ("L2N3+L10N0", 2), ("L10N0+L2N3", 2)]
)
def test_the_layer_is_the_lowest_that_is_changed(target, layer):
    assert dataclasses.replace(PLAIN, target=target).layer == layer


def test_draws_depend_on_seed_and_prompt_alone_and_no_seed_is_seed_zero():
    streams = {stream(text, seed) for text in ("One", "Two") for seed in (0, 1)}
    assert len(streams) == 4
    assert stream("One", None) == stream("One", 0)
    assert all(isinstance(part, int) and 0 <= part < 2**32 for part in stream("One", 7))


# Batches as files


def test_a_batch_is_named_by_its_keys_in_any_order_whatever_else_it_says():
    assert batch_id(many(3)) == batch_id(reversed(many(3)))
    assert len(batch_id(many(3))) == 16 and int(batch_id(many(3)), 16) >= 0
    names = {batch_id(many(n)) for n in range(1, 9)} | {batch_id(many(3, target="L0N7"))}
    assert len(names) == 9


def test_a_batch_says_each_text_once():
    text = json.dumps(batch_json(many(50)))
    assert (text.count("The glass is"), text.count("A donor")) == (1, 1)


@given(
    st.lists(
        st.builds(
            Combination,
            model=st.just("m"),
            prompt=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
            target=st.sampled_from([None, "L0N1", "L0N1+L2N3"]),
            operation=st.sampled_from(["none", "set", "resample"]),
            value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
            scope=st.sampled_from([None, "all", "0,5"]),
            decoding=st.just(SAMPLED),
            seed=st.none() | st.integers(0, 2**63),
            donor=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
            prompt_format=st.sampled_from([RAW, CHAT, PromptFormat("chat", "é\n")]),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda one: one.key,
    )
)
@quickly
def test_a_pinned_batch_reads_back_as_it_was(folders, wanted):
    results = folders()
    names = Planner(results, 99).assign(wanted)
    read = [read_batch(results / "batches" / f"{batch}.json") for batch in names]
    assert {model for model, _ in read} == {"m"}
    found = [one for _, combinations in read for one in combinations]
    assert {one.key: one for one in found} == {one.key: one for one in wanted}


@pytest.mark.parametrize(
    "decoding",
    [
        GREEDY,
        SAMPLED,
        Decoding("sample", 3, 1.0),
        Decoding("greedy", 3, stop_strings=("\n\n", "学")),
        Decoding("sample", 3, 1.0, stop_strings=("b", "a")),
    ],
    ids=str,
)
def test_awkward_prompts_and_each_decoding_read_back_as_they_were(tmp_path, decoding):
    wanted = [
        dataclasses.replace(PLAIN, prompt=text, donor=text[::-1], decoding=decoding)
        for text in AWKWARD
    ]
    (batch,) = Planner(tmp_path, 99).assign(wanted)
    _, found = read_batch(tmp_path / "batches" / f"{batch}.json")
    assert sorted(found, key=lambda one: one.key) == sorted(wanted, key=lambda one: one.key)


def test_what_is_pinned_does_not_depend_on_the_machines_language(tmp_path):
    code = (
        "import sys; from pathlib import Path; from clampsweep.texts.request import Decoding\n"
        "from clampsweep.texts.combination import Combination\n"
        "from clampsweep.texts.planner import Planner\n"
        "one = Combination('m', '\\u00e9\\u5b78', None, 'none', None, None, "
        "Decoding('greedy', 8), None)\n"
        "print(*Planner(Path(sys.argv[1]), 7).assign([one]))"
    )
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, **plain},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    batch = tmp_path / "batches" / f"{done.stdout.strip()}.json"
    assert read_batch(batch)[1][0].prompt == "é學"


def damage(content: dict[str, Any], kind: str) -> str | bytes:
    """A batch file's content, damaged."""
    row = content["combinations"][0]
    if kind == "half of it":
        return json.dumps(content)[: len(json.dumps(content)) // 2]
    if kind == "not UTF-8":
        return json.dumps(content).replace("glass", "gl\xe4ss").encode("latin-1")
    if kind == "a prompt is gone":
        content["prompts"].clear()
    elif kind == "a donor is gone":
        row["donor"] = "0" * 64
    elif kind == "a row lacks a part":
        del row["scope"]
    elif kind == "a row is no mapping":
        content["combinations"][0] = "row"
    elif kind == "a value is a word":
        row["value"] = "five"
    elif kind == "a section is gone":
        del content["model"]
    elif kind == "a decoding of another version":
        content["decoding"]["beams"] = 4
    elif kind == "rows are null":
        content["combinations"] = None
    return json.dumps(content)


KINDS = [
    "half of it",
    "not UTF-8",
    "a prompt is gone",
    "a donor is gone",
    "a row lacks a part",
    "a row is no mapping",
    "a value is a word",
    "a section is gone",
    "a decoding of another version",
    "rows are null",
]


def pinned(results: Path) -> Path:
    (batch,) = Planner(results, 9).assign([PLAIN])
    return results / "batches" / f"{batch}.json"


def planner_over(path: Path) -> Planner:
    return Planner(path.parents[1], 9)


def refused(path: Path) -> None:
    """Planning and reading of a batch refuse it with a line that names the file and the remedy."""
    for action in (lambda: read_batch(path), lambda: planner_over(path).assign(many(2))):
        with pytest.raises(UserError) as caught:
            action()
        message = str(caught.value)
        assert str(path) in message and "\n" not in message
        assert "damaged" in message and "delete" in message


def test_a_batch_file_with_the_content_of_another_is_refused(tmp_path):
    path = pinned(tmp_path)
    (other,) = Planner(tmp_path, 9).assign(many(3))
    path.write_bytes((tmp_path / "batches" / f"{other}.json").read_bytes())
    refused(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_batch_file_is_one_line_with_the_file_and_the_remedy(tmp_path, kind):
    path = pinned(tmp_path)
    content = damage(json.loads(path.read_text("utf-8")), kind)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(path)


@pytest.mark.parametrize("content", ["", "null", "[]", "7", '"text"', "{}", "\x00\x00"])
def test_a_batch_file_of_other_content_is_one_line_with_the_file_and_the_remedy(tmp_path, content):
    path = pinned(tmp_path)
    path.write_text(content)
    refused(path)


def test_a_missing_batch_file_is_one_line_with_the_file(tmp_path):
    with pytest.raises(UserError, match=r"gone\.json: ") as caught:
        read_batch(tmp_path / "gone.json")
    assert "\n" not in str(caught.value)
