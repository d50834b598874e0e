"""From SMTP to the screen with real programs: every message at hand, both brokers, late and absent devices."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from clients.contract.header import decode_header
from tests import mail as mails
from tests.conftest import need
from tests.support.mosquitto import mosquitto
from tests.support.system import Subscriber, System
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALICE = "alice@example.org"


@contextmanager
def system_with(broker: str, directory: Path) -> Iterator[tuple[System, int, dict[str, str]]]:
    """A running system with alice's phone, on the embedded broker or on mosquitto; its MQTT port and login."""
    if broker == "embedded":
        with System(directory) as system:
            login = system.add("alice")
            system.serve()
            yield system, system.mqtt_port(), login
        return
    with (
        mosquitto(directory) as port,
        System(directory, POSTBELL_BROKER__EMBEDDED="false", POSTBELL_MQTT__URL=f"mqtt://127.0.0.1:{port}") as system,
    ):
        login = system.add("alice")
        system.serve()
        yield system, port, login


def messages_of(received: list[tuple[bool, str, bytes]]) -> dict[str, list[bytes]]:
    """Header payloads by id."""
    by_id: dict[str, list[bytes]] = {}
    for _, topic, payload in received:
        if "/msg/" in topic:
            by_id.setdefault(topic.rpartition("/")[2], []).append(payload)
    return by_id


@pytest.mark.parametrize("broker", ["embedded", "mosquitto"])
def test_every_message_reaches_both_devices_once_with_equal_values(broker: str, tmp_path: Path) -> None:
    program = need("mosquitto_sub")
    with system_with(broker, tmp_path) as (system, port, phone):
        tablet = json.loads(system.run("device", "add", "alice", "tablet", "--json").stdout)
        options = ["-c", "-i", "alice.tablet", "-u", tablet["username"], "-P", tablet["password"]]
        watching = {"POSTBELL_URL": f"mqtt://127.0.0.1:{port}", "POSTBELL_PASSWORD": phone["password"]}
        system.environment |= watching
        output = tmp_path / "tablet.out"
        with Subscriber(program, port=port, filters=["mail/alice/#"], output=output, options=options) as sub:
            system.start("watch", "alice/phone", "--json", module="clients", log="watch")
            until(lambda: b"connected" in (tmp_path / "watch.log").read_bytes(), what="the watcher")
            files = [*mails.own(), *mails.foreign()]
            assert len(files) >= 31
            accepted = [system.send(path.read_bytes(), ALICE) for path in files]
            ids = set(accepted)
            until(lambda: messages_of(sub.received()).keys() >= ids, what="mosquitto_sub to have all")
            until(lambda: {line["id"] for line in watch_lines(tmp_path)} >= ids, what="watch")
            lines = watch_lines(tmp_path)
            received = messages_of(sub.received())
        assert [len(payloads) for payloads in received.values()] == [1] * len(ids)
        assert sorted(line["id"] for line in lines) == sorted(ids)
        for line in lines:
            payload = received[line["id"]][0]
            assert len(payload) <= 512
            header = decode_header(payload)
            assert (header.from_name, header.from_address, header.subject, header.snippet, header.size) == (
                line["from_name"],
                line["from_address"],
                line["subject"],
                line["snippet"],
                line["size"],
            )
        system.wait_drained()
        newest = max(lines, key=lambda line: str(line["id"]))
        options = ["-u", phone["username"], "-P", phone["password"], "-i", "app", "-C", "1", "-W", "10"]
        command = [program, "-p", str(port), *options, "-t", "mail/alice/text"]
        text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        assert text.count("\n") == 1
        assert text.startswith(str(newest["from_name"] or newest["from_address"] or "(unknown sender)"))


def watch_lines(directory: Path) -> list[dict[str, Any]]:
    """The JSON lines that the watcher printed."""
    log = (directory / "watch.log").read_text().splitlines()
    return [json.loads(line) for line in log if line.startswith("{")]


def mail(number: int) -> bytes:
    return (
        f"From: Bob <bob@example.net>\nTo: {ALICE}\nSubject: number {number}\nMessage-ID: <{number}@x>\n\nhello\n"
    ).encode()


@pytest.mark.parametrize("broker", ["embedded", "mosquitto"])
def test_who_comes_late_gets_all_live_messages_from_the_retained_set(broker: str, tmp_path: Path) -> None:
    program = need("mosquitto_sub")
    with system_with(broker, tmp_path) as (system, port, login):
        accepted = {system.send(mail(number), ALICE) for number in range(40)}
        system.wait_drained()
        options = ["-i", "late", "-u", login["username"], "-P", login["password"]]
        output = tmp_path / "late.out"
        with Subscriber(program, port=port, filters=["mail/alice/msg/+"], output=output, options=options) as late:
            until(lambda: messages_of(late.received()).keys() == accepted, what="the retained set")
            assert all(retained for retained, _, _ in late.received())


@pytest.mark.parametrize("broker", ["embedded", "mosquitto"])
def test_who_was_away_gets_what_was_missed_without_subscribing_again(broker: str, tmp_path: Path) -> None:
    with system_with(broker, tmp_path) as (system, port, login):
        with device(port, login) as (client, received, session_present):
            assert not session_present
            client.subscribe("mail/alice/msg/+", qos=1)
            first = system.send(mail(1), ALICE)
            until(lambda: received, what="the first mail")
        missed = {system.send(mail(number), ALICE) for number in range(2, 30)}
        system.wait_drained()
        with device(port, login) as (_, received, session_present):
            assert session_present
            until(lambda: {topic.rpartition("/")[2] for topic, _ in received} == missed, what="what was missed")
            assert first not in {topic.rpartition("/")[2] for topic, _ in received}
            assert not any(retain for _, retain in received), "an offline queue is not a retained replay"


@contextmanager
def device(port: int, login: dict[str, str]) -> Iterator[tuple[paho.Client, list[tuple[str, bool]], bool]]:
    """A paho client with a persistent session; what it received, and whether its session was there."""
    received: list[tuple[str, bool]] = []
    flags: list[bool] = []
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=login["username"], clean_session=False, reconnect_on_failure=False
    )
    client.username_pw_set(login["username"], login["password"])
    client.on_message = lambda _c, _u, message: received.append((message.topic, message.retain))
    client.on_connect = lambda _c, _u, connected, _r, _p: flags.append(connected.session_present)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        until(lambda: flags, what="CONNACK")
        yield client, received, flags[0]
    finally:
        client.disconnect()
        client.loop_stop()


def test_the_broker_is_started_again_and_gets_its_retained_state_back(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        login = system.add("alice")
        system.serve()
        accepted = {system.send(mail(number), ALICE) for number in range(5)}
        system.wait_drained()
        before = system.facts("broker")
        os.kill(before["pid"], signal.SIGKILL)
        until(lambda: system.facts("broker").get("pid") != before["pid"], what="a new broker")
        assert system.facts("broker")["mqtt"] == before["mqtt"], "it comes back on the same port"
        until(lambda: system.facts("bridge")["connected"], what="the bridge to be back")
        with device(system.mqtt_port(), login) as (client, received, _):
            client.subscribe("mail/alice/msg/+", qos=1)
            until(lambda: {topic.rpartition("/")[2] for topic, _ in received} == accepted, what="the retained state")


def test_one_message_to_several_addresses_rings_once_for_each_user(tmp_path: Path) -> None:
    with System(tmp_path) as system:
        system.run("user", "add", "alice", "--address", ALICE, "--address", "second@example.org")
        system.run("user", "add", "bob", "--address", "@example.org")
        system.serve()
        system.send(mail(1), ALICE, "second@example.org", "whoever@example.org", "alice+shop@example.org")
        system.wait_drained()
        users = json.loads(system.run("user", "list", "--json").stdout)
        assert {user["user"]: user["live"] for user in users} == {"alice": 1, "bob": 1}
