# What a run will make and how long it may take, in five lines before it and after a dry run
# (`make plan`), and what it made, after it. Read from the jobs that Snakemake has planned.
import atexit
import time
from math import ceil
from statistics import median

from snakemake.exceptions import IncompleteCheckpointException

from clampsweep.config.limits import no_cuda
from clampsweep.texts import cost, forecast, speed
from clampsweep.texts.forecast import Counts, Forecast
from clampsweep.texts.pinned import read_plan
from clampsweep.texts.speed import Seconds

# Seconds of a job of which none like it was timed here: what fetches a model, or runs one; others.
UNTIMED = {"fetch_model": 30, "model": 20}
UNTIMED_OTHER = 2
MODEL_RULES = {"neuron_stats", *(work.rule for work in WORKS.values())}
_begun = []  # when the run began, when each batch was made then, what was expected


def if_known(function, *arguments):
    """What a function gives; None where that waits for a job."""
    try:
        return function(*arguments)
    except IncompleteCheckpointException:
        return None


def known_plans():
    """What is known of each request: the plan of all its rows, or of its baselines, if either."""
    found = (if_known(request_plan, n) or if_known(baseline_plan, n) for n in REQUESTS)
    return [plan for plan in found if plan]


@cache
def texts_in(batch):
    """Combinations of a pinned batch."""
    return read_batch(RESULTS / "batches" / f"{batch}.json").combinations


def counted_texts(made):
    """How many texts are made, and how many of those known to be wanted are not.

    Args:
        made: Keys of all that are.
    """
    keys = {key for plan in known_plans() for _, key in read_plan(plan.path)}
    return Counts(len(made), len(keys - made))


def texts_to_make(jobs):
    """Combinations that will be computed, by batch: parts of killed jobs are taken over."""
    again = {job.wildcards.batch for job in jobs if job.rule.name == "generate"}
    wanted = {batch for plan in known_plans() for batch in plan.batches}
    todo = {one for one in wanted if one in again or not PLANNER.finished(one)}
    kept = scratch.kept(RESULTS / ".scratch", code_of("texts/generate"))
    return {
        batch: [one for one in texts_in(batch) if one.key not in kept] for batch in todo
    }


def texts_later(name):
    """Loads of what is not known of a request; None where nobody can tell how much."""
    if if_known(request_plan, name):
        return []
    prompts = if_known(request_prompts, name)
    if prompts is None:
        return None
    return forecast.bound(REQUESTS[name], list(prompts["text"]), REQUESTS)


def counted_items(name, jobs):
    """Items of a work that will be made, and the others; None where they are not known yet."""
    plan = if_known(work_plan, name)
    if plan is None:
        return None
    again = {job.wildcards.get("shard") for job in jobs}
    new = {
        item.key
        for path in plan.shards
        if path.stem in again or not path.with_suffix(".parquet").exists()
        for item in read_shard(path).items
    }
    return Counts(len(new), len({key for _, key in read_plan(plan.path)} - new))


def seconds_of(job):
    """Seconds that a job took when it last ran, by Snakemake's records; None if it never did."""
    record = workflow.persistence.metadata(job.output[0]) if job.output else None
    if record is None or not record.starttime or not record.endtime:
        return None
    return max(0.1, record.endtime - record.starttime)


def seconds_around(paces):
    """Seconds of a job that generates before and after it decodes, as it was in earlier ones."""
    decoded = {}
    for pace in paces:
        decoded[pace.batch] = decoded.get(pace.batch, 0) + pace.seconds
    jobs = [job for job in workflow.dag.jobs if job.rule.name == "generate"]
    timed = [(seconds_of(job), decoded.get(job.wildcards.batch)) for job in jobs]
    return median(
        [all_of - part for all_of, part in timed if all_of and part] or [forecast.START]
    )


def seconds_of_others(jobs):
    """Seconds of all jobs but those that generate: as it last took, or as others of the rule did."""
    timed, total = {}, 0
    others = [
        one for one in workflow.dag.jobs if one.rule.name not in ("generate", "all")
    ]
    for job in others:
        if seconds := seconds_of(job):
            timed.setdefault(job.rule.name, []).append(seconds)
    for job in set(others) & set(jobs):
        name = job.rule.name
        kind = "model" if name in MODEL_RULES else name
        seconds = median(timed.get(name, [UNTIMED.get(kind, UNTIMED_OTHER)]))
        # Two small jobs run side by side.
        beside = workflow.local_exec and kind not in UNTIMED and workflow.cores > 1
        total += (seconds_of(job) or seconds) / (2 if beside else 1)
    return total


def time_of_batches(todo, later):
    """Times of the batches to make, and of those for texts not known yet.

    Args:
        todo: Combinations of each batch.
        later: Loads of each request.
    """
    paces = speed.read(speed.FILE)
    device = "cpu" if no_cuda() else CONFIG.compute.device
    lanes = workflow.cores // CONFIG.compute.threads if workflow.local_exec else 1
    around = Seconds(seconds_around(paces))

    def time_of(loads):
        how = (paces, device, CONFIG.compute.threads, Path("resources/models"))
        return forecast.time_of(loads, *how)

    now = [
        time_of((model_of(batch), load) for load in cost.loads(todo[batch])) + around
        for batch in todo
    ]
    then = [(REQUESTS[name].model, one) for name in later for one in later[name] or []]
    rows = sum(load.rows for _, load in then)
    n = ceil(rows / CONFIG.compute.combinations_per_batch)
    each = [time_of(then).over(n) + around] * n if n else []
    return forecast.together(now, lanes), forecast.together(each, lanes)


def foreseen():
    """What the run will make, by the jobs that are planned."""
    # A dry run has by then gone through all of them.
    jobs = list(workflow.dag.needrun_jobs(exclude_finished=False))
    todo, later = texts_to_make(jobs), {name: texts_later(name) for name in REQUESTS}
    time_now, time_later = time_of_batches(todo, later)
    bounds = {name: loads for name, loads in later.items() if loads != []}
    return Forecast(
        texts=counted_texts({one.key for batch in todo for one in todo[batch]}),
        later={
            name: loads and sum(load.rows for load in loads)
            for name, loads in bounds.items()
        },
        items={name: counted_items(name, jobs) for name in WORKS},
        models=[job.wildcards.model for job in jobs if job.rule.name == "fetch_model"],
        time=time_now + Seconds(seconds_of_others(jobs)),
        time_later=time_later,
        alone=not workflow.local_exec,
        places=[f"results/{name}/summary.md" for name in CONFIG.run],
    )


def times_of_batches():
    """When each batch that is there was made."""
    made = (RESULTS / "generations").glob("*.parquet")
    return {path.stem: path.stat().st_mtime_ns for path in made}


def begin_run():
    """Say what the run will make, if it is one of all that the config asks for."""
    if any(job.rule.name == "all" for job in workflow.dag.jobs):
        seen = foreseen()
        _begun.append((time.time(), times_of_batches(), seen.expected()))
        print("\n".join(seen.lines()), flush=True)


def end_run():
    """Say what the run made, if it was said before what it would."""
    for began, before, expected in _begun:
        wanted = {batch for plan in known_plans() for batch in plan.batches}
        now = times_of_batches()
        made = [one for one in wanted & set(now) if now[one] != before.get(one)]
        counts = counted_texts({one.key for batch in made for one in texts_in(batch)})
        print(forecast.outcome(counts, time.time() - began, expected), flush=True)


def _without_a_run():
    """After a dry run, or where there is nothing to do: Snakemake has no hook for either."""
    planned = workflow.executor_plugin is not None and workflow.dag is not None
    if planned and not _begun and not workflow.touch:
        if workflow.dryrun or not any(
            workflow.dag.needrun_jobs(exclude_finished=False)
        ):
            begin_run()


if workflow.is_main_process:
    atexit.register(_without_a_run)
