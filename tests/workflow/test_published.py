"""`config/bcr_gpt2.yaml`, the published experiment, against local stand-ins."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import Project, Running

from published_like import CLAMPS, N_PREAMBLE, PROMPTS

OVERLAY = ("--configfile", "config/bcr_gpt2.yaml")


def test_the_config_files_dry_run_without_network(real_config: Project, tmp_path: Path) -> None:
    project = real_config.copy(tmp_path / "project")
    planned = project.run("-n", *OVERLAY).checked().rules
    assert planned["fetch_promptset"] == planned["fetch_model"] == planned["verify"] == 1
    assert "generate" not in planned  # the batches follow from the prompts
    planned = project.run("-n", "--configfile", "config/quick.yaml").checked().rules
    assert planned["generate"] == 2
    assert planned["fetch_model"] == planned["figures"] == 1
    planned = project.run("-n").checked().rules
    assert planned["fetch_model"] == planned["select_controls"] == 1
    assert planned["generate"] == 1 + 2 + 1  # chats too; the controls' follow from their choice


def test_the_published_sweep_runs_as_it_is_configured(published: tuple[Project, Running]) -> None:
    project, running = published
    run = running.wait().checked()
    assert run.rules["fetch_promptset"] == run.rules["fetch_model"] == 1
    assert run.rules["generate"] == 1 + 2  # the baselines first
    texts = project.table("generations", "bcr_gpt2")
    clamped = texts[texts["operation"] == "set"]
    assert set(zip(clamped["prompt_id"], clamped["value"], strict=True)) == {
        (name, clamp) for name in PROMPTS for clamp in CLAMPS
    }
    assert len(texts) == len(PROMPTS) * (1 + len(CLAMPS))
    assert (set(clamped["target"]), set(clamped["scope"])) == ({"L11N373"}, {"all"})
    assert texts["n_new_tokens"].max() == 50
    assert set(project.table("recovery", "bcr_gpt2")["detector"]) == {"surface", "entropy", "loop"}

    both = (*OVERLAY, "stand_ins.yaml")
    assert not project.run("-n", *both).checked().rules
    kept = project.states()
    project.run("prune", *both).checked()
    assert project.states() == kept


def test_every_published_figure_stands_beside_the_runs(published: tuple[Project, Running]) -> None:
    project, running = published
    running.wait().checked()
    lines = project.path("results/bcr_gpt2/verification.md").read_text().splitlines()
    assert "PASS  number of prompts: expected 140, found 140" in lines
    assert "PASS  number of texts: expected 1,960, found 1,960" in lines
    judged = [line.split("  ")[0] for line in lines if line.startswith(("PASS", "DIFF", "NOT_"))]
    assert len(judged) == 29
    assert "NOT_TESTED" not in judged


@pytest.mark.parametrize("log", ["fetch_promptset/published", "prompts/bcr_gpt2"])
def test_the_log_says_once_how_much_preamble_was_passed_over(
    published: tuple[Project, Running], log: str
) -> None:
    project, running = published
    running.wait().checked()
    said = project.path(f"logs/{log}.log").read_text().splitlines()
    above = "resources/promptsets/published, line 26"
    assert [line[24:] for line in said] == [
        f"lines of preamble passed over above {above}: {N_PREAMBLE}"
    ]


@pytest.mark.parametrize(
    ("served", "digest", "fault"),
    [
        (None, None, "the server refused"),
        (b"another file\n", "0" * 64, "wrong digest"),
        (b"no grid\n", None, "line 1: "),
    ],
    ids=["not there", "other content", "malformed"],
)
def test_a_fault_of_a_fetched_promptset_is_one_line(
    real_config: Project,
    stand_ins: dict[str, Any],
    server: tuple[Path, str],
    tmp_path: Path,
    served: bytes | None,
    digest: str | None,
    fault: str,
) -> None:
    project = real_config.copy(tmp_path / "project")
    if served is not None:
        (server[0] / "bad.txt").write_bytes(served)
    name = "bad.txt" if served else "missing.txt"
    source = {"url": f"{server[1]}/{name}", "sha256": digest or sha256(served or b"").hexdigest()}
    overlay = {**stand_ins, "promptsets": {"published": source}}
    (project.folder / "bad.yaml").write_text(yaml.safe_dump(overlay))
    run = project.run(*OVERLAY, "bad.yaml")
    assert run.code != 0
    assert len(run.errors()) == 1
    assert fault in run.errors()[0]
