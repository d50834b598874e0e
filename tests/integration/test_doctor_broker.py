"""`postbell doctor` at brokers that lose mail, hold something else, cannot be reached, or hang."""

from __future__ import annotations

import json
import signal
import ssl

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.issued import issue
from tests.support.mosquitto import Mosquitto
from tests.support.old_broker import ANSWERS, OldBroker
from tests.support.system import System
from tests.support.waiting import free_port, listens, until

MAIL = b"From: Carol <carol@example.net>\nSubject: Real\n\nHello\n"


def doctor(system, *arguments, **environment):
    """All findings by their check."""
    before = system.environment
    system.environment = before | environment
    try:
        done = system.run("doctor", "--json", "--look-only", *arguments, check=False)
    finally:
        system.environment = before
    return {each["check"]: each for each in json.loads(done.stdout)}


def broken(findings):
    return {check for check, finding in findings.items() if finding["ok"] is False}


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """Postbell beside a mosquitto as its defaults make it; alice has a mail."""
    directory = tmp_path_factory.mktemp("broker")
    (directory / "state").mkdir(mode=0o700)
    with Mosquitto(directory, "max_packet_size 4096") as broker:
        environment = {
            "POSTBELL_BROKER__EMBEDDED": "false",
            "POSTBELL_MQTT__URL": broker.url,
            "POSTBELL_BODY__TOTAL": "1M",
            "POSTBELL_RETAIN__COUNT": "1000",
        }
        with System(directory, **environment) as system:
            system.serve()
            system.add("alice")
            system.send(MAIL, "alice@example.org")
            system.wait_drained()
            yield broker, system


def publish(broker, topic, payload):
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.publish(topic, payload, qos=1, retain=True).wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


def test_mosquittos_defaults_that_lose_mail(beside):
    _, system = beside
    findings = doctor(system)
    assert broken(findings) == {"broker.keeps", "broker.queue", "broker.size", "broker.rules"}
    assert "max_queued_messages 1000: of 1004 topics" in findings["broker.queue"]["problem"]
    assert findings["broker.retained"]["ok"]
    assert findings["broker.version"]["ok"]


@pytest.mark.parametrize(
    ("lines", "check", "told"),
    [
        (("persistence true",), "broker.saves", "autosave_interval 1800"),
        (("persistence true", "autosave_interval 0"), "broker.saves", "saves only when it ends in peace"),
        (("persistence true", "autosave_on_changes true"), "broker.saves", "at every 1800 changes"),
        (("retain_available false",), "broker.keeps", "keeps nothing for devices that come later"),
    ],
)
def test_a_mosquitto_that_saves_too_little(beside, tmp_path, lines, check, told):
    _, system = beside
    with Mosquitto(tmp_path, *lines, f"persistence_location {tmp_path}/") as broker:
        finding = doctor(system, POSTBELL_MQTT__URL=broker.url)[check]
    assert finding["ok"] is False
    assert told in finding["problem"]


def test_a_broker_that_holds_what_it_should_not(beside):
    broker, system = beside
    publish(broker, "mail/alice/text", b"forged")
    publish(broker, "mail/nobody/text", b"forged")
    finding = doctor(system)["broker.retained"]
    assert finding["ok"] is False
    assert "1 are different; 1 should not be there" in finding["problem"]
    system.run("reconcile")
    assert doctor(system)["broker.retained"]["ok"]


def test_a_broker_that_hangs(beside):
    broker, system = beside
    broker.process.send_signal(signal.SIGSTOP)
    try:
        system.send(MAIL, "alice@example.org")
        findings = doctor(system)
    finally:
        broker.process.send_signal(signal.SIGCONT)
    assert {"broker.reached", "broker.moves"} <= broken(findings)
    assert findings["broker.retained"]["ok"] is None
    system.wait_drained()


def test_a_broker_somewhere_else(beside):
    _, system = beside
    findings = doctor(system, POSTBELL_MQTT__URL=f"mqtt://127.0.0.1:{free_port()}")
    assert "Connection refused" in findings["broker.reached"]["problem"]
    assert findings["broker.version"]["ok"] is None


def test_a_broker_whose_certificate_is_nobodys(beside, tmp_path):
    _, system = beside
    chain = issue("other.example.org").write(tmp_path)
    secured = (f"certfile {chain}", f"keyfile {chain.with_suffix('.key')}")
    with Mosquitto(tmp_path, *secured) as broker:
        url = f"mqtts://localhost:{broker.port}"
        unknown = doctor(system, POSTBELL_MQTT__URL=url)["broker.reached"]
        assert "certificate" in unknown["problem"]
        findings = doctor(system, POSTBELL_MQTT__URL=url, POSTBELL_MQTT__CA_FILE=str(chain))
        assert "localhost" in findings["broker.reached"]["problem"]
        assert "mqtt.ca_file" in findings["broker.reached"]["cure"]
    assert ssl.OPENSSL_VERSION


def test_a_broker_that_does_not_let_the_bridge_in(tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "word").write_text("wrong")
    (tmp_path / "none").touch()
    with Mosquitto(tmp_path, f"password_file {tmp_path}/none") as broker:
        environment = {
            "POSTBELL_BROKER__EMBEDDED": "false",
            "POSTBELL_MQTT__URL": broker.url,
            "POSTBELL_MQTT__PASSWORD_FILE": str(tmp_path / "word"),
            "POSTBELL_BODY__TOTAL": "1M",
        }
        with System(tmp_path, **environment) as system:
            system.start("serve")
            until(lambda: system.facts("bridge").get("smtp"), what="the bridge to listen")
            host, _, port = system.facts("bridge")["smtp"].rpartition(":")
            until(lambda: listens((host, int(port))), what="SMTP")
            findings = doctor(system)
            assert {"broker.login", "files.secrets"} <= broken(findings)
            assert "does not let the bridge in: Not authorized" in findings["broker.login"]["problem"]
            (tmp_path / "word").unlink()
            assert "word: No such file" in doctor(system)["broker.login"]["problem"]


def test_a_version_that_the_broker_does_not_speak(tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    with Mosquitto(tmp_path) as broker, OldBroker(broker.port, answer=ANSWERS["code 1"]) as old:
        environment = {
            "POSTBELL_BROKER__EMBEDDED": "false",
            "POSTBELL_MQTT__URL": f"mqtt://127.0.0.1:{old.port}",
            "POSTBELL_BODY__TOTAL": "1M",
        }
        with System(tmp_path, **environment) as system:
            finding = doctor(system, POSTBELL_MQTT__VERSION="5")["broker.version"]
            assert (finding["ok"], finding["cure"]) == (False, 'mqtt.version = "auto"')
            finding = doctor(system)["broker.version"]
            assert finding["ok"] is True
            assert "speaks MQTT 3.1.1 alone: Home Assistant" in finding["problem"]
            assert "2027.1" in system.run("doctor", "--look-only", check=False).stdout
