"""A sweep of prompts and names that try to be markup, commands, formulas or terminal codes.

In the same run: characters of every kind, texts that end at once, a model that never says a word,
and a prompt of 100 kB.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from string import ascii_lowercase
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch
from harness import Project, Run
from markdown_it import MarkdownIt
from transformers import AutoModelForCausalLM

from clampsweep.studies.bcr import extracted
from clampsweep.texts import promptset
from tiny import EOS, make_tiny, random_model, tiny_tokenizer

MARKUP = (
    "<script>alert(1)</script>",
    "</td><img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "![x](http://evil.example/x)",
    "<http://evil.example>",
    "`a` | b || c ``` d",
    "~~~\n# head\n~~~",
    "| a | b |\n|---|---|\n| c | d |",
    "```\n<b>bold</b>\n```",
    "- list\n> quote\n\n    code",
    "&lt;b&gt; &#60;b&#62;",
    "--> <!-- ]]> <![CDATA[",
    "</text><script>x</script>",
    "</pre></code></style>",
    "$\\frac$ $x_{1}$",
)
COMMANDS = (
    "$(touch pwned)",
    "; touch pwned #",
    "`touch pwned`",
    "../../pwned",
    "{output} {wildcards.sweep} {{}} {",
    "{{ cycler }} {% raw %}",
    "%s %n %(x)s",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
)
UNICODE = (
    "a\x00b",
    "\x1b[31mred\x1b]0;t\x07",
    "a\u202eb",
    "\x9b1ma",
    "caf\u00e9",
    "cafe\u0301",
    "\u0634\u0644\u0648\u0645",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\U0001d518",
    "a\u2028b",
    "a\u2029b",
    "a\x85b",
    "a\x1cb",
    "\ufeffa",
    "\u00a0a\u00a0",
    "a\u200bb",
    "\ufffe",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "a\rb",
    " lead and trail ",
    "'",
    '"',
    'a,"b"',
    "NA",
    "null",
)
HOSTILE = (*MARKUP, *COMMANDS, *UNICODE)
KINDS = ("<b>t</b>", "$\\frac$", "a|b", "[x](y)", "_t")
VALUES = (-5.0, 5.0)
LONG = "x" * 100_000
PATH = "promptsets/$(touch pwned); & %s 'x'.jsonl"


def _name(number: int, text: str) -> str:
    """A prompt's name with the text in it, but for what a name may not hold."""
    return f"{number} {''.join(char for char in text if promptset._is_plain(char))}"


def _ends_at_once(folder: Path, prompts: list[str], value: float | None = None) -> set[str]:
    """Prompts whose first token is EOS: Hugging Face's own model, L1N3 set by a hook of our own."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
    by_length: dict[int, list[tuple[str, list[int]]]] = {}
    for prompt, ids in zip(prompts, tiny_tokenizer()(prompts).input_ids, strict=True):
        by_length.setdefault(len(ids), []).append((prompt, ids))
    found = set()

    def change(module: object, inputs: object, output: torch.Tensor) -> None:
        if value is not None:
            output[..., 3] = value

    hook = model.transformer.h[1].mlp.act.register_forward_hook(change)
    for group in by_length.values():
        with torch.inference_mode():
            logits = model(torch.tensor([ids for _, ids in group])).logits[:, -1]
        first = logits.argmax(dim=-1).tolist()
        found |= {prompt for (prompt, _), token in zip(group, first, strict=True) if token == EOS}
    hook.remove()
    return found


def _write(project: Project, name: str, texts: list[str]) -> None:
    rows = [
        {
            "prompt_id": _name(number, text),
            "text": text,
            "core": _name(number, text)[:20],
            "type": KINDS[number % len(KINDS)],
            "level": number % 3,
            "=factor <b>": text,
        }
        for number, text in enumerate(texts)
    ]
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (project.folder / name).write_text(lines, encoding="utf-8")


def _mute(folder: Path) -> None:
    """A model whose every text ends at once: the head reads EOS off a large bias."""
    model = random_model("gpt2")
    with torch.no_grad():
        model.transformer.ln_f.bias[0] = 50
        head = model.get_output_embeddings().weight
        head[EOS] = 0
        head[EOS, 0] = 10
    make_tiny(folder, "gpt2", model=model)


@pytest.fixture(scope="module")
def ending(untouched: Project) -> list[str]:
    """Prompts of three letters at which the tiny model ends at once: two by itself, two clamped."""
    words = ["".join(letters) for letters in product(ascii_lowercase, repeat=3)][::7]
    own = _ends_at_once(untouched.folder / "tiny", words)
    clamped = _ends_at_once(untouched.folder / "tiny", words, VALUES[0])
    return sorted(own)[:2] + sorted(clamped - own)[:2]


@pytest.fixture(scope="module")
def texts(ending: list[str]) -> list[str]:
    """The prompts of the sweep `s`."""
    return [*HOSTILE, *ending]


@pytest.fixture(scope="module")
def ran(
    untouched: Project, texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, Run]:
    """A project after a run of the three sweeps, of which `long` has the prompt of 100 kB."""
    project = untouched.copy(tmp_path_factory.mktemp("hostile") / "project")
    config, tiny = project.config, project.config["models"]["tiny"]
    _mute(project.folder / "mute")
    _write(project, PATH, texts)
    _write(project, "promptsets/long.jsonl", ["x", LONG])
    tiny["licence"] = "{output} $(touch pwned) <b>"
    config["models"]["mute"] = {**tiny, "path": "mute"}
    config["promptsets"]["hostile"] = {"path": PATH, "format": "jsonl"}
    config["promptsets"]["long"] = {"path": "promptsets/long.jsonl", "format": "jsonl"}
    sweep = {**project.sweep, "values": list(VALUES)}
    sweep["decoding"] = {**sweep["decoding"], "max_new_tokens": 4}
    srm = {"basis": ["L1N5", "L1N6"], "group_by": ["type", "level"], "thresholds": [0.3]}
    config["sweeps"] = {
        "s": {**sweep, "promptset": "hostile", "srm": srm},
        "mute": {**sweep, "model": "mute"},
        "long": {**sweep, "promptset": "long"},
    }
    config["run"] = list(config["sweeps"])
    return project, project.write().run("--keep-going")


@pytest.fixture(scope="module")
def project(ran: tuple[Project, Run]) -> Project:
    return ran[0]


# ---- The run


def test_a_prompt_far_over_the_context_is_one_line_and_the_other_sweeps_are_made(
    ran: tuple[Project, Run],
) -> None:
    project, run = ran
    assert run.code == 1
    (error,) = run.errors()
    assert "xxx'... has 100000 tokens; the model reads at most 63 and" in error
    assert len(error) < 300
    assert run.rules["reports"] == 2 and run.rules["figures"] == 2
    assert not (project.folder / "results/long/generations.parquet").exists()


def test_no_text_and_no_name_is_run_as_a_command_or_taken_for_a_path(project: Project) -> None:
    assert [path for path in project.folder.rglob("*") if path.name == "pwned"] == []
    assert not (project.folder.parent / "pwned").exists()
    assert not (project.folder / "promptsets/pwned").exists()


def test_what_the_run_says_and_logs_has_no_codes_that_steer_a_terminal(
    ran: tuple[Project, Run],
) -> None:
    project, run = ran
    logs = [path.read_text() for path in project.folder.glob("logs/**/*.log")]
    assert len(logs) > 20
    for said in (run.output, *logs):
        assert {char for char in said if not char.isprintable()} <= set("\n\r\t")


# ---- Texts in and out


def test_every_prompt_arrives_as_it_was_written(project: Project, texts: list[str]) -> None:
    prompts = project.table("prompts")
    assert prompts["text"].tolist() == texts
    assert prompts["prompt_id"].tolist() == [_name(*pair) for pair in enumerate(texts)]
    assert prompts["=factor <b>"].tolist() == texts
    assert prompts["type"].tolist() == [KINDS[at % len(KINDS)] for at in range(len(texts))]


@pytest.mark.parametrize("ending_with", ["", "\ufeff"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("separator", [",", "\t"], ids=["csv", "tsv"])
def test_csv_and_tsv_bring_the_same_texts(
    tmp_path: Path, texts: list[str], separator: str, ending_with: str
) -> None:
    path = tmp_path / "prompts"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(ending_with)
        writer = csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL)
        writer.writerows([["text"], *([text] for text in texts)])
    form = "csv" if separator == "," else "tsv"
    assert promptset.read(path, form)["text"].tolist() == texts


def test_generated_texts_are_those_of_their_tokens_also_where_these_are_no_utf8(
    project: Project,
) -> None:
    rows = project.table("generations")
    decode = tiny_tokenizer().decode
    assert rows["text"].tolist() == [decode(list(ids)) for ids in rows["token_ids"]]
    assert rows["text"].str.contains("\ufffd").any()


def _cells(project: Project, name: str, separator: str) -> list[dict[str, str]]:
    content = project.path(f"results/s/{name}").read_bytes().decode()
    reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    return list(reader)


@pytest.mark.parametrize(("name", "separator"), [("metrics.csv", ","), ("extracted.tsv", "\t")])
def test_the_exports_read_back_to_the_same_texts_by_other_readers(
    project: Project, texts: list[str], name: str, separator: str
) -> None:
    prompts = dict(zip(project.table("prompts")["prompt_id"], texts, strict=True))
    rows = project.table("generations")
    written = sorted(
        (prompts[one], text) for one, text in zip(rows["prompt_id"], rows["text"], strict=True)
    )
    cells = _cells(project, name, separator)
    assert sorted((row["prompt"], row["output"]) for row in cells) == written
    path = project.path(f"results/s/{name}")
    frame = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    assert frame.to_dict("records") == cells


def test_an_exported_sweep_comes_in_again_with_the_same_texts(project: Project) -> None:
    prompts, rows = extracted.read(project.path("results/s/extracted.tsv"), "L1N3")
    assert prompts["text"].tolist() == project.table("prompts")["text"].tolist()
    before = project.table("generations")
    assert sorted(rows["text"]) == sorted(before["text"])


def test_the_vectors_load_without_pickles_and_name_their_prompts(project: Project) -> None:
    with np.load(project.path("results/s/vectors.npz"), allow_pickle=False) as arrays:
        found = {str(name) for name in arrays["prompt_id"]}
        assert all(array.dtype != object for array in arrays.values())
    rows = project.table("vectors")
    assert found == set(rows.loc[rows["vector"].notna(), "prompt_id"])


# ---- What people look at


class _Elements(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self, page: str):
        super().__init__()
        self.found: set[tuple[str, tuple[str, ...]]] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add((tag, tuple(name for name, _ in attrs)))

    def handle_comment(self, data: str) -> None:
        self.found.add(("comment", (data,)))


def test_a_page_has_no_element_that_is_not_its_own(project: Project) -> None:
    plain = {"p", "strong", "em", "ul", "li", "h1", "h2", "h3", "code", "pre", "body", "title"}
    plain |= {"table", "thead", "tbody", "tr", "style"}
    mine = {*((tag, ()) for tag in plain), ("html", ("lang",)), ("meta", ("charset",))}
    mine |= {(tag, style) for tag in ("th", "td") for style in ((), ("style",))}
    mine |= {("code", ("class",))}
    for sweep in ("s", "mute"):
        page = project.path(f"results/{sweep}/summary.html").read_text(encoding="utf-8")
        assert _Elements(page).found - mine == set()


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Kind and content of every part of a Markdown document, HTML and all."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for token in parser.parse(text):
        for part in (token, *(token.children or [])):
            yield part.type, part.content


@pytest.mark.parametrize("name", ["summary.md", "improvement_report.md", "srm/srm.md"])
def test_a_report_has_no_link_image_or_html_of_a_prompt(project: Project, name: str) -> None:
    text = project.path(f"results/s/{name}").read_text(encoding="utf-8")
    kinds = {kind for kind, _ in _tokens(text)}
    assert "paragraph_open" in kinds
    assert not {kind for kind in kinds if kind.startswith(("html", "link", "image", "s_", "hr"))}
    assert {char for char in text if not char.isprintable()} <= {
        "\n",
        "\t",
        *"\ufeff\u00a0\u200b\u200d",
    }


def test_the_improvement_report_shows_every_collapsed_prompt_in_a_fence(
    project: Project, texts: list[str]
) -> None:
    text = project.path("results/s/improvement_report.md").read_text(encoding="utf-8")
    fences = {content.removesuffix("\n") for kind, content in _tokens(text) if kind == "fence"}
    rows = project.table("recovery")
    collapsed = set(rows.loc[rows["baseline_collapsed"], "prompt_id"])
    prompts = dict(zip(project.table("prompts")["prompt_id"], texts, strict=True))
    printing = {prompts[name] for name in collapsed if prompts[name].isprintable()}
    assert len(printing) > 20
    assert printing - fences == set()


def test_every_figure_is_whole_xml_of_shapes_alone(project: Project) -> None:
    figures = sorted(project.folder.glob("results/*/figures/*.svg"))
    assert len(figures) > 15
    for path in figures:
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()}
        assert not tags & {"script", "a", "foreignObject", "text", "b", "img"}, path


def test_the_legend_of_a_figure_names_every_kind_of_prompt_as_it_is(project: Project) -> None:
    figure = unescape(project.path("results/s/figures/srm_polar.svg").read_text(encoding="utf-8"))
    assert [kind for kind in KINDS if f"{kind} (" not in figure] == []


# ---- Texts that end at once


def test_a_text_that_ends_at_its_first_token_is_empty_and_says_so(
    project: Project, ending: list[str]
) -> None:
    assert len(ending) == 4
    rows, prompts = project.table("generations"), project.table("prompts")
    text_of = dict(zip(prompts["prompt_id"], prompts["text"], strict=True))
    empty = rows[rows["n_new_tokens"] == 0]
    assert set(empty["text"]) == {""} and set(empty["stop_reason"]) == {"eos"}
    for value in (None, *VALUES):
        own = (
            empty[empty["operation"] == "none"] if value is None else empty[empty["value"] == value]
        )
        ended = _ends_at_once(project.folder / "tiny", list(text_of.values()), value)
        assert {text_of[name] for name in own["prompt_id"]} == ended
    assert set(empty["operation"]) == {"none", "set"}


def test_an_empty_text_has_no_vector_no_metrics_and_counts_as_collapsed(project: Project) -> None:
    names = ["prompt_id", "key"]
    empty = project.table("generations").set_index(names)["n_new_tokens"].eq(0)
    vectors = project.table("vectors").set_index(names)["vector"].isna()
    assert vectors.sort_index().tolist() == empty.sort_index().tolist()
    metrics = project.table("text_metrics").set_index(names)["total_tokens"]
    assert metrics[empty[empty].index].isna().all()
    recovery = project.table("recovery")
    flags = recovery.set_index(names)["collapsed"]
    assert flags[flags.index.isin(empty[empty].index)].all()


def test_a_sweep_in_which_every_text_is_empty_is_made_and_says_so(project: Project) -> None:
    rows = project.table("generations", "mute")
    assert set(rows["text"]) == {""} and set(rows["stop_reason"]) == {"eos"}
    assert len(rows) == 4 * 3 and rows["first_divergence_step"].isna().all()
    rates = project.table("rates", "mute")
    assert (rates["n_collapsed_baseline"] == 4).all() and (rates["n_rescued"] == 0).all()
    summary = project.path("results/mute/summary.md").read_text(encoding="utf-8")
    assert "Blank texts: 4 of 4 baselines and 8 of 8 clamped texts." in summary
    with np.load(project.path("results/mute/vectors.npz"), allow_pickle=False) as arrays:
        assert {len(array) for array in arrays.values()} == {0}


def test_what_was_never_measured_is_null_and_not_a_number(project: Project) -> None:
    stats = project.table("neuron_stats", "mute")
    assert (stats["n_positions"] == 0).all()
    measured = ["mean", "sd", "min", "max", "share_positive", "mean_over_sd"]
    assert stats[measured].isna().all(axis=None)
    report = project.path("results/mute/neuron_report.md").read_text(encoding="utf-8")
    assert "Every baseline is empty, so there is nothing to rank." in report
