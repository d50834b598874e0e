"""The broker reads its configuration again: what holds, what waits for a restart, and what cannot be used."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from broker import checking
from broker.errors import ConfigurationError
from broker.reload import Reload
from broker.settings import Settings


class Broker:
    """What a reload is told and does."""

    def __init__(self, *files):
        self.files = list(files)
        self.used, self.told = [], []

    def load(self):
        found = self.files.pop(0)
        if isinstance(found, ConfigurationError):
            raise found
        return found

    def use(self, settings):
        if settings.broker.tls_cert:
            raise ConfigurationError("broker.tls_cert = 'x': cannot be used: no such file")
        self.used.append(settings)


def changed(**values):
    return checking.settings(values)


def reloaded(*files):
    broker = Broker(*files)

    async def story():
        reload = Reload(Settings(), load=broker.load, use=broker.use, tell=broker.told.append)
        for _ in files:
            reload.once()

    with capture_logs() as logs:
        asyncio.run(story())
    return broker, [(each["event"], each.get("changed") or each.get("keys") or each.get("problems")) for each in logs]


def test_what_is_live_holds_and_the_rest_is_named_each_time():
    newer = changed(limits={"packet": 4096}, broker={"session_days": 3, "listen": "127.0.0.1:1884"}, state_dir="/x")
    broker, logs = reloaded(newer, newer)
    assert broker.used == [newer, newer]
    first, second = broker.told
    assert first == {
        "number": 1,
        "changed": ("broker.session_days", "limits.packet"),
        "needs_restart": ("state_dir", "broker.listen"),
        "problems": (),
    }
    assert second == first | {"number": 2, "changed": ()}
    waiting = ("reload_needs_restart", ["state_dir", "broker.listen"])
    assert logs == [("reloaded", ["broker.session_days", "limits.packet"]), waiting, ("reloaded", None), waiting]


def test_what_cannot_be_used_changes_nothing():
    unusable = changed(broker={"tls_cert": "x", "tls_key": "x"})
    broker, logs = reloaded(ConfigurationError("one\ntwo"), unusable, Settings())
    assert broker.used == [Settings()]
    assert [told["problems"] for told in broker.told] == [
        ("one", "two"),
        ("broker.tls_cert = 'x': cannot be used: no such file",),
        (),
    ]
    assert [event for event, _ in logs] == ["reload_failed", "reload_failed", "reloaded"]


def test_it_reloads_when_it_is_asked_to():
    broker = Broker(Settings(), Settings())

    async def story():
        reload = Reload(Settings(), load=broker.load, use=broker.use, tell=broker.told.append)
        task = asyncio.create_task(reload.run())
        for _ in range(2):
            reload.ask()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(story())
    assert [told["number"] for told in broker.told] == [1, 2]
