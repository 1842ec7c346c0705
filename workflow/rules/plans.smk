# From what the studies want to pinned plans: of requests to prompts and batches, of works to items
# and shards. No rules, no torch.
from functools import cache

from clampsweep.models.chat import check_template
from clampsweep.shards.planner import ShardPlanner
from clampsweep.shards.shard import Item, read_items, read_shard
from clampsweep.texts import directions, planner, promptset, scratch, selection, wanted
from clampsweep.texts.combination import read_batch
from clampsweep.texts.found import Found
from clampsweep.texts.request import Named, PromptsetSpec

WORKS = CONFIG.works  # the sharded work that the studies want, by the name of its table
SHARDS = ShardPlanner(RESULTS)
CHATS = [name for name, one in REQUESTS.items() if one.prompt_format.kind == "chat"]
FOUND = [name for name, one in REQUESTS.items() if isinstance(one.targets, Found)]
PLANNER = planner.Planner(RESULTS, CONFIG.compute.combinations_per_batch)


def prompts_file(spec):
    """The file of a promptset; one with a url is fetched first."""
    if spec.url is None:
        return spec.path
    path = checkpoints.fetch_promptset.get(promptset=spec.name).output[0]
    or_stop(promptset.check_digest, path, spec.sha256)
    return path


@cache
def read_prompts(path, form, template, id):
    """Prompts of a file, read once for all requests."""
    return or_stop(promptset.read, path, form, template, id)


def promptset_prompts(spec):
    """Prompts table of a promptset."""
    return read_prompts(prompts_file(spec), spec.format, spec.template, spec.id)


def request_prompts(name):
    """Prompts table of a request."""
    request = REQUESTS[name]
    prompts = promptset_prompts(request.promptset)
    if request.drawn is None:
        return prompts
    return or_stop(promptset.draw, prompts, *request.drawn)


@cache
def baseline_plan(name):
    """Pinned plan of a request's baselines, and the batches that hold them."""
    request, prompts = REQUESTS[name], request_prompts(name)
    combinations = wanted.baselines(request, prompts)
    return or_stop(planner.pin_plan, PLANNER, f"{name}-baseline", prompts, combinations)


def selection_file(name):
    """Where a request's neurons stand that follow from the baseline; makes it if need be."""
    targets = REQUESTS[name].targets
    if isinstance(targets, Named):
        naming = getattr(checkpoints, targets.checkpoint)
        return naming.get(entry=targets.entry).output.selected
    return checkpoints.select_neurons.get(request=name).output.selected


@cache
def request_plan(name):
    """Pinned plan of all rows of a request, and the batches that hold them."""
    request, prompts = REQUESTS[name], request_prompts(name)
    baseline_plan(name)
    selected, along = None, request.directions
    if request.needs_statistics:
        selected = or_stop(selection.read_selected, selection_file(name))
        along += selected.directions
    or_stop(directions.pin_directions, RESULTS, along)
    combinations = or_stop(wanted.interventions, request, prompts, selected)
    combinations = [*wanted.baselines(request, prompts), *combinations]
    return or_stop(planner.pin_plan, PLANNER, name, prompts, combinations)


def texts_of(batches):
    """Tables of texts of batches."""
    return [str(PLANNER.outputs(batch).generations) for batch in batches]


def vectors_of(batches):
    """Tables of vectors of batches."""
    return [str(PLANNER.outputs(batch).vectors) for batch in batches]


@cache
def directions_of(batch):
    """Pinned directions that a batch's texts are steered along."""
    found = or_stop(read_batch, RESULTS / "batches" / f"{batch}.json").combinations
    digests = sorted({one.direction for one in found} - {None})
    return [str(directions.pinned(RESULTS, digest)) for digest in digests]


@cache
def model_of(batch):
    """Config entry of the model that a pinned batch is for."""
    path = RESULTS / "batches" / f"{batch}.json"
    return identified(or_stop(read_batch, path).model, path)


def identified(identity, path):
    """Config entry of the model that has an identity, which a pinned file names."""
    for spec in CONFIG.models.values():
        if or_stop(lambda: spec.identity) == identity:
            return spec
    stop(f"{path}: no model in the config has this identity")


def digests(spec):
    """What a model's folder is asked for by: the digests of its files."""
    return f"resources/models/{spec.name}/model.sha256"


def made_folder(spec):
    """The folder that a rule makes a model in, as a list; empty for a model that comes ready."""
    return [spec.origin] if spec.by else []


def fetched(spec):
    """The same, and what needs it is planned again once it is there.

    Its time does not count: fetched again it is the same, because its identity is part of every key
    and plan. But other code, or another machine, may make other weights of the same recipe.
    """
    path = checkpoints.fetch_model.get(model=spec.name).output.digests
    or_stop(spec.check_fetched, Path(path).parent)
    for name in (name for name in CHATS if REQUESTS[name].model == spec):
        or_stop(check_template, Path(path).parent, spec.name, name)
    return path if spec.by else ancient(path)


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


def pinned_shards(*names):
    """Pinned shards of some works."""
    return sorted({str(path) for name in names for path in work_plan(name).shards})


def shards_of(*names):
    """Tables of the shards of some works, each beside its pinned shard."""
    return [str(Path(path).with_suffix(".parquet")) for path in pinned_shards(*names)]


def kept_shards(wildcards):
    """The shards of every work."""
    return shards_of(*WORKS)


@cache
def _spec_of(shard):
    for path in (RESULTS / "shards").glob(f"*/{shard}.json"):
        return identified(or_stop(read_shard, path).model, path)
    stop(f"results/shards: no shard {shard} is pinned; ask for what is made of it")


def shard_model(wildcards):
    """The model of a shard, as an input of the rule that makes it."""
    return fetched(_spec_of(wildcards.shard))


def shard_loading(wildcards):
    """How the model of a shard is loaded, as a parameter of that rule."""
    return _spec_of(wildcards.shard).loading()


# Faults in local promptsets show at parse time, before any job.
for _name, _request in REQUESTS.items():
    if _request.promptset.url is None:
        request_prompts(_name)
for _work in WORKS.values():
    if isinstance(_work.items, PromptsetSpec) and _work.items.url is None:
        items_of(_work)
