"""The data that is shipped with the study, read."""

from __future__ import annotations

from pathlib import Path

from clampsweep.studies.backtracking.rules import read_rules
from clampsweep.studies.backtracking.templates import read_templates

DATA = Path(__file__).parents[2] / "workflow" / "data" / "backtracking"

RULES = read_rules(DATA / "rules.yaml")

TEMPLATES = read_templates(DATA / "written.yaml")
