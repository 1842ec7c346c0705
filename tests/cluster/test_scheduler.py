"""The real workflow through a real SLURM: what the scheduler saw, and that results are the same."""

from __future__ import annotations

from collections import Counter

import pandas as pd
from harness import Project, Run
from scheduled import digests
from slurm import Slurm

Finished = tuple[Project, Run]


def test_the_scheduler_ran_every_rule_but_the_local_ones(
    through_slurm: Finished, slurm: Slurm
) -> None:
    project, run = through_slurm
    jobs = slurm.jobs(project.folder)
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert {job.node for job in jobs} == {"n1", "n2"}
    assert Counter(job.what.split("_")[1] for job in jobs) == {
        "generate": run.rules["generate"],
        "neuron": 1,  # neuron_stats
        "gather": 2,
        "export": 1,  # export_vectors
        "scores": 2,  # a group each of the sweep and of its controls, whose clamps follow from it
        "tables": 2,  # a group: the exports, and all that waits for the controls
        "detectors": 1,  # a group
    }
    assert run.rules["generate"] == 1 + 2 + 1  # baseline, neurons, controls
    assert sum(run.rules.values()) == 27


def test_results_are_those_of_a_local_run_byte_for_byte(
    through_slurm: Finished, expected: Project
) -> None:
    here, there = digests(expected), digests(through_slurm[0])
    tables = {name for name in there if name.endswith(".parquet") and "/detectors/" not in name}
    assert len(tables) == 4 * 2 + 11 + 8  # batches, sweep, controls
    assert tables <= here.keys()
    assert here.items() <= there.items()


def test_neurons_are_split_over_jobs_that_ran_at_once_and_share_a_baseline(
    through_slurm: Finished, slurm: Slurm
) -> None:
    project = through_slurm[0]
    batches = project.batches()
    targets = {name: set(rows["target"].dropna()) for name, rows in batches.items()}
    (baseline,) = [name for name, held in targets.items() if not held]
    own = {name: held for name, held in targets.items() if held & {"L1N3", "L2N7"}}
    assert sorted(map(sorted, own.values())) == [["L1N3"], ["L2N7"]]
    jobs = [job for name in own for job in slurm.jobs(project.folder, name)]
    assert len(jobs) == len(own)
    assert max(job.started for job in jobs) < min(job.ended for job in jobs)
    shared = set(batches[baseline]["key"])
    for sweep, n_prompts in {"s": 4, "s/controls": 2}.items():
        texts = project.table("generations", sweep)
        keys = set(texts.loc[texts["operation"] == "none", "key"])
        assert len(keys) == n_prompts
        assert keys <= shared


def test_one_thread_and_two_give_the_same_texts(expected: Project, local_on_two: Project) -> None:
    # Through SLURM: byte for byte the same on one (above) and on two threads (test_mishaps.py).
    rounded = ["min_margin", "nll_unclamped", "p_end_first"]
    one, two = expected.batches(), local_on_two.batches()
    assert len(two) == 2
    for name, rows in two.items():
        assert rows.drop(columns=rounded).equals(one[name].drop(columns=rounded))
        pd.testing.assert_frame_equal(rows[rounded], one[name][rounded], rtol=1e-9, atol=1e-9)
