"""The names that a mail server leaves in a directory: each told, and gone."""

from __future__ import annotations

import asyncio
import os

from structlog.testing import capture_logs

from bridge.daemon import mail_events
from bridge.daemon.mail_events import MailEvents
from tests.support.waiting import until_on_loop


def listening(directory, story):
    async def run():
        called = []
        task = asyncio.create_task(MailEvents(directory, called=called.append).run())
        try:
            await story(called)
        finally:
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(run())


def test_what_is_there_and_what_comes_is_told_and_removed(tmp_path):
    (tmp_path / "alice").touch()
    (tmp_path / "a directory").mkdir()
    (tmp_path / "a directory" / "within").touch()

    async def story(called):
        await until_on_loop(lambda: "alice" in called, what="alice")
        (tmp_path / "bob%40example%2Eorg").touch()
        await until_on_loop(lambda: "bob@example.org" in called, what="bob")
        await until_on_loop(lambda: len(list(tmp_path.iterdir())) == 1, what="no file to be left")

    listening(tmp_path, story)


def test_a_directory_at_rest_is_not_read_again_and_one_that_changes_is(tmp_path, monkeypatch):
    os.utime(tmp_path, (1, 1))
    looks, take = [], mail_events._take

    def counting(directory):
        looks.append(directory)
        return take(directory)

    monkeypatch.setattr(mail_events, "_take", counting)
    monkeypatch.setattr(mail_events, "LOOK_S", 0.01)

    async def story(called):
        await until_on_loop(lambda: looks, what="the first look")
        await asyncio.sleep(0.1)
        assert len(looks) == 1
        (tmp_path / "alice").touch()
        await until_on_loop(lambda: called == ["alice"], what="alice")

    listening(tmp_path, story)


def test_a_directory_that_is_not_there_is_told_once_and_found_later(tmp_path, monkeypatch):
    monkeypatch.setattr(mail_events, "LOOK_S", 0.01)
    box = tmp_path / "box"

    async def story(called):
        await until_on_loop(lambda: logged, what="a line in the log")
        await asyncio.sleep(0.1)
        box.mkdir()
        (box / "alice").touch()
        await until_on_loop(lambda: called == ["alice"], what="alice")

    with capture_logs() as logged:
        listening(box, story)
    assert [event["event"] for event in logged] == ["mail_events_unreadable"]
