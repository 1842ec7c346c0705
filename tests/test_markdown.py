"""Markdown that untrusted text cannot break out of."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from clampsweep.markdown import code, fenced, plain, table


@given(st.text(alphabet=st.sampled_from("`~ \n\r\tx#\x1b"), min_size=1, max_size=60))
def test_a_fence_closes_only_at_its_end(text):
    lines = re.split(r"\r\n|\r|\n", fenced(text))
    if not text.strip():
        assert len(lines) == 1
        return
    opening = lines[0].removesuffix("text")
    closing = re.compile(rf" {{0,3}}`{{{len(opening)},}}[ \t]*")
    assert [i for i, line in enumerate(lines) if closing.fullmatch(line)] == [len(lines) - 1]


@given(st.text(alphabet=st.sampled_from("`ab|\n "), max_size=30))
def test_a_code_span_closes_only_at_its_end(text):
    span = code(text)
    ticks = re.match("`+", span)[0]
    assert "\n" not in span
    runs = [run for run in re.findall("`+", span) if run == ticks]
    assert len(runs) == 2 and span.endswith(ticks)


def test_control_characters_are_pictured():
    assert fenced("a\x1b[31m\tb") == "```text\na\N{SYMBOL FOR ESCAPE}[31m\tb\n```"


def test_plain_text_carries_no_markup():
    assert plain("<b>*x*</b>\n# [y](z)") == r"\<b\>\*x\*\</b\> \# \[y\](z)"


def test_a_table_cell_cannot_start_another():
    assert table(["a|b"], [["`c|d`"]]).splitlines()[::2] == [r"| a\|b |", r"| `c\|d` |"]
