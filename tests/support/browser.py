"""A real browser, driven through puppeteer: tabs that are opened, asked, looked at and killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.conftest import need
from tests.support.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER = Path(__file__).resolve().parents[1] / "browser"
PROGRAMS = {"chromium": "chromium", "firefox": "firefox-esr"}
SUBJECTS = "[...document.querySelectorAll('.row .subject')].map((each) => each.textContent)"
WORKS = "return (await navigator.serviceWorker.ready).active.state === 'activated'"
"""When the service worker does."""
PHONE, DESK = (360, 740, 2), (1280, 800, 1)


class Browser:
    """One browser with its profile; what `browser.mjs` does, as methods. `preferences` are Firefox's."""

    def __init__(self, kind: str, profile: Path, *, preferences: Mapping[str, object] | None = None) -> None:
        profile.mkdir(parents=True, exist_ok=True)
        self.kind, self.profile = kind, profile
        given = json.dumps(dict(preferences or {}))
        self._driver = subprocess.Popen(
            [need("node"), FOLDER / "browser.mjs", kind, need(PROGRAMS[kind]), profile, given],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._read()
        self.pid = int(self.ask("pid"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ask(self, order: str, **more: Any) -> Any:
        """Have it do something; what it says."""
        assert self._driver.stdin is not None
        self._driver.stdin.write(json.dumps({"do": order, **more}) + "\n")
        self._driver.stdin.flush()
        return self._read()

    def open(self, url: str, **look: Any) -> Tab:
        """A new tab, in front of the others."""
        return Tab(self, self.ask("open", url=url, **look))

    @contextlib.contextmanager
    def window(self) -> Iterator[Window]:
        """A private window, which knows nothing of the others, until the block ends."""
        window = Window(self, self.ask("context"))
        yield window
        self.ask("leave", context=window.number)

    def kill(self) -> None:
        """SIGKILL: it has no time for anything, nor have its children."""
        for pid in [self.pid, *_below(self.pid)]:
            _end(pid)
        until(lambda: not _alive(self.pid), what="the browser to be dead")
        self._close()

    def end(self) -> None:
        """Close it, as people do."""
        if self._driver.poll() is None:
            try:
                self.ask("quit")
            except (OSError, AssertionError):
                self.kill()
        self._close()

    def _close(self) -> None:
        if self._driver.poll() is None:
            self._driver.kill()
        self._driver.wait(PATIENCE_S)
        for stream in (self._driver.stdin, self._driver.stdout):
            if stream is not None:
                stream.close()

    def _read(self) -> Any:
        assert self._driver.stdout is not None
        line = self._driver.stdout.readline()
        assert line, "the browser's driver ended"
        said = json.loads(line)
        assert "error" not in said, said["error"]
        return said["is"]


class Window:
    """A place of its own within a browser."""

    def __init__(self, browser: Browser, number: int) -> None:
        self.browser, self.number = browser, number

    def open(self, url: str, **look: Any) -> Tab:
        """A new tab, in front of the others."""
        return self.browser.open(url, context=self.number, **look)


class Tab:
    """A page in a browser."""

    def __init__(self, browser: Browser, number: int) -> None:
        self.browser, self.number = browser, number

    def ask(self, order: str, **more: Any) -> Any:
        return self.browser.ask(order, tab=self.number, **more)

    def run(self, script: str) -> Any:
        """What a function with this body returns there."""
        return self.ask("run", script=script)

    def until(self, script: str) -> Any:
        """Wait until it returns something."""
        return self.ask("until", script=script, ms=int(PATIENCE_S * 1000))

    def click(self, selector: str) -> None:
        self.ask("click", selector=selector)

    def press(self, *keys: str) -> None:
        self.ask("press", keys=keys)

    def said(self) -> list[str]:
        """What the page wrote to the console, errors that nobody caught among it."""
        said: list[str] = self.ask("said")
        return said

    def close(self) -> None:
        self.ask("close")

    # --- what the page of Postbell shows ----------------------------------------------------------

    @property
    def subjects(self) -> list[str]:
        """Those in the list, from the top."""
        found: list[str] = self.run(
            "return [...document.querySelectorAll('.row .subject')].map((each) => each.textContent)"
        )
        return found

    def shows(self, *subjects: str) -> None:
        """Wait until the list has exactly these, in whichever order."""
        wanted = json.dumps(sorted(subjects))
        self.until(f"return JSON.stringify({SUBJECTS}.sort()) === JSON.stringify({wanted}.sort())")

    def is_connected(self) -> None:
        self.until("return document.querySelector('.state')?.textContent === 'Connected'")


def _below(pid: int) -> list[int]:
    """The processes that descend from one."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, ahead = list[int](), [pid]
    while ahead:
        for child in children.get(ahead.pop(), []):
            found.append(child)
            ahead.append(child)
    return found


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
