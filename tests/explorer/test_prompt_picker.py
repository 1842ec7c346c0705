"""What was typed is kept when a prompt takes its place."""

from __future__ import annotations

import pytest

pytest.importorskip("gradio", reason="gradio is not installed")

from clampsweep.explorer.prompt_picker import Kept


def test_what_was_typed_outlives_any_number_of_choices():
    kept = Kept(given="first of the set").after("one", "typed by hand")
    for chosen in ("two", "three"):
        kept = kept.after(chosen, kept.given)
        assert kept == Kept("typed by hand", chosen)


def test_a_prompt_that_was_put_there_and_a_blank_box_are_not_kept():
    assert Kept(given="first of the set").after("one", "first of the set").typed == ""
    assert Kept("typed", "one").after("two", "").typed == "typed"


def test_a_prompt_that_was_put_there_and_changed_is_kept():
    assert Kept("typed", "one").after("two", "one, changed").typed == "one, changed"
