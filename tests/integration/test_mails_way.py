"""One mail through a whole bridge, and each call from room to room on its way (docs/decisions/0012-rooms.md)."""

from __future__ import annotations

import asyncio
import re
import smtplib
import sys
import threading

import pytest

from bridge.config import loading
from bridge.daemon import process, runfile
from bridge.store import backlog, offline
from tests.support import source
from tests.support.stored import add_user
from tests.support.waiting import until

MAIL = b"From: Ada <ada@example.org>\r\nSubject: Plan\r\nMessage-ID: <1@example.org>\r\n\r\nAt nine.\r\n"
BRIDGE = f"{source.ROOT / 'bridge'}/"
MADE_BY = "daemon"
"""The composition root gives the parts to one another: what it passes on counts as called by who called it."""


class Calls:
    """Which rooms call which, while `heard`: by the frames of the calls, and for a task by who made it."""

    def __init__(self):
        self.between, self.heard, self._makers = set(), False, {}

    def profile(self, frame, event, _argument):
        """As `sys.setprofile` wants it. A generator runs where it is read, which is no call of who wrote it."""
        if self.heard and event == "call" and frame.f_code.co_name != "<genexpr>":
            called, caller = room(frame), self._caller(frame)
            if called not in {None, MADE_BY, caller} and caller is not None:
                self.between.add((caller, called))

    def make_task(self, loop, work, **options):
        """As `loop.set_task_factory` wants it."""
        self._makers[work.cr_frame] = self._caller(sys._getframe())
        return asyncio.Task(work, loop=loop, **options)

    def _caller(self, frame):
        while frame.f_back is not None and room(frame.f_back) in {None, MADE_BY}:
            if frame in self._makers:
                break
            frame = frame.f_back
        return self._makers.get(frame) if frame.f_back is None or frame in self._makers else room(frame.f_back)


def room(frame):
    """The room that a frame's code is in; None outside of the bridge."""
    path = frame.f_code.co_filename
    return path.removeprefix(BRIDGE).removesuffix(".py").split("/")[0] if path.startswith(BRIDGE) else None


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """The calls for one mail, from the sender's connection until the broker has all of it."""
    calls = Calls()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {
            "STATE_DIR": str(tmp_path_factory.mktemp("state")),
            "SMTP__LISTEN": "127.0.0.1:0",
            "BROKER__LISTEN": "127.0.0.1:0",
        }.items():
            patched.setenv(f"POSTBELL_{name}", value)
        settings = loading.load()
        add_user(settings.database, "alice")

        def send():
            host, _, port = runfile.read(settings.run_dir, runfile.BRIDGE)["smtp"].rpartition(":")
            with smtplib.SMTP(host, int(port)) as smtp:
                smtp.sendmail("ada@example.org", "alice@example.org", MAIL)
            with offline.reading(settings.database) as connection:
                until(lambda: backlog.waiting(connection) == 0, what="the broker to have it")

        async def story():
            asyncio.get_running_loop().set_task_factory(calls.make_task)
            ready = asyncio.Event()
            running = asyncio.create_task(process.serve(settings, config=None, with_broker=True, ready=ready.set))
            async with asyncio.timeout(60):
                await ready.wait()
                calls.heard = True
                await asyncio.to_thread(send)
            calls.heard = False
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        before = sys.getprofile()
        threading.setprofile(calls.profile)
        sys.setprofile(calls.profile)
        try:
            asyncio.run(story())
        finally:
            sys.setprofile(before)
            threading.setprofile(before)
    return calls.between


def against_the_arrows(calls):
    """The calls into a room that the caller's layer may not import: one above it, or beside it."""
    depth = {each: down for down, line in enumerate(source.layers()) for each in line.split(" | ")}
    return {(here, there): depth[here] - depth[there] for here, there in calls if depth[there] <= depth[here]}


def test_the_calls_that_no_import_shows_are_those_of_the_page(calls):
    record = (source.ROOT / "docs" / "decisions" / "0012-rooms.md").read_text("utf-8")
    told = re.findall(r"^\| (\w+) → (\w+) \| (up|beside) \|", record, re.MULTILINE)
    found = against_the_arrows(calls)
    assert {(here, there, "up" if up else "beside") for (here, there), up in found.items()} == set(told)


def test_a_mail_climbs_back_at_most_twice(calls):
    assert len(calls) > 12
    assert {
        ("ingress", "intake"),
        ("intake", "mail"),
        ("store", "box"),
        ("box", "rules"),
        ("publish", "contract"),
    } <= calls
    assert sum(up > 0 for up in against_the_arrows(calls).values()) <= 2
