# Before the config is merged: is clampsweep installed, can Snakemake write its records (it would
# stop in the middle of them), and is the file readable YAML? Jobs draw as if the user had set nothing.
# From here on Ctrl+C and a locked folder are a line or two.
import sys

try:
    from clampsweep.console import interrupts, locks
    from clampsweep.errors import UserError, check_not_read_only, check_writable
    from clampsweep.figures.environment import plain_matplotlib
    from clampsweep.registry import STUDIES
    from clampsweep.strict_yaml import read_yaml
except ModuleNotFoundError as missing:
    sys.exit(
        f"error: {missing}; run `make reproduce`, or `pip install -e . -c constraints.txt`"
    )

try:
    check_writable(".snakemake")
    read_yaml("config/config.yaml")
    plain_matplotlib()
except UserError as fault:
    sys.exit(f"error: {fault}")

shell.prefix(interrupts.JOBS_PREFIX)
if workflow.is_main_process:
    interrupts.listen()
    locks.explain()
