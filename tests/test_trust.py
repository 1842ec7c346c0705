"""What is not ours is data: files of models, configs, prompts and texts run nothing.

What comes over the network is in models/test_fetching.py and test_wheels.py; whole sweeps of
hostile texts are in workflow/test_hostile_texts.py.
"""

from __future__ import annotations

import ast
import csv
import json
import pickle
import runpy
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from clampsweep import markdown, strict_yaml
from clampsweep.errors import UserError
from clampsweep.models.fetching import fetch
from clampsweep.models.loading import load
from clampsweep.models.spec import ModelSpec
from clampsweep.strict_yaml import read_yaml
from clampsweep.texts import promptset
from tiny import make_tiny

ROOT = Path(__file__).parents[1]
PYTHON = sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("workflow/scripts/*.py")])
RULES = [ROOT / "Snakefile", *sorted(ROOT.glob("workflow/rules/*.smk"))]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in PYTHON}

# ---- Models

CODE = """
from pathlib import Path
Path({marker!r}).write_text("run")
class EvilConfig: pass
class EvilModel: pass
class EvilTokenizer: pass
"""


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.marker, "run")


class Trap:
    """A tiny model's folder, with a marker that any code of it would write."""

    def __init__(self, folder: Path):
        self.source, self.marker, self.made = folder / "source", folder / "marker", folder / "model"
        self.spec: ModelSpec = make_tiny(self.source, "gpt2")

    def pickle(self, name: str) -> None:
        """Put a pickle that writes the marker in a file's place."""
        (self.source / name).write_bytes(pickle.dumps({"weight": Payload(self.marker)}))

    def edit(self, name: str, **changes: Any) -> None:
        """Change a JSON file of the model."""
        path = self.source / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    def add_code(self) -> None:
        """Modelling code that the model's files name, and pickles beside."""
        for name in ("pytorch_model.bin", "model.pt", "model-00001-of-00001.bin", "vocab.pkl"):
            self.pickle(name)
        for part in ("modeling", "configuration", "tokenization", "__init__"):
            name = "__init__.py" if part == "__init__" else f"{part}_evil.py"
            (self.source / name).write_text(CODE.format(marker=str(self.marker)))
        auto = {"AutoConfig": "configuration_evil.EvilConfig"}
        self.edit(
            "config.json", auto_map={**auto, "AutoModelForCausalLM": "modeling_evil.EvilModel"}
        )
        code = ["tokenization_evil.EvilTokenizer"] * 2
        self.edit("tokenizer_config.json", auto_map={"AutoTokenizer": code})
        template = "{{ cycler.__init__.__globals__.os.system('touch " + str(self.marker) + "') }}"
        (self.source / "chat_template.jinja").write_text(template)

    def load(self) -> Any:
        """The model, fetched and loaded."""
        fetch(self.spec, self.made)
        return load(self.made, self.spec, threads=1, device="cpu")


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path)


def test_the_trap_works_where_its_files_are_unpickled_or_run(trap: Trap) -> None:
    trap.add_code()
    pickle.loads((trap.source / "pytorch_model.bin").read_bytes())
    assert trap.marker.exists()
    trap.marker.unlink()
    runpy.run_path(str(trap.source / "modeling_evil.py"))
    assert trap.marker.exists()


def test_a_model_with_code_and_pickles_beside_loads_as_if_they_were_not_there(trap: Trap) -> None:
    trap.add_code()
    model = trap.load()
    assert model.decode(model.encode("the cat")) == "the cat"
    assert not trap.marker.exists()
    assert {path.suffix for path in trap.made.iterdir()} <= {
        ".json",
        ".safetensors",
        ".jinja",
        ".sha256",
    }


def _of_unknown_type(trap: Trap) -> None:
    trap.add_code()
    trap.edit("config.json", model_type="evil", architectures=["EvilModel"])


def _pickled(trap: Trap) -> None:
    trap.add_code()
    (trap.source / "model.safetensors").unlink()


def _misnamed(trap: Trap) -> None:
    trap.pickle("model.safetensors")


def _sharded(trap: Trap, weights: str) -> None:
    """Name other weights in the index of a model of several files."""
    trap.add_code()
    part = trap.source / "model-00001-of-00001.safetensors"
    (trap.source / "model.safetensors").rename(part)
    index = {"metadata": {}, "weight_map": {"transformer.wte.weight": weights}}
    (trap.source / "model.safetensors.index.json").write_text(json.dumps(index))


def _index_of_a_pickle_elsewhere(trap: Trap) -> None:
    _sharded(trap, str(trap.source / "pytorch_model.bin"))


def _index_of_a_pickle_beside(trap: Trap) -> None:
    _sharded(trap, "model-00001-of-00001.bin")


def _index_that_is_none(trap: Trap) -> None:
    _sharded(trap, "model-00001-of-00001.safetensors")
    (trap.source / "model.safetensors.index.json").write_text('{"weight_map": [["x"]]}')


def _kernel(trap: Trap) -> None:
    trap.edit("config.json", attn_implementation="evil/attention")


def _image_model(trap: Trap) -> None:
    trap.add_code()
    trap.edit("config.json", model_type="clip", architectures=["GPT2LMHeadModel"])


def _quantised(trap: Trap) -> None:
    trap.edit("config.json", quantization_config={"quant_method": "torchao", "quant_type": "int4"})


REFUSED: dict[str, tuple[Callable[[Trap], None], str]] = {
    "a type that only its code knows": (_of_unknown_type, "cannot read"),
    "pickled weights only": (_pickled, "safetensors; other weight formats are not read"),
    "a pickle named safetensors": (_misnamed, "not a whole safetensors file"),
    "an index of a pickle elsewhere": (_index_of_a_pickle_elsewhere, "/pytorch_model.bin', which"),
    "an index of a pickle beside": (_index_of_a_pickle_beside, "'model-00001-of-00001.bin', which"),
    "an index that is none": (_index_that_is_none, "index.json is damaged"),
    "attention code from the hub": (_kernel, "'evil/attention', code on a hub"),
    "another kind of model": (_image_model, "'clip' is no language model"),
    "weights that need another library": (_quantised, "torchao"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_needs_code_or_pickles_is_one_line_and_runs_nothing(
    trap: Trap, name: str
) -> None:
    spoil, said = REFUSED[name]
    spoil(trap)
    with pytest.raises(UserError) as caught:
        trap.load()
    assert said in str(caught.value)
    assert not trap.marker.exists()


def test_a_file_that_the_manifest_does_not_name_is_refused(trap: Trap) -> None:
    fetch(trap.spec, trap.made)
    (trap.made / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"adapter_config\.json: not in model\.json.*delete it"):
        load(trap.made, trap.spec, threads=1, device="cpu")


# ---- What the code never does


def _calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call in library and scripts: where it stands, the name called, the call."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                yield where, ast.unparse(node.func), node


def _keyword(call: ast.Call, name: str) -> str | None:
    return next((ast.unparse(one.value) for one in call.keywords if one.arg == name), None)


def test_every_loading_of_a_model_or_tokenizer_says_that_its_code_is_not_trusted() -> None:
    loading = [
        (where, call)
        for where, name, call in _calls()
        if name.endswith((".from_pretrained", ".boot_transformers", ".from_config"))
    ]
    assert len(loading) > 5
    assert [
        where for where, call in loading if _keyword(call, "trust_remote_code") != "False"
    ] == []


def test_nothing_is_unpickled_evaluated_or_given_to_a_shell() -> None:
    banned = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load",
              "yaml.unsafe_load", "yaml.full_load", "joblib.load", "pd.read_pickle"}  # fmt: skip
    # With weights_only, torch's own reader makes tensors and plain containers and calls no more.
    found = [
        f"{where} {name}" for where, name, call in _calls()
        if name in banned and (name, _keyword(call, "weights_only")) != ("torch.load", "True")
    ]  # fmt: skip
    found += [
        where for where, _, call in _calls() if _keyword(call, "shell") not in (None, "False")
    ]
    found += [
        where for where, name, call in _calls()
        if name.endswith((".load", ".save", ".savez")) and name.startswith("np.")
        and _keyword(call, "allow_pickle") != "False"
    ]  # fmt: skip
    assert found == []


def test_nothing_imports_a_pickling_module() -> None:
    modules = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not modules & {name.split(".")[0] for name in names}, path


def test_yaml_is_read_by_a_loader_that_makes_plain_values_only() -> None:
    loads = [ast.unparse(call) for _, name, call in _calls() if name.startswith("yaml.load")]
    assert loads == ["yaml.load(text, _StrictLoader)"]
    assert issubclass(strict_yaml._StrictLoader, yaml.SafeLoader)


def test_no_rule_has_a_shell_command_or_code_of_its_own() -> None:
    for path in RULES:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        assert not [line for line in lines if line.startswith(("shell:", "run:", "shell("))], path


def test_a_config_cannot_name_an_object_to_be_made(tmp_path: Path) -> None:
    path, marker = tmp_path / "config.yaml", tmp_path / "marker"
    path.write_text(f"run: !!python/object/apply:os.system ['touch {marker}']\n")
    with pytest.raises(UserError, match=r"config\.yaml, line 1, column 6: not valid YAML"):
        read_yaml(path)
    assert not marker.exists()


# ---- Messages

TERMINAL = "\x1b]0;owned\x07\x1b[31m\u202etxt.exe\r\n\u2028\x9b1m\ud800"


def test_a_message_is_one_line_of_printing_characters_whatever_it_quotes() -> None:
    message = str(UserError(f"prompts.csv: {TERMINAL} caf\u00e9"))
    assert message.isprintable()
    assert message.startswith("prompts.csv: \\x1b]0;owned\\x07\\x1b[31m\\u202etxt.exe\\r\\n")
    assert message.endswith("\\u2028\\x9b1m\\ud800 caf\u00e9")


def test_a_message_that_quotes_a_book_keeps_its_ends() -> None:
    message = str(UserError(f"prompts.csv: {'long ' * 20_000}; shorten it"))
    assert len(message) < 2100
    assert message.startswith("prompts.csv: long ") and message.endswith(" ; shorten it")


# ---- Names

UNFIT = ["\x00", "\x1b[31m", "\n", "\t", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\ufffe"]


@pytest.mark.parametrize("column", ["prompt_id", "core", "type"])
@pytest.mark.parametrize("char", UNFIT, ids=ascii)
def test_a_name_that_does_not_print_is_refused_with_its_line(
    tmp_path: Path, column: str, char: str
) -> None:
    path = tmp_path / "prompts.jsonl"
    rows = [{"text": "a"}, {"text": "b", column: f"x{char}y"}]
    path.write_text("".join(f"{json.dumps({'prompt_id': 'n', **row})}\n" for row in rows))
    with pytest.raises(UserError) as caught:
        promptset.read(path, "jsonl")
    message = str(caught.value)
    assert message.startswith(f"{path}, line 2: {column} 'x\\") and message.isprintable()
    assert "holds a control character" in message


def test_names_in_any_script_and_emoji_are_plain(tmp_path: Path) -> None:
    names = [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f469\u200d\U0001f467",
        "cafe\u0301",
        "a\u00a0b",
    ]
    path = tmp_path / "prompts.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [["prompt_id", "text", "core"], *([one, "t", one] for one in names)]
        )
    assert promptset.read(path, "csv")["core"].tolist() == names


# ---- Markdown and HTML

SIGNS = st.text(
    st.sampled_from("ab <>&'\"`~|[]()!*_#-+=.:/\\\n\r\t$%{}\x00\x1b\x85\u2028\u202e\ufffe1"),
    max_size=40,
)
ACTIVE = ("html", "link", "image", "s_open", "list", "heading", "hr", "quote", "table")


def _active(text: str) -> list[str]:
    """What Markdown makes of a text besides paragraphs, code, breaks and emphasis."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = [part for one in parser.parse(text) for part in (one, *(one.children or []))]
    return [token.type for token in tokens if any(word in token.type for word in ACTIVE)]


@settings(max_examples=300)
@given(SIGNS)
def test_no_text_in_a_fence_a_span_or_plain_words_is_markup(text: str) -> None:
    for block in (markdown.fenced(text), markdown.code(text), f"Named {markdown.plain(text)}."):
        assert _active(block) == []


@settings(max_examples=200)
@given(SIGNS)
def test_no_text_shows_less_or_more_than_what_is_in_it(text: str) -> None:
    for block in (markdown.fenced(text), markdown.code(text), markdown.plain(text)):
        assert all(char.isprintable() or char in "\n\t" for char in block)


class _Page(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, page: str):
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.add(f"comment {data}")


@settings(max_examples=200)
@given(st.text(st.sampled_from("<>/'\"&;-!=scriptmgon `|[]()~"), max_size=40))
def test_no_text_of_a_page_becomes_an_element_or_attribute(text: str) -> None:
    cells = markdown.table(["name", "n"], [[markdown.code(text), markdown.plain(text)]])
    page = _Page(markdown.page(markdown.join([markdown.fenced(text), cells]), title=text))
    ours = {"html", "meta", "title", "style", "body", "pre", "code", "p", "em"}
    assert page.tags <= ours | {"table", "thead", "tbody", "tr", "th", "td"}
    assert page.attributes <= {"lang", "charset", "class", "style"}


def test_a_fenced_text_stands_in_the_page_as_it_is() -> None:
    text = "</code></pre><script>alert(1)</script><!-- ``` \" ' & &lt; ~~~"
    page = _Page(markdown.page(markdown.fenced(text), title="</title><script>"))
    assert text in page.text and "script" not in page.tags
