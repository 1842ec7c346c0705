"""Names of downloaded files."""

from __future__ import annotations

from clampsweep.explorer.file_names import file_name


def test_a_name_holds_what_it_is_told_and_nothing_that_a_file_system_refuses():
    assert file_name("mine: tiny, L0N1+L2N4, set", "", "states") == "mine-tiny-L0N1+L2N4-set-states"
    hostile = file_name('../<img src=x onerror="1">/../x: "é"')
    assert not set(hostile) & set('/\\<>:"|?* ') and hostile.endswith("é")


def test_long_names_that_differ_at_their_end_stay_apart():
    one, other = file_name("a" * 300, "b"), file_name("a" * 300, "c")
    assert one != other and max(len(one), len(other)) < 140
