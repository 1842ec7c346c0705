# Before the config is merged: is clampsweep installed, and is the file readable YAML?
import sys

try:
    from clampsweep import config as configuration
    from clampsweep.errors import UserError
except ModuleNotFoundError as missing:
    sys.exit(
        f"error: {missing}; run `make reproduce`, or `pip install -e . -c constraints.txt`"
    )

try:
    configuration.read_yaml("config/config.yaml")
except UserError as fault:
    sys.exit(f"error: {fault}")
