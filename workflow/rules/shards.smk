# Work that is not texts (activations, moments, losses), for all studies. A `Work` is one table,
# results/<work>.parquet. Its items are cut into shards, results/shards/<rule>/<shard>.parquet; the
# rule that makes a shard is the study's (docs/adding_a_study.md), the rest is here.
from functools import cache

from clampsweep.shards.planner import ShardPlanner
from clampsweep.shards.shard import Item, read_items, read_shard
from clampsweep.texts.request import Named, PromptsetSpec

WORKS = CONFIG.works  # the sharded work that the studies want, by the name of its table
SHARDS = ShardPlanner(RESULTS)


wildcard_constraints:
    work=any_of(WORKS),
    shard="[0-9a-f]{16}",


def items_of(work):
    """What a work is done on; where it is read from a file, that is made first if need be."""
    if isinstance(work.items, tuple):
        return work.items
    if isinstance(work.items, Named):
        listing = getattr(checkpoints, work.items.checkpoint)
        path = listing.get(entry=work.items.entry).output.listed
        return or_stop(read_items, path)
    prompts = promptset_prompts(work.items)
    return list(map(Item, prompts["prompt_id"], prompts["text"]))


@cache
def work_plan(name):
    """Pinned plan of a work's items, and the pinned shards that hold them."""
    return or_stop(SHARDS.plan, WORKS[name], items_of(WORKS[name]))


def pinned_shards(names):
    """Pinned shards of some works."""
    return sorted({str(path) for name in names for path in work_plan(name).shards})


def shards_of(name):
    """Tables of the shards of a work, each beside its pinned shard."""
    return [str(Path(path).with_suffix(".parquet")) for path in pinned_shards([name])]


def kept_shards(wildcards):
    """The shards of every work."""
    return sorted({path for name in WORKS for path in shards_of(name)})


@cache
def _spec_of(shard):
    for path in (RESULTS / "shards").glob(f"*/{shard}.json"):
        return identified(or_stop(read_shard, path).model, path)
    stop(f"results/shards: no shard {shard} is pinned; ask for what is made of it")


def shard_model(wildcards):
    """The model of a shard, as an input of the rule that makes it."""
    return ancient(fetched(_spec_of(wildcards.shard)))


def shard_loading(wildcards):
    """How the model of a shard is loaded, as a parameter of that rule."""
    return _spec_of(wildcards.shard).loading()


# Faults in local promptsets show at parse time, before any job.
for _work in WORKS.values():
    if isinstance(_work.items, PromptsetSpec) and _work.items.url is None:
        promptset_prompts(_work.items)


rule gather_shards:
    input:
        plan=lambda w: str(work_plan(w.work).path),
        shards=lambda w: shards_of(w.work),
    output:
        table="results/{work}.parquet",
    log:
        "logs/gather_shards/{work}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=table_memory,
    params:
        schema=lambda w: WORKS[w.work].plain_schema(),
        rule=lambda w: WORKS[w.work].rule,
        shards_code=lambda w: getattr(rules, WORKS[w.work].rule).params.code,
        code=code_of("shards/gather"),
    message:
        "Gathering the shards of {wildcards.work}"
    script:
        "../scripts/shards/gather.py"
