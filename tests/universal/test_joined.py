"""The original's checklist, filled in by verdicts; and the summary that shows it."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from clampsweep.ledger import Control, conclusions, ran
from clampsweep.studies.universal.joined import QUESTIONS, answer, answers, join, summary
from clampsweep.studies.universal.report import summary as report
from clampsweep.verdicts import Claim, Result, conclude, frame

FOUND = {
    "supported": Result(1.0, 0.5, 1.5, 0.0, 20, 0.01, 0.02),
    "contradicted": Result(-1.0, -1.5, -0.5, 0.0, 20, 0.9, 0.9),
    "inconclusive": Result(0.1, -0.5, 0.7, 0.0, 20, 0.4, 0.5),
    "untestable": Result(n=0),
}


def row(claim, verdict, subject="s"):
    made = conclude(
        Claim("universal", claim, subject, "greater", "nats"),
        FOUND.get(verdict, Result()),
        words="found",
        why="twenty cases",
        vacuous="it cannot fail" if verdict == "vacuous" else "",
    )
    assert made["verdict"] == verdict
    return made


def told(*counts):
    """Verdicts of one claim, so many of each word."""
    return frame(
        row("holds on new data", word, f"{word} {at}") for word, n in counts for at in range(n)
    )


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        ([("supported", 3)], "PASS"),
        ([("supported", 3), ("inconclusive", 2)], "PASS"),
        ([("supported", 2), ("inconclusive", 2)], "INCONCLUSIVE"),
        ([("supported", 1), ("contradicted", 2)], "FAIL"),
        ([("contradicted", 1), ("inconclusive", 5)], "FAIL"),
        ([("supported", 3), ("contradicted", 1)], "FAIL"),
        ([("supported", 12), ("contradicted", 1)], "PASS"),
        ([("vacuous", 4), ("untestable", 1)], "UNTESTABLE"),
        ([], "UNTESTABLE"),
    ],
)
def test_a_question_is_answered_by_what_could_have_failed(counts, wanted):
    found = answer(told(*counts), ("holds on new data",))
    assert found.verdict == wanted
    for word, n in counts:
        assert f"{n} {word}" in found.why


def test_a_claim_that_the_question_does_not_turn_on_is_not_counted():
    found = frame([row("holds on new data", "supported"), row("by the way", "contradicted")])
    assert answer(found, ("holds on new data",)) == ("PASS", "1 claim: 1 supported")


def test_what_was_not_asked_is_untestable():
    given = answers({"data": told(("supported", 2))})
    assert {name: one.verdict for name, one in given.items()} == {
        "GT1_ModelGeneralization": "UNTESTABLE",
        "GT2_DataGeneralization": "PASS",
        "GT3_MethodGeneralization": "UNTESTABLE",
    }


def test_the_summary_has_the_originals_layout_and_every_claim():
    parts = {"data": frame([row("holds on new data", "supported"), row("old kurtosis", "vacuous")])}
    found = json.loads(json.dumps(summary(parts)))
    assert list(found) == ["Checklist", "Rationale", "claims"]
    assert list(found["Checklist"]) == list(QUESTIONS) == list(found["Rationale"])
    first, second = found["claims"]
    assert (first["estimate"], first["ci"], first["null"], first["effect"]) == (1, [0.5, 1.5], 0, 1)
    assert (first["q"], first["n"], first["verdict"]) == (0.02, 20, "supported")
    assert (second["verdict"], second["why"], second["effect"]) == (
        "vacuous",
        "it cannot fail",
        None,
    )


def test_joined_slices_are_one_and_the_page_shows_the_original_beside_them():
    control: list[Control] = [ran("shifted labels", 200)]
    one = conclusions([(row("holds on new data", "supported"), control)])
    two = conclusions([(row("head norms", "contradicted"), control)])
    joined = join([one, two])
    assert len(joined.verdicts) == len(joined.ledger) == 2
    parts = {"data": one.verdicts, "heads": two.verdicts}
    text = report.summary(joined, parts, ["## Part\n\nsaid"], "tiny", {"a.md": "what"})
    assert "| GT2 |" in text and "**PASS**" in text and "**FAIL**" in text
    assert "93.3 % negative input bias" in text
    assert "## Part\n\nsaid" in text
    assert isinstance(joined.verdicts, pd.DataFrame)
