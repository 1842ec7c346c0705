# What a run will make and how long it may take, in five lines before it and after a dry run
# (`make plan`), and what it made, after it. Read from the jobs that Snakemake has planned.
import atexit
import time
from statistics import median

from snakemake.exceptions import IncompleteCheckpointException

from clampsweep.config.limits import no_cuda
from clampsweep.texts import forecast, speed
from clampsweep.texts.forecast import Counts, Forecast, Seconds
from clampsweep.texts.pinned import read_plan
from clampsweep.texts.speed import loads

# Seconds of a job of which none like it was timed here: what fetches a model, runs one, anything else.
UNTIMED = {"fetch_model": 30, "model": 20, "other": 2}
MODEL_RULES = {"generate", "neuron_stats", *(work.rule for work in WORKS.values())}


class Outlook:
    """What the run will make, and when it began."""

    def __init__(self):
        self.jobs = list(workflow.dag.needrun_jobs())
        self.began, self.before = time.time(), _times()
        again = {
            job.wildcards.batch for job in self.jobs if job.rule.name == "generate"
        }
        self.batches = {
            batch
            for plan in known_plans().values()
            for batch in plan.batches
            if batch in again or not PLANNER.finished(batch)
        }

    def forecast(self):
        """The counts and times, to be said."""
        paces = speed.read(RESULTS)
        later = {name: _bound(name) for name in REQUESTS}
        bounds = {name: bound for name, bound in later.items() if bound != []}
        device = "cpu" if no_cuda() else CONFIG.compute.device
        decode = [
            (model_of(batch), load)
            for batch in self.batches
            for load in loads(_combinations(batch))
        ]
        decode_later = [
            (REQUESTS[name].model, load)
            for name, bound in bounds.items()
            for load in bound or []
        ]
        size = CONFIG.compute.combinations_per_batch
        more = sum(load.rows for _, load in decode_later) / size

        def spent(wanted, jobs):
            decoding = forecast.time_of(wanted, paces, device, Path("resources/models"))
            return decoding + Seconds(_start(paces) * jobs)

        return Forecast(
            texts=_counts(self.batches),
            later={
                name: bound and sum(load.rows for load in bound)
                for name, bound in bounds.items()
            },
            items={name: _items(name, self.jobs) for name in WORKS},
            models=[
                job.wildcards.model
                for job in self.jobs
                if job.rule.name == "fetch_model"
            ],
            time=spent(decode, len(self.batches)) + Seconds(_other_seconds(self.jobs)),
            time_later=spent(decode_later, more),
            alone=not workflow.local_exec,
            places=[f"results/{name}/summary.md" for name in CONFIG.run],
        )

    def say(self):
        """Say it before the run."""
        seen = self.forecast()
        self.expected = seen.minutes()
        print("\n".join(seen.lines()), flush=True)

    def say_outcome(self):
        """Say what the run made, and how long it took."""
        now = _times()
        made = {batch for batch in now if now[batch] != self.before.get(batch)}
        wanted = {batch for plan in known_plans().values() for batch in plan.batches}
        counts = _counts(made & wanted)
        seconds = time.time() - self.began
        print(forecast.outcome(counts, seconds, self.expected), flush=True)


def if_known(function, *arguments):
    """What a function gives; None where that waits for a job."""
    try:
        return function(*arguments)
    except IncompleteCheckpointException:
        return None


def known_plans():
    """What is known of each request: the plan of all its rows, or of its baselines, if either."""
    plans = {
        name: if_known(request_plan, name) or if_known(baseline_plan, name)
        for name in REQUESTS
    }
    return {name: plan for name, plan in plans.items() if plan}


def _bound(name):
    """Loads of what is not known of a request; None where nobody can tell how much."""
    if if_known(request_plan, name):
        return []
    prompts = if_known(request_prompts, name)
    if prompts is None:
        return None
    return forecast.bound(REQUESTS[name], list(prompts["text"]), REQUESTS)


@cache
def _combinations(batch):
    return read_batch(RESULTS / "batches" / f"{batch}.json").combinations


def _counts(batches):
    """Texts in some batches, and those of the known plans that are elsewhere."""
    keys = {key for plan in known_plans().values() for _, key in read_plan(plan.path)}
    new = {one.key for batch in batches for one in _combinations(batch)}
    return Counts(len(new), len(keys - new))


def _items(name, jobs):
    """Items of a work in shards that will be made, and the others; None where not known yet."""
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
    keys = {key for _, key in read_plan(plan.path)}
    return Counts(len(new), len(keys - new))


def _times():
    """When each batch that is there was made."""
    folder = RESULTS / "generations"
    return {path.stem: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}


def _timed(job):
    """Seconds that a job took when it last ran, by Snakemake's records; None if it never did."""
    record = workflow.persistence.metadata(job.output[0]) if job.output else None
    if record is None or not record.starttime or not record.endtime:
        return None
    return max(0.0, record.endtime - record.starttime)


def _other_seconds(jobs):
    """Seconds of all jobs but those that generate: as they last took, or like others of the rule."""
    timed, total = {}, 0
    others = [job for job in workflow.dag.jobs if job.rule.name not in ("generate", "all")]
    for job in others:
        if took := _timed(job):
            timed.setdefault(job.rule.name, []).append(took)
    for job in set(others) & set(jobs):
        name = job.rule.name
        kind = "model" if name in MODEL_RULES else name
        default = UNTIMED.get(kind, UNTIMED["other"])
        seconds = _timed(job) or median(timed.get(name, [default]))
        beside = workflow.local_exec and kind not in UNTIMED and workflow.cores > 1
        total += seconds / 2 if beside else seconds
    return total


def _start(paces):
    """Seconds of a job that generates before and after it decodes, as it was in earlier ones."""
    decoded = {}
    for pace in paces:
        decoded[pace.batch] = decoded.get(pace.batch, 0) + pace.seconds
    took = []
    for job in workflow.dag.jobs:
        seconds = _timed(job) if job.rule.name == "generate" else None
        if seconds and (batch := job.wildcards.batch) in decoded:
            took.append(max(0.0, seconds - decoded[batch]))
    return median(took or [forecast.START])


_outlook = []


def begin_run():
    """Say what the run will make, if it is a run of all that the config asks for."""
    if any(job.rule.name == "all" for job in workflow.dag.jobs):
        _outlook.append(Outlook())
        _outlook[0].say()


def end_run():
    """Say what the run made, if its begin was told."""
    for outlook in _outlook:
        outlook.say_outcome()


def _say_without_run():
    """The same after a dry run, and where there is nothing to do; Snakemake has no hook for either."""
    planned = workflow.executor_plugin is not None and workflow.dag is not None
    if planned and not _outlook and not workflow.touch:
        if workflow.dryrun or not list(workflow.dag.needrun_jobs()):
            begin_run()


if workflow.is_main_process:
    atexit.register(_say_without_run)
