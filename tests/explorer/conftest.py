"""Fixtures of the explorer's end-to-end tests: the real page, served in a project, and a browser.

Everything runs on tiny models, or on the repository's own model where CLAMPSWEEP_TEST_MODEL names
it (make test-explorer). The oracles share nothing with the explorer: the plain decoder of
`reference`, and forward passes of Hugging Face's own class.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("gradio", reason="gradio is not installed")

from harness import CONFIG, REPO, Project  # noqa: E402

from reference import Clamp, Text, decode_alone  # noqa: E402
from tiny import PROMPTS, RAGGED_PROMPTS, make_tiny  # noqa: E402

REAL = os.environ.get("CLAMPSWEEP_TEST_MODEL")
SECOND = 1000  # milliseconds, of playwright's timeouts
PATIENCE = (300 if REAL else 20) * SECOND
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

    def long_prompt(self, n: int = 12) -> str:
        """A prompt whose text does not end before n tokens."""
        for prompt in self.prompts:
            if len(self.reference(prompt, n=n).token_ids) == n:
                return prompt
        raise AssertionError("all texts end too soon")

    def strong_clamp(self, prompt: str, n: int = 12) -> tuple[int, int, str, float]:
        """A clamp that changes the prompt's text, of `n` tokens, but not its first token."""
        plain = self.reference(prompt, n=n).token_ids
        size = 25.5 if not self.real else 100.5
        for layer in reversed(range(self.spec.n_layers)):
            for neuron in range(0, self.spec.d_mlp, 3):
                for value in (size, -size):
                    said = self.reference(prompt, [(layer, neuron, "set", value)], n=n).token_ids
                    if said != plain and len(said) == n and said[0] == plain[0]:
                        return layer, neuron, "set", value
        raise AssertionError("no clamp changes the text")

    def n_hooks(self) -> int:
        """Hooks that stand on the loaded models, of torch and of the bridge."""
        return sum(map(_n_hooks, self.loaded()))

    def loaded(self) -> list[Any]:
        """The models that are loaded."""
        return list(self.desk.shelf._models.values())

    @contextmanager
    def slowed(self, seconds: float = 0.1) -> Iterator[None]:
        """The real model, a little slower at every pass."""
        handles = [
            one.bridge.original_model.register_forward_pre_hook(lambda *_: time.sleep(seconds))
            for one in self.loaded()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _n_hooks(model: Any) -> int:
    modules = list(model.bridge.original_model.modules())
    own = sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in modules)
    return own + sum(len(hook.fwd_hooks) for hook in model.bridge.hook_dict.values())


def _tiny_project(folder: Path) -> Project:
    """A project with a tiny Llama, the first model, and a tiny GPT-2."""
    project = Project.make(folder)
    make_tiny(folder / "llama", "llama")
    about = CONFIG["models"]["tiny"]
    project.config["models"] = {
        "tiny-llama": {**about, "path": "llama"},
        "tiny-gpt2": {**about, "path": "tiny"},
    }
    project.sweep.update(model="tiny-llama", neurons=["L1N3"], values=[-5, 0, 5])
    project.config["promptsets"]["more"] = {"path": "promptsets/more.jsonl", "format": "jsonl"}
    lines = [f'{{"prompt_id": "more-{at}", "text": "{t}"}}' for at, t in enumerate(RAGGED_PROMPTS)]
    (folder / "promptsets/more.jsonl").write_text("\n".join(lines) + "\n")
    return project.write()


def _real_project(folder: Path) -> Project:
    """A project with the repository's own config and promptsets, and its fetched model."""
    project = Project.make(folder)
    for name in ("config", "promptsets"):
        for path in (REPO / name).iterdir():
            if path.is_file():
                shutil.copy2(path, folder / name / path.name)
    (REPO / "resources/models").mkdir(parents=True, exist_ok=True)
    (folder / "resources").symlink_to(REPO / "resources")
    return project


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The explorer as it is started, in a project of its own; the first model is loaded."""
    from clampsweep.explorer.app import page, serve
    from clampsweep.explorer.desk import Desk, read_config

    folder = tmp_path_factory.mktemp("site") / "project"
    project = _real_project(folder) if REAL else _tiny_project(folder)
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; without one, the tests are skipped."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or None
    with api.sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except api.Error as error:
            pytest.skip(f"no Chromium starts here: {str(error).splitlines()[0]}")
        yield found
        found.close()


class Visitor:
    """A browser tab at the page, and what somebody does there."""

    def __init__(self, page: Any, address: str):
        self.page, self.address = page, address
        self.requests: list[str] = []
        self.faults: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.faults.append(str(error)))

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
        self.page.get_by_role("option", name=option, exact=True).click()

    def tick(self, name: str, on: bool) -> None:
        """Switch a box."""
        self.find(f"#{name} input").set_checked(on)

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
        self.click("#clamps-clear")
        self.wait_rows(0)
        for number, clamp in enumerate(clamps, 1):
            self.click("#clamps-add")
            self.wait_rows(number)
            self.clamp(number, *clamp)

    def ask(self, prompt: str, *clamps: tuple[Any, ...], tokens: int = 12) -> None:
        """Fill prompt, rows and number of tokens."""
        self.fill("try-prompt", prompt)
        self.clamps(*clamps)
        self.fill("try-tokens", tokens)

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
        number = self.number() + 1
        (press or (lambda: self.click("#try-run")))()
        self.expect("#try-said").to_contain_text(f"{word}: run {number}.")
        self.expect("#try-history tbody th >> nth=0").to_have_text(f"{number}")
        return self.said()

    def refused(self, press: Callable[[], object] | None = None) -> str:
        """Press Run; return the alert."""
        (press or (lambda: self.click("#try-run")))()
        self.find("#try-said [role=alert]").wait_for()
        return self.said()

    def sweep(self) -> str:
        """Press Sweep; wait for the end and return the line that says so."""
        self.click("#sweep-run")
        self.expect("#sweep-said").to_contain_text("Done:")
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
    before, visitors, contexts = site.n_hooks(), [], []

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
    assert not [fault for one in visitors for fault in one.faults]
    assert not [url for one in visitors for url in one.requests if not _is_local(url)]
    wait_for(lambda: site.n_hooks() == before, "hooks are left on the model")


def _is_local(url: str) -> bool:
    return re.match(r"http://127\.0\.0\.1[:/]|data:|blob:", url) is not None


def wait_for(true: Callable[[], object], otherwise: str, seconds: float = PATIENCE / 1000) -> None:
    """Wait for a condition that no browser tells of."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)


@pytest.fixture
def tab(visit: Callable[..., Visitor]) -> Visitor:
    """One browser tab at the page."""
    return visit()


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """Function that waits for a condition."""
    return wait_for
