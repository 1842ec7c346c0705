"""Sharded work in the real workflow: made once, lost one shard at a time, stale with its code."""

from __future__ import annotations

import re
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from harness import Project, Run, grid
from new_study import PROMPTS, WORD, with_entry
from transformers import AutoModelForCausalLM, AutoTokenizer

from clampsweep import tables
from clampsweep.tables import Column, Schema

LOSSES = "results/m/losses.parquet"
RULE = f"{WORD}_losses"
STUDY = f"src/clampsweep/studies/{WORD}"
TABLE = Schema(
    f"{WORD} losses",
    {
        "prompt_id": Column("str", ""),
        "n_tokens": Column("int", ""),
        "loss": Column("float", "", null=True),
    },
    key=("prompt_id",),
)
# Added to the study: its job is killed at a prompt, as long as there is a file `kill`.
KILLED = """
import os
import signal

_losses = losses


def losses(model, shard):
    for item, found in zip(shard.items, _losses(model, shard), strict=True):
        if item.content == "on the hill" and os.path.exists("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        yield found
"""


@pytest.fixture
def done(ran: tuple[Project, Run], tmp_path: Path) -> Project:
    """A project after a run of the added study."""
    return ran[0].copy(tmp_path / "project")


@pytest.fixture
def undone(added: Project, tmp_path: Path) -> Project:
    """The same before it."""
    return with_entry(added.copy(tmp_path / "project")).write()


def losses(project: Project, name: str = LOSSES) -> pd.DataFrame:
    return tables.read(project.path(name), TABLE)


def shards(project: Project) -> dict[str, Any]:
    """Digest and time of each shard's files."""
    return project.states("results/shards/*/*")


def replace(project: Project, name: str, old: str, new: str) -> None:
    path = project.path(name)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_losses_are_hugging_faces_in_the_prompts_order_and_the_report_has_their_mean(
    ran: tuple[Project, Run],
) -> None:
    project, _ = ran
    found, source = losses(project), project.folder / "tiny"
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float64).eval()
    assert found["prompt_id"].tolist() == list(PROMPTS)
    for text, loss in zip(PROMPTS.values(), found["loss"], strict=True):
        ids = torch.tensor([tokenizer(text).input_ids])
        with torch.inference_mode():
            assert loss == pytest.approx(float(model(input_ids=ids, labels=ids).loss), rel=1e-6)
    said = project.path("results/m/summary.md").read_text()
    assert f"Mean loss of 8 prompts, before any clamp: {found['loss'].mean():.2f} nats" in said


def test_the_tables_footer_names_its_shards_and_the_model(ran: tuple[Project, Run]) -> None:
    facts = tables.footer(ran[0].path(LOSSES))
    made = sorted(Path(name).stem for name in shards(ran[0]) if name.endswith(".parquet"))
    assert facts["shards"] == made and len(made) == 2
    texts = next(ran[0].folder.glob("results/generations/*.parquet"))
    assert facts["model"] == tables.footer(texts)["model"]


def test_only_what_is_new_is_made_and_what_nothing_uses_is_pruned(done: Project) -> None:
    first, was = shards(done), losses(done).set_index("prompt_id")
    # One more prompt at the end, the others in another order.
    done.prompts = dict(reversed(PROMPTS.items())) | {"core9/declarative/1": "the sun"}
    assert done.write().run(LOSSES).checked().rules == {RULE: 1, "gather_shards": 1}
    more = shards(done)
    assert first.items() <= more.items() and len(more) == len(first) + 2
    found = losses(done).set_index("prompt_id")
    assert found.index.tolist() == list(done.prompts)
    assert found.loc[list(PROMPTS)].equals(was)
    # The prompts of one shard are gone, and one of the other's.
    kept = list(PROMPTS.items())[:3]
    done.prompts = dict(kept)
    assert done.write().run(LOSSES).checked().rules == {"gather_shards": 1}
    assert losses(done)["prompt_id"].tolist() == [name for name, _ in kept]
    assert shards(done) == more
    done.run("prune").checked()
    left = shards(done)
    assert left.items() < first.items() and len(left) == 2
    assert not done.run("-n", LOSSES).checked().rules


def test_a_kill_loses_the_shard_that_was_at_work_and_no_other(undone: Project) -> None:
    replace(undone, f"{STUDY}/study.py", "PROMPTS_PER_SHARD = 4", "PROMPTS_PER_SHARD = 3")
    undone.append(f"{STUDY}/losses.py", KILLED)
    (undone.folder / "kill").touch()
    run = undone.run("--keep-going", LOSSES)
    assert run.code != 0 and "SIGKILL" in run.output
    assert run.rules[RULE] == 2 and "gather_shards" not in run.rules
    made = undone.states("results/shards/*/*.parquet")
    assert len(made) == 2
    (undone.folder / "kill").unlink()
    assert undone.run(LOSSES).checked().rules == {RULE: 1, "gather_shards": 1}
    assert made.items() < undone.states("results/shards/*/*.parquet").items()
    assert losses(undone)["prompt_id"].tolist() == list(PROMPTS)
    assert not list(undone.folder.glob("results/shards/*/.*"))


def test_the_studys_code_makes_its_shards_stale_and_no_text(done: Project) -> None:
    done.append(f"{STUDY}/losses.py", "# changed")
    run = done.run("-n")
    assert run.rules == {RULE: 2, "gather_shards": 1, f"{WORD}_report": 1}
    assert f"\nOther work: m/losses {len(PROMPTS)} new, 0 reused.\n" in run.output
    # Without Snakemake's records the old shards are not seen to be stale, but they are refused.
    shutil.rmtree(done.folder / ".snakemake/metadata")
    done.prompts["core9/declarative/1"] = "the sun"
    run = done.write().run(LOSSES)
    assert run.code != 0 and run.rules == {RULE: 1}
    (said,) = run.errors()
    assert "made by another version of the code (so are 1 of the others)" in said
    assert f"run once with `snakemake --forcerun {RULE}`" in said


def test_a_shard_that_was_deleted_is_made_again(done: Project) -> None:
    done.path(next(name for name in shards(done) if name.endswith(".parquet"))).unlink()
    run = done.run("-n").checked()
    assert run.rules == {RULE: 1, "gather_shards": 1, f"{WORD}_report": 1}
    counts = re.search(r"^Other work: m/losses (\d+) new, (\d+) reused\.$", run.output, re.M)
    assert sum(map(int, counts.groups())) == len(PROMPTS) and "0" not in counts.groups()


def test_another_entry_and_other_names_of_the_prompts_need_no_new_shard(done: Project) -> None:
    named = {f"{name}0": text for name, text in PROMPTS.items()}
    (done.folder / "promptsets/named.txt").write_text(grid(named))
    done.config["promptsets"]["named"] = {"path": "promptsets/named.txt", "format": "grid"}
    done.config[WORD]["n"] = {**done.config[WORD]["m"], "promptset": "named"}
    done.config["run"] = ["m", "n"]
    planned = done.write().run("-n").checked().rules
    assert planned["gather_shards"] == planned[f"{WORD}_report"] == 1
    assert RULE not in planned and "generate" not in planned


# Of a promptset that is fetched, and of texts that are generated first.


LISTING = f"""

checkpoint {WORD}_listing:
    input:
        generations="results/{{entry}}/generations.parquet",
    output:
        listed="results/{{entry}}/listed.json",
    log:
        "logs/{WORD}_listing/{{entry}}.log",
    params:
        code=code_of("{WORD}/{WORD}_listing"),
    script:
        "../scripts/{WORD}/{WORD}_listing.py"
"""
SCRIPT = """
from pathlib import Path

from clampsweep import tables
from clampsweep.shards.shard import Item, write_items
from clampsweep.texts.gather import GENERATIONS

found = tables.read(snakemake.input.generations, GENERATIONS)
bare = found[found["operation"] == "none"]
items = [Item(name, "So " + text) for name, text in zip(bare["prompt_id"], bare["text"])]
write_items(items, Path(snakemake.output.listed))
"""


def test_items_that_are_known_only_after_a_job_are_worked_on(
    undone: Project, server: tuple[Path, str]
) -> None:
    content = grid(PROMPTS).encode()
    (server[0] / "shards.txt").write_bytes(content)
    undone.config["promptsets"]["grid"] = {
        "url": f"{server[1]}/shards.txt", "sha256": sha256(content).hexdigest(), "format": "grid"
    }  # fmt: skip
    undone.config[WORD]["m"]["values"] = [5]
    replace(undone, f"{STUDY}/study.py", "PROMPTS_PER_SHARD = 4", "PROMPTS_PER_SHARD = 9")
    undone.append(f"workflow/rules/{WORD}.smk", LISTING)
    (undone.folder / f"workflow/scripts/{WORD}/{WORD}_listing.py").write_text(SCRIPT)
    replace(undone, f"{STUDY}/study.py", "return [wanted]",
            f'listed = Named("{WORD}_listing", entry.name)\n    return [wanted, '
            'replace(wanted, name=f"{entry.name}/said", items=listed)]')  # fmt: skip
    replace(undone, f"{STUDY}/study.py", "import TextRequest", "import Named, TextRequest")
    replace(undone, f"{STUDY}/study.py", "\nfrom clampsweep.config",
            "\nfrom dataclasses import replace\n\nfrom clampsweep.config")  # fmt: skip
    wanted = (LOSSES, "results/m/said.parquet")
    planned = undone.write().run("-n").checked().output
    assert "\nOther work: m/losses not known yet; m/said not known yet.\n" in planned
    run = undone.run(*wanted).checked()
    assert run.rules["fetch_promptset"] == run.rules[f"{WORD}_listing"] == 1
    assert run.rules[RULE] == 2 and run.rules["gather_shards"] == 2
    for name in wanted:
        assert losses(undone, name)["prompt_id"].tolist() == list(PROMPTS)
    assert not set(losses(undone)["loss"]) & set(losses(undone, wanted[1])["loss"])
    assert not undone.run("-n", *wanted).checked().rules
