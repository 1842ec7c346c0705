from __future__ import annotations

import re
import shutil

import pandas as pd
import pytest

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.view import read_view
from scrubbing import viewed


def copied(files, folder):
    return {name: shutil.copy(path, folder) for name, path in files.items()}


def test_each_table_is_what_was_written(files, view):
    for name in ("table", "curves", "two_heads", "cell_harm", "heads", "saa", "attention",
                 "totals", "examples"):  # fmt: skip
        written, read = pd.read_parquet(files[name]), getattr(view, name)
        assert len(read) == len(written) > 0
        for column in read.select_dtypes("number"):
            assert read[column].to_numpy(float, na_value=-1).tolist() == (
                written[column].fillna(-1).astype(float).tolist()
            ), (name, column)
    for frame, name in zip(view.concluded, ("verdicts", "ledger"), strict=True):
        assert frame["subject"].tolist() == pd.read_parquet(files[name])["subject"].tolist()


def test_texts_are_by_token_though_the_table_is_in_another_order(files, view):
    assert pd.read_parquet(files["tokens"])["token"].tolist() != list(range(len(viewed.TEXTS)))
    assert list(view.texts) == viewed.TEXTS
    tokens = viewed.DATA.tokens[2].tolist()
    assert view.words(2) == [viewed.TEXTS[token] for token in tokens]


@pytest.mark.parametrize(
    ("induction", "shown"), [([0], [0]), ([2, 3, 1], [3, 1]), ([], [1, 3]), ([0], [1, 3])]
)
def test_induction_heads_are_in_the_order_of_their_scores_or_all_that_were_looked_at(
    view, induction, shown
):
    roles = {"roles": {**view.resolved["roles"], "induction": induction}}
    totals = view.totals if shown == [0] else pd.DataFrame({"head": [1, 3, 3, 1]})
    assert view._replace(resolved=roles, totals=totals).induction == shown


@pytest.mark.parametrize(
    "damage", ["", "{", '{"roles": ', None], ids=["empty", "cut", "cut", "gone"]
)
def test_damaged_hypotheses_are_named_in_a_line(files, tmp_path, damage):
    own = copied(files, tmp_path)
    path = tmp_path / "hypotheses.json"
    path.unlink()
    if damage is not None:
        path.write_text(damage)
    said = f"{path}: missing or damaged; delete it and run again"
    with pytest.raises(UserError, match=f"^{re.escape(said)}$"):
        read_view(own)


@pytest.mark.parametrize("name", ["table", "saa", "tokens", "ledger"])
def test_a_cut_table_or_another_one_is_named_in_a_line(files, tmp_path, name):
    own = copied(files, tmp_path)
    path = tmp_path / f"{name}.parquet"
    shutil.copy(files["heads"], path)
    with pytest.raises(
        UserError, match=rf"^{re.escape(str(path))}: [^\n]*delete it and run again$"
    ):
        read_view(own)
    path.write_bytes(files[name].read_bytes()[:300])
    with pytest.raises(
        UserError, match=rf"^{re.escape(str(path))}: not a whole Parquet file[^\n]*$"
    ):
        read_view(own)
