"""A sweep with the key `srm`: its tables, figures and report, and what makes them stale."""

from __future__ import annotations

import pytest
from harness import PROMPTS, Project, Run

from clampsweep import tables
from clampsweep.studies.srm.curves import SRM_CURVES, SRM_GROUPS
from clampsweep.studies.srm.differences import SRM_DIFFERENCES

SRM = {"basis": ["L1N5", "L1N7"], "group_by": ["type", "core", "clamp"], "thresholds": [0.1, 0.2]}
TABLES = {"groups": SRM_GROUPS, "curves": SRM_CURVES, "differences": SRM_DIFFERENCES}
FILES = (
    *(f"srm/{name}.parquet" for name in TABLES),
    "srm/verdicts.parquet",
    "srm/ledger.parquet",
    "srm/srm.md",
    *(f"figures/srm_{name}.{kind}" for name in ("polar", "difference") for kind in ("svg", "png")),
)


@pytest.fixture(scope="module")
def resonant(
    first_run: tuple[Project, Run], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, Run]:
    """A project in which the sweep is finished and then gets the key; and the run after that."""
    project = first_run[0].copy(tmp_path_factory.mktemp("resonant") / "project")
    project.sweep["srm"] = SRM
    return project, project.write().run().checked()


def test_the_key_adds_its_files_and_computes_no_text(resonant: tuple[Project, Run]) -> None:
    project, run = resonant
    assert run.rules == {"srm": 1, "srm_report": 1, "reports": 1}
    assert all(project.path(f"results/s/{name}").stat().st_size > 0 for name in FILES)
    assert not project.run("-n").checked().rules
    assert "srm/srm.md" in project.path("results/s/summary.md").read_text()


def test_the_tables_are_of_the_sweeps_texts(resonant: tuple[Project, Run]) -> None:
    project = resonant[0]
    groups, curves, differences = (
        tables.read(project.path(f"results/s/srm/{name}.parquet"), schema)
        for name, schema in TABLES.items()
    )
    vectors = project.table("vectors")
    blank = vectors[vectors["operation"] == "none"]["vector"].isna().sum()
    everyone = groups[groups["factor"] == "all"].iloc[0]
    assert (everyone["n"], everyone["n_left_out"]) == (len(PROMPTS) - blank, blank)
    assert everyone["expected_power"] == 2 / 39  # 40 neurons, one of them clamped
    clamps = ["L1N3 set -5", "L1N3 set 0", "L1N3 set 5"]
    assert differences["group_a"].tolist() == ["declarative", "one", *clamps]
    assert groups["group"].tolist() == [
        "baseline", "declarative", "rhetorical", "one", "two", "baseline", *clamps,
    ]  # fmt: skip
    assert set(curves["threshold"].dropna()) == {0.1, 0.2}
    said = project.path("results/s/srm/srm.md").read_text()
    assert said.startswith(
        "# Spotlight resonance: tiny, L1N3, set, greedy, 6 tokens; plane of L1N5"
    )


def test_another_threshold_computes_only_the_resonance(
    resonant: tuple[Project, Run],
) -> None:
    project = resonant[0].copy(resonant[0].folder.with_name("threshold"))
    project.sweep["srm"] = {**SRM, "thresholds": [0.3]}
    assert project.write().run().checked().rules == {"srm": 1, "srm_report": 1}
    curves = tables.read(project.path("results/s/srm/curves.parquet"), SRM_CURVES)
    assert set(curves["threshold"].dropna()) == {0.3}


def test_other_drawing_code_computes_no_table(resonant: tuple[Project, Run]) -> None:
    project = resonant[0].copy(resonant[0].folder.with_name("drawing"))
    project.append("src/clampsweep/studies/srm/figures/polar.py", "# Another look.")
    assert project.run("-n").checked().rules == {"srm_report": 1}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"basis": ["L1N3", "L1N5"]}, "basis[0]: 'L1N3' is changed by the sweep itself"),
        ({"basis": [{"type": "odd"}, {"core": "one"}]}, "basis[0]: no prompt has type odd; there"),
    ],
    ids=["changed neuron", "no such prompts"],
)
def test_a_fault_is_said_before_any_job(
    fresh: Project, change: dict[str, object], fault: str
) -> None:
    fresh.sweep["srm"] = {**SRM, **change}
    run = fresh.write().run("-n")
    assert run.code != 0
    (said,) = [line for line in run.output.splitlines() if not line.startswith("Using workflow ")]
    assert said.startswith(f"error: config/config.yaml: sweeps.s.srm.{fault}")
