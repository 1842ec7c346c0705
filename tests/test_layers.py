"""The architecture: who may import whom, and what no module does. Read from the source alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "clampsweep"
SCRIPTS = ROOT / "workflow" / "scripts"

# A module, or a package of several, may import its own layer and those below it.
LAYERS = {
    1: {"clock", "errors", "names", "tables", "provenance", "statistics"},
    2: {
        "validation", "config", "srm_config", "promptset", "plan", "gather",
        "text_metrics", "collapse", "recovery", "extracted", "verify",
        "split_half", "special", "controls", "variability", "detector_quality", "scratch",
    },
    3: {
        "models", "fetching", "interventions", "activations", "decoding", "trajectories", "hooked",
        "attention", "unembedding", "packing", "choice", "exact", "texts", "inspection",
    },
}  # fmt: skip
# Layer 4: each imports layers 1 to 3 and no other study.
STUDIES = {
    "sweep", "neuron_stats", "srm", "backtracking", "scrubbing", "steering", "universal",
}  # fmt: skip
# Tables to figures and text: they import layers 1 and 2 and each other.
PRESENTATION = {
    "view", "verdict", "markdown", "plots",
    "report", "detector_report", "verification_report", "srm_report",
}  # fmt: skip
# May import everything.
TOP = {"explorer"}

HEAVY = {"torch", "transformers", "transformer_lens", "safetensors", "gguf"}
MAX_FUNCTION_LINES = 60

FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
SCRIPT_TREES = {
    path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SCRIPTS.glob("*.py"))
}
UNITS = {path: path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
UNIT_NAMES = sorted(set(UNITS.values()) - {"__init__"})
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names}


def imports(tree):
    """Absolute imports, wherever they stand, as dotted names with their line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def third_parties(tree):
    return {name.split(".")[0] for name, _ in imports(tree)}


def inner_imports(path):
    """Modules or packages of clampsweep that a file imports, by the first part of their name."""
    for name, line in imports(TREES[path]):
        parts = name.split(".")
        if parts[0] == "clampsweep" and len(parts) > 1 and parts[1] in UNIT_NAMES:
            yield parts[1], line


def allowed(unit):
    """What a module may import from the package."""
    lower = LAYERS[1] | LAYERS[2]
    if unit in PRESENTATION:
        return lower | PRESENTATION
    if unit in STUDIES:
        return lower | LAYERS[3] | {unit}
    if unit in TOP:
        return lower | LAYERS[3] | STUDIES | PRESENTATION | TOP
    own = LAYER_OF.get(unit, 1)
    return set().union(*(names for layer, names in LAYERS.items() if layer <= own))


def where(path, line):
    return f"{path.relative_to(ROOT)}:{line}"


def offences(check):
    """Places in the package that a check of (path, node) finds, as a list to be empty."""
    return [
        where(path, node.lineno)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if check(path, node)
    ]


def test_the_package_is_found():
    assert {"errors", "tables", "names", "provenance"} <= set(UNIT_NAMES)


@pytest.mark.parametrize("unit", UNIT_NAMES)
def test_every_module_has_a_layer(unit):
    known = set(LAYER_OF) | STUDIES | PRESENTATION | TOP
    assert unit in known, (
        f"src/clampsweep/{unit} is in no layer: add it to LAYERS, STUDIES or PRESENTATION at the "
        "head of tests/test_layers.py, as low as its imports allow"
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_imports_upward_or_another_study(path):
    unit = UNITS[path]
    if unit == "__init__":
        assert not list(inner_imports(path)), "the package itself imports no module of its own"
        return
    wrong = [f"{where(path, n)} imports {name}" for name, n in inner_imports(path)
             if name not in allowed(unit)]  # fmt: skip
    assert not wrong, wrong


def test_no_module_imports_itself_through_others():
    graph = {unit: set() for unit in UNIT_NAMES}
    for path in FILES:
        if UNITS[path] in graph:
            graph[UNITS[path]] |= {name for name, _ in inner_imports(path)} - {UNITS[path]}
    while graph:
        leaves = {unit for unit, needs in graph.items() if not needs & set(graph)}
        assert leaves, f"a ring of imports among {sorted(graph)}"
        graph = {unit: needs for unit, needs in graph.items() if unit not in leaves}


def test_imports_within_the_package_are_absolute():
    # provenance.import_closure follows these only: a relative import would leave a table stale.
    found = offences(lambda _, node: isinstance(node, ast.ImportFrom) and node.level > 0)
    assert not found, found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_layers_1_and_2_and_the_presentation_do_without_torch(path):
    unit = UNITS[path]
    if LAYER_OF.get(unit, 0) <= 2 and unit not in STUDIES | TOP:
        assert not third_parties(TREES[path]) & HEAVY


def test_the_report_draws_nothing():
    for path, unit in UNITS.items():
        if unit in PRESENTATION - {"plots"}:
            assert "matplotlib" not in third_parties(TREES[path]), where(path, 1)


def test_figures_are_made_without_pyplot():
    for path, tree in TREES.items():
        assert not any(name.startswith("matplotlib.pyplot") for name, _ in imports(tree)), path


def test_nothing_imports_a_workflow_script():
    scripts = {path.stem for path in SCRIPT_TREES}
    for path, tree in {**TREES, **SCRIPT_TREES}.items():
        wrong = third_parties(tree) & (scripts | {"workflow", "scripts"})
        assert not wrong, f"{path.relative_to(ROOT)} imports the script {wrong}"


def test_only_tables_imports_pyarrow():
    users = {
        str(path.relative_to(ROOT))
        for path, tree in {**TREES, **SCRIPT_TREES}.items()
        if "pyarrow" in third_parties(tree)
    }
    assert users == {"src/clampsweep/tables.py"}


@pytest.mark.parametrize("name", ["from_pretrained", "boot_transformers"])
def test_only_models_and_fetching_load_models(name):
    users = {
        str(path.relative_to(ROOT))
        for path in [*FILES, *SCRIPT_TREES]
        if name in path.read_text(encoding="utf-8")
    }
    assert users <= {"src/clampsweep/models.py", "src/clampsweep/fetching.py"}


def test_input_is_not_checked_by_assert():
    # python -O removes assertions, and their message is no message to a user.
    found = offences(lambda _, node: isinstance(node, ast.Assert))
    assert not found, found


def test_no_except_catches_everything():
    found = offences(lambda _, node: isinstance(node, ast.ExceptHandler) and node.type is None)
    assert not found, found


def test_no_function_is_longer_than_60_lines():
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [
        f"{where(path, node.lineno)} {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, functions) and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert not found, found
