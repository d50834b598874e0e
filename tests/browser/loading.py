"""How long the page takes on a mobile network: `python -m tests.browser.loading`.

Prints milliseconds of each round from the navigation on: to the first mail in the list, and to the connection that is
live; first of a browser that was never there, then of one that was. Chromium's "Fast 3G".
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.browser.conftest import Person, a_site
from tests.support.browser import PHONE, WORKS, Browser

FAST_3G = {
    "offline": False,
    "latency": 562.5,
    "downloadThroughput": 1.44 * 2**20 / 8,
    "uploadThroughput": 675 * 2**10 / 8,
}
MAILS, ROUNDS = 20, 3
WATCHED = """
  new MutationObserver(() => {
    if (!globalThis.listed && document.querySelector('.row')) globalThis.listed = performance.now();
    if (!globalThis.live && document.querySelector('.state.online')) globalThis.live = performance.now();
  }).observe(document, { subtree: true, childList: true, attributes: true });
"""
TIMES = "return globalThis.listed && globalThis.live && [globalThis.listed, globalThis.live].map(Math.round)"


def measured(directory: Path) -> dict[str, list[list[int]]]:
    """The times of each round, cold and warm."""
    times: dict[str, list[list[int]]] = {"cold": [], "warm": []}
    with a_site(directory) as site:
        site.serve()
        person = Person(site)
        for number in range(MAILS):
            person.mail(f"mail {number}")
        with Browser("chromium", directory / "profile") as browser:
            for number in range(ROUNDS):
                with browser.window() as window:
                    tab = window.open("about:blank", before=WATCHED, size=PHONE)
                    tab.ask("throttle", net=FAST_3G)
                    tab.ask("goto", url=person.another_link(f"device{number}"))
                    times["cold"].append(tab.until(TIMES))
                    tab.until(WORKS)
                    tab.ask("reload")
                    times["warm"].append(tab.until(TIMES))
    return times


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        for name, rounds in measured(Path(directory)).items():
            print(f"{name}: first mail and live after {rounds} ms")  # noqa: T201
