"""The section on agreement: its numbers are the tables', also where there are none."""

from clampsweep.markdown import fragment
from clampsweep.studies.universal.report.agreement import section
from universal.agreements import N, agreed, alone


def test_it_says_how_many_are_universal_and_how_many_by_chance() -> None:
    given, _ = agreed()
    text = section(given, 0.3)
    n = int(given.corr["universal"].sum())
    assert f"**{n} of {N} neurons" in text
    assert "0 by shifted text" in text
    assert text.startswith("## Agreement")
    assert "93.3 %" in text
    assert "6.03 / 3.29" in text
    assert "Universal neurons at checkpoints" in text
    assert "without its universal neurons" in text


def test_its_tables_are_whole() -> None:
    html = fragment(section(agreed()[0], 0.3))
    assert html.count("<table>") == 5
    assert "nan" not in html


def test_no_neuron_is_universal() -> None:
    text = section(agreed(shared=0.0)[0], 0.3)
    assert f"**0 of {N} neurons (0.00%)" in text
    assert "nan" not in text.replace("-", "")


def test_without_other_models() -> None:
    text = section(alone()[0], 0.5)
    assert "untestable" in text
    assert "93.3 %" in text
    assert "Cliff" not in text
