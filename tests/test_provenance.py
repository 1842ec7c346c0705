"""Digests of files, texts and code, and the record of what made a table."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import factories
from clampsweep import provenance, tables
from clampsweep.texts.promptset import PROMPTS

TOY = {
    "__init__": "",
    "top": "from clampsweep.middle import thing\n",
    "middle": "import json\n\ndef thing():\n    import clampsweep.bottom\n    return json\n",
    "bottom": "from clampsweep import __version__ as unused\n",
    "unrelated": "import numpy\n",
    "ring_a": "from clampsweep import ring_b\n",
    "ring_b": "import clampsweep.ring_a\n",
    "study/__init__": "from clampsweep.study.part import one\n",
    "study/part": "from clampsweep.bottom import two\n",
    "user": "from clampsweep import study\n",
    "commented": "# from clampsweep import unrelated\nTEXT = 'import clampsweep.unrelated'\n",
}


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A toy package in place of the real one."""
    root = tmp_path / "clampsweep"
    for name, text in TOY.items():
        path = root / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(provenance, "_SOURCE", root)
    provenance.code_digest.cache_clear()
    yield root
    provenance.code_digest.cache_clear()


def fresh_digest(*modules):
    provenance.code_digest.cache_clear()
    return provenance.code_digest(*modules)


def add_comment(path: Path):
    path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")


def closure(module):
    return {name.removeprefix("clampsweep.") for name in provenance.import_closure(module)}


def test_text_digest_is_sha256_of_utf8():
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert provenance.text_digest("abc") == abc
    assert provenance.text_digest("“é”") == hashlib.sha256("“é”".encode()).hexdigest()


def test_file_digest_is_sha256_of_the_bytes(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(256)) * 5000)
    assert provenance.file_digest(path) == hashlib.sha256(bytes(range(256)) * 5000).hexdigest()
    assert provenance.file_digest(str(path)) == provenance.file_digest(path)


def test_json_digest_of_a_known_value():
    expected = hashlib.sha256(b'{"a":[1,2.5,null,true],"b":"x y"}').hexdigest()
    assert provenance.json_digest({"b": "x y", "a": [1, 2.5, None, True]}) == expected


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), json_values, max_size=5))
def test_json_digest_ignores_the_order_of_keys_at_every_depth(value):
    def reverse(node):
        if isinstance(node, dict):
            return {key: reverse(node[key]) for key in reversed(list(node))}
        return [reverse(item) for item in node] if isinstance(node, list) else node

    assert provenance.json_digest(reverse(value)) == provenance.json_digest(value)


@given(json_values, json_values)
def test_json_digest_tells_different_values_apart(one, two):
    same_json = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    assert (provenance.json_digest(one) == provenance.json_digest(two)) == same_json


@pytest.mark.parametrize("value", [math.nan, math.inf, [1.0, -math.inf]])
def test_json_digest_refuses_what_json_cannot_say(value):
    with pytest.raises(ValueError, match="JSON"):
        provenance.json_digest(value)


def test_import_closure_of_the_real_package_follows_direct_imports():
    assert closure("clampsweep.tables") - {"clampsweep"} == {"tables", "errors", "files"}


def test_import_closure_of_the_real_package_is_transitive():
    # promptset raises UserError (errors) and fills PROMPTS; tables itself needs errors.
    found = closure("clampsweep.texts.promptset")
    assert {"texts.promptset", "texts.tables", "tables", "errors"} <= found
    assert closure("clampsweep.tables") <= found
    assert closure("clampsweep.studies.bcr.rates") >= closure("clampsweep.texts.collapse") | {
        "statistics"
    }


def test_import_closure_of_names_reaches_nothing_else():
    assert closure("clampsweep.names") - {"clampsweep"} == {"names"}


def test_import_closure_follows_chains_and_imports_inside_functions(source):
    assert closure("clampsweep.top") >= {"top", "middle", "bottom"}


def test_import_closure_ends_on_a_ring_of_imports(source):
    assert closure("clampsweep.ring_a") >= {"ring_a", "ring_b"}


def test_import_closure_enters_a_subpackage(source):
    assert closure("clampsweep.user") >= {"user", "study", "study.part", "bottom"}


def test_import_closure_leaves_out_comments_and_strings(source):
    assert "unrelated" not in closure("clampsweep.commented")


def test_import_closure_is_sorted_and_without_repeats():
    found = provenance.import_closure("clampsweep.studies.bcr.recovery")
    assert found == sorted(set(found))


@pytest.mark.parametrize("changed", ["top", "middle", "bottom"])
def test_code_digest_changes_with_every_module_in_the_closure(source, changed):
    before = fresh_digest("top")
    add_comment(source / f"{changed}.py")
    assert fresh_digest("top") != before


@pytest.mark.parametrize("changed", ["unrelated", "ring_a", "study/part"])
def test_code_digest_ignores_unrelated_modules(source, changed):
    before = fresh_digest("top")
    add_comment(source / f"{changed}.py")
    assert fresh_digest("top") == before


def test_code_digest_sees_a_new_import(source):
    before = fresh_digest("unrelated")
    (source / "unrelated.py").write_text("import numpy\nimport clampsweep.bottom\n")
    changed = fresh_digest("unrelated")
    add_comment(source / "bottom.py")
    assert len({before, changed, fresh_digest("unrelated")}) == 3


def test_code_digest_of_a_submodule_sees_its_packages_init(source):
    # Python runs study/__init__.py before study/part.py, so its code belongs to the closure.
    before = fresh_digest("study.part")
    add_comment(source / "study/__init__.py")
    assert fresh_digest("study.part") != before


def test_code_digest_of_a_module_that_does_not_exist_is_refused(source):
    # A typing error in a rule would otherwise give a constant digest, and a rule that never reruns.
    with pytest.raises(Exception, match="no_such_module"):
        fresh_digest("no_such_module")


def test_code_digest_is_the_same_for_any_order_of_modules(source):
    assert fresh_digest("top", "unrelated") == fresh_digest("unrelated", "top")
    assert fresh_digest("top", "unrelated") != fresh_digest("top")


def test_code_digest_does_not_depend_on_where_the_package_lies(source, tmp_path, monkeypatch):
    before = fresh_digest("top")
    shutil.copytree(source, tmp_path / "elsewhere")
    monkeypatch.setattr(provenance, "_SOURCE", tmp_path / "elsewhere")
    assert fresh_digest("top") == before


def test_code_digest_of_a_copy_of_the_real_package_follows_an_imported_module(
    tmp_path, monkeypatch
):
    copy = tmp_path / "clampsweep"
    shutil.copytree(Path(provenance.__file__).parent, copy)
    monkeypatch.setattr(provenance, "_SOURCE", copy)
    try:
        before = fresh_digest("texts.promptset")
        add_comment(copy / "statistics.py")
        assert fresh_digest("texts.promptset") == before
        add_comment(copy / "errors.py")
        assert fresh_digest("texts.promptset") != before
    finally:
        provenance.code_digest.cache_clear()


def test_a_scripts_digest_is_that_of_the_modules_it_imports_wherever_it_does(source, tmp_path):
    script = tmp_path / "job.py"
    script.write_text(
        "import json\nfrom clampsweep.unrelated import a\n"
        "with open('x'):\n    from clampsweep import top\n"
    )
    assert provenance.script_digest(script) == fresh_digest("top", "unrelated")


def test_code_digest_is_16_hex_digits():
    digest = provenance.code_digest("tables")
    assert len(digest) == 16
    assert int(digest, 16) >= 0


def test_record_keeps_the_facts_and_adds_library_versions():
    found = provenance.record(model_digest="abc", seed=7)
    assert (found["model_digest"], found["seed"]) == ("abc", 7)
    assert found["libraries"]["torch"] == metadata.version("torch")
    assert found["libraries"]["pyarrow"] == metadata.version("pyarrow")
    assert found["libraries"].keys() >= {"transformers", "transformer-lens", "numpy", "pandas"}


def test_a_record_survives_the_parquet_footer(tmp_path):
    rows = factories.frame([factories.prompt("Hello.", "a")], PROMPTS)
    record = provenance.record(prompts="abc", decoding={"max_new_tokens": 50})
    tables.write(rows, tmp_path / "p.parquet", PROMPTS, record)
    footer = tables.footer(tmp_path / "p.parquet")
    assert footer == {**record, "schema": "prompts", "schema_version": tables.SCHEMA_VERSION}
