"""Texts, token ids and numbers of wrong kinds are refused, not measured as something else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clampsweep.texts import collapse, metrics

IDS = "tokens: got {}; write a text's token ids, whole numbers"
TEXT = "text: got {}; write one text, '' for an empty one"
TEXTS = "texts: got {}; write a list of texts"
NLL = "nll: not known; give the text's mean -log p"
TABLE = pd.DataFrame({"text": ["a"], "token_ids": [[1]]})
NAN = float("nan")

# A function, what it is given, the error's kind and what it says.
WRONG = [
    (collapse.coherence, ([], None), ValueError, NLL),
    (collapse.coherence, ([1, 2], NAN), ValueError, NLL),
    (collapse.coherence, ([1, 2], "2"), TypeError, "nll: got '2'; write a number"),
    (collapse.coherence, ("abab", 2.0), TypeError, IDS.format("'abab'")),
    (collapse.coherence, (None, 2.0), TypeError, IDS.format("None")),
    (collapse.loop, ("ababab",), TypeError, IDS.format("'ababab'")),
    (collapse.loop, (["a", "b"],), TypeError, IDS.format("['a', 'b']")),
    (collapse.loop, ([1.5],), TypeError, IDS.format("[1.5]")),
    (collapse.surface, (None,), TypeError, TEXT.format("None")),
    (collapse.surface, (b"aaaaaaa",), TypeError, TEXT.format("b'aaaaaaa'")),
    (collapse.entropy, ([1, 2],), TypeError, TEXT.format("[1, 2]")),
    (collapse.DETECTORS["loop"], (None, [1]), TypeError, TEXT.format("None")),
    (collapse.collapsed, ("the cat", "surface"), TypeError, TEXTS.format("'the cat'")),
    (collapse.collapsed, (["the cat"], "surfce"), ValueError, "detector: got 'surfce'; allowed: s"),
    (collapse.collapsed, ([NAN], "surface"), TypeError, TEXT.format("nan")),
    (collapse.collapsed, (["abab"], "loop", ["abab"]), TypeError, IDS.format("'abab'")),
    (collapse.collapsed, (["a b"], "loop", [[1], [2]]), ValueError, "tokens: got 2 for 1 texts"),
    (collapse.collapsed, (["a"], "coherence", [[1]], []), ValueError, "nlls: got 0 for 1 texts"),
    (collapse.flags, (TABLE, "surface"), ValueError, "generations: lacks the column 'nll_unc"),
    (collapse.flags, (["a"], "surface"), TypeError, "generations: got ['a']; write a gener"),
    (metrics.table, (TABLE[["text"]],), ValueError, "generations: lacks the column 'token_ids'"),
    (metrics.measures, ("the cat",), TypeError, TEXTS.format("'the cat'")),
    (metrics.measures, (["ab"], ["ab"]), TypeError, IDS.format("'ab'")),
    (metrics.measures, (["ab"], [[1], [2]]), ValueError, "tokens: got 2 for 1 texts; write one"),
    (metrics.published, (NAN,), TypeError, TEXT.format("nan")),
    (metrics.further, (None, [1]), TypeError, TEXT.format("None")),
    (metrics.further, ("abab", "abab"), TypeError, IDS.format("'abab'")),
]


@pytest.mark.parametrize(("function", "given", "kind", "said"), WRONG)
def test_wrong_input_is_refused_in_one_line(function, given, kind, said):
    with pytest.raises(kind) as caught:
        function(*given)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(said) and "\n" not in str(caught.value)


def test_arrays_of_token_ids_are_judged_as_lists_are():
    ids = [1, 2] * 20
    for same in (ids, tuple(ids), np.array(ids), list(np.array(ids, np.int32))):
        assert collapse.loop(same) and collapse.coherence(same, 1.0)
        assert metrics.further("a", same)["distinct_1"] == 2 / 40


def test_an_infinite_nll_is_noise():
    assert collapse.coherence([1, 2, 3], float("inf"))
