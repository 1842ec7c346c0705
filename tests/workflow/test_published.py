"""`config/bcr_gpt2.yaml`, the published experiment, against local stand-ins."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import PROMPTS, Project, Running

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
    assert planned["generate"] == 1 + 2  # the controls' follow from their choice


def test_the_published_sweep_runs_as_it_is_configured(published: tuple[Project, Running]) -> None:
    project, running = published
    run = running.wait().checked()
    assert run.rules["fetch_promptset"] == run.rules["fetch_model"] == 1
    assert run.rules["generate"] == 2
    texts = project.table("generations", "bcr_gpt2")
    values = [-100, -50, -25, -10, -5, -3, 0, 3, 5, 10, 25, 50, 100]
    assert len(texts) == len(PROMPTS) * (1 + len(values))
    assert sorted(texts["value"].dropna().unique()) == values
    assert texts["n_new_tokens"].max() == 50
    assert set(project.table("recovery", "bcr_gpt2")["detector"]) == {"surface", "entropy", "loop"}

    both = (*OVERLAY, "stand_ins.yaml")
    assert not project.run("-n", *both).checked().rules
    kept = project.states()
    project.run("prune", *both).checked()
    assert project.states() == kept


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
