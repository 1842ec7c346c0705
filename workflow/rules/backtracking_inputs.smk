# What the rules of backtracking.smk are given; no rules here.
import math

from clampsweep.studies.backtracking.study import files as backtracking_files

BACKTRACKING = CONFIG.of("backtracking")
BACKTRACKING_CONTRASTS = {
    name for entry in BACKTRACKING.values() for name in entry.contrasts
}
BACKTRACKING_PAIRS = [name for name, entry in BACKTRACKING.items() if entry.pairs]


def backtracking_sources(wildcards):
    """Where the traces of an entry come from."""
    entry = BACKTRACKING[wildcards.entry]
    folders = [f"results/{entry.name}/{chain.name}" for chain in entry.chains]
    found = {
        name: [f"{folder}/{name}.parquet" for folder in folders]
        for name in ("generations", "prompts")
    }
    if entry.written:
        found["written"] = f"results/{entry.name}/written.parquet"
    return found | ({"given": entry.given} if entry.given else {})


def backtracking_steps(wildcards):
    """The steps of written traces, if there are any."""
    entry = BACKTRACKING[wildcards.entry]
    return {"steps": f"results/{entry.name}/steps.parquet"} if entry.written else {}


def backtracking_ranking(entry):
    """How neurons are ranked, as a parameter."""
    ranking = entry.ranking
    return {
        "minimum": [ranking.minimum_events, ranking.minimum_problems],
        "permutations": ranking.permutations,
        "top": ranking.top,
        "seed": entry.seed,
    }


def backtracking_parts(entry):
    """In how many jobs a contrast's trials are made: a killed one loses five events at most."""
    return math.ceil(BACKTRACKING[entry].causal.samples / 5)


def backtracking_tables(wildcards):
    """All tables of an entry that conclusions, figures and reports read."""
    entry = BACKTRACKING[wildcards.entry]
    folder = f"results/{entry.name}"
    found = {
        name: f"{folder}/{name}.parquet"
        for name in ("samples", "traces", "events", "rates", "detector", "exits")
    }
    if entry.pairs:
        found["paired"] = f"{folder}/paired.parquet"
    for name in ("neurons", "heldout", "logit", "effects", "around", "strips", "spans"):
        found[name] = [
            f"{folder}/{contrast}/{name}.parquet" for contrast in entry.contrasts
        ]
    return found


def backtracking_kept(name):
    """What is kept of an entry, by its path in its own folder."""
    kept = backtracking_files(BACKTRACKING[name])
    return {path.removeprefix(f"{name}/"): what for path, what in kept.items()}
