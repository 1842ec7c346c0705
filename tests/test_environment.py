"""Variables that are set for a while, and then as they were."""

from __future__ import annotations

import os

import pytest

from clampsweep.environment import environment


def test_variables_are_set_for_a_while_and_then_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLAMPSWEEP_ONE", "before")
    monkeypatch.delenv("CLAMPSWEEP_TWO", raising=False)
    before = dict(os.environ)

    def fail() -> None:
        with environment(CLAMPSWEEP_ONE="1", CLAMPSWEEP_TWO="2"):
            assert (os.environ["CLAMPSWEEP_ONE"], os.environ["CLAMPSWEEP_TWO"]) == ("1", "2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert dict(os.environ) == before


def test_what_others_set_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLAMPSWEEP_OTHER", raising=False)
    with environment(CLAMPSWEEP_ONE="1"):
        monkeypatch.setenv("CLAMPSWEEP_OTHER", "set meanwhile")
    assert os.environ["CLAMPSWEEP_OTHER"] == "set meanwhile"
