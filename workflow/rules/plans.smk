# From the requests of the studies to prompts, pinned plans and batches. No rules, no torch.
from functools import cache

from clampsweep.texts import planner, promptset, scratch, selection, wanted
from clampsweep.texts.combination import read_batch
from clampsweep.texts.request import Named

PLANNER = planner.Planner(RESULTS, CONFIG.compute.combinations_per_batch)


def prompts_file(name):
    """The file of a request's promptset; one with a url is fetched first."""
    spec = REQUESTS[name].promptset
    if spec.url is None:
        return spec.path
    path = checkpoints.fetch_promptset.get(promptset=spec.name).output[0]
    or_stop(promptset.check_digest, path, spec.sha256)
    return path


@cache
def read_prompts(path, form):
    """Prompts of a file, read once for all requests."""
    return or_stop(promptset.read, path, form)


def request_prompts(name):
    """Prompts table of a request."""
    request = REQUESTS[name]
    prompts = read_prompts(prompts_file(name), request.promptset.format)
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
    selected = None
    if request.needs_statistics:
        selected = or_stop(selection.read_selected, selection_file(name))
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
def model_of(batch):
    """Config entry of the model that a pinned batch is for."""
    identity = or_stop(read_batch, RESULTS / "batches" / f"{batch}.json").model
    for spec in CONFIG.models.values():
        if or_stop(lambda: spec.identity) == identity:
            return spec
    stop(f"results/batches/{batch}.json: no model in the config has this identity")


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
    return path if spec.by else ancient(path)


# Faults in local promptsets show at parse time, before any job.
for _name, _request in REQUESTS.items():
    if _request.promptset.url is None:
        request_prompts(_name)
