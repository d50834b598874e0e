"""The session's patience with a broker that is none."""

from __future__ import annotations

import socket
import ssl

import pytest

from clients.backoff import Backoff
from clients.endpoint import parse_endpoint
from clients.errors import LoginRefusedError, LoginTakenError
from clients.login import Login
from clients.schedule import CONNECT_TIMEOUT_S
from clients.session import TAKEOVER_S, TAKEOVERS, Session
from clients.transport import described
from tests.support import scripted_broker
from tests.support.scripted_broker import ScriptedBroker, connack, disconnect, options_of
from tests.support.waiting import until


class Listening:
    def __init__(self):
        self.reasons = []

    def disconnected(self, reason, *, retry_s):
        assert retry_s > 0
        self.reasons.append(reason)


def session_to(port, clock, listener, asleep=lambda: 0.0):
    return Session(
        Login(parse_endpoint(f"mqtt://127.0.0.1:{port}"), "alice.phone", "secret", 60),
        filters=("mail/alice/msg/+",),
        subscription="",
        listener=listener,
        clock=clock,
        asleep=asleep,
        backoff=Backoff(jitter=lambda: 0.5),
    )


def test_broker_that_accepts_and_stays_silent_is_given_up():
    now = [0.0]
    listener = Listening()
    with socket.create_server(("127.0.0.1", 0)) as server:
        patient = session_to(server.getsockname()[1], lambda: now[0], listener)
        patient.step(0.01)
        assert listener.reasons == []
        now[0] += CONNECT_TIMEOUT_S
        patient.step(0.01)
        assert listener.reasons == ["the broker does not answer"]
        assert not patient.up


def test_after_a_sleep_of_the_machine_it_comes_back_at_once():
    slept = [0.0]
    listener = Listening()
    with socket.create_server(("127.0.0.1", 0)) as server:
        patient = session_to(server.getsockname()[1], lambda: 0.0, listener, asleep=lambda: slept[0])
        patient.step(0.01)
        slept[0] = 60.0
        patient.step(0.01)
        assert listener.reasons == ["the machine slept"]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00", b"\xff" * 9, b""])
def test_broker_that_talks_nonsense_is_left_and_tried_again(answer):
    now = [0.0]
    listener = Listening()
    with socket.create_server(("127.0.0.1", 0)) as server:
        patient = session_to(server.getsockname()[1], lambda: now[0], listener)
        patient.step(0.01)
        connection, _ = server.accept()
        connection.sendall(answer)
        connection.close()
        for _ in range(20):
            patient.step(0.1)
            if listener.reasons:
                break
        assert len(listener.reasons) == 1
        assert not patient.up


def certificate_error():
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


def tls_error(reason):
    error = ssl.SSLError(1, "[SSL] something")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            certificate_error(),
            "the broker's certificate is not trusted: self-signed certificate; --ca-file",
        ),
        (tls_error("WRONG_VERSION_NUMBER"), "TLS failed: wrong version number"),
        (tls_error(None), "TLS failed: "),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (ValueError("bad header"), "bad header"),
        (TimeoutError(), "TimeoutError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_went_wrong_is_said_without_numbers_and_pythons_names(error, said):
    assert described(error).startswith(said)


# --- a broker that speaks MQTT 5 and says why -----------------------------------------------------

FILTERS = ("mail/alice/msg/+", "mail/alice/box", "mail/alice/re/phone")


class Told(Listening):
    """Remembers all that it is told."""

    def __init__(self):
        super().__init__()
        self.versions, self.subscriptions, self.refusals = [], [], []

    def connected(self, *, session_present, version):
        self.versions.append((version, session_present))

    def subscribing(self):
        self.subscriptions.append("void")

    def subscribed(self, subscription):
        self.subscriptions.append(subscription)

    def unheard(self, reason):
        self.refusals.append(reason)


def at(broker, listener, *, subscription="", now=None):
    clock = now or [0.0]
    return Session(
        Login(parse_endpoint(f"mqtt://127.0.0.1:{broker.port}"), "alice.phone", "secret", 900),
        filters=FILTERS,
        renewed=FILTERS[1:],
        subscription=subscription,
        listener=listener,
        clock=lambda: clock[0],
        asleep=lambda: 0.0,
        backoff=Backoff(jitter=lambda: 0.5),
    )


def stepped(session, holds):
    until(lambda: session.step(0.01) is None or holds(), what="the session")


def replays(options):
    """Retain handling by filter (MQTT 5 §3.8.3.1)."""
    return {topic_filter: bits >> 4 for topic_filter, bits in options.items()}


@pytest.mark.parametrize("session_present", [False, True])
def test_a_device_that_knows_nothing_is_told_all(session_present):
    listener = Told()
    with ScriptedBroker(connack(session_present=session_present)) as broker:
        session = at(broker, listener)
        stepped(session, lambda: len(listener.subscriptions) == 2)
        assert listener.versions == [("5", session_present)]
        assert listener.subscriptions[0] == "void"
        [subscribe] = broker.of(scripted_broker.SUBSCRIBE)
        assert replays(options_of(subscribe)) == dict.fromkeys(FILTERS, 0)
        assert {bits & 3 for bits in options_of(subscribe).values()} == {1}
        session.close()


def test_a_session_that_is_there_is_subscribed_to_without_a_replay():
    listener = Told()
    with ScriptedBroker(connack(session_present=True)) as broker:
        session = at(broker, listener, subscription=wanted(broker))
        stepped(session, lambda: broker.of(scripted_broker.SUBSCRIBE))
        session.publish("mail/alice/do/phone", b"x")
        stepped(session, lambda: broker.of(scripted_broker.PUBLISH))
        [subscribe] = broker.of(scripted_broker.SUBSCRIBE)
        assert replays(options_of(subscribe)) == {FILTERS[0]: 1, FILTERS[1]: 0, FILTERS[2]: 0}
        assert listener.subscriptions == [], "what is on record stays as it is"
        session.subscribe(FILTERS)
        stepped(session, lambda: len(broker.of(scripted_broker.SUBSCRIBE)) == 2)
        assert replays(options_of(broker.of(scripted_broker.SUBSCRIBE)[1])) == dict.fromkeys(FILTERS, 0), "healing"
        session.close()


def wanted(broker):
    return " ".join((f"mqtt://127.0.0.1:{broker.port}", "alice.phone", *FILTERS))


def test_it_asks_for_a_session_that_stays_for_thirty_days():
    listener = Told()
    with ScriptedBroker() as broker:
        session = at(broker, listener)
        stepped(session, lambda: listener.versions)
        [connect] = broker.of(scripted_broker.CONNECT)
        assert connect.body[6] == 5
        assert connect.body[7] & 2 == 0, "clean start is off"
        assert int.from_bytes(connect.body[8:10], "big") == 900
        assert connect.body[10:16] == b"\x05\x11" + (30 * 86_400).to_bytes(4, "big")
        session.close()


def test_the_brokers_keep_alive_is_heeded():
    listener = Told()
    with ScriptedBroker(connack(0, bytes([scripted_broker.SERVER_KEEP_ALIVE]) + (1).to_bytes(2, "big"))) as broker:
        now = [0.0]
        session = at(broker, listener, now=now)
        stepped(session, lambda: len(listener.subscriptions) == 2)
        now[0] = 0.9
        session.step(0)
        assert not broker.of(scripted_broker.PINGREQ)
        now[0] = 1.0
        stepped(session, lambda: broker.of(scripted_broker.PINGREQ))
        session.close()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (disconnect(0x8E), "the broker ended the connection: another app uses this login, and the broker takes one at"),
        (disconnect(0x8B, "back at noon"), "the broker ended the connection: the broker is shutting down (it says: ba"),
        (disconnect(0x8D), "the broker ended the connection: the broker heard nothing from here for too long"),
        (disconnect(0x97), "the broker ended the connection: a quota of the broker is used up"),
        (disconnect(0x95), "the broker ended the connection: the packet is larger than the broker takes"),
        (disconnect(0x98), "the broker ended the connection: the broker's operator has ended the connection: was"),
    ],
    ids=["taken over", "shutting down", "keep alive", "quota", "packet too large", "revoked"],
)
def test_why_it_is_thrown_out_is_said_and_it_comes_back(said, reason):
    listener, now = Told(), [0.0]
    with ScriptedBroker() as broker:
        session = at(broker, listener, now=now)
        stepped(session, lambda: listener.versions)
        broker.say(said)
        broker.hang_up()
        stepped(session, lambda: listener.reasons)
        assert listener.reasons[0].startswith(reason)
        now[0] += 60
        stepped(session, lambda: len(listener.versions) == 2)
        assert listener.versions[1][0] == "5"
        session.close()


def test_two_programs_that_throw_one_another_out_come_to_an_end():
    listener, now = Told(), [0.0]
    with ScriptedBroker(connack()) as broker:
        session = at(broker, listener, now=now)
        for each in range(TAKEOVERS - 1):
            stepped(session, lambda each=each: len(listener.versions) == each + 1)
            broker.say(disconnect(0x8E))
            stepped(session, lambda each=each: len(listener.reasons) == each + 1)
            now[0] += 60
        stepped(session, lambda: len(listener.versions) == TAKEOVERS)
        broker.say(disconnect(0x8E))
        with pytest.raises(LoginTakenError, match="end that one, or give each a device of its own"):
            stepped(session, lambda: False)


def test_one_that_takes_over_now_and_then_is_put_up_with():
    listener, now = Told(), [0.0]
    with ScriptedBroker(connack()) as broker:
        session = at(broker, listener, now=now)
        for each in range(TAKEOVERS + 1):
            stepped(session, lambda each=each: len(listener.versions) == each + 1)
            now[0] += TAKEOVER_S + 1
            session.step(0)
            broker.say(disconnect(0x8E))
            stepped(session, lambda each=each: len(listener.reasons) == each + 1)
            now[0] += 60
        session.close()


def test_a_wrong_password_is_no_reason_to_speak_an_older_mqtt():
    with ScriptedBroker(connack(0x86)) as broker:
        session = at(broker, Told())
        with pytest.raises(LoginRefusedError, match="wrong password, or the device was revoked"):
            stepped(session, lambda: False)
        assert len(broker.of(scripted_broker.CONNECT)) == 1


def test_a_broker_that_is_busy_is_asked_again_in_the_same_version():
    listener, now = Told(), [0.0]
    with ScriptedBroker(connack(0x89), connack()) as broker:
        session = at(broker, listener, now=now)
        stepped(session, lambda: listener.reasons)
        assert listener.reasons == ["the broker refused the connection: the broker is busy"]
        now[0] += 60
        stepped(session, lambda: listener.versions)
        assert [connect.body[6] for connect in broker.of(scripted_broker.CONNECT)] == [5, 5]
        session.close()


def test_a_subscription_that_is_refused_is_told_with_its_reason():
    with ScriptedBroker(granted=0x87) as broker:
        session = at(broker, Told())
        with pytest.raises(LoginRefusedError, match="subscribe to its own topics: this login may not do that"):
            stepped(session, lambda: False)


def test_a_request_that_is_refused_is_told():
    listener = Told()
    with ScriptedBroker(acknowledged=0x97) as broker:
        session = at(broker, listener)
        stepped(session, lambda: session.up)
        session.publish("mail/alice/do/phone", b"x")
        stepped(session, lambda: listener.refusals)
        assert listener.refusals == ["a quota of the broker is used up"]
        session.close()


@pytest.mark.parametrize("answer", [bytes.fromhex("20020001"), connack(0x84)])
def test_a_broker_that_refuses_5_is_spoken_to_in_3_1_1_at_once_and_from_then_on(answer):
    listener, now = Told(), [0.0]
    accepted = bytes.fromhex("20020000")
    with ScriptedBroker(answer, accepted) as broker:
        session = at(broker, listener, now=now)
        for times in (1, 2):
            stepped(session, lambda: len(listener.versions) == times)  # noqa: B023 - called at once
            broker.hang_up()
            stepped(session, lambda: len(listener.reasons) == times)  # noqa: B023
            now[0] += 60
        assert {version for version, _ in listener.versions} == {"3.1.1"}
        assert [connect.body[6] for connect in broker.of(scripted_broker.CONNECT)] == [5, 4, 4]
        assert set(listener.reasons) == {"the connection was lost"}, "of the refusal nothing is said"


def test_a_broker_that_just_hangs_up_is_tried_in_both():
    listener, now = Told(), [0.0]
    with ScriptedBroker(b"", bytes.fromhex("20020000")) as broker:
        session = at(broker, listener, now=now)
        stepped(session, lambda: broker.of(scripted_broker.CONNECT))
        broker.hang_up()
        stepped(session, lambda: listener.reasons)
        now[0] += 60
        stepped(session, lambda: listener.versions)
        assert listener.versions == [("3.1.1", False)]
        broker.hang_up()
        stepped(session, lambda: len(listener.reasons) == 2)
        now[0] += 60
        stepped(session, lambda: len(broker.of(scripted_broker.CONNECT)) == 3)
        assert [connect.body[6] for connect in broker.of(scripted_broker.CONNECT)] == [5, 4, 5]
