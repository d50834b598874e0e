"""The reference client at brokers of both versions: says which it speaks, and is told nothing twice by either."""

from __future__ import annotations

import json
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.brokers import NEWEST, outside
from tests.support.contract_player import Command, Player, mail_id
from tests.support.mosquitto import Mosquitto
from tests.support.old_broker import ANSWERS, OldBroker
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def at(port: int) -> Any:
    """A broker as a command and a player want it."""
    return SimpleNamespace(port=port, url=f"mqtt://127.0.0.1:{port}")


@contextmanager
def asked_for(version: str, directory: Path) -> Iterator[tuple[Mosquitto, Any]]:
    """A mosquitto, and the door to it behind which that version is spoken."""
    with Mosquitto(directory) as broker:
        if version == "5":
            yield broker, broker
        else:
            with OldBroker(broker.port, answer=ANSWERS["code 1"]) as old:
                yield broker, at(old.port)


def ids_in(watch: Command) -> list[str]:
    return [json.loads(line)["id"] for line in watch.lines]


@pytest.mark.parametrize("name", sorted(NEWEST))
def test_it_speaks_the_newest_that_the_broker_does_and_says_which(name: str, tmp_path: Path) -> None:
    with outside(name, tmp_path) as port, Player(at(port)) as player:
        player.deliver(0)
        watch = Command(tmp_path, at(port), "--json")
        with watch:
            watch.await_lines(1)
            assert f"postbell: connected, MQTT {NEWEST[name]}\n" in watch.complaints
            assert watch.end() == 0
        player.deliver(1)
        with watch:
            watch.await_lines(2)
        assert ids_in(watch) == [mail_id(0), mail_id(1)]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_session_that_is_there_repeats_nothing(version: str, tmp_path: Path) -> None:
    with asked_for(version, tmp_path) as (broker, door), Player(broker) as player:
        player.deliver(*range(20))
        player.settle()
        watch = Command(tmp_path, door, "--json")
        with watch:
            watch.await_lines(20)
        for number in (20, 21):
            player.deliver(number)
            player.settle()
            with watch:
                watch.await_lines(number + 1)
        assert ids_in(watch) == [mail_id(number) for number in range(22)]
        assert broker.replayed("alice:phone") == 20
        assert f"connected, MQTT {version}" in watch.complaints


@pytest.mark.parametrize("change", [("5", "3.1.1"), ("3.1.1", "5")], ids=" to ".join)
def test_a_device_changes_over_from_one_version_to_the_other(change: tuple[str, str], tmp_path: Path) -> None:
    """One address, so that its record of the subscription is that of the same broker."""
    before, after = change
    with Mosquitto(tmp_path) as broker, Player(broker) as player:
        player.deliver(0, 1)
        player.settle()
        with OldBroker(broker.port, answer=ANSWERS["code 1"]) as door:
            watch = Command(tmp_path, at(door.port), "--json")
            for number, version in ((2, before), (3, after), (4, after)):
                door.refuses = version == "3.1.1"
                with watch:
                    player.deliver(number)
                    watch.await_lines(number + 1)
                    until(lambda: f"connected, MQTT {version}" in watch.complaints, what=version)  # noqa: B023
        assert sorted(ids_in(watch)) == [mail_id(number) for number in range(5)]
        assert broker.replayed("alice:phone") <= 3, "what was there when it first came, and nothing again"


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_broker_that_kept_the_session_and_lost_its_filters_is_found_out(version: str, tmp_path: Path) -> None:
    with asked_for(version, tmp_path) as (broker, door), Player(broker) as player:
        player.deliver(0)
        watch = Command(tmp_path, door, "--json")
        with watch:
            watch.await_lines(1)
        undo(broker.port)
        player.deliver(1)
        player.settle()
        with watch:
            watch.await_lines(2)
            healed = "disagrees with its digest" in watch.complaints
        assert ids_in(watch) == [mail_id(0), mail_id(1)]
        assert healed == (version == "3.1.1"), "on 5 the subscription itself tells"


def undo(port: int) -> None:
    """Take the device's filters out of its session."""
    done: list[int] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="alice:phone", clean_session=False)
    client.on_unsubscribe = lambda *_: done.append(1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.unsubscribe(["mail/alice/msg/+", "mail/alice/box", "mail/alice/re/phone"])
    until(lambda: done, what="UNSUBACK")
    client.disconnect()
    client.loop_stop()
