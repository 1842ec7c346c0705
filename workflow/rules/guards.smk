# What Snakemake goes by and cannot check itself: the times of files, and records of its own.
from snakemake.logging import logger
from snakemake.settings.enums import Quietness

from clampsweep import clock


def local_inputs():
    """Files and folders whose times Snakemake looks at."""
    named = [spec.path for spec in CONFIG.promptsets.values()]
    folders = ["config", "resources", "results", Path(workflow.basedir) / "workflow"]
    return [*folders, *filter(None, named), *CONFIG.inputs, *CONFIG.role_tables]


if NOTE and workflow.is_main_process:
    logger.info(f"note: {NOTE}", extra={"quietness": Quietness.PROGRESS})
if workflow.is_main_process and (_moved := clock.set_back(local_inputs())):
    print(
        f"note: the times of {_moved} files lay ahead of the clock; they are now, in their order",
        file=sys.stderr,
    )
_made = [name for name in CONFIG.run if Path(f"results/{name}/summary.md").exists()]
if _made and not any(Path(".snakemake").glob("metadata/*")):
    _folders = ", ".join(f"results/{name}" for name in _made)
    print(
        "note: the records in .snakemake are gone, so edits of the config or the code since the "
        f"last run are not seen; if there were any, delete {_folders} and run again",
        file=sys.stderr,
    )


# Only where there are jobs: results on a read-only disk can be looked at.
onstart:
    for folder in ("results", "resources", "logs"):
        or_stop(check_not_read_only, folder)
    begin_run()
