"""Loop lag, the broker's figures, and readings that cannot be taken."""

from __future__ import annotations

import asyncio
import contextlib
import time
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.config.settings import Settings
from bridge.daemon import gathering as gathering_module
from bridge.daemon import lag
from bridge.daemon.figures import BrokerFigures
from bridge.daemon.gathering import Gathering
from bridge.daemon.lag import LoopLag
from bridge.errors import LinkDownError, RefusedError, StoreCorruptError, StoreUnavailableError
from bridge.metrics.readings import MailboxReadings
from bridge.metrics.sys_topics import FILTERS, Figures
from bridge.store import outbox
from bridge.tally import Tally


def test_a_loop_that_comes_late_shows_for_a_while(monkeypatch):
    monkeypatch.setattr(lag, "LOOK_S", 0.01)

    async def story():
        watched = LoopLag()
        assert watched.worst_s == 0
        watching = asyncio.create_task(watched.watch())
        await asyncio.sleep(0)
        time.sleep(0.1)  # noqa: ASYNC251 - that is what is to be seen
        await asyncio.sleep(0.05)
        assert watched.worst_s >= 0.08
        watching.cancel()

    asyncio.run(story())


class Connection:
    """A connection to a broker that answers subscriptions so."""

    def __init__(self, answer=None):
        self.answer = answer
        self.asked = []
        self.closed = asyncio.get_running_loop().create_future()
        self.replayed = None

    @contextlib.contextmanager
    def retained(self, callback):
        self.replayed = callback
        try:
            yield
        finally:
            self.replayed = None

    async def subscribe(self, filters, *, qos):
        self.asked.append((tuple(filters), qos))
        if self.answer is not None:
            raise self.answer


def test_figures_are_heard_on_each_connection_and_forgotten_with_it():
    async def story():
        figures = Figures()
        heard = BrokerFigures(figures)
        for _ in range(2):
            connection: Any = Connection()
            listening = asyncio.create_task(heard.listen(connection))
            await asyncio.sleep(0)
            assert connection.asked == [(FILTERS, 0)]
            connection.replayed("$SYS/broker/clients/connected", b"7")
            assert figures.figures() == {"clients": 7}
            listening.cancel()
            await asyncio.wait({listening})
            assert figures.figures() == {}
            assert connection.replayed is None
            assert not connection.closed.done(), "others wait for it, too"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (LinkDownError("cut"), "the broker ended the connection"),
        (RefusedError("not allowed"), "not allowed"),
        (TimeoutError(), "no answer to the subscription"),
    ],
)
def test_a_broker_that_will_not_tell_is_not_asked_twice(answer, reason):
    async def story():
        heard = BrokerFigures(Figures())
        with capture_logs() as said:
            for expected in (1, 0):
                connection: Any = Connection(answer)
                connection.closed.set_result("gone")
                await heard.listen(connection)
                assert len(connection.asked) == expected
        assert said == [{"event": "broker_figures_refused", "log_level": "info", "reason": reason}]

    asyncio.run(story())


class Broken:
    """A store, or a spool, that cannot be read."""

    def __init__(self, error):
        self.error = error

    async def read(self, *_args):
        raise self.error

    async def size(self):
        raise self.error


async def _no_problems():
    return {}


@pytest.mark.parametrize("error", [StoreUnavailableError("full"), StoreCorruptError("damaged")])
def test_what_cannot_be_read_is_left_out(tmp_path, error):
    async def story():
        bridge: Any = SimpleNamespace(
            settings=Settings(state_dir=tmp_path / "gone"),
            store=Broken(error),
            spool=Broken(StoreUnavailableError("gone")),
            tally=Tally(),
            main=SimpleNamespace(connected=SimpleNamespace(connection=None)),
            lifetimes=SimpleNamespace(full={}),
            mailboxes=SimpleNamespace(readings=MailboxReadings),
            figures=Figures(),
        )
        given: Any = {"problems": _no_problems, "expiries_s": dict, "lag_s": lambda: 0.0, "now_s": lambda: 1e9}
        with capture_logs() as said:
            readings = await Gathering(bridge, **given, version="1").read()
        assert (readings.store, readings.disk, readings.connected) == (None, None, False)
        assert [event["event"] for event in said] == ["spool_not_measured"]

    asyncio.run(story())


def test_rows_are_looked_at_again_and_again(monkeypatch):
    monkeypatch.setattr(gathering_module, "LOOK_S", 0.01)

    async def story():
        seen, enough = [], asyncio.Event()

        async def read(look):
            if look is outbox.oldest_new_ms:
                return None
            seen.append(look)
            if len(seen) == 3:
                enough.set()
            return None, 0

        bridge: Any = SimpleNamespace(store=SimpleNamespace(read=read), tally=Tally())
        given: Any = {"problems": _no_problems, "expiries_s": dict, "lag_s": lambda: 0.0, "now_s": lambda: 1e9}
        watching = asyncio.create_task(Gathering(bridge, **given, version="1").watch())
        await asyncio.wait_for(enough.wait(), 20)
        watching.cancel()

    asyncio.run(story())
