"""How soon the explorer is there: its page, a run's first token, a sweep of 13 values.

Measured in headless Chromium on the default run's model, beside the time that the same work takes
without a page (the library alone, in this process), as ratios. Run it on a quiet machine.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from clampsweep.explorer.app import page, serve
from clampsweep.explorer.beginnings import first_clamp, first_values
from clampsweep.explorer.desk import Desk, read_config
from clampsweep.explorer.running import try_out
from clampsweep.explorer.settings import Settings
from clampsweep.explorer.sweeping import sweep_values
from clampsweep.texts.request import Decoding

REPEATS = 5
WIDE = {"width": 1280, "height": 900}


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def asked(desk: Desk, prompt: str, n_new: int) -> Settings:
    """The first clamp of the config on a prompt, greedy."""
    clamp = first_clamp(desk, desk.models[0])
    return Settings(desk.models[0], prompt, (clamp,), "all", Decoding("greedy", n_new))


def library_alone(desk: Desk, prompt: str) -> tuple[float, float, float]:
    """Seconds to the first token, to the end of a run, and of a sweep, without a page."""
    model, values = desk.shelf.get(desk.models[0]), first_values(desk, desk.models[0])
    first: list[float] = []
    start = time.perf_counter()
    try_out(model, asked(desk, prompt, 50), lambda told: first.append(time.perf_counter() - start))
    whole = time.perf_counter() - start
    settings = asked(desk, prompt, 30)
    return first[0], whole, seconds(lambda: sweep_values(model, settings, values, lambda n: None))


def open_page(browser: Any, address: str) -> tuple[Page, float]:
    """A new browser tab, and seconds until its form can be used."""
    tab = browser.new_context(viewport=WIDE).new_page()

    def wait() -> None:
        tab.goto(address)
        tab.locator("#clamp-1-layer input").wait_for()

    return tab, seconds(wait)


def run(tab: Page, number: int, prompt: str) -> tuple[float, float]:
    """Seconds from Enter to the first token seen, and to the end."""
    tab.locator("#try-prompt textarea").fill(prompt)
    start = time.perf_counter()
    tab.locator("#try-prompt textarea").press("Enter")
    tab.locator("#try-said").get_by_text("Running").wait_for()
    first = time.perf_counter() - start
    tab.get_by_text(f"Done: run {number}.").wait_for(timeout=120_000)
    return first, time.perf_counter() - start


def sweep(tab: Page) -> float:
    """Seconds from the button to the strip of all values."""
    tab.get_by_role("tab", name="Sweep here").click()
    tab.locator("#sweep-run").click()
    return seconds(lambda: tab.locator("#sweep-strip li").last.wait_for(timeout=120_000))


def main() -> None:
    """Print a table."""
    desk = Desk(read_config(["config/config.yaml"]), Path.cwd())
    desk.shelf.get(desk.models[0])
    prompts = [
        f"The lamp number {n} in the hall is probably on, because" for n in range(REPEATS + 1)
    ]
    library_alone(desk, prompts[0])  # what is done once does not count
    alone = [library_alone(desk, prompt) for prompt in prompts[1:]]
    address = serve(page(desk, Path("results")), "127.0.0.1", None, browser=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        opened = [open_page(browser, address) for _ in range(REPEATS)]
        tab = opened[-1][0]
        runs = [run(tab, number, prompt) for number, prompt in enumerate(prompts[1:], 1)]
        swept = sweep(tab)
    first, whole, short = map(statistics.median, zip(*alone, strict=True))
    print(f"page usable: median {statistics.median(one for _, one in opened):.2f} s, "
          f"worst {max(one for _, one in opened):.2f} s")  # fmt: skip
    for name, found, base in (
        ("first token", [one for one, _ in runs], first),
        ("run of 2 x 50 tokens", [one for _, one in runs], whole),
        ("sweep of 13 values x 30 tokens", [swept], short),
    ):
        median = statistics.median(found)
        print(f"{name}: median {median:.2f} s, worst {max(found):.2f} s;", end=" ")
        print(f"library alone {base:.2f} s, ratio {median / base:.2f}")


if __name__ == "__main__":
    main()
