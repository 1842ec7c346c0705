"""The architecture: who may import whom, and what no module does. Read from the source alone.

A module's floor is its folder, so that there is one list here, the order of the floors.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clampsweep.provenance import import_closure

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "clampsweep"
SCRIPTS = ROOT / "workflow" / "scripts"

# Folders of src/clampsweep, lowest first; those of a floor do not see each other. "" is the ground:
# all modules that lie flat, but those that the top names.
FLOORS = (
    {""},
    {"models", "console"},
    {"texts"},
    {"shards"},
    {"decoder", "config", "figures"},
    {"generation"},
    {"studies"},
    {"registry"},
    {"explorer"},
)
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}

HEAVY = {"torch", "transformers", "transformer_lens", "gguf"}
HEAVY_FOLDERS = {"models", "decoder", "generation", "explorer", "studies"}
LIGHT_PARTS = {"study", "config", "files", "tables", "figures", "report"}  # of a study
MAX_FUNCTION_LINES = 60


def parsed(folder: Path) -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(folder.rglob("*.py"))}


TREES, SCRIPT_TREES = parsed(PACKAGE), parsed(SCRIPTS)
ALL_TREES = TREES | SCRIPT_TREES


def module_of(path: Path) -> str:
    """Dotted name of a file of the package."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    )


MODULES = {module_of(path): path for path in TREES}
STUDIES = {path.parent.name for path in TREES if path.match("studies/*/study.py")}


def unit(module: str) -> str:
    """Folder of a module, as `FLOORS` names it; its own name where that stands there."""
    parts = module.split(".")[1:]
    return parts[0] if parts and (len(parts) > 1 or parts[0] in FLOOR_OF) else ""


def study_of(module: str) -> str | None:
    """Study that a module belongs to."""
    parts = module.split(".")
    return parts[2] if parts[1:2] == ["studies"] and len(parts) > 2 else None


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Absolute imports, wherever they stand, as dotted names with their line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def third_parties(tree: ast.AST) -> set[str]:
    return {name.split(".")[0] for name, _ in imports(tree)}


def inner_imports(path: Path) -> Iterator[tuple[str, int]]:
    """Modules of the package that a file imports, with the line."""
    for name, line in imports(ALL_TREES[path]):
        module = name if name in MODULES else name.rpartition(".")[0]
        if module in MODULES and module != "clampsweep":
            yield module, line


def where(path: Path, line: int = 1) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def offences(check: Callable[[ast.AST], bool]) -> list[str]:
    """Places in the package that a check of a node finds, as a list to be empty."""
    return [
        where(path, node.lineno)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if check(node)
    ]


def ids(path: Path) -> str:
    return str(path.relative_to(SCRIPTS if SCRIPTS in path.parents else PACKAGE))


def is_heavy(module: str) -> bool:
    """Whether a module may import torch and what comes with it."""
    if module == "clampsweep.models.spec" or unit(module) not in HEAVY_FOLDERS:
        return False
    parts = module.split(".")[2:]
    light = study_of(module) and any(p in LIGHT_PARTS or p.endswith("_report") for p in parts)
    return not light and module != "clampsweep.studies"


# ---- floors


def test_every_folder_has_a_floor_and_every_floor_is_there():
    assert {unit(module) for module in MODULES} == set(FLOOR_OF), (
        "a new folder of src/clampsweep belongs into FLOORS, as low as its imports allow"
    )


@pytest.mark.parametrize("path", TREES, ids=ids)
def test_no_module_imports_upward_or_beside_itself(path):
    own = unit(module_of(path))
    wrong = [
        f"{where(path, line)} imports {module}"
        for module, line in inner_imports(path)
        if unit(module) != own and FLOOR_OF[unit(module)] >= FLOOR_OF[own]
    ]
    assert not wrong, wrong


@pytest.mark.parametrize("study", sorted(STUDIES))
def test_a_study_imports_no_other_study(study):
    wrong = [
        f"{where(path, line)} imports {module}"
        for path in TREES
        if study_of(module_of(path)) == study
        for module, line in inner_imports(path)
        if study_of(module) not in (None, study)
    ]
    assert not wrong, wrong


def test_no_module_imports_itself_through_others():
    graph = {
        module: {name for name, _ in inner_imports(path)} - {module}
        for module, path in MODULES.items()
    }
    while graph:
        leaves = {module for module, needs in graph.items() if not needs & set(graph)}
        assert leaves, f"a ring of imports among {sorted(graph)}"
        graph = {module: needs for module, needs in graph.items() if module not in leaves}


@pytest.mark.parametrize(
    "path", [path for path in TREES if path.name == "__init__.py"], ids=ids
)  # fmt: skip
def test_a_package_holds_a_docstring_and_nothing_else(path):
    assert ast.get_docstring(TREES[path]), f"{where(path)} lacks a docstring"
    assert len(TREES[path].body) == 1, f"{where(path)} holds more than a docstring"


def test_imports_within_the_package_are_absolute():
    # provenance.import_closure follows these only: a relative import would leave a table stale.
    found = offences(lambda node: isinstance(node, ast.ImportFrom) and node.level > 0)
    assert not found, found


# ---- jobs: what a digest follows


def job_closure(script: Path) -> set[str]:
    """Modules of the package that a script's digest follows."""
    return {name for module, _ in inner_imports(script) for name in import_closure(module)}


@pytest.mark.parametrize("script", SCRIPT_TREES, ids=ids)
def test_a_job_reaches_no_config_no_registry_no_explorer_and_no_other_study(script):
    own = script.parent.name if script.parent.name in STUDIES else None
    closure = job_closure(script)
    assert closure, f"{ids(script)} imports nothing of clampsweep"
    wrong = [
        module
        for module in sorted(closure)
        if unit(module) in ("config", "registry", "explorer") or study_of(module) not in (None, own)
    ]
    assert not wrong, f"{ids(script)} would be stale after an edit of {wrong}"


def test_texts_become_stale_by_nothing_that_does_not_make_them():
    closure = set(import_closure("clampsweep.generation.batch"))
    assert {"clampsweep.decoder.decode", "clampsweep.models.loading"} <= closure
    late = {f"clampsweep.texts.{name}" for name in
            ("planner", "wanted", "gather", "metrics", "selection", "collapse")}  # fmt: skip
    assert late <= set(MODULES)
    above = {m for m in MODULES if unit(m) in ("config", "studies", "registry", "explorer")}
    assert not closure & (late | above), closure & (late | above)


# ---- libraries


@pytest.mark.parametrize(
    "path", [path for path in TREES if not is_heavy(module_of(path))], ids=ids
)  # fmt: skip
def test_these_modules_do_without_torch(path):
    assert not third_parties(TREES[path]) & HEAVY


def test_what_is_read_at_parse_time_reaches_no_torch():
    early = [m for m in MODULES if m.endswith(".study") or unit(m) in ("config", "texts", "shards")]
    reached = {name for module in early for name in import_closure(module)}
    wrong = [name for name in sorted(reached) if third_parties(TREES[MODULES[name]]) & HEAVY]
    assert not wrong, wrong


def test_reports_draw_nothing():
    for path, tree in TREES.items():
        if path.stem == "report" or path.stem.endswith("_report"):
            assert "matplotlib" not in third_parties(tree), where(path)


def test_figures_are_made_without_pyplot():
    for path, tree in TREES.items():
        assert not any(name.startswith("matplotlib.pyplot") for name, _ in imports(tree)), path


def test_nothing_imports_a_workflow_script():
    modules = {module.split(".")[0] for module in MODULES}
    scripts = {path.stem for path in SCRIPT_TREES} - modules
    for path, tree in ALL_TREES.items():
        wrong = third_parties(tree) & (scripts | {"workflow", "scripts"})
        assert not wrong, f"{where(path)} imports the script {wrong}"


def test_only_tables_imports_pyarrow():
    users = [where(path) for path, tree in ALL_TREES.items() if "pyarrow" in third_parties(tree)]
    assert users == ["src/clampsweep/tables.py:1"]


@pytest.mark.parametrize("name", ["from_pretrained", "boot_transformers"])
def test_only_models_loads_models(name):
    users = {path for path in ALL_TREES if name in path.read_text(encoding="utf-8")}
    assert users
    assert all(path.parent == PACKAGE / "models" for path in users), users


# ---- style that no linter sees


def test_input_is_not_checked_by_assert():
    # python -O removes assertions, and their message is no message to a user.
    found = offences(lambda node: isinstance(node, ast.Assert))
    assert not found, found


def test_no_except_catches_everything():
    found = offences(lambda node: isinstance(node, ast.ExceptHandler) and node.type is None)
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
