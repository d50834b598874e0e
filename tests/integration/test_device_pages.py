"""What docs/devices/ tells to type, typed: mosquitto_sub, Home Assistant's mosquitto as a bridge and as the broker."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tomllib
from typing import TYPE_CHECKING

import msgpack
import paho.mqtt.client as paho
import pytest
import yaml  # type: ignore[import-untyped]
from paho.mqtt.enums import CallbackAPIVersion

from bridge.cli import opening
from bridge.config.endpoints import MqttUrl
from bridge.contract import ids
from bridge.init import authority
from bridge.setup import pasting
from bridge.setup.pasting import PairedDevice, Purpose
from bridge.store import offline
from tests.conftest import need
from tests.install.recipes import blocks
from tests.support.mosquitto import Mosquitto
from tests.support.system import ROOT, System
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "mail.example.org"
WAITS_S = 20


def mail(subject):
    return f"From: Ada <ada@example.org>\nTo: alice@example.org\nSubject: {subject}\n\nSee the drawing.\n".encode()


class Postbell:
    """A running system with TLS for devices, out of an authority of its own."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system, self.folder = system, folder
        self.port = int(system.facts("broker")["mqtts"].rpartition(":")[2])
        self.passwords: dict[str, str] = {}

    def device(self, name: str, *options: str) -> str:
        login = json.loads(self.system.run("device", "add", "alice", name, "--json", *options).stdout)
        password: str = login["password"]
        return password

    def filled(self, text: str, password: str) -> str:
        """What a page says, with what it leaves to its reader."""
        text = text.replace(HOST, "localhost").replace("8883", str(self.port)).replace("PASSWORD", password)
        return re.sub(r"[\w/]*ca\.pem", str(self.folder / "ca.pem"), text)

    def send(self, subject: str) -> None:
        self.system.send(mail(subject), "alice@example.org")


@pytest.fixture
def postbell(tmp_path) -> Iterator[Postbell]:
    now = opening.now()
    ca = authority.make_authority("test", now=now)
    pair = authority.make_server(ca, (HOST, "localhost"), now=now)
    for name, pem in (("ca.pem", ca.certificate), ("chain.pem", pair.certificate), ("key.pem", pair.key)):
        (tmp_path / name).write_bytes(pem)
    tls = {
        "POSTBELL_BROKER__TLS_LISTEN": "127.0.0.1:0",
        "POSTBELL_BROKER__TLS_CERT": str(tmp_path / "chain.pem"),
        "POSTBELL_BROKER__TLS_KEY": str(tmp_path / "key.pem"),
    }
    with System(tmp_path, **tls) as system:
        system.run("user", "add", "alice", "--address", "alice@example.org")
        system.serve()
        yield Postbell(system, tmp_path)


@pytest.fixture
def shell(tmp_path):
    """Runs a line as somebody types it whose options are in a file; on its desktop notifications are lines."""
    running = []
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "notify-send").write_text('#!/bin/sh\necho "$1: $2"\n')
    (programs / "notify-send").chmod(0o755)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8"}

    def type_in(line: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["sh", "-c", line], stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )
        running.append(process)
        return process

    yield type_in
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait(20)
        process.stdout.close()


def subscribed(postbell, login, count):
    """Wait until the broker let a device in so many times."""

    def let_in():
        lines = (postbell.folder / "serve.log").read_text().splitlines()
        return sum('"client_connected"' in line and f'"{login}"' in line for line in lines)

    until(lambda: let_in() >= count, what=f"{login} to be let in")


def test_mosquitto_sub(postbell, shell, tmp_path):
    for program in ("mosquitto_sub", "jq"):
        need(program)
    page = "docs/devices/mosquitto.md"
    password = postbell.device("desk")
    [whole] = blocks(page, "## The newest mail")
    postbell.send("Plan")
    first = shell(postbell.filled(whole.text, password))
    assert first.stdout.readline() == "Ada: Plan – See the drawing.\n"
    os.killpg(first.pid, 15)
    first.wait(20)

    [options] = blocks(page, "## A file for the options")
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "mosquitto_sub").write_text(postbell.filled(options.text, password))
    unseen, lines, notifications, seen = (block.text for block in blocks(page, "## In scripts"))
    assert shell(unseen).communicate(timeout=WAITS_S)[0] == "1\n"

    each = shell(lines)
    subscribed(postbell, "alice.desk", 3)
    postbell.send("Two")
    assert each.stdout.readline() == "Ada: Two\n"
    os.killpg(each.pid, 15)
    each.wait(20)

    shown = shell(notifications)
    subscribed(postbell, "alice.desk", 4)
    postbell.send("Three $(touch /tmp/never)")
    assert shown.stdout.readline() == "Mail: Three $(touch /tmp/never)\n"

    assert shell(postbell.filled(seen, postbell.device("script"))).communicate(timeout=WAITS_S)[0] == ""
    until(lambda: live(postbell) == [], what="everything to be seen")


class Fetching(Mosquitto):
    """Home Assistant's mosquitto, with the page's lines."""

    def said(self, topic: str, *options: str) -> str:
        asked = (need("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(self.port), "-V", "5", "-t", topic, *options)
        return subprocess.run([*asked, "-W", "2"], capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("version", ["mqttv50", "mqttv311"])
def test_home_assistants_broker_fetches_it(version, postbell, tmp_path):
    password = postbell.device("ha", "--for", "homeassistant")
    *_, lines = blocks("docs/devices/home-assistant.md", "## Home Assistant's broker fetches it")
    settings = postbell.filled(lines.text, password).replace("mqttv50", version)
    postbell.send("Plan")
    postbell.system.wait_drained()
    (tmp_path / "theirs").mkdir()
    with Fetching(tmp_path / "theirs", *settings.splitlines()) as theirs:
        until(lambda: "Ada: Plan" in theirs.said("mail/alice/text", "-C", "1"), what="what was there before")
        assert theirs.said("mail/alice/unread", "-C", "1") == "1\n"
        watching = (
            need("mosquitto_sub"),
            "-h",
            "127.0.0.1",
            "-p",
            str(theirs.port),
            "-V",
            "5",
            "-t",
            "mail/alice/event",
        )
        with subprocess.Popen([*watching, "-C", "1", "-W", str(WAITS_S)], stdout=subprocess.PIPE, text=True) as watcher:
            until(lambda: theirs.logged("mail/alice/event") >= 2, what="the subscriptions of both")
            postbell.send("Two")
            assert json.loads(watcher.communicate()[0])["subject"] == "Two"
        until(lambda: "Ada: Two" in theirs.said("mail/alice/text", "-C", "1"), what="what is retained to be the newest")
        until(lambda: retained_there(theirs) == retained_here(postbell), what="both to retain the same")
        theirs._end(15)
        postbell.send("While it was down")
        postbell.system.wait_drained()
        theirs.start()
        until(lambda: "While it was down" in theirs.said("mail/alice/text", "-C", "1"), what="what came meanwhile")
        assert theirs.said("mail/alice/unread", "-C", "1") == "3\n"
        mark_seen(postbell, *live(postbell))
        until(lambda: retained_there(theirs) == set(), what="what was seen to go there as well")
        for number in range(10):  # twenty changes: each mail comes, and every second of them goes
            postbell.send(f"Change {number}")
            if number % 2:
                mark_seen(postbell, live(postbell)[-1])
        postbell.system.wait_drained()
        until(lambda: all_there(theirs) == all_here(postbell), what="both to retain the same of everything")
        kept = all_there(theirs)
        assert len(kept) > 10
        assert {"homeassistant/device/mail_alice/config", "mail-bridge/main/status", "mail/alice/box"} < kept.keys()


FETCHED = ("mail/alice/#", "homeassistant/#", "mail-bridge/+/status")


def all_there(theirs):
    """All that Home Assistant's broker retains of ours, by topic."""
    asked = (need("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(theirs.port), "-V", "5", "--retained-only", "-W", "2")
    topics = [part for topic in FETCHED for part in ("-t", topic)]
    done = subprocess.run([*asked, *topics, "-F", "%t %x"], capture_output=True, text=True, check=False)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def all_here(postbell):
    """The same of Postbell's broker, as a device of hers is told."""
    login = ("alice.look", postbell.passwords.setdefault("look", "") or postbell.device("look"))
    postbell.passwords["look"] = login[1]
    asked = (need("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(postbell.system.mqtt_port()), "-V", "5", "-W", "2")
    topics = [part for topic in FETCHED for part in ("-t", topic)]
    words = [*asked, "--retained-only", "-u", login[0], "-P", login[1], *topics, "-F", "%t %x"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def retained_there(theirs):
    """The headers that Home Assistant's broker retains."""
    return set(theirs.said("mail/alice/msg/+", "--retained-only", "-F", "%t").split())


def live(postbell):
    """The ids of alice's live mails."""
    with offline.reading(postbell.system.state_dir / "postbell.db") as connection:
        return [ids.encode(row[0]) for row in connection.execute("SELECT number FROM message WHERE live = 1")]


def retained_here(postbell):
    """The headers that Postbell's broker is to retain."""
    return {f"mail/alice/msg/{mail_id}" for mail_id in live(postbell)}


def mark_seen(postbell, *mail_ids):
    """As another device of hers does."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    password = postbell.passwords.get("desk") or postbell.device("desk")
    postbell.passwords["desk"] = password
    client.username_pw_set("alice.desk", password)
    client.connect("127.0.0.1", postbell.system.mqtt_port())
    client.loop_start()
    request = msgpack.packb([1, 1, "seen", *mail_ids])
    client.publish("mail/alice/do/desk", request, qos=1).wait_for_publish(WAITS_S)
    client.disconnect()
    client.loop_stop()


def test_postbell_publishes_to_home_assistants_broker(tmp_path):
    toml, _ = (
        block for block in blocks("docs/devices/home-assistant.md", "## Postbell publishes to Home Assistant's broker")
    )
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    subprocess.run([need("mosquitto_passwd"), "-b", passwords, "postbell", "secret"], check=True)
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "theirs").mkdir()
    with Fetching(tmp_path / "theirs", "allow_anonymous true", f"password_file {passwords}") as theirs:
        text = toml.text.replace("homeassistant.local:1883", f"127.0.0.1:{theirs.port}")
        configuration = tmp_path / "postbell.toml"
        configuration.write_text(text.replace("/etc/postbell/mqtt-password", str(tmp_path / "secret")))
        assert tomllib.loads(text)["mqtt"]["url"] == theirs.url
        with System(tmp_path, POSTBELL_CONFIG=str(configuration)) as system:
            system.run("user", "add", "alice", "--address", "alice@example.org")
            system.serve()
            system.send(mail("Plan"), "alice@example.org")
            until(lambda: "Ada: Plan" in theirs.said("mail/alice/text", "-C", "1"), what="the mail, for MQTT 5")
            assert theirs.said("mail/alice/unread", "-C", "1") == "1\n"
            assert theirs.said("mail-bridge/main/status", "-C", "1") == "online\n"
            assert system.status()["broker"]["protocol"] == "5"


def test_what_is_printed_for_mosquitto_sub_is_a_line_that_works(postbell, shell):
    need("mosquitto_sub")
    paste = postbell.system.run("device", "add", "alice", "term", "--for", "mosquitto").stdout
    assert paste.startswith("mosquitto_sub -h 127.0.0.1 -p ")
    assert paste.count("\n") == 1, "and nothing else, so that it can be piped"
    postbell.send("Plan")
    assert shell(paste).stdout.readline() == "Ada: Plan – See the drawing.\n"


def test_the_lines_that_are_printed_for_a_bridge_are_those_of_the_page(postbell):
    paste = postbell.system.run("device", "add", "alice", "ha", "--for", "homeassistant", "--json").stdout
    *_, page = blocks("docs/devices/home-assistant.md", "## Home Assistant's broker fetches it")
    of_clients = {"topic msg/+ in 1 mail/alice/ mail/alice/", "topic box in 1 mail/alice/ mail/alice/"}
    of_ours = {"address", "bridge_cafile", "bridge_capath", "remote_password"}
    said = {line for line in page.text.splitlines() if line.split()[0] not in of_ours} - of_clients
    assert said <= set(json.loads(paste)["paste"].splitlines())


def test_the_blueprint_is_one_and_hands_the_event_to_a_phone():
    text = (ROOT / "docs" / "devices" / "postbell-notify.yaml").read_text("utf-8")
    marked = re.sub(r"!input (\w+)", r"'input:\1'", text)
    blueprint = yaml.load(marked, Loader=yaml.SafeLoader)
    assert blueprint["blueprint"]["domain"] == "automation"
    inputs = set(blueprint["blueprint"]["input"])
    assert {f"input:{name}" for name in inputs} == set(re.findall(r"input:\w+", str(blueprint)))
    assert blueprint["actions"][0]["domain"] == "mobile_app"


def test_the_flow_for_node_red_is_one():
    [flow] = blocks("docs/devices/node-red.md", "## A flow to import")
    nodes = {node["id"]: node for node in json.loads(flow.text)}
    url = MqttUrl("mqtts", "mail.example.org", 8883)
    printed = PairedDevice(url=url, root="mail", user="alice", device="nodered", password="secret")
    assert json.loads(pasting.paste(Purpose.NODERED, printed)) == json.loads(flow.text)
    assert "secret" not in pasting.paste(Purpose.NODERED, printed)
    session = {"protocolVersion": "5", "cleansession": False, "sessionExpiry": "2592000"}
    assert {key: nodes["pb-broker"][key] for key in session} == session
    assert {wire for node in nodes.values() for wires in node.get("wires", []) for wire in wires} < nodes.keys()
