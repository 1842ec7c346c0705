"""docs/notebook.md: every block runs, on a tiny model, with neurons of its own in their place."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from clampsweep import tables
from clampsweep.models.fetching import fetch
from clampsweep.texts.gather import GENERATIONS
from clampsweep.verdicts import VERDICTS
from sweep_tables import known, make
from tiny import make_tiny, random_model

PAGE = (Path(__file__).parents[1] / "docs" / "notebook.md").read_text(encoding="utf-8")
TINY = PAGE
for _own, _tiny in (("29", "2"), ("1479", "14"), ("1535", "39"), ("threads=2", "threads=1")):
    TINY = TINY.replace(_own, _tiny)
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TINY, re.MULTILINE | re.DOTALL)
KEPT = ("source", "licence", "n_layers", "d_mlp", "dtype", "prepend_bos", "weight_processing")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the page reads: a config, the fetched model, a run's tables."""
    root = tmp_path_factory.mktemp("project")
    spec = make_tiny(root / "source", "llama", model=random_model("llama", n_ctx=192))
    fetch(spec, root / "resources/models/smollm2-135m")
    entry = {name: getattr(spec, name) for name in (*KEPT, "path")}
    (root / "config").mkdir()
    (root / "config/config.yaml").write_text(yaml.safe_dump({"models": {"smollm2-135m": entry}}))
    sweep = make(known())
    tables.write(sweep.generations, root / "results/bcr/generations.parquet", GENERATIONS, {})
    tables.write(sweep.verdicts, root / "results/bcr/verdicts.parquet", VERDICTS, {})
    return root


def test_every_block_of_the_page_runs_and_says_what_the_page_promises(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    names: dict[str, Any] = {}
    for block in BLOCKS:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(block, "docs/notebook.md", "exec"), names)
    model, prompt, decoded = names["model"], names["prompt"], names["decoded"]
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        own = model.plain.generate(ids, max_new_tokens=50, do_sample=False, pad_token_id=0)
    expected = [at for at in own[0, len(prompt) :].tolist() if at not in model.eos_ids]
    assert decoded[0].token_ids == expected
    assert len({tuple(row.token_ids) for row in decoded}) == 3  # the clamps do something
    assert set(names["flags"]) == {"surface", "entropy", "loop", "coherence"}
    assert len(names["values"][names["neuron"]]) == len(prompt) + len(names["ids"][0])
    promised = re.search(r"print\(error\)  # (.+)$", TINY, re.MULTILINE)
    assert promised is not None and out.getvalue() == promised[1] + "\n"
