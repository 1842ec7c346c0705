"""Scripts and captions of the workflow are named in its rules, and what rules name is there."""

from __future__ import annotations

import re

from harness import REPO

RULES = "\n".join(
    path.read_text() for path in (REPO / "Snakefile", *REPO.glob("workflow/rules/*.smk"))
)


def test_every_script_named_in_the_rules_is_there_and_used() -> None:
    folder = REPO / "workflow/scripts"
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.py")}
    assert set(re.findall(r'"\.\./scripts/(.+\.py)"', RULES)) == there


def test_the_digest_that_a_rule_carries_is_that_of_its_own_script() -> None:
    steps = re.split(r"^(?:rule|checkpoint) (\w+):$", RULES, flags=re.M)[1:]
    for name, body in zip(steps[::2], steps[1::2], strict=True):
        if "    output:" in body:
            (script,) = re.findall(r'"\.\./scripts/(.+)\.py"', body)
            assert f'        code=code_of("{script}"),' in body, name


def test_every_caption_says_something() -> None:
    for path in (REPO / "workflow/report").rglob("*.rst"):
        assert len(path.read_text().split()) > 5, path
