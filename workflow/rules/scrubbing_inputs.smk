# What the rules of scrubbing are made on: entries, examples by their digest, published models. No rules.
from clampsweep.studies.scrubbing.published_files import state_file
from clampsweep.studies.scrubbing.figures.index import FIGURES as SCRUBBING_FIGURES

SCRUBBING = CONFIG.of("scrubbing")
SCRUBBING_DATA = {or_stop(lambda: entry.data): entry for entry in SCRUBBING.values()}
SCRUBBING_PUBLISHED = {  # folder by the model's identity
    entry.model.identity: entry.published
    for entry in SCRUBBING.values()
    if entry.published
}
SCRUBBING_TABLES = ("examples", "tokens", "heads")  # of what is scrubbed
SCRUBBING_MADE = made_by("scrubbing")
SCRUBBING_CORPORA = {
    recipe["corpus"]["sha256"][:16]: recipe["corpus"]
    for recipe in SCRUBBING_MADE.values()
}


def scrubbing_data(digest):
    """Examples, lists of tokens and heads that have a digest, by name."""
    return {
        name: f"resources/scrubbing/{digest}/{name}.parquet"
        for name in SCRUBBING_TABLES
    }


def scrubbing_pinned(rule, wildcards):
    """A pinned shard."""
    return or_stop(read_shard, f"results/shards/{rule}/{wildcards.shard}.json")


def scrubbing_folder(rule, wildcards):
    """Folder of a shard's model if it is a published one, else None."""
    return SCRUBBING_PUBLISHED.get(scrubbing_pinned(rule, wildcards).model)


def scrubbing_inputs(rule):
    """Examples, lists and heads that shards are made on, and the model or its files."""

    def found(wildcards):
        data = scrubbing_pinned(rule, wildcards).parameters["data"]
        own = scrubbing_weights(scrubbing_folder(rule, wildcards))
        return {**scrubbing_data(data), "model": own or shard_model(wildcards)}

    return unpack(found)


def scrubbing_loading(rule):
    """How the model of a shard is loaded; None for a published one."""

    def found(wildcards):
        own = scrubbing_folder(rule, wildcards)
        return None if own else shard_loading(wildcards)

    return found


def scrubbing_weights(folder):
    """State dict of a published model, ancient: its identity is part of every key."""
    return ancient(str(or_stop(state_file, Path(folder)))) if folder else None


def scrubbing_source(examples):
    """The corpus or the file that examples are cut from."""
    return examples.file or f"resources/corpora/{examples.corpus}.parquet"


def scrubbing_view(wildcards):
    """Tables of an entry, for its figures and its summary."""
    entry = SCRUBBING[wildcards.entry]
    data = scrubbing_data(entry.data)
    own = [
        *("table", "curves", "two_heads", "cell_harm", "heads", "saa", "attention"),
        *("totals", "verdicts", "ledger"),
        *(["reference"] if entry.reference else []),
    ]
    return {
        **{name: f"results/{entry.name}/{name}.parquet" for name in own},
        "hypotheses": f"results/{entry.name}/hypotheses.json",
        "examples": data["examples"],
        "tokens": data["tokens"],
    }
