"""The whole page in a browser: two tabs at once, hostile texts, names, widths; and its command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from clampsweep.explorer import app
from patience import PATIENCE

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>${1+1} {{value}} ' \
    "${window.hacked=1} {{1+1}} <b>b</b> &amp;"  # fmt: skip
SHORT = '<img src=x onerror="window.hacked=1">'
TABS = ("Try", "Sweep here", "Results")


# Two tabs


def test_two_tabs_show_their_own_texts(visit, site):
    prompts = site.prompts[:2]
    clamps = [(0, 3, "set", 9.5)], [(1, 5, "add", -12.5)]
    tabs = [visit(), visit()]
    for tab, prompt, own in zip(tabs, prompts, clamps, strict=True):
        tab.ask(prompt, *own, tokens=10)
    with site.slowed(0.05):
        for tab in tabs:
            tab.click("#try-run")
        for tab in tabs:
            tab.expect("#try-said").to_contain_text("Done: run 1.")
    for tab, prompt, own in zip(tabs, prompts, clamps, strict=True):
        assert tab.text("Baseline") == site.words(site.reference(prompt, n=10))
        assert tab.text("Clamped") == site.words(site.reference(prompt, own, n=10))
        tab.expect("#try-history tbody tr").to_have_count(1)
        tab.expect("#try-history tbody").to_contain_text(prompt)


@pytest.mark.parametrize("stopped", [0, 1], ids=["the one at work", "the one that waits"])
def test_a_stop_in_one_tab_leaves_the_other_alone(visit, site, stopped):
    tabs, prompt = [visit(), visit()], site.long_prompt(20)
    clamp = site.strong_clamp(prompt, 20)
    for tab in tabs:
        tab.ask(prompt, clamp, tokens=20)
    with site.held():
        tabs[0].start()
        tabs[1].click("#try-run")
        tabs[1].expect("#try-said").to_contain_text("Waiting: the model is busy.")
        tabs[stopped].page.keyboard.press("Escape")
        tabs[stopped].expect("#try-said").to_contain_text("Stopped")
        tabs[1 - stopped].expect("#try-said").to_contain_text("Done: run 1.")
    assert tabs[1 - stopped].text("Clamped") == site.words(site.reference(prompt, [clamp], n=20))


def test_a_sweep_and_a_run_in_two_tabs_are_both_right(visit, site):
    prompt = site.long_prompt()
    clamp = site.strong_clamp(prompt)
    one, other = visit(), visit()
    one.ask(prompt, clamp)
    other.open_sweep()
    other.expect("#sweep-run").to_be_visible()
    for name, value in (("prompt", prompt), ("layer", clamp[0]), ("neuron", clamp[1]),
                        ("values", clamp[3]), ("tokens", 12)):  # fmt: skip
        other.fill(f"sweep-{name}", value)
    with site.slowed(0.05):
        one.click("#try-run")
        other.click("#sweep-run")
        one.expect("#try-said").to_contain_text("Done: run 1.")
        other.expect("#sweep-said").to_contain_text("Done:")
    wanted = site.words(site.reference(prompt, [clamp]))
    assert one.text("Clamped") == wanted
    assert other.text(f"L{clamp[0]}N{clamp[1]} set {clamp[3]:+g}", "#sweep-pair") == wanted


# What is typed is text


def test_a_hostile_prompt_is_shown_as_text_everywhere(tab, site):
    room = site.model.n_ctx
    prompt = next(text for text in (HOSTILE, SHORT) if len(site.model.encode(text)) < room - 4)
    tab.ask(prompt, (0, 3, "set", 9.5), tokens=3)
    tab.run()
    line = " ".join(prompt.split())
    tab.expect("#try-history tbody tr").to_contain_text(line[:90])
    cells = tab.find("#try-details .cs-strip").first.locator("li.cs-prompt .cs-token")
    assert "".join(cells.all_text_contents()) == prompt
    tab.page.get_by_role("button", name="Config file of run 1").click()
    tab.expect("#config-said").to_contain_text("Config file of run 1.")
    tab.click("#config-save")
    tab.expect("#config-said").to_contain_text("Saved.")
    tab.open_sweep()
    tab.fill("sweep-prompt", prompt)
    tab.fill("sweep-tokens", 2)
    tab.sweep()
    for name in TABS:
        tab.page.get_by_role("tab", name=name).click()
        assert tab.find("img[src='x'], .gradio-container script, b:text-is('b')").count() == 0
    assert tab.page.evaluate("window.hacked") is None


def test_a_hostile_fault_is_shown_as_text(tab, site):
    tab.fill("try-prompt", HOSTILE * (400 if site.real else 20))  # more than the model reads
    tab.refused(HOSTILE[:50])
    tab.choose("try-scope", "positions")
    tab.fill("try-positions", HOSTILE)
    tab.fill("try-prompt", "one")
    tab.refused(f"positions: got {HOSTILE!r}")
    tab.open_sweep()
    tab.fill("sweep-values", SHORT)
    tab.refused(f"values: got {SHORT!r}", "sweep")
    assert tab.find("img[src='x']").count() == 0


def test_a_model_that_says_hostile_things_is_shown_as_text(tab, site, monkeypatch):
    """The tokens stay those of the model; the tokenizer makes HTML of each."""
    prompt = site.long_prompt()
    model, plain = site.model, site.model.tokenizer.decode

    def decode(ids, **more):
        return "".join(f" {SHORT}{{{{value}}}}${{1+1}}{one} " for one in ids)

    with monkeypatch.context() as patch:
        patch.setattr(model.tokenizer, "decode", decode)
        tab.ask(prompt, site.strong_clamp(prompt, 12), tokens=3)
        tab.run()
        wanted = decode(site.reference(prompt, n=3).token_ids)
        assert tab.text("Baseline") == wanted
        tab.open_sweep()
        tab.fill("sweep-prompt", prompt)
        tab.fill("sweep-tokens", 2)
        tab.sweep()
        tab.expect("#sweep-pair").to_contain_text("{{value}}${1+1}")
    assert model.tokenizer.decode is not decode and plain is not decode
    assert tab.find("img[src='x']").count() == 0
    assert tab.page.evaluate("window.hacked") is None


# Page


def test_a_reload_gives_a_fresh_form(tab, site):
    first = {name: tab.held(name) for name in ("try-prompt", "try-tokens", "clamp-1-neuron")}
    tab.ask(site.prompts[1], (0, 3, "set", 9.5), (0, 4, "set", 9.5), tokens=3)
    tab.run()
    tab.page.reload()
    tab.wait_rows(1)
    assert {name: tab.held(name) for name in first} == first
    assert tab.said() == "Ready."
    tab.expect("#try-history").to_contain_text("No run yet.")
    assert not tab.find("#try-texts").inner_text().strip()


def test_the_first_form_runs_as_it_stands_and_names_a_neuron_of_the_model(tab, site):
    on, layer, neuron, operation, _ = tab.row(1)
    assert on and operation == "set" and tab.held("try-prompt")
    assert int(layer) < site.spec.n_layers and int(neuron) < site.spec.d_mlp


NAMELESS = """() => {
  const label = one => (one.getAttribute('aria-label') || '').trim()
    || (one.getAttribute('aria-labelledby') || '').split(' ').filter(Boolean)
      .map(id => document.getElementById(id)?.textContent || '').join('').trim()
    || [...(one.labels || [])].map(l => l.textContent).join('').trim()
    || (one.matches('button, a') ? (one.textContent || one.title || '').trim() : '')
    || [...one.querySelectorAll('[aria-label], [title]')]
      .map(inner => inner.getAttribute('aria-label') || inner.getAttribute('title')).join('');
  return [...document.querySelectorAll('input, button, select, textarea, [role=slider], a')]
    .filter(one => one.offsetParent !== null && one.type !== 'hidden' && !label(one))
    .map(one => one.outerHTML.slice(0, 160) + ' in ' + (one.closest('[id]') || {}).id);
}"""


@pytest.fixture(scope="module")
def full(kept, site):
    """A tab in which everything is shown that can be: a run, a sweep, open folds."""
    tab = kept
    prompt = site.long_prompt()
    clamp = site.strong_clamp(prompt)
    tab.ask(prompt, clamp, (0, 4, *clamp[2:]), tokens=30)
    tab.radio("try-method", "sampling")
    tab.fill("try-top-k", 50)
    tab.fill("try-top-p", 0.9)
    tab.choose("try-scope", "positions")
    tab.fill("try-positions", "0, 1")
    tab.run()
    tab.find("#import").get_by_role("button").first.click()
    tab.page.get_by_role("button", name="Config file of run 1").click()
    tab.expect("#config-said").to_contain_text("Config file of run 1.")
    tab.open_sweep()
    tab.fill("sweep-prompt", prompt)
    tab.fill("sweep-tokens", 30)
    tab.sweep()
    return tab


@pytest.mark.parametrize("name", TABS)
def test_everything_that_can_be_used_has_a_name(full, name):
    full.page.get_by_role("tab", name=name).click()
    assert full.page.evaluate(NAMELESS) == []


@pytest.mark.parametrize("name", TABS)
@pytest.mark.parametrize("width", [1280, 800])
def test_the_page_is_no_wider_than_the_window(full, name, width):
    full.page.set_viewport_size({"width": width, "height": 900})
    full.page.get_by_role("tab", name=name).click()
    wide = full.page.evaluate(
        "() => [document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth]"
    )
    assert wide[0] <= wide[1]
    cut = full.page.evaluate(
        """() => [...document.querySelectorAll('button, input, textarea, h1, h3, h4, label')]
          .filter(one => one.offsetParent !== null && !one.closest('.cs-scroll, .cs-strip'))
          .filter(one => { const box = one.getBoundingClientRect();
            return box.width > 1 && (box.right > innerWidth + 1 || box.left < -1); })
          .map(one => one.outerHTML.slice(0, 120))"""
    )
    assert cut == []


def test_keys_alone_reach_prompt_rows_run_and_stop(full):
    full.page.get_by_role("tab", name="Try").click()
    full.find("#try-prompt textarea").focus()
    seen = []
    for _ in range(80):
        full.page.keyboard.press("Tab")
        seen.append(full.page.evaluate("document.activeElement.closest('[id]')?.id"))
    for name in ("clamp-1-remove", "clamps-add", "try-run", "try-stop"):
        assert name in seen


def test_the_status_line_says_which_model_is_ready(tab, site):
    tab.expect("#status [role=status]").to_contain_text(
        f"{site.name}: {site.spec.n_layers} layers x {site.spec.d_mlp:,} neurons, context "
        f"{site.model.n_ctx:,} tokens"
    )


# Address and command


def test_the_page_is_bound_to_this_machine_and_asks_nobody_else(tab, site):
    assert urlsplit(site.address).hostname == "127.0.0.1"
    tab.ask(site.prompts[0], tokens=2)
    tab.run()
    for name in TABS:
        tab.page.get_by_role("tab", name=name).click()
    assert {urlsplit(url).hostname for url in tab.requests if url.startswith("http")} == {
        "127.0.0.1"
    }


def test_a_port_that_is_taken_is_named(site):
    import gradio as gr

    from clampsweep.errors import UserError

    with (
        gr.Blocks() as blocks,
        pytest.raises(UserError, match=r"port \d+: taken.* by --host and --port"),
    ):
        app.serve(blocks, "127.0.0.1", urlsplit(site.address).port, False)


PROXIES = {"http_proxy": "http://127.0.0.1:9", "all_proxy": "socks5://127.0.0.1:9"}
"""Of these nobody answers, and the second needs a package that is not installed."""


def command(folder, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "clampsweep.explorer", "--no-browser", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **environment},
        # Where the tests run in the background, Ctrl+C is ignored, and so in what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("proxies", [{}, PROXIES], ids=["direct", "proxies are set"])
def test_the_command_prints_its_address_serves_the_page_and_ends_with_ctrl_c(site, proxies):
    with command(site.project.folder, **proxies) as process:
        killer = threading.Timer(PATIENCE, process.kill)
        killer.start()
        try:
            line = process.stdout.readline()
            found = re.fullmatch(r"The explorer is at (http://127\.0\.0\.1:\d+/?) \(.*\)\n", line)
            assert found, line + process.stderr.read()
            with urllib.request.urlopen(found[1], timeout=PATIENCE) as answer:
                assert b"clampsweep explorer" in answer.read()
            listening = sockets(process.pid)
            process.send_signal(signal.SIGINT)
            _out, err = process.communicate(timeout=PATIENCE)
        finally:
            killer.cancel()
            process.kill()
    assert listening <= {"0100007F"}, "it listens to other machines"
    assert process.returncode == 0
    assert "Traceback" not in err


def sockets(pid):
    """Addresses at which a process listens, as Linux writes them; none where it does not say."""
    try:
        inodes = {os.readlink(one.path)[8:-1] for one in os.scandir(f"/proc/{pid}/fd")
                  if os.readlink(one.path).startswith("socket:")}  # fmt: skip
        lines = [
            one
            for name in ("tcp", "tcp6")
            for one in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()
        ]
    except OSError:
        return set()
    rows = [line.split() for line in lines]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes}


def test_outside_a_project_the_command_ends_with_one_line(tmp_path):
    with command(tmp_path) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert out == ""
    (line,) = err.strip().splitlines()
    assert line.startswith("error: ") and "config/config.yaml" in line
