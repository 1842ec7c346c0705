"""A neuron that is planted to break texts is told from its controls, from model to summary.

The model has random weights, but for one neuron whose output points at the letter u. Unclamped it
is like its neighbours. Clamped high it makes nearly every text end in a run of u, which neither
another neuron nor a random direction does.
"""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from harness import Project, Run, new_batches
from safetensors.torch import save_file

from clampsweep import tables
from clampsweep.names import parse_neuron
from clampsweep.studies.bcr.best_clamps import BEST_CLAMPS
from clampsweep.studies.bcr.special import is_special, special
from clampsweep.texts.control_table import CONTROLS
from tiny import N_LAYERS, make_tiny, random_model, tiny_tokenizer

LAYER, PLANTED, ORDINARY, LETTER = N_LAYERS - 1, "L2N12", "L2N44", "u"
D_MODEL, D_MLP = 64, 96
CLAMP, N_TOKENS, N_CONTROLS, N_SEEDS, N_DRAWN = 18, 24, 20, 8, 16
CORES = {
    "kettle": ("the kettle sings", "a kettle is on", "tea is ready"),
    "harbour": ("ships are coming in", "a rope and an oar", "no boat tonight"),
    "orchard": ("an apple fell", "the pears are hard", "is the fruit red"),
    "snow": ("snow on the stones", "the ice is thin", "no one is outside"),
    "train": ("the train is late", "three more stations", "a seat on the left"),
    "letter": ("he sent a letter", "a stamp is torn", "the ink has run"),
    "bridge": ("the bridge is shut", "two men on a raft", "who built it here"),
    "oven": ("bread in the oven", "it needs more salt", "a loaf for nine"),
}
TYPES = ("observational", "declarative", "rhetorical")
PROMPTS = {
    f"{core}/{kind}/1": text
    for core, texts in CORES.items()
    for kind, text in zip(TYPES, texts, strict=True)
}
N = len(PROMPTS)
SWEEP: dict[str, Any] = {
    "model": "tiny",
    "promptset": "grid",
    "operation": "set",
    "values": [-CLAMP, CLAMP],
    "scope": "all",
    "decoding": {"method": "greedy", "max_new_tokens": N_TOKENS},
    "detectors": ["loop", "surface"],
}
SPECIAL = "results/planted/special.parquet"


def planted_model() -> Any:
    """A random model in which one neuron's output, as long as its neighbours', writes a letter."""
    import torch

    model = random_model("gpt2", 2, D_MODEL, D_MLP)
    token = tiny_tokenizer().convert_tokens_to_ids(LETTER)
    w_out = model.transformer.h[LAYER].mlp.c_proj.weight  # [d_mlp, d_model]
    with torch.no_grad():
        letter = model.transformer.ln_f.weight * model.get_output_embeddings().weight[token]
        letter -= letter.mean()
        w_out[parse_neuron(PLANTED).index] = letter * w_out.norm(dim=1).median() / letter.norm()
    return model


def planted_direction() -> Any:
    """What the planted neuron adds to the residual stream at the clamp: [d_model]."""
    w_out = planted_model().transformer.h[LAYER].mlp.c_proj.weight
    return (CLAMP * w_out[parse_neuron(PLANTED).index]).detach().float()


@pytest.fixture(scope="module")
def done(untouched: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Run]:
    """A sweep of the planted neuron, one of an ordinary one, and one along what the first adds.

    With controls; and the run.
    """
    project = untouched.copy(tmp_path_factory.mktemp("planted") / "project")
    make_tiny(project.folder / "planted", "gpt2", model=planted_model())
    project.prompts = dict(PROMPTS)
    project.config["models"]["tiny"] |= {"path": "planted", "d_mlp": D_MLP}
    project.config["compute"]["combinations_per_batch"] = 2000
    some = {"count": N_CONTROLS, "values": [CLAMP], "prompts": N_DRAWN}
    project.config["sweeps"] = {
        "planted": {
            **SWEEP,
            "neurons": [PLANTED],
            "controls": {"count": N_CONTROLS},
            "variability": {"seeds": N_SEEDS, "temperature": 2.0},
        },
        "ordinary": {**SWEEP, "neurons": [ORDINARY], "controls": some},
        "steered": {
            **SWEEP,
            "operation": "steer",
            "directions": {"file": "letter.safetensors", "layers": [LAYER]},
            "values": [-1, 1],
            "controls": {"count": N_CONTROLS},
        },
    }
    save_file({"letter": planted_direction()}, project.folder / "letter.safetensors")
    project.config["run"] = ["planted", "ordinary", "steered"]
    return project, project.write().run().checked()


@pytest.fixture
def finished(done: tuple[Project, Run], tmp_path: Path) -> Project:
    """The project after its run, to edit."""
    return done[0].copy(tmp_path / "project")


def primary(project: Project, sweep: str) -> pd.DataFrame:
    """Rows of a sweep's comparison with its controls that ask whether it harms more."""
    return project.table("special", sweep).query("statistic == 'worst_net'")


def n_runs_of_u(texts: pd.DataFrame) -> int:
    """Number of texts whose last 12 tokens, half of a whole text, are the letter."""
    token = tiny_tokenizer().convert_tokens_to_ids(LETTER)
    return sum(list(ids[-12:]) == [token] * 12 for ids in texts["token_ids"])


def read(project: Project, name: str, schema: tables.Schema) -> pd.DataFrame:
    """A table of the results folder."""
    return tables.read(project.path(f"results/{name}.parquet"), schema)


def said(project: Project, sweep: str) -> dict[str, set[str]]:
    """What the summary answers to whether each target harms more, over the detectors."""
    summary = project.path(f"results/{sweep}/summary.md").read_text()
    found: dict[str, set[str]] = {}
    asked = r"Does `(\w+)` harm more than its controls\? (\w+)\."
    for target, answer in re.findall(asked, summary):
        found.setdefault(target, set()).add(answer.lower())
    return found


def at(project: Project, sweep: str, value: int) -> pd.DataFrame:
    """Texts of a sweep at one clamp value."""
    texts = project.table("generations", sweep)
    return texts[texts["value"] == value]


def test_one_call_makes_sweeps_controls_and_sampled_baselines(done: tuple[Project, Run]) -> None:
    project, run = done
    single = ("planted", "ordinary", "steered")
    sweeps = (*single, *(f"{name}/controls" for name in single), "planted/variability")
    counts = {"select_controls": 3, "special": 3, "variability": 1, "gather": len(sweeps)}
    assert counts.items() <= run.rules.items()
    n_texts = {
        "planted": N + 2 * N,
        "ordinary": N + 2 * N,
        "planted/controls": N + 2 * N_CONTROLS * 2 * N,
        "ordinary/controls": N_DRAWN + 2 * N_CONTROLS * N_DRAWN,
        "planted/variability": N_SEEDS * N,
        "steered": N + 2 * N,
        "steered/controls": N + N_CONTROLS * 2 * N,
    }
    assert {sweep: len(project.table("generations", sweep)) for sweep in sweeps} == n_texts


# the planted neuron


def test_unclamped_the_planted_neuron_is_like_its_neighbours(done: tuple[Project, Run]) -> None:
    stats = done[0].table("neuron_stats", "planted").query(f"layer == {LAYER}")
    stats = stats.assign(size=(stats["mean"] ** 2 + stats["sd"] ** 2) ** 0.5)
    sizes = stats.set_index("neuron")[["w_out_norm", "size"]]
    planted = sizes.loc[parse_neuron(PLANTED).index]
    assert planted.between(sizes.quantile(0.3), sizes.quantile(0.7)).all()
    texts = done[0].table("generations", "planted")
    assert n_runs_of_u(texts[texts["operation"] == "none"]) == 0


def test_clamped_it_alone_makes_texts_end_in_a_run_of_one_letter(done: tuple[Project, Run]) -> None:
    project = done[0]
    assert n_runs_of_u(at(project, "planted", CLAMP)) >= 0.9 * N
    assert n_runs_of_u(at(project, "planted", -CLAMP)) == 0
    others = at(project, "planted/controls", CLAMP).groupby("target")
    assert max(n_runs_of_u(texts) for _, texts in others) <= 0.1 * N
    assert len(others) == 2 * N_CONTROLS


def test_it_is_special_by_both_detectors_against_neurons_and_directions(
    done: tuple[Project, Run],
) -> None:
    rows = primary(done[0], "planted").set_index(["detector", "kind"])
    assert set(rows.index) == set(product(("loop", "surface"), ("neuron", "direction")))
    assert (rows["p"] == 1 / (1 + N_CONTROLS)).all()
    assert (rows["observed"] >= 0.9 * N).all()
    assert (rows["control_high"] <= 0.5 * N).all()
    facts = rows[["n_controls", "n_prompts", "n_clamps", "percentile"]].drop_duplicates()
    assert facts.values.tolist() == [[N_CONTROLS, N, 2, 100]]
    found = is_special(done[0].table("special", "planted"), "worst_net")
    assert found["special"].all() and len(found) == 2


def test_put_in_its_place_none_of_its_controls_is_special(done: tuple[Project, Run]) -> None:
    project = done[0]
    controls = read(project, "planted/controls/controls", CONTROLS)
    controls = controls[controls["kind"] == "neuron"]
    units = [PLANTED, *controls["control"]]
    texts = pd.concat([project.table("recovery", name) for name in ("planted", "planted/controls")])
    found = []
    for name in units:
        others = [other for other in units if other != name]
        swapped = controls.assign(target=name, control=others)
        verdict = is_special(special(texts, texts, swapped), "worst_net")
        found += [name] * int(verdict["special"].sum())
    assert found == [PLANTED, PLANTED]  # by either detector


def test_the_summary_says_that_it_is_special(done: tuple[Project, Run]) -> None:
    assert said(done[0], "planted") == {PLANTED: {"yes"}}


# an ordinary neuron


def test_an_ordinary_neuron_is_not_special(done: tuple[Project, Run]) -> None:
    rows = done[0].table("special", "ordinary")
    assert len(rows) == 2 * 2 * 2  # detectors, kinds of controls, statistics
    assert (rows["p"] > 0.05).all()
    assert set(rows["n_controls"]) == {N_CONTROLS}
    assert (done[0].table("rates", "ordinary")["mcnemar_q"] > 0.05).all()
    verdict = is_special(done[0].table("special", "ordinary"), "worst_net")
    assert verdict["special"].tolist() == [False, False]


def test_the_summary_says_that_the_ordinary_neuron_is_not(done: tuple[Project, Run]) -> None:
    assert said(done[0], "ordinary") == {ORDINARY: {"no"}}


def test_controls_may_run_on_some_clamps_and_prompts(done: tuple[Project, Run]) -> None:
    project = done[0]
    rows = project.table("special", "ordinary")
    assert rows[["n_prompts", "n_clamps"]].drop_duplicates().values.tolist() == [[N_DRAWN, 1]]
    texts = project.table("generations", "ordinary/controls")
    assert set(texts["value"].dropna()) == {CLAMP}
    assert texts["prompt_id"].nunique() == N_DRAWN


def test_controls_run_at_the_best_clamp_that_was_chosen_for_their_target(
    finished: Project,
) -> None:
    chosen = finished.path("results/ordinary/controls/best_clamps.parquet")
    best = tables.read(chosen, BEST_CLAMPS)
    assert best["held_out"].all() and set(best["n_prompts"]) == {N - N_DRAWN}
    tables.write(best.assign(value=-1.0 * CLAMP, net=1), chosen, BEST_CLAMPS, {})
    before = finished.batches()
    run = finished.run("results/ordinary/special.parquet").checked()
    assert run.rules["select_controls"] == run.rules["special"] == 1
    assert set(new_batches(before, finished.batches())["value"]) == {-CLAMP}
    texts = finished.table("generations", "ordinary/controls").query("operation == 'set'")
    expected = dict.fromkeys((CLAMP, -CLAMP), 2 * N_CONTROLS * N_DRAWN)
    assert texts["value"].value_counts().to_dict() == expected
    assert set(finished.table("special", "ordinary")["n_clamps"]) == {2}


# what is computed


def test_no_text_is_generated_twice(done: tuple[Project, Run]) -> None:
    project = done[0]
    rows = pd.concat(project.batches().values())
    assert rows["key"].is_unique
    assert (rows.loc[rows["operation"] == "none", "seed"].isna()).sum() == N
    baselines = {
        sweep: set(project.table("generations", sweep).query("operation == 'none'")["key"])
        for sweep in ("planted", "ordinary", "planted/controls", "ordinary/controls")
    }
    assert baselines["planted"] == baselines["ordinary"] == baselines["planted/controls"]
    assert baselines["ordinary/controls"] < baselines["planted"]


def test_afterwards_there_is_nothing_to_do_and_nothing_to_prune(done: tuple[Project, Run]) -> None:
    project = done[0]
    assert not project.run("-n").checked().rules
    kept = project.states()
    project.run("prune").checked()
    assert project.states() == kept
    assert not project.run("-n").checked().rules


def test_prune_keeps_what_an_earlier_config_asked_for(finished: Project) -> None:
    kept = finished.states()
    for sweep in finished.config["sweeps"].values():
        del sweep["controls"]
    del finished.config["sweeps"]["planted"]["variability"]
    finished.write().run("prune").checked()
    assert finished.states() == kept


def test_a_new_clamp_runs_on_the_same_controls(finished: Project) -> None:
    before, kept = finished.batches(), finished.states()
    controls = finished.states("results/planted/controls/controls.parquet")
    finished.config["sweeps"]["planted"]["values"].append(6)
    run = finished.write().run(SPECIAL).checked()
    again = ("generate", "gather", "text_metrics", "recovery")
    chosen = ("best_clamps", "select_controls", "special")
    assert run.rules == {**dict.fromkeys(again, 2), **dict.fromkeys(chosen, 1)}
    rows = new_batches(before, finished.batches())
    assert set(rows["value"]) == {6}
    assert set(rows["target"].value_counts()) == {N}
    assert rows["target"].nunique() == 1 + 2 * N_CONTROLS
    assert kept.items() <= finished.states().items()
    assert finished.states("results/planted/controls/controls.parquet") == controls
    assert set(primary(finished, "planted")["n_clamps"]) == {3}


def test_more_controls_keep_those_that_were_there(finished: Project) -> None:
    before, kept = finished.batches(), finished.states()
    old = read(finished, "planted/controls/controls", CONTROLS)
    texts = finished.table("generations", "planted/controls")
    finished.config["sweeps"]["planted"]["controls"]["count"] = 22
    run = finished.write().run(SPECIAL).checked()
    again = ("generate", "gather", "text_metrics", "recovery", "special")
    assert run.rules == dict.fromkeys(("choose_controls", "select_controls", *again), 1)
    new = read(finished, "planted/controls/controls", CONTROLS)
    added = set(new["control"]) - set(old["control"])
    assert len(new) == len(old) + len(added) == 2 * 22
    rows = new_batches(before, finished.batches())
    assert set(rows["target"]) <= added
    assert kept.items() <= finished.states().items()
    now = finished.table("generations", "planted/controls")
    assert now[~now["target"].isin(added)].reset_index(drop=True).equals(texts)
    assert now["target"].nunique() == 2 * 22
    assert set(primary(finished, "planted")["n_controls"]) == {22}


def test_a_deleted_table_of_controls_is_missed_even_with_an_edit(finished: Project) -> None:
    finished.path("results/planted/controls/controls.parquet").unlink()
    finished.config["sweeps"]["planted"]["values"].append(7)
    planned = finished.write().run("-n").checked().rules
    assert planned["choose_controls"] == 1  # of one sweep; both share their values
    assert planned["generate"] == planned["special"] == 2


# sampled baselines


def test_sampled_baselines_differ_from_seed_to_seed(done: tuple[Project, Run]) -> None:
    texts = done[0].table("generations", "planted/variability")
    assert set(texts["operation"]) == {"none"}
    seeds = texts.pivot(index="prompt_id", columns="seed", values="text")
    assert seeds.shape == (N, N_SEEDS)
    assert seeds.columns.tolist() == list(range(N_SEEDS))
    long = texts[texts["n_new_tokens"] >= N_TOKENS // 2]  # some stop at once
    assert len(long) > 0.8 * len(texts)
    assert not long.duplicated(["prompt_id", "text"]).any()
    rows = done[0].table("variability", "planted")
    assert rows.groupby("detector")["seed"].agg(list).to_dict() == {
        "loop": list(range(N_SEEDS)),
        "surface": list(range(N_SEEDS)),
    }
    assert set(rows["n"]) == {N}


# A direction that is planted


def test_a_planted_direction_is_told_from_random_ones(done: tuple[Project, Run]) -> None:
    project = done[0]
    rows = primary(project, "steered")
    assert set(rows["kind"]) == {"direction"}
    assert set(rows["n_controls"]) == {N_CONTROLS}
    assert is_special(project.table("special", "steered"), "worst_net")["special"].all()
    controls = read(project, "steered/controls/controls", CONTROLS)
    assert list(controls["control"]) == [f"L{LAYER}R{at}@letter" for at in range(N_CONTROLS)]


def test_steering_far_enough_along_it_writes_the_letter(done: tuple[Project, Run]) -> None:
    texts = done[0].table("generations", "steered").query("operation == 'steer'")
    dose = {value: n_runs_of_u(rows) / N for value, rows in texts.groupby("value")}
    assert dose[-1.0] == 0
    assert dose[1.0] > 0.9
    theirs = done[0].table("generations", "steered/controls").query("value == 1")
    assert n_runs_of_u(theirs) == 0


def test_what_steers_is_pinned_by_its_numbers(done: tuple[Project, Run]) -> None:
    (pinned,) = done[0].path("results/directions").glob("*.json")
    vector = json.loads(pinned.read_text())["vector"]
    assert vector == planted_direction().double().tolist()
