"""The parts of the running bridge, each on its own: what they do when the broker is lost, slow or says no."""

from __future__ import annotations

import asyncio
import contextlib
import json
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.contract.expiry import REPLY_S
from bridge.daemon import inbound as inbound_module
from bridge.daemon import runfile
from bridge.daemon.actions import Actions
from bridge.daemon.bodies import Bodies
from bridge.daemon.connected import Connected
from bridge.daemon.control import ControlError
from bridge.daemon.inbound import Inbound
from bridge.daemon.presence import Presence
from bridge.daemon.service import Service
from bridge.errors import LinkDownError, RefusedError
from bridge.kept import StoredBody
from bridge.publish.connection import Incoming
from bridge.publish.granted import Granted
from bridge.reconcile import Repair
from bridge.requests.replies import ReturnPath
from bridge.spool import Spool
from tests.support import UNUSED
from tests.support.waiting import until_on_loop

MARKER = "mail-bridge/main/marker"


class _Connection:
    """Answers each subscription with the next of `answers`, and remembers what was published."""

    def __init__(self, *answers):
        self.answers, self.filters, self.published, self.expiries = [*answers], [], [], []
        self.replayed = lambda _topic, _payload: None
        self.granted = Granted(mqtt5=True)

    async def subscribe(self, filters, *, qos):
        self.filters.append((filters, qos))
        if self.answers and (trouble := self.answers.pop(0)):
            raise trouble

    @contextlib.contextmanager
    def retained(self, callback):
        self.replayed = callback
        yield

    def publish(self, topic, payload, *, retain, expiry_s=None, correlation=None):
        self.published.append((topic, payload, retain, correlation))
        self.expiries.append(expiry_s)
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class _Replay:
    """A look at the broker that ends as it is told, and stays until cancelled when it is kept."""

    marker_topic = MARKER

    def __init__(self, outcome=None):
        self.outcome, self.markers, self.looks = outcome, [], []

    def marker_received(self, payload):
        self.markers.append(payload)

    async def run(self, connection, *, dry_run=False):
        self.looks.append((connection, dry_run))
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return Repair(1, 2, 3, 4)

    async def keep(self, connection):
        self.looks.append(connection)
        await asyncio.Event().wait()


Connection: Any = _Connection
Replay: Any = _Replay
NOBODY: Any = None


def doing(**what: Any) -> Any:
    """Somebody who does this and no more."""
    return SimpleNamespace(**what)


# --- what comes from the broker -------------------------------------------------------------------


def listening(*answers):
    connection = Connection(*answers)
    with capture_logs() as logs:
        asyncio.run(Inbound(requests=NOBODY, replay=Replay(), heard=print, root="home/mail").listen(connection))
    return connection, [(entry["event"], entry["reason"]) for entry in logs]


def test_requests_are_asked_for_once():
    connection, logs = listening()
    assert connection.filters == [(["home/mail/+/do/+"], 1)]
    assert logs == []


@pytest.mark.parametrize(
    ("trouble", "reason"), [(RefusedError("no"), "no"), (TimeoutError(), "no answer to the subscription")]
)
def test_a_subscription_that_failed_is_asked_for_again(monkeypatch, trouble, reason):
    monkeypatch.setattr(inbound_module, "SUBSCRIBE_AGAIN_S", 0)
    connection, logs = listening(trouble, trouble)
    assert len(connection.filters) == 3
    assert logs == [("requests_not_heard", reason)] * 2


def test_on_a_connection_that_is_lost_nothing_is_asked_for_again():
    connection, logs = listening(LinkDownError("cut"))
    assert (len(connection.filters), logs) == (1, [])


def test_a_marker_goes_to_the_replay_and_everything_else_is_a_request():
    asked, replay = [], Replay()

    async def handle(*request, **properties):
        asked.append((request, properties))

    heard = []
    inbound = Inbound(requests=doing(handle=handle), replay=replay, heard=heard.append, root="mail")
    asyncio.run(inbound.take(Incoming(MARKER, b"token")))
    asyncio.run(inbound.take(Incoming("mail/alice/do/phone", b"ask", "mail/alice/re/phone/1", b"7")))
    assert replay.markers == [b"token"]
    assert heard == ["mail/alice/do/phone"]
    assert asked == [
        (("mail/alice/do/phone", b"ask"), {"response_topic": "mail/alice/re/phone/1", "correlation": b"7"})
    ]


def test_what_clears_a_request_is_none():
    heard = []
    inbound = Inbound(requests=NOBODY, replay=Replay(), heard=heard.append, root="mail")
    asyncio.run(inbound.take(Incoming("mail/alice/do/phone", b"")))
    assert heard == []


def test_requests_that_are_replayed_are_cleared_and_nothing_else():
    async def story():
        inbound, connection = Inbound(requests=NOBODY, replay=Replay(), heard=print, root="mail"), Connection()
        clearing = asyncio.create_task(inbound.clear_retained(connection))
        await asyncio.sleep(0)
        for topic, payload in (
            ("mail/alice/msg/00t64ks8n", b"x"),
            ("mail/alice/do/phone", b""),
            ("mail/alice/do/phone", b"x"),
            ("mail/alice/do/a/b", b"x"),
        ):
            await asyncio.to_thread(connection.replayed, topic, payload)
        await until_on_loop(lambda: connection.published, what="the request to be cleared")
        clearing.cancel()
        await asyncio.wait({clearing})
        assert connection.published == [("mail/alice/do/phone", b"", True, None)]

    with capture_logs() as logs:
        asyncio.run(story())
    [told] = logs
    assert (told["event"], told["user"], told["device"]) == ("retained_request_cleared", "alice", "phone")


# --- one connection -------------------------------------------------------------------------------


def test_a_reply_goes_over_the_connection_that_there_is():
    async def story():
        connected, connection = Connected(), Connection()
        path = ReturnPath("mail/alice/re/phone", b"7")
        with pytest.raises(LinkDownError):
            await connected.reply(path, b"early")
        with connected.by(connection):
            await connected.reply(path, b"answer")
        with pytest.raises(LinkDownError):
            await connected.reply(path, b"late")
        assert connection.published == [("mail/alice/re/phone", b"answer", False, b"7")]
        assert connection.expiries == [REPLY_S]

    asyncio.run(story())


def serving(tmp_path, story, *, pump=None):
    """A Service whose pump waits until cancelled, unless it is given."""
    connected = Connected()
    presence = Presence(tmp_path / "run", addresses=lambda: {"smtp": "127.0.0.1:25"}, connected=connected)

    async def wait(_connection):
        await asyncio.Event().wait()

    async def run():
        ready = []
        service = Service(
            connected=connected,
            presence=presence,
            inbound=Inbound(requests=NOBODY, replay=Replay(), heard=print, root="mail"),
            replay=Replay(),
            outbox=doing(run=pump or wait),
            ready=lambda: ready.append(runfile.read(tmp_path / "run", runfile.BRIDGE)["connected"]),
            beside={},
        )
        await story(service, connected, ready)

    asyncio.run(run())


def test_the_first_connection_makes_ready_and_each_is_told_of(tmp_path):
    async def story(service, connected, ready):
        for _ in range(2):
            connection = Connection()
            task = asyncio.create_task(service.serve(connection))
            await until_on_loop(partial(getattr, connection, "filters"), what="the subscription")
            assert connected.connection is connection
            told = runfile.read(tmp_path / "run", runfile.BRIDGE)
            assert (told["connected"], told["smtp"], told["lmtp"]) == (True, "127.0.0.1:25", None)
            assert told["protocol"] == "5"
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert connected.connection is None
            assert json.loads((tmp_path / "run" / "bridge.json").read_text())["connected"] is False
        assert ready == [True], "once, and the run file says it already"

    serving(tmp_path, story)


def test_a_defect_in_one_task_ends_all_and_is_not_hidden(tmp_path):
    async def broken(_connection):
        raise RuntimeError("a defect in the pump")

    async def story(service, connected, _ready):
        with pytest.raises(ExceptionGroup) as caught:
            await service.serve(Connection())
        assert caught.group_contains(RuntimeError, match="a defect in the pump")
        assert connected.connection is None

    serving(tmp_path, story, pump=broken)


# --- commands and bodies --------------------------------------------------------------------------


def asked(replay, request, *, connection=None):
    connected = Connected()
    connected.connection = connection
    actions = Actions(
        main=SimpleNamespace(connected=connected, replay=replay),  # type: ignore[arg-type]
        circuits=SimpleNamespace(all={}),  # type: ignore[arg-type]
        directory=NOBODY,
        reload=UNUSED,
        figures=dict,
        access=NOBODY,
        mailboxes=list,
    )

    async def ask():
        return await actions.by_name()["reconcile"](request)

    return asyncio.run(ask())


@pytest.mark.parametrize("dry_run", [True, False])
def test_reconcile_answers_with_what_was_found(dry_run):
    replay, connection = Replay(), Connection()
    found = asked(replay, {"do": "reconcile", "dry_run": dry_run}, connection=connection)
    assert found == {"missing": 1, "different": 2, "stale": 3, "held": 4}
    assert replay.looks == [(connection, dry_run)]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (LinkDownError("cut"), "the broker was lost meanwhile: cut"),
        (RefusedError("no"), "the broker was lost meanwhile: no"),
        (TimeoutError(), "the broker was lost meanwhile: timed out"),
    ],
)
def test_reconcile_says_why_it_could_not(trouble, words):
    with pytest.raises(ControlError, match=words):
        asked(Replay(trouble), {}, connection=Connection())


def test_reconcile_needs_a_connection():
    with pytest.raises(ControlError, match="not connected to its broker now"):
        asked(Replay(), {})


def test_a_body_is_read_from_its_row_or_from_the_spool(tmp_path):
    (tmp_path / "a.eml").write_bytes(b"large")
    spool = Spool(tmp_path)
    load = Bodies(spool).load
    stored = [StoredBody(5, b"small", None), StoredBody(5, None, "a.eml"), StoredBody(5, None, "gone.eml")]
    found = [asyncio.run(load(each)) for each in [*stored, StoredBody(5, None, None)]]
    spool.close()
    assert found == [b"small", b"large", None, None]
