"""Neurons of a sweep that a table of roles names: the keys, and whether the table can name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import configs
from clampsweep.texts.found import Found
from configs import BASE, as_sweep, parse, refusal, unsaid

folder = configs.folder

FILE = "findings/roles.parquet"
ENTRY = {"from": FILE, "role": "entropy", "top": 2}


@pytest.fixture
def file(folder: Path) -> Path:
    """Two neurons of a role, the last one that the model has among them, and one of another."""
    path = folder / FILE
    path.parent.mkdir()
    rows = [("entropy", 2, 2, 39), ("entropy", 1, 0, 4), ("bos", 1, 1, 40), ("late", 1, 3, 0)]
    pd.DataFrame(rows, columns=["role", "rank", "layer", "neuron"]).to_parquet(path)
    return path


def found(run: str = "run: [new]\n", base: str = BASE, **changes: Any) -> str:
    """An overlay with a further entry whose neurons are found."""
    return as_sweep(neurons=ENTRY | changes) + run


@pytest.mark.parametrize("written", [FILE, f"./{FILE}", "findings/../findings/roles.parquet"])
def test_the_entry_asks_for_what_a_checkpoint_will_name(file: Path, written: str) -> None:
    config = parse(base=BASE, over=found(**{"from": written}))
    request = config.requests()["new"]
    assert request.targets == Found.of("new", FILE, "entropy", 2)
    assert request.needs_statistics and request.most_targets == 2
    assert config.role_tables == [FILE]


def test_a_path_from_the_root_is_the_same_file(file: Path) -> None:
    config = parse(base=BASE, over=found(**{"from": str(file)}))
    assert config.role_tables == [FILE]


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"role": 3}, ".role", ["3", "string"]),
        ({"role": " "}, ".role", ["' '"]),
        ({"top": 0}, ".top", ["0", "1"]),
        ({"top": True}, ".top", ["True", "integer"]),
        ({"top": 121}, ".top", ["121", "120"]),
        ({"layer": 1}, ".layer", ["unknown key", "from, role, top"]),
        ({"from": "gone.parquet"}, ".from", ["'gone.parquet'", "no such file", "make universal"]),
        ({"from": "a{b}.parquet"}, ".from", ["'a{b}.parquet'"]),
        ({"from": "few.txt"}, "", ["few.txt", "not a whole Parquet file"]),
        ({"from": "results/new/rates.parquet"}, ".from", ["the sweep itself"]),
        ({"role": "entrop"}, "", [FILE, "'entrop'", "bos, entropy, late"]),
        ({"top": 3}, "", [FILE, "2 neurons", "top: 3", "top: 2 or less"]),
        ({"role": "bos", "top": 1}, "", ["L1N40", "tiny has layers 0-2 and neurons 0-39"]),
        ({"role": "late", "top": 1}, "", ["L3N0", "layers 0-2"]),
    ],
)
def test_what_is_wrong_with_them_is_said(
    file: Path, changes: dict[str, Any], key: str, said: list[str]
) -> None:
    message = refusal(base=BASE, over=found(**changes))
    assert not unsaid(message, f"over.yaml: sweeps.new.neurons{key}", said), message


@pytest.mark.parametrize("left_out", ["from", "role", "top"])
def test_each_of_the_keys_is_needed(file: Path, left_out: str) -> None:
    entry = {name: value for name, value in ENTRY.items() if name != left_out}
    message = refusal(base=BASE, over=as_sweep(neurons=entry))
    assert not unsaid(message, "over.yaml: sweeps.new.neurons", [f"lacks the key '{left_out}'"])


def test_what_the_run_makes_is_not_looked_at_before(folder: Path) -> None:
    made = "results/main/rates.parquet"
    assert parse(base=BASE, over=found("run: [new, main]\n", **{"from": made}))
    assert "no such file" in refusal(base=BASE, over=found("run: [new]\n", **{"from": made}))


def test_an_entry_that_is_not_run_may_wait_for_its_table(folder: Path) -> None:
    assert parse(base=BASE, over=found("")).of("bcr").keys() == {"main"}
