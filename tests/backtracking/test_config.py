"""The section `backtracking` of the config: what is accepted, what is refused."""

from __future__ import annotations

import yaml

import configs
from backtracking import entries
from backtracking.entries import CHAIN, backtracking, entry
from clampsweep.strict_yaml import read_yaml
from clampsweep.studies.backtracking.entry import GRADES, Causal, Ranking
from clampsweep.studies.backtracking.study import files, requests, works
from configs import BASE, ROOT, each_fault, refusal, unsaid

folder = configs.folder
files_there = entries.files

GREEDY = {**CHAIN, "decoding": {"method": "greedy", "max_new_tokens": 9}, "seeds": None}
GREEDY = {name: value for name, value in GREEDY.items() if value is not None}

FAULTS = {
    "unknown key": (backtracking(chain={}), "chain", ["mean 'chains'"]),
    "unknown model": (backtracking(model="tony"), "model", ["unknown model 'tony'", "'tiny'"]),
    "no neurons": (backtracking(model="attention"), "model", ["has no neurons", "d_mlp: 0"]),
    "nothing to look at": (
        backtracking(chains=None, written=None, pairs=None),
        "",
        ["has no traces", "chains, written, given"],
    ),
    "unknown promptset": (
        backtracking(chains={"plain": {**CHAIN, "promptset": "fewer"}}),
        "chains.plain.promptset",
        ["unknown promptset 'fewer'", "mean 'few'"],
    ),
    "a name that is taken": (
        backtracking(chains={"gross": CHAIN}, pairs=None),
        "chains.gross",
        ["'gross' is taken", "choose another"],
    ),
    "a system prompt without a chat": (
        backtracking(chains={"plain": {**CHAIN, "prompt_format": "raw", "system_prompt": "So."}}),
        "chains.plain.system_prompt",
        ["'So.'", "prompts are raw"],
    ),
    "no such rules": (backtracking(rules="gone.yaml"), "rules", ["'gone.yaml'", "no such file"]),
    "no such templates": (
        backtracking(written={"file": "gone.yaml"}),
        "written.file",
        ["'gone.yaml'", "no such file"],
    ),
    "no such traces": (backtracking(given="gone.jsonl"), "given", ["'gone.jsonl'", "correct"]),
    "pairs of no chain": (
        backtracking(pairs={"chain": "plane"}),
        "pairs.chain",
        ["unknown chain 'plane'", "mean 'plain'"],
    ),
    "pairs of greedy texts": (
        backtracking(chains={"plain": GREEDY}),
        "pairs.chain",
        ["texts are greedy", "method: sample"],
    ),
    "neurons of no contrast": (
        backtracking(pairs={"chain": "plain", "neurons": "grosser"}),
        "pairs.neurons",
        ["unknown contrast 'grosser'", "mean 'gross'"],
    ),
    "neurons of grades that are not written": (
        backtracking(written=None, pairs={"chain": "plain", "neurons": "gross"}),
        "pairs.neurons",
        ["unknown contrast 'gross'", "configured: plain"],
    ),
    "a set of no neuron": (
        backtracking(causal={"sizes": [0]}),
        "causal.sizes[0]",
        ["0 is less than"],
    ),
    "too few permutations": (
        backtracking(ranking={"permutations": 5}),
        "ranking.permutations",
        ["5 is less than", "19"],
    ),
}


@each_fault(keys=FAULTS)
def test_each_fault_is_one_line_that_names_its_key(overlay, key, said):
    message = refusal(base=BASE, study=overlay)
    start = f"study.yaml: backtracking.one{'.' if key else ''}{key}: "
    assert not unsaid(message, start, said), message


def test_what_is_left_out_has_the_schemas_defaults():
    found = entry(pairs=None)
    assert found.ranking == Ranking(4, 200, 30, 15, 20)
    assert found.causal == Causal((1, 5, 20, 100), 100, 8)
    assert found.pairs is None
    assert found.chains[0].prompt_format == "chat"
    assert found.written is not None
    assert found.written.prompt_format == "raw"


def test_contrasts_are_chains_given_traces_and_grades():
    assert entry().contrasts == ("plain", *GRADES)
    assert entry(given="given.jsonl", written=None, pairs=None).contrasts == ("plain", "given")


def test_texts_are_asked_for_by_chain_and_with_neurons_held():
    found = requests(entry())
    assert list(found) == ["one/plain", "one/ablated"]
    plain, held = found.values()
    assert (plain.targets, plain.operation, plain.seeds, plain.drawn) == (
        (),
        "none",
        (0, 1),
        (2, 0),
    )
    assert (held.operation, held.scope, held.seeds) == ("zero", "last_cached", tuple(range(6)))
    assert held.most_targets == 2  # the top set and a random one
    assert held.drawn == (8, 0)


def test_pairs_take_the_neurons_of_their_own_chain_if_none_are_named():
    pairs = entry(pairs={"chain": "plain"}).pairs
    assert pairs is not None
    assert pairs.neurons == "plain"


def test_files_of_pairs_and_of_written_traces_are_kept_only_where_there_are_any():
    every, few = files(entry()), files(entry(written=None, pairs=None))
    assert "one/texts.html" in every
    assert "one/written.parquet" in every
    assert "one/gross/neurons.parquet" in every
    assert not [name for name in few if "written" in name or "pair" in name or "gross" in name]
    assert [work.name for work in works(entry())] == ["one/activations"]


def test_the_shipped_config_shows_each_default():
    shown = read_yaml(ROOT / "config/backtracking.yaml")["backtracking"]["backtracking"]
    schema = yaml.safe_load((ROOT / "workflow/schemas/backtracking.schema.yaml").read_text())
    for part in ("ranking", "causal", "pairs", "written"):
        for name, key in schema["$defs"][part]["properties"].items():
            if "default" in key:
                assert shown[part][name] == key["default"], (part, name)
