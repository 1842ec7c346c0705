"""Fixtures of the explorer's end-to-end tests: the real page, served in a project, and a browser.

Everything runs on tiny models, or on the repository's own model where CLAMPSWEEP_TEST_MODEL names
it (make test-explorer). The oracles share nothing with the explorer: the plain decoder of
`reference`, and forward passes of Hugging Face's own class.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import chromium

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("gradio", reason="gradio is not installed")

from harness import CONFIG, REPO, Project  # noqa: E402

from factories import baseline, generation  # noqa: E402
from patience import PATIENCE, wait_for  # noqa: E402
from reference import Clamp, Text, decode_alone, draw, noise  # noqa: E402
from standing import n_hooks  # noqa: E402
from sweep_tables import BROKEN, FINE, make, write  # noqa: E402
from tiny import CHAT, D_MODEL, PROMPTS, RAGGED_PROMPTS, make_tiny  # noqa: E402

REAL = os.environ.get("CLAMPSWEEP_TEST_MODEL")
MILLISECONDS = PATIENCE * 1000  # as playwright counts
api.expect.set_options(timeout=MILLISECONDS)
SENTENCES = ("The cat ran", "Glass is an", "On the hill", "She said no", "Red or green")


@dataclass
class Site:
    """The page as it is served, and what tests compare it with."""

    desk: Any
    address: str
    project: Project
    name: str
    prompts: tuple[str, ...]
    _plain: list[Any] = field(default_factory=list)
    _long: dict[int, str] = field(default_factory=dict)
    _strong: dict[tuple[str, int], tuple[int, int, str, float]] = field(default_factory=dict)

    @property
    def real(self) -> bool:
        """Whether this is the repository's own model and not a tiny one."""
        return REAL is not None

    @property
    def spec(self) -> Any:
        """Config entry of the first model."""
        return self.desk.spec(self.name)

    @property
    def model(self) -> Any:
        """The first model as the explorer has it."""
        return self.desk.shelf.get(self.name)

    @property
    def hugging_face(self) -> Any:
        """The first model's weights in Hugging Face's own class."""
        from transformers import AutoModelForCausalLM

        if not self._plain:
            folder = self.model.manifest["source"] if not self.real else self.desk.shelf.folder
            folder = Path(folder) / self.name if self.real else folder
            found = AutoModelForCausalLM.from_pretrained(folder, dtype=self.model.dtype)
            self._plain.append(found.eval())
        return self._plain[0]

    def reference(
        self,
        prompt: str,
        clamps: Sequence[tuple[Any, ...]] = (),
        scope: str = "all",
        n: int = 12,
        model: Any = None,
        **more: Any,
    ) -> Text:
        """What the plain decoder says; a clamp is layer, neuron, operation and value."""
        from clampsweep.names import Neuron

        model = model or self.model
        own = [
            Clamp(Neuron(layer, neuron), operation, *value)
            for layer, neuron, operation, *value in clamps
        ]
        return decode_alone(model, model.encode(prompt), own, scope, n, **more)

    def sampled(
        self, prompt: str, decoding: Any, seed: int, clamps: Sequence[tuple[Any, ...]] = (),
        scope: str = "all",
    ) -> Text:  # fmt: skip
        """What the plain decoder says where tokens are drawn."""
        digest = hashlib.sha256(prompt.encode()).hexdigest()
        stream = seed, *(int(digest[at : at + 8], 16) for at in range(0, 64, 8))

        def pick(logits: Any, step: int) -> int:
            return draw(logits, noise(stream, step, len(logits)), decoding)

        return self.reference(prompt, clamps, scope, decoding.max_new_tokens, pick=pick)

    def words(self, text: Text) -> str:
        """A text as it is read."""
        return str(self.model.decode(text.token_ids))

    def long_prompt(self, n: int = 12) -> str:
        """A prompt whose text does not end before n tokens."""
        if n not in self._long:
            found = (p for p in self.prompts if len(self.reference(p, n=n).token_ids) == n)
            self._long[n] = next(found)
        return self._long[n]

    def strong_clamp(self, prompt: str, n: int = 12) -> tuple[int, int, str, float]:
        """A clamp that changes the prompt's text, of `n` tokens, but not its first token."""
        if (prompt, n) not in self._strong:
            self._strong[prompt, n] = self._strong_clamp(prompt, n)
        return self._strong[prompt, n]

    def _strong_clamp(self, prompt: str, n: int) -> tuple[int, int, str, float]:
        plain = self.reference(prompt, n=n).token_ids
        size = 25.5 if not self.real else 100.5
        for layer in reversed(range(self.spec.n_layers)):
            for neuron in range(0, self.spec.d_mlp, 3):
                for value in (size, -size):
                    said = self.reference(prompt, [(layer, neuron, "set", value)], n=n).token_ids
                    if said != plain and len(said) == n and said[0] == plain[0]:
                        return layer, neuron, "set", value
        raise AssertionError("no clamp changes the text")

    def n_hooks(self, models: Sequence[Any] = ()) -> int:
        """Hooks that stand on some models, or on all that are loaded."""
        return sum(map(_n_hooks, models or self.loaded()))

    def loaded(self) -> list[Any]:
        """The models that are loaded."""
        return list(self.desk.shelf._models.values())

    def slowed(self, seconds: float = 0.1) -> AbstractContextManager[None]:
        """The real model, a little slower at every pass."""
        return self._before_each_pass(lambda: time.sleep(seconds))

    @contextmanager
    def held(self, after: int = 12) -> Iterator[None]:
        """The real model, slower, and after some passes at rest until a job is told to stop.

        So a test finds a run at work, however slow the browser is. It goes on when the block ends.
        """
        from clampsweep.explorer.jobs import Job

        passes, freed, stop = itertools.count(1), threading.Event(), Job.stop

        def stop_and_free(job: Job[Any]) -> None:
            stop(job)
            freed.set()

        def rest() -> None:
            time.sleep(0.05)
            if next(passes) > after:
                freed.wait(PATIENCE)

        with pytest.MonkeyPatch.context() as patch, self._before_each_pass(rest):
            patch.setattr(Job, "stop", stop_and_free)
            try:
                yield
            finally:
                freed.set()

    @contextmanager
    def _before_each_pass(self, do: Callable[[], object]) -> Iterator[None]:
        handles = [
            part.register_forward_pre_hook(lambda *_: do())
            for one in self.loaded()
            for part in (one.plain, *(engine.body for engine in _engine(one)))
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _engine(model: Any) -> list[Any]:
    """The decoder's engine of a model, which has modules of its own, if there is one."""
    from clampsweep.decoder import decode

    found = decode._ENGINES.get(model.plain)
    return [found] if hasattr(found, "body") else []


def _n_hooks(model: Any) -> int:
    return sum(map(n_hooks, [model.plain, *(engine.plain for engine in _engine(model))]))


def _tiny_project(folder: Path) -> Project:
    """A project with a tiny Llama that takes chats, the first model, and a GPT-2 that does not."""
    project = Project.make(folder)
    (folder / "tiny/chat_template.jinja").unlink()
    make_tiny(folder / "llama", "llama", chat_template=CHAT)
    about = CONFIG["models"]["tiny"]
    project.config["models"] = {
        "tiny-llama": {**about, "path": "llama"},
        "tiny-gpt2": {**about, "path": "tiny"},
    }
    project.sweep.update(model="tiny-llama", neurons=["L1N3"], values=[-5, 0, 5])
    project.config["promptsets"]["more"] = {"path": "promptsets/more.jsonl", "format": "jsonl"}
    lines = [f'{{"prompt_id": "more-{at}", "text": "{t}"}}' for at, t in enumerate(RAGGED_PROMPTS)]
    (folder / "promptsets/more.jsonl").write_text("\n".join(lines) + "\n")
    save_file({"calm": direction(0), "joy": direction(1)}, folder / "d.safetensors")
    steered = {name: one for name, one in project.sweep.items() if name != "neurons"}
    along = {"file": "d.safetensors", "names": ["joy"], "layers": [2]}
    project.config["sweeps"]["steered"] = {**steered, "operation": "steer", "directions": along}
    return project.write()


def direction(number: int, width: int = D_MODEL) -> np.ndarray:
    """A direction that changes texts [width]."""
    return np.random.default_rng(number).normal(size=width)


def _real_project(folder: Path) -> Project:
    """A project with the repository's own config and promptsets, and its fetched model."""
    project = Project.make(folder)
    for name in ("config", "promptsets"):
        shutil.copytree(REPO / name, folder / name, dirs_exist_ok=True)
    (REPO / "resources/models").mkdir(parents=True, exist_ok=True)
    (folder / "resources").symlink_to(REPO / "resources")
    return project


def _write_results(folder: Path) -> None:
    """What the workflow wrote of an earlier sweep: clamps of a neuron, and of two together."""
    rows = [baseline("a", BROKEN), generation("a", FINE, -5.25), generation("a", BROKEN, 10.5)]
    rows += [generation("a", FINE, 2.5, target="L0N1+L2N4", operation="add")]
    write(make(rows), folder)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The explorer as it is started, in a project of its own; the first model is loaded."""
    from clampsweep.explorer.app import page, serve
    from clampsweep.explorer.desk import Desk, read_config

    folder = tmp_path_factory.mktemp("site") / "project"
    project = _real_project(folder) if REAL else _tiny_project(folder)
    _write_results(folder / "results/earlier")
    before = Path.cwd()
    os.chdir(folder)
    try:
        desk = Desk(read_config(["config/config.yaml"]), Path.cwd())
        name = REAL or desk.models[0]
        assert desk.models[0] == name
        desk.shelf.get(name)
        blocks = page(desk, Path("results"))
        address = serve(blocks, "127.0.0.1", None, False)
        yield Site(desk, address, project, name, SENTENCES if REAL else PROMPTS)
        blocks.close()
    finally:
        os.chdir(before)


browser = chromium.browser


class Visitor:
    """A browser tab at the page, and what somebody does there."""

    def __init__(self, page: Any, address: str):
        self.page, self.address = page, address
        self.requests: list[str] = []
        self.faults: list[str] = []
        page.set_default_timeout(MILLISECONDS)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def check(self) -> None:
        """No script failed, and nothing came from another machine."""
        assert self.faults == []
        assert [url for url in self.requests if not _is_local(url)] == []

    def open(self) -> Visitor:
        """Go to the page, and wait until it can be used."""
        self.page.goto(self.address)
        self.expect("#try-prompt textarea").to_be_visible()
        self.expect("#clamps-add").to_be_visible()
        return self

    def find(self, selector: str) -> Any:
        """What a selector finds."""
        return self.page.locator(selector)

    def expect(self, selector: str) -> Any:
        """Playwright's assertions on what a selector finds, with this suite's patience."""
        return api.expect(self.find(selector))

    def click(self, selector: str) -> None:
        """Click."""
        self.find(selector).click()

    # The form

    def fill(self, name: str, value: object) -> None:
        """Write into a text or number field, by the id of its component."""
        self.find(f"#{name} textarea, #{name} input").first.fill(
            "" if value is None else f"{value}"
        )

    def held(self, name: str) -> str:
        """What a field holds."""
        return str(self.find(f"#{name} textarea, #{name} input").first.input_value())

    def choose(self, name: str, option: str) -> None:
        """Choose from a list."""
        self.find(f"#{name} input").click()
        self.find(f"#{name}").get_by_role("option", name=option, exact=True).click()

    def tick(self, name: str, on: bool) -> None:
        """Switch a box."""
        self.find(f"#{name} input").set_checked(on)

    def upload(self, name: str, file: Path) -> None:
        """Press a button that uploads, and choose a file."""
        with self.page.expect_file_chooser() as waiting:
            self.click(f"#{name}")
        waiting.value.set_files(file)

    def radio(self, name: str, label: str) -> None:
        """Choose one of several."""
        self.find(f"#{name}").get_by_label(label, exact=True).check()

    @property
    def n_rows(self) -> int:
        """Number of rows of clamps."""
        return int(self.find("#clamps .cs-clamp").count())

    def wait_rows(self, n: int) -> None:
        """Wait for so many rows."""
        self.expect("#clamps .cs-clamp").to_have_count(n)

    def row(self, number: int) -> tuple[bool, str, str, str, str]:
        """What a row holds: on, layer, neuron, operation, value."""
        held = [self.held(f"clamp-{number}-{what}") for what in ("layer", "neuron")]
        operation = self.held(f"clamp-{number}-operation")
        on = bool(self.find(f"#clamp-{number}-on input").is_checked())
        return on, *held, operation, self.held(f"clamp-{number}-value")  # type: ignore[return-value]

    def rows(self) -> list[tuple[bool, str, str, str, str]]:
        """What all rows hold."""
        return [self.row(number) for number in range(1, self.n_rows + 1)]

    def clamp(self, number: int, layer: Any, neuron: Any, operation: str = "set", value: Any = None,
              on: bool = True) -> None:  # fmt: skip
        """Fill a row."""
        self.fill(f"clamp-{number}-layer", layer)
        self.fill(f"clamp-{number}-neuron", neuron)
        if self.held(f"clamp-{number}-operation") != operation:
            self.choose(f"clamp-{number}-operation", operation)
        self.fill(f"clamp-{number}-value", value)
        if self.find(f"#clamp-{number}-on input").is_checked() != on:
            self.tick(f"clamp-{number}-on", on)

    def clamps(self, *clamps: tuple[Any, ...]) -> None:
        """Fill the rows with these clamps and no other."""
        had = self.n_rows
        if had > len(clamps):
            self.click("#clamps-clear")
            self.wait_rows(0)
            had = 0
        for number in range(had + 1, len(clamps) + 1):
            self.click("#clamps-add")
            self.wait_rows(number)
        for number, clamp in enumerate(clamps, 1):
            self.clamp(number, *clamp)

    def ask(self, prompt: str, *clamps: tuple[Any, ...], tokens: int = 12) -> None:
        """Fill prompt, rows and number of tokens."""
        self.fill("try-prompt", prompt)
        self.clamps(*clamps)
        self.fill("try-tokens", tokens)

    def fresh(self) -> Visitor:
        """The form of a tab that several tests use, as a new one's: greedy, all positions."""
        self.page.get_by_role("tab", name="Try").click()
        if "Running" in self.said():
            self.click("#try-stop")
            self.expect("#try-said").not_to_contain_text("Running")
        self.radio("try-method", "greedy")
        if self.find("#try-steer-on").count():  # else it is folded away, and off
            self.tick("try-steer-on", on=False)
        self.radio("try-format", "it stands (raw)")
        self.fill("try-stop-strings", "")
        if self.held("try-scope") != "all":
            self.choose("try-scope", "all")
        return self

    def open_sweep(self) -> None:
        """Go to the Sweep tab, and wait until it has taken from Try."""
        way = self.page.get_by_role("tab", name="Sweep here")
        if way.get_attribute("aria-selected") == "true":
            return
        with self.page.expect_response(lambda one: "/gradio_api/" in one.url):
            way.click()
        self.expect("#sweep-taken .cs-message").to_be_visible()

    # What is said

    def said(self, tab: str = "try") -> str:
        """The line that says how the work is."""
        return str(self.find(f"#{tab}-said .cs-message").inner_text())

    def number(self) -> int:
        """Number of the newest run in the history; 0 if there is none."""
        runs = self.find("#try-history tbody th").all_inner_texts()
        return max(map(int, runs), default=0)

    def start(self, tab: str = "try") -> None:
        """Press Run and wait until the work has begun."""
        self.click(f"#{tab}-run")
        self.expect(f"#{tab}-said").to_contain_text(re.compile("Running"))

    def run(self, word: str = "Done", press: Callable[[], object] | None = None) -> str:
        """Press Run, or what is given; wait for the end and return the line that says so."""
        before = self.number()
        (press or (lambda: self.click("#try-run")))()
        self.page.wait_for_function(
            """([word, before]) => {
              const said = document.querySelector('#try-said').textContent;
              const number = Number((said.match(word + ': run ([0-9]+)[.]') || [])[1]);
              const newest = document.querySelector('#try-history tbody th')?.textContent;
              return number > before && Number(newest) === number;
            }""",
            arg=[word, before],
        )
        return self.said()

    def refused(self, words: str, tab: str = "try") -> str:
        """Press Run; wait for an alert with these words, and return all of it."""
        self.click(f"#{tab}-run")
        self.expect(f"#{tab}-said [role=alert]").to_contain_text(words)
        return self.said(tab)

    def sweep(self) -> str:
        """Press Sweep; wait for the end and return the line that says so."""
        self.find("#sweep-said .cs-message").evaluate("line => line.classList.add('old')")
        self.click("#sweep-run")
        self.expect("#sweep-said .cs-message:not(.old)").to_contain_text("Done:")
        return self.said("sweep")

    def text(self, title: str, where: str = "#try-texts") -> str:
        """The text under a title, as it is read."""
        return "".join(text for text, _, _ in self.parts(title, where))

    def parts(self, title: str, where: str = "#try-texts") -> list[tuple[str, bool, str]]:
        """The pieces of a text: what it says, whether it is highlighted, what a pointer shows."""
        column = self.find(f"{where} section[aria-label='{title}'] .cs-text")
        found = column.evaluate(
            "node => [...node.children].filter(one => !one.matches('.cs-first, .cs-quiet'))"
            ".map(one => [one.textContent, one.tagName === 'MARK', one.title])"
        )
        return [(text, marked, title) for text, marked, title in found]

    def before_first(self, title: str, where: str = "#try-texts") -> str | None:
        """The text before the mark of the first difference; None if there is no mark."""
        column = self.find(f"{where} section[aria-label='{title}'] .cs-text")
        found: str | None = column.evaluate(
            """node => {
              const all = [...node.children];
              const at = all.findIndex(one => one.matches('.cs-first'));
              return at < 0 ? null : all.slice(0, at).map(one => one.textContent).join('');
            }"""
        )
        return found

    def table(self, where: str) -> dict[str, list[str]]:
        """Rows of a table of measures, by their name."""
        rows = self.find(f"{where} .cs-table tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
        )
        return {row[0]: row[1:] for row in rows}


@pytest.fixture
def visit(browser: Any, site: Site) -> Iterator[Callable[..., Visitor]]:
    """Function that opens the page in a browser tab; each is a stranger to the others.

    In the end nothing was executed, nothing came from elsewhere, and no hook is left.
    """
    models = site.loaded()
    before, visitors, contexts = site.n_hooks(models), [], []

    def open_tab(width: int = 1280, height: int = 900) -> Visitor:
        context = browser.new_context(
            accept_downloads=True, viewport={"width": width, "height": height}
        )
        contexts.append(context)
        visitor = Visitor(context.new_page(), site.address)
        visitors.append(visitor)
        return visitor.open()

    yield open_tab
    hacked = [one.page.evaluate("window.hacked") for one in visitors if not one.page.is_closed()]
    for context in contexts:
        with suppress(api.Error):
            context.close()
    assert not any(hacked)
    for visitor in visitors:
        visitor.check()
    wait_for(lambda: site.n_hooks(models) == before, "hooks are left on the model")


@pytest.fixture(scope="module")
def kept(browser: Any, site: Site) -> Iterator[Visitor]:
    """A tab that stays open for a whole module."""
    context = browser.new_context(accept_downloads=True, viewport={"width": 1280, "height": 900})
    yield Visitor(context.new_page(), site.address).open()
    context.close()


@pytest.fixture
def shared(kept: Visitor, site: Site) -> Iterator[Visitor]:
    """A tab that several tests use one after another, for speed; checked as those of `visit`."""
    models = site.loaded()
    before = site.n_hooks(models)
    yield kept.fresh()
    assert not kept.page.evaluate("window.hacked")
    kept.check()
    assert site.n_hooks(models) == before


def _is_local(url: str) -> bool:
    return re.match(r"http://127\.0\.0\.1[:/]|data:|blob:", url) is not None


@pytest.fixture
def tab(visit: Callable[..., Visitor]) -> Visitor:
    """One browser tab at the page."""
    return visit()


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """Function that waits for a condition."""
    return wait_for
