"""When devices asked for something last, written down now and then."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from structlog.testing import capture_logs

from bridge.daemon import hearing as hearing_module
from bridge.daemon.hearing import Hearing
from bridge.errors import StoreUnavailableError
from tests.support.waiting import until_on_loop


def test_each_device_is_written_once_and_what_failed_again(monkeypatch):
    monkeypatch.setattr(hearing_module, "NOTE_S", 0.01)
    noted, now = [], iter(range(100))

    async def note(heard):
        noted.append(dict(heard))
        if len(noted) == 1:
            raise StoreUnavailableError("the disk is full")

    async def story():
        hearing = Hearing(note=note, root="mail", now_ms=lambda: next(now))
        for topic in ("mail/alice/do/phone", "mail/alice/do/phone", "mail/bob/do/tab", "mail/alice/msg/x", "#"):
            hearing.heard(topic)
        task = asyncio.create_task(hearing.run())
        await until_on_loop(lambda: len(noted) == 2, what="both notes")
        hearing.heard("mail/bob/do/tab")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    with capture_logs() as logs:
        asyncio.run(story())
    both = {("alice", "phone"): 1, ("bob", "tab"): 2}
    assert noted == [both, both, {("bob", "tab"): 3}]
    assert [line["event"] for line in logs] == ["requests_not_noted"]
