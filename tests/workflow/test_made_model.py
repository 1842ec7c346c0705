"""A model that a rule of a study makes: resumed after a kill, made once for its recipe and code."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch
from harness import Project, Run
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from clampsweep import tables
from clampsweep.texts.gather import GENERATIONS
from tiny import EOS, tiny_tokenizer

TOY = Path(__file__).parent / "toy"
PLACES = {
    "study.py": "src/clampsweep/studies/toy",
    "making.py": "src/clampsweep/studies/toy",
    "toy.smk": "workflow/rules",
    "toy.schema.yaml": "workflow/schemas",
    "toy_make.py": "workflow/scripts/toy",
}
RECIPE = {"seed": 0, "steps": 8, "rate": 0.01}
ENTRY = {
    "source": "made",
    "by": "toy",
    "recipe": RECIPE,
    "licence": "none",
    "n_layers": 2,
    "d_mlp": 0,
    "dtype": "float64",
    "prepend_bos": False,
    "weight_processing": "none",
}
MODEL = "resources/models/attention"
ALL = {"toy_make": 1, "fetch_model": 1, "generate": 1, "gather": 1}


def add_toy(project: Project) -> None:
    """Add the study to a project's copy of the repository."""
    for name, place in PLACES.items():
        (project.folder / place).mkdir(exist_ok=True)
        shutil.copy(TOY / name, project.folder / place / name)
    (project.folder / PLACES["study.py"] / "__init__.py").write_text('"""A toy."""\n')
    registry = project.path("src/clampsweep/registry.py")
    registry.write_text(registry.read_text().replace("\n)\nSTUDIES", '\n    "toy",\n)\nSTUDIES'))


def steps(project: Project) -> list[int]:
    """Numbers of the training steps that were begun."""
    return [int(line) for line in project.path("steps.txt").read_text().split()]


@pytest.fixture(scope="module")
def ran(untouched: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, list[Run]]:
    """A project whose job was killed in the sixth step of training, and run again; both runs."""
    project = untouched.copy(tmp_path_factory.mktemp("made") / "project")
    add_toy(project)
    project.config["models"]["attention"] = ENTRY
    project.config |= {"toy": {"t": {"model": "attention", "promptset": "grid"}}, "run": ["t"]}
    (project.write().folder / "kill").touch()
    killed = project.run()
    (project.folder / "kill").unlink()
    return project, [killed, project.run().checked()]


@pytest.fixture
def made(ran: tuple[Project, list[Run]], tmp_path: Path) -> Project:
    """A copy of it, with a config of its own."""
    return ran[0].copy(tmp_path / "project")


def test_killed_in_the_midst_of_training_it_goes_on_to_the_same_weights(
    ran: tuple[Project, list[Run]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, (killed, again) = ran
    assert killed.code == 1
    assert "SIGKILL" in killed.output
    assert again.rules - killed.rules == ALL
    assert steps(project) == [0, 1, 2, 3, 4, 5, 5, 6, 7], "the step of the kill is taken again"
    assert not list(project.path("results/.scratch").iterdir())
    monkeypatch.chdir(tmp_path)  # undisturbed, in this process
    spec = importlib.util.spec_from_file_location("making", TOY / "making.py")
    assert spec is not None and spec.loader is not None
    making = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(making)
    (tmp_path / "made").mkdir()
    making.make(
        RECIPE, 1, tmp_path / "state", project.path("tiny/tokenizer.json"), tmp_path / "made"
    )
    got = load_file(project.path(f"{MODEL}/model.safetensors"))
    wanted = load_file(tmp_path / "made/model.safetensors")
    assert got.keys() == wanted.keys()
    assert all(torch.equal(got[name], wanted[name]) for name in wanted)


def test_its_texts_are_those_of_the_made_weights_and_its_folder_says_the_recipe(
    ran: tuple[Project, list[Run]],
) -> None:
    project, _ = ran
    manifest = json.loads(project.path(f"{MODEL}/model.json").read_text())
    assert (manifest["by"], manifest["recipe"], manifest["d_mlp"]) == ("toy", RECIPE, 0)
    plain = AutoModelForCausalLM.from_pretrained(
        project.path(manifest["source"]), dtype=torch.float64
    ).eval()
    texts = tables.read(project.path("results/t/generations.parquet"), GENERATIONS)
    tokens = texts.set_index("prompt_id")["token_ids"]
    assert set(tokens.index) == set(project.prompts)
    for name, prompt in project.prompts.items():
        ids = torch.tensor([tiny_tokenizer()(prompt).input_ids])
        wanted = plain.generate(ids, max_new_tokens=6, do_sample=False)[0, ids.shape[1] :].tolist()
        assert list(tokens[name]) == [token for token in wanted if token != EOS]


def test_a_changed_recipe_makes_all_anew_and_the_earlier_model_is_kept(made: Project) -> None:
    assert not made.run("-n").checked().rules
    twin = {**ENTRY, "dtype": "float32"}
    made.config["models"] |= {"attention": {**ENTRY, "recipe": {**RECIPE, "seed": 1}}, "twin": twin}
    before, weights = steps(made), made.path(f"{MODEL}/model.sha256").read_text()
    assert made.write().run().checked().rules == ALL
    assert steps(made)[len(before) :] == list(range(RECIPE["steps"])), "no state of the other's"
    assert made.path(f"{MODEL}/model.sha256").read_text() != weights
    assert len(made.batches()) == 2
    made.config["toy"]["t"]["model"] = "twin"  # of the first recipe, in another dtype
    planned = made.write().run("-n").checked().rules
    assert planned == {"fetch_model": 1, "generate": 1, "gather": 1}


@pytest.mark.parametrize(
    ("old", "new", "others"),
    [
        pytest.param(
            "def make", "# An edit.\ndef make", False, id="the same weights", marks=pytest.mark.slow
        ),
        pytest.param('lr=recipe["rate"]', "lr=0.5", True, id="other weights"),
    ],
)
def test_an_edit_of_the_making_makes_texts_anew_if_the_weights_are_others(
    made: Project, old: str, new: str, others: bool
) -> None:
    making = made.path("src/clampsweep/studies/toy/making.py")
    making.write_text(making.read_text().replace(old, new))
    weights = made.path(f"{MODEL}/model.sha256").read_text()
    rules = made.run().checked().rules
    assert (rules["toy_make"], rules["fetch_model"], rules["generate"]) == (1, 1, int(others))
    assert (made.path(f"{MODEL}/model.sha256").read_text() != weights) == others
