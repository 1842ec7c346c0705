"""Ends of sentences, as a reader sets them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep.studies.backtracking.sentence_ends import cuts

# A bar stands where a reader ends a sentence.
READ = [
    "It is 3.5 kg.| The rest is 2.",
    "The ratio is 3.5.| Then add 1.",
    "1. Add the numbers.| 2. Halve the sum.",
    "12. Add the numbers.| Then stop.",
    "Step 3. Add the numbers.| Then stop.",
    "The sum is 12.| Then stop.",
    "- **2.** Add them.| Then stop.",
    "a. Add them.| b. Halve the sum.",
    "Take some, e.g. 4 of them.| Stop.",
    "That is, i.e. In short, 4.| Stop.",
    "Dr. Noh and Mr. Wong meet.| Mrs. Ott waits.",
    "J. R. Smith has 3.| She eats 1.",
    "We meet at A.| Then we go to B.",
    "Apples, pears, etc. are left.| So 5.",
    "Apples, pears, etc.| Then we count.",
    "It is 5 p.m. now.| It is 6 p.m.| We go.",
    "Bus No. 5 leaves.| No.| It stays.",
    "Is it 4?| No.| It is 5!| Yes?!| So.",
    "Wait... That is wrong.| Stop.",
    "Wait... that is wrong.| Stop.",
    "Oh wait… That is wrong.| Stop.",
    "So the sum is 4...| Then we stop.",
    "1, 2, 3, ..., 9 and ... and 20.| Stop.",
    "Hmm… Stop\n| here",
    "5! = 120 ways.| Then n! ways.| It is 4!| Stop.",
    'He says "Stop!" and goes.| "Go!"| He goes.',
    "(That is 4.)| Then 5.| **So 6.**| End.",
    "It is 4\n|so it is 5\n|\n|6",
    r"So \[ x = 4. Then" "\n" r"y = 5 \]| Hence 9.",
    r"So \[ x = 4 \] where x is even.| Stop.",
    r"So \(a. B\) is 4.| Stop.",
    "So $$ x. Y\n= 4 $$| Hence 9.",
    "So \\begin{align}\nx &= 4. Y\n\\end{align} and 9.| Stop.",
    "It costs $5.| Then $7.| Stop.",
    r"It is \boxed{12}.| Stop.",
    r"An open \[ x = 3.| Then stop.",
    "So 12.|</think>|The answer.",
    "<think>|So 12",
    "so it is 12.| wait, no.| it is 13",
]


@pytest.mark.parametrize("marked", READ)
def test_sentences_end_where_a_reader_ends_them(marked: str) -> None:
    text = marked.replace("|", "")
    wanted = [part.strip() for part in marked.split("|") if part.strip()]
    ends = cuts(text)
    found = [text[a:b].strip() for a, b in zip([0, *ends], ends, strict=False)]
    assert [part for part in found if part] == wanted


@given(st.text(st.sampled_from('aB1 .!?…\n\\[]()$<think/>"*-') | st.characters()))
def test_ends_ascend_to_the_end_of_the_text(text: str) -> None:
    ends = cuts(text)
    assert ends == sorted(set(ends))
    assert not text or ends[-1] == len(text)


@given(st.lists(st.sampled_from(["Wait, no.", "It is 3.5 kg.", "Is it 4?"]), max_size=6))
def test_whole_sentences_in_a_row_are_found_again(parts: list[str]) -> None:
    assert len([end for end in cuts(" ".join(parts)) if end]) == len(parts)
