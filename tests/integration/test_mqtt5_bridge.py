"""The bridge speaks MQTT 5 where the broker does, else 3.1.1; what 5 says is heeded and told."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.brokers import NEWEST, outside
from tests.support.mosquitto import Mosquitto
from tests.support.old_broker import ANSWERS, OldBroker
from tests.support.scripted_broker import ScriptedBroker, disconnect
from tests.support.system import System
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAIL = b"From: Carol <carol@example.net>\nSubject: Hello\n\nHello\n"
DAY_S = 86_400


def system_at(directory: Path, port: int, **overrides: str) -> System:
    """Postbell beside a broker."""
    url = f"mqtt://127.0.0.1:{port}"
    return System(directory, POSTBELL_BROKER__EMBEDDED="false", POSTBELL_MQTT__URL=url, **overrides)


def told(directory: Path, event: str) -> list[dict[str, Any]]:
    """What the log says of an event."""
    lines = (directory / "serve.log").read_text().splitlines()
    return [each for line in lines if line.startswith("{") and (each := json.loads(line))["event"] == event]


@contextmanager
def listening(port: int, topic: str) -> Iterator[list[paho.MQTTMessage]]:
    """What a device that speaks MQTT 5 hears."""
    heard: list[paho.MQTTMessage] = []
    ready: list[int] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener", protocol=paho.MQTTv5)
    client.on_connect = lambda c, *_: c.subscribe([(topic, 1)])
    client.on_subscribe = lambda *_: ready.append(1)
    client.on_message = lambda _c, _u, message: heard.append(message)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        until(lambda: ready, what="SUBACK")
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize("name", sorted(NEWEST))
def test_it_speaks_the_newest_that_the_broker_does_and_says_which(name: str, tmp_path: Path) -> None:
    with outside(name, tmp_path) as port, system_at(tmp_path, port) as system:
        system.add("alice")
        system.serve()
        system.send(MAIL, "alice@example.org")
        system.wait_drained()
        [connected] = told(tmp_path, "broker_connected")
        assert connected["protocol"] == system.status()["broker"]["protocol"] == NEWEST[name]
        assert f"MQTT {NEWEST[name]}" in system.run("status").stdout
        assert told(tmp_path, "broker_unreachable") == []


def test_it_speaks_what_the_embedded_broker_does(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.serve()
        spoken = {each["check"]: each for each in _findings(system)}["broker.version"]["problem"]
        newest = "5" if spoken.endswith("and 5") else "3.1.1"
        assert system.status()["broker"]["protocol"] == newest


def _findings(system: System) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = json.loads(system.run("doctor", "--json", "--look-only", check=False).stdout)
    return findings


@pytest.mark.parametrize("answer", sorted(ANSWERS))
def test_it_falls_back_where_5_is_refused(answer: str, tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        OldBroker(broker.port, answer=ANSWERS[answer]) as old,
        system_at(tmp_path, old.port) as system,
    ):
        system.add("alice")
        system.serve()
        system.send(MAIL, "alice@example.org")
        system.wait_drained()
        assert old.levels == [5, 4]
        assert [each["protocol"] for each in told(tmp_path, "broker_connected")] == ["3.1.1"]


@pytest.mark.parametrize(("version", "levels"), [("3.1.1", [4]), ("5", [5, 5])])
def test_it_speaks_what_it_is_told_to_alone(version: str, levels: list[int], tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        OldBroker(broker.port, answer=ANSWERS["code 1"]) as old,
        system_at(tmp_path, old.port, POSTBELL_MQTT__VERSION=version) as system,
    ):
        system.start("serve")
        until(lambda: old.levels[: len(levels)] == levels, what="the bridge to come")
        if version == "5":
            reasons = {each["reason"] for each in told(tmp_path, "broker_unreachable")}
            assert reasons == {"the broker refused the connection: Unsupported protocol version"}


def test_a_header_has_the_time_that_is_left_also_when_it_is_replayed(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, system_at(tmp_path, broker.port, POSTBELL_RETAIN__DAYS="7") as system:
        system.add("alice")
        system.serve()
        with listening(broker.port, "mail/alice/#") as heard:
            mail_id = system.send(MAIL, "alice@example.org")
            system.wait_drained()
            topics = {f"mail/alice/{what}" for what in ("box", "last", "text", "unread", "event", f"msg/{mail_id}")}
            until(lambda: {message.topic for message in heard} >= topics, what="all of it")
            expiries: dict[str, Any] = {
                message.topic.split("/")[2]: getattr(message.properties, "MessageExpiryInterval", None)
                for message in heard
            }
            assert 7 * DAY_S - 60 < expiries.pop("msg") <= 7 * DAY_S
            assert 7 * DAY_S - 60 < expiries.pop("event") <= 7 * DAY_S
            assert set(expiries.values()) == {None}
        system.run("reconcile")
        assert [each["missing"] + each["different"] for each in told(tmp_path, "reconciled")][-1] == 0


def test_what_left_by_age_is_forgotten_by_a_broker_that_never_hears_of_it(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, system_at(tmp_path, broker.port, POSTBELL_RETAIN__DAYS="0.0001") as system:
        system.add("alice")
        serving = system.serve()
        system.send(MAIL, "alice@example.org")
        until(lambda: any(each["kind"] == "msg" for each in told(tmp_path, "published")), what="the header")
        system.stop(serving, 9)

        def held() -> list[paho.MQTTMessage]:
            with listening(broker.port, "mail/alice/msg/+") as heard, listening_to_end(broker.port):
                return list(heard)

        until(lambda: held() == [], what="the broker to forget")


@contextmanager
def listening_to_end(port: int) -> Iterator[None]:
    """Whatever was retained has come by now: a message of our own stood behind it."""
    with listening(port, "end") as heard:
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", port)
        client.loop_start()
        client.publish("end", b"x", qos=1).wait_for_publish(10)
        until(lambda: heard, what="the end")
        client.disconnect()
        client.loop_stop()
        yield


def test_an_expired_copy_of_live_mail_is_repaired_once_and_not_for_ever(tmp_path: Path) -> None:
    """As where the operator has raised retain.days: the broker was told of an earlier end."""
    with Mosquitto(tmp_path) as broker, system_at(tmp_path, broker.port) as system:
        system.add("alice")
        system.serve()
        mail_id = system.send(MAIL, "alice@example.org")
        system.wait_drained()
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        client.publish(f"mail/alice/msg/{mail_id}", b"", qos=1, retain=True).wait_for_publish(10)
        client.disconnect()
        client.loop_stop()
        system.run("reconcile")
        assert told(tmp_path, "reconciled")[-1]["missing"] == 1
        system.wait_drained()
        system.run("reconcile")
        assert told(tmp_path, "reconciled")[-1]["missing"] == 0


def test_no_more_is_in_flight_than_the_broker_takes(tmp_path: Path) -> None:
    """Mosquitto ends a connection that exceeds its receive maximum."""
    with (
        Mosquitto(tmp_path, "max_inflight_messages 3") as broker,
        system_at(tmp_path, broker.port, POSTBELL_MQTT__WINDOW="256") as system,
    ):
        system.add("alice")
        for _ in range(2):
            serving = system.serve()
            for _ in range(40):
                system.send(MAIL, "alice@example.org")
            system.wait_drained()
            system.stop(serving)
        assert told(tmp_path, "broker_lost") == []
        assert {each["protocol"] for each in told(tmp_path, "broker_connected")} == {"5"}


def test_what_is_larger_than_the_broker_takes_stays_and_does_no_harm_to_the_rest(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, "max_packet_size 260") as broker, system_at(tmp_path, broker.port) as system:
        system.add("alice")
        system.serve()
        large = system.send(MAIL.replace(b"Hello\n\n", b"x" * 250 + b"\n\n"), "alice@example.org")
        until(lambda: any(each["id"] == large for each in told(tmp_path, "publish_refused")), what="the refusal")
        small = system.send(MAIL, "alice@example.org")
        until(lambda: any(each["id"] == small for each in told(tmp_path, "published")), what="the next mail")
        refusal = next(each for each in told(tmp_path, "publish_refused") if each["id"] == large)
        assert "and the broker takes 260" in refusal["reason"]
        assert system.waiting() > 0
        assert told(tmp_path, "broker_lost") == []


def test_a_publish_that_the_broker_refuses_is_told_and_kept(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic readwrite mail-bridge/#\ntopic read mail/#\ntopic readwrite mail/+/box\n")
    with Mosquitto(tmp_path, f"acl_file {tmp_path / 'acl'}") as broker, system_at(tmp_path, broker.port) as system:
        system.add("alice")
        system.serve()
        mail_id = system.send(MAIL, "alice@example.org")
        until(lambda: any(each["id"] == mail_id for each in told(tmp_path, "publish_refused")), what="the refusal")
        refusal = next(each for each in told(tmp_path, "publish_refused") if each["id"] == mail_id)
        assert (refusal["reason"], refusal["kind"], refusal["user"]) == ("Not authorized", "msg", "alice")
        assert not any(each["id"] == mail_id for each in told(tmp_path, "published"))
        assert system.waiting() > 0


@pytest.mark.parametrize(
    ("said", "told_as"),
    [
        (disconnect(0x8E), "Session taken over"),
        (disconnect(0x8B, "back at noon"), "Server shutting down: back at noon"),
        (None, "the connection was lost"),
    ],
)
def test_why_the_broker_ended_the_connection_is_told(said: bytes | None, told_as: str, tmp_path: Path) -> None:
    with ScriptedBroker() as broker, system_at(tmp_path, broker.port) as system:
        system.serve()
        if said is not None:
            broker.say(said)
        broker.hang_up()
        until(lambda: told(tmp_path, "broker_lost"), what="the loss")
        assert told(tmp_path, "broker_lost")[0]["reason"] == told_as
