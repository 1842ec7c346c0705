"""Each kind of sweep works from end to end, all of them in one call, sharing what can be shared."""

from __future__ import annotations

import json
import re

import pytest
from harness import PROMPTS, Project, Run, Running

from clampsweep.names import parse_neuron
from tiny import tiny_tokenizer

N = len(PROMPTS)


@pytest.fixture(scope="module")
def done(kinds: tuple[Project, Running]) -> tuple[Project, Run]:
    """The project, and its run when it has ended."""
    return kinds[0], kinds[1].wait().checked()


def test_one_call_makes_every_sweep_whole(done: tuple[Project, Run]) -> None:
    project, run = done
    sweeps = project.config["run"]
    assert run.rules == {
        **dict.fromkeys(("fetch_model", "detector_quality", "detector_figure"), 1),
        "generate": 3 + 4,  # greedy, sampled and chat baselines, and a batch of each sweep
        "select_neurons": 2,  # chosen, and mean for its means
        "chat_baselines": 1,
        **dict.fromkeys(
            (
                "neuron_stats",
                "text_metrics",
                "recovery",
                "split_half",
                "bcr_verdicts",
                "export",
                "export_vectors",
                "figures",
                "reports",
                "neuron_report",
            ),
            len(sweeps),
        ),
        **dict.fromkeys(("prompts", "gather"), len(sweeps) + 1),
    }
    for sweep in sweeps:
        figures = list((project.folder / f"results/{sweep}/figures").iterdir())
        assert len(figures) == 14
        assert all(path.stat().st_size > 0 for path in figures)
        assert project.path(f"results/{sweep}/summary.md").read_text().startswith("# tiny, ")


def test_the_texts_made_are_those_foreseen_and_no_more_than_the_bound(
    done: tuple[Project, Run],
) -> None:
    project, run = done
    new, more = re.search(
        r"^Texts: (\d+) new, 0 reused; up to (\d+) more of", run.output, re.M
    ).groups()
    made = int(re.search(r"^Texts: (\d+) made, 0 reused\.", run.output, re.M)[1])
    assert made == sum(map(len, project.batches().values())) == int(new) + int(more)


def test_afterwards_there_is_nothing_to_do_and_nothing_to_prune(done: tuple[Project, Run]) -> None:
    project = done[0]
    assert not project.run("-n").checked().rules
    kept = project.states()
    project.run("prune").checked()
    assert project.states() == kept


def test_a_shared_baseline_is_generated_once(done: tuple[Project, Run]) -> None:
    project = done[0]
    baselines = {
        sweep: set(project.table("generations", sweep).query("operation == 'none'")["key"])
        for sweep in project.config["run"]
    }
    assert baselines["chosen"] == baselines["mean"] == baselines["resampled"]
    assert len(baselines["chosen"]) == N
    assert len(baselines["sampled"]) == 2 * N
    rows = [key for batch in project.batches().values() for key in batch["key"]]
    assert len(rows) == len(set(rows)) == (N + N * 2 * 2) + 3 * N + N * 2 + (2 * N + 2 * N)


def test_neurons_are_chosen_by_their_statistics(done: tuple[Project, Run]) -> None:
    project = done[0]
    statistics = project.table("neuron_stats", "chosen")
    best = statistics[statistics["layer"] == 2].nlargest(2, "mean_over_sd")
    wanted = [f"L2N{neuron}" for neuron in best["neuron"]]
    chosen = json.loads(project.path("results/chosen/selected.json").read_text())
    assert chosen["targets"] == wanted
    texts = project.table("generations", "chosen")
    counts = texts.groupby(["target", "value"]).size()
    assert counts.to_dict() == {(name, value): N for name in wanted for value in (-5, 5)}
    assert (texts["operation"] == "none").sum() == N


def test_mean_clamps_to_the_mean_over_the_baseline(done: tuple[Project, Run]) -> None:
    project = done[0]
    means = project.table("neuron_stats", "mean").set_index(["layer", "neuron"])["mean"]
    texts = project.table("generations", "mean").query("operation == 'mean'")
    assert len(texts) == 2 * N
    for name, value in zip(texts["target"], texts["value"], strict=True):
        neuron = parse_neuron(name)
        assert value == means[neuron.layer, neuron.index]


def test_resampling_has_seeds_but_its_greedy_baseline_none(done: tuple[Project, Run]) -> None:
    project = done[0]
    texts = project.table("generations", "resampled")
    assert texts.groupby("operation")["seed"].agg(list).map(set).map(len).to_dict() == {
        "none": 1,
        "resample": 2,
    }
    assert texts.loc[texts["operation"] == "none", "seed"].isna().all()
    assert len(texts) == N + 2 * N
    assert len(project.table("recovery", "resampled")) == 4 * 2 * N


def test_chats_are_read_by_the_template_and_end_by_stop_strings(done: tuple[Project, Run]) -> None:
    """In the sampled sweep; its statistics are of the same tokens."""
    project = done[0]
    texts = project.table("generations", "sampled")
    tokenizer = tiny_tokenizer()
    for row in texts.itertuples():
        chat = f"<bos>s:be good\nu:{PROMPTS[row.prompt_id]}\na:"
        assert row.n_prompt_tokens == len(tokenizer(chat).input_ids)
        assert (row.stop_reason == "stop_string") == bool({*"ae"} & {*row.text}), row
    assert set(texts["stop_reason"]) >= {"stop_string", "max_new_tokens"}
    positions = texts.loc[texts["operation"] == "none", "n_new_tokens"].sum()
    assert set(project.table("neuron_stats", "sampled")["n_positions"]) == {positions}
    assert "chat with a system prompt" in project.path("results/sampled/summary.md").read_text()


def test_baselines_in_the_chat_format_are_the_same_prompts_without_a_clamp(
    done: tuple[Project, Run],
) -> None:
    project, tokenizer = done[0], tiny_tokenizer()
    chats = project.table("generations", "mean/chat")
    assert set(chats["operation"]) == {"none"} and len(chats) == N
    for row in chats.itertuples():
        chat = f"<bos>u:{PROMPTS[row.prompt_id]}\na:"
        assert row.n_prompt_tokens == len(tokenizer(chat).input_ids)
    raw = project.table("generations", "mean").query("operation == 'none'")
    found = project.table("chat_baselines", "mean").set_index("detector")["n"]
    assert set(raw["prompt_id"]) == set(chats["prompt_id"])
    assert found.to_dict() == dict.fromkeys(("surface", "entropy", "loop", "coherence"), N)
    said = project.path("results/mean/summary.md").read_text()
    assert said.count("in the model's own chat format, without a clamp,") == len(found)
    assert project.table("generations", "mean")["p_end_first"].between(0, 1).all()


def test_each_sampled_text_is_compared_with_the_baseline_of_its_seed(
    done: tuple[Project, Run],
) -> None:
    project = done[0]
    texts = project.table("generations", "sampled")
    assert texts.groupby(["operation", "seed"]).size().to_dict() == {
        (operation, seed): N for operation in ("none", "set") for seed in (0, 1)
    }
    assert texts["min_margin"].isna().all()
    by_seed = texts[texts["operation"] == "none"].groupby("seed")["text"].agg(tuple)
    assert by_seed[0] != by_seed[1]
    rates = project.table("rates", "sampled")
    assert rates["n"].tolist() == [2 * N] * 4
