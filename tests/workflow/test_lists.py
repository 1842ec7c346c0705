"""Lists that stand in the workflow and in the library stay the same."""

from __future__ import annotations

import ast
import re

from harness import REPO

from clampsweep.studies.bcr.figures.draw import FIGURES

RULES = REPO / "workflow/rules"


def _assigned(name: str) -> object:
    text = (RULES / "common.smk").read_text()
    found = re.search(rf"^{name} = ([\[{{].*?^[\]}}])", text, re.M | re.S)
    assert found is not None
    return ast.literal_eval(found[1])


def test_the_workflow_makes_every_figure_of_the_library_and_explains_it() -> None:
    figures = _assigned("FIGURES")
    assert sorted(figures) == sorted(FIGURES)
    for name in figures:
        caption = (REPO / f"workflow/report/{name}.rst").read_text()
        assert len(caption.split()) > 5, name


def test_every_caption_and_script_named_in_the_rules_is_there_and_used() -> None:
    rules = "\n".join(path.read_text() for path in RULES.glob("*.smk"))
    rules += (REPO / "Snakefile").read_text()
    scripts = set(re.findall(r'"\.\./scripts/(\w+)\.py"', rules))
    assert scripts == {path.stem for path in (REPO / "workflow/scripts").glob("*.py")}
    captions = set(re.findall(r'/report/(\w+)\.rst"', rules)) | set(_assigned("FIGURES"))
    captions |= {"srm_polar", "srm_difference"}
    assert captions == {path.stem for path in (REPO / "workflow/report").glob("*.rst")}
