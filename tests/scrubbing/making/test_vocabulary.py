"""The stream that training draws from."""

from __future__ import annotations

from clampsweep.models.making import learn
from clampsweep.studies.scrubbing.making.vocabulary import stream


def test_a_stream_is_the_texts_with_blank_lines_between():
    tokenizer = learn(["abab abab abab cd", "abab xyz"], 262)
    ids = stream(tokenizer, ["abab", "cd"])
    assert tokenizer.decode(ids.tolist()) == "abab\n\ncd\n\n"
