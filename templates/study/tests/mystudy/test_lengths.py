"""Lengths of texts: numbers worked out by hand, and a null result that is said to be one."""

from __future__ import annotations

import pytest

from clampsweep.studies.mystudy.figures import length
from clampsweep.studies.mystudy.lengths import judge, lengths
from clampsweep.studies.mystudy.report import summary
from clampsweep.studies.mystudy.tables import LOSSES
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.promptset import PROMPTS
from factories import baseline, frame, generation, prompt


def table(changes, **columns):
    """Lengths of a clamp on prompts whose baselines have four words, by words more."""
    names = [f"p{at}" for at in range(len(changes))]
    rows = [baseline(name, "a b c d") for name in names]
    texts = {name: "w " * (4 + more) for name, more in zip(names, changes, strict=True)}
    rows += [generation(name, text, 5.0) for name, text in texts.items()]
    prompts = [prompt(name, name, **columns) for name in names]
    return lengths(frame(rows, GENERATIONS), frame(prompts, PROMPTS))


def test_four_prompts_by_hand():
    row = table([1, 2, 3, -2]).iloc[0]
    assert (row["n"], row["n_clusters"], row["difference"]) == (4, 4, 1)
    assert row["low"] < 1 < row["high"]
    assert row["p"] == 8 / 16  # of 16 ways to flip, those whose negatives sum to 0-2 or 6-8


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [([1] * 8, "supported", "longer"), ([-1] * 8, "supported", "shorter"),
     ([0] * 8, "inconclusive", "no effect"), ([1, -1] * 4, "inconclusive", "no effect"),
     ([3] * 5, "untestable", "no answer: too few prompts to tell")],
)  # fmt: skip
def test_the_verdict_is_what_the_texts_say(changes, verdict, words):
    found = judge(table(changes))
    assert found.verdicts[["verdict", "words"]].values.tolist() == [[verdict, words]]
    known = [{"prompt_id": f"p{at}", "n_tokens": 3, "loss": at} for at in (1, 2, None)]
    said = summary(found, frame(known, LOSSES), "title", {"a.md": "a"})
    assert f"| {words} |" in said
    assert "Mean loss of 2 prompts, before any clamp: 1.50 nats per token." in said
    assert length(found.verdicts, "title").axes[0].get_yticklabels()[0].get_text() == "L1N2, set +5"


def test_prompts_of_a_core_move_together():
    assert table([1] * 8, core="one")["n_clusters"].tolist() == [1]
