"""Ten thousand prompts through the real workflow: time, memory, and reports one can read."""

from __future__ import annotations

import json
import random
import resource
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import pytest
from harness import Project, Run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cold")]

N = 10_000
WORDS = ("the", "cat", "ran", "glass", "is", "an", "on", "hill", "she", "said", "no", "red", "or")


@pytest.fixture(scope="module")
def ran(untouched: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Run, Run]:
    """A project after its run; what it said before, dry, and then."""
    project = untouched.copy(tmp_path_factory.mktemp("many") / "project")
    draw = random.Random(0)
    rows = [
        {
            "prompt_id": f"core{at // 8}/type{at % 4}/{at % 8}",
            "text": f"{' '.join(draw.choices(WORDS, k=3))} {at}",
            "core": f"core{at // 8}",
            "type": f"type{at % 4}",
            "level": at % 8,
        }
        for at in range(N)
    ]
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (project.folder / "promptsets/many.jsonl").write_text(lines, encoding="utf-8")
    project.config["promptsets"]["many"] = {"path": "promptsets/many.jsonl", "format": "jsonl"}
    project.sweep.update(promptset="many", values=[-5, 5])
    project.sweep["decoding"]["max_new_tokens"] = 4
    project.config["compute"]["combinations_per_batch"] = 5000
    project.write()
    return project, project.run("-n").checked(), project.run().checked()


def test_a_dry_run_ends_before_and_after(ran: tuple[Project, Run, Run]) -> None:
    project, before, _ = ran
    assert before.rules
    after = project.run("-n").checked()
    assert "Nothing to be done" in after.output


def test_no_job_takes_more_memory_than_a_laptop_has(ran: tuple[Project, Run, Run]) -> None:
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6  # GB, of any process
    assert 0.3 < most < 4


def test_every_text_is_there_once(ran: tuple[Project, Run, Run]) -> None:
    rows = ran[0].table("generations")
    assert len(rows) == 3 * N and rows["key"].is_unique
    assert rows.groupby("prompt_id").size().eq(3).all()


def test_figures_stay_small_whole_and_of_the_size_of_a_page(ran: tuple[Project, Run, Run]) -> None:
    figures = sorted(ran[0].folder.glob("results/s/figures/*"))
    assert len(figures) == 14
    for path in figures:
        assert path.stat().st_size < 2e6, path
        if path.suffix == ".svg":
            ElementTree.parse(path)
        else:
            height, width, _ = matplotlib.image.imread(path).shape
            assert width < 1100 and height < 1500


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_report_lists_the_first_of_each_detector_and_says_so(
    ran: tuple[Project, Run, Run],
) -> None:
    project = ran[0]
    text = _text(project.path("results/s/improvement_report.md"))
    recovery = project.table("recovery")
    collapsed = recovery[recovery["baseline_collapsed"]].groupby("detector")["prompt_id"].nunique()
    assert collapsed.max() > 1000
    assert text.count("\n### ") == collapsed.clip(upper=1000).sum()
    assert text.count("The first 1,000 stand here") == (collapsed > 1000).sum()


def test_the_summary_stays_a_page(ran: tuple[Project, Run, Run]) -> None:
    text = _text(ran[0].path("results/s/summary.md"))
    assert "10,000 prompts, 10,000 baselines, 20,000 clamped texts" in text
    assert len(text) < 20_000
