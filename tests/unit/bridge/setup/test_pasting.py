"""What `device add --for` prints, for each kind of device and each way to the broker."""

from __future__ import annotations

import json
import shlex

import pytest

from bridge.config.endpoints import MqttUrl
from bridge.setup import pasting
from bridge.setup.pasting import PairedDevice, Purpose


def paired(url="mqtts://mail.example.org:8883", **more):
    said = {"root": "mail", "user": "alice", "device": "desk", "password": "it's secret", "home": "homeassistant"}
    return PairedDevice(url=MqttUrl.parse(url), **said | more)


def test_a_shell_takes_the_line_whatever_the_password_is():
    words = shlex.split(pasting.paste(Purpose.MOSQUITTO, paired()))
    assert words[:5] == ["mosquitto_sub", "-h", "mail.example.org", "-p", "8883"]
    assert words[words.index("-P") + 1] == "it's secret"
    assert words[words.index("--capath") + 1] == "/etc/ssl/certs"
    assert "--capath" not in pasting.paste(Purpose.MOSQUITTO, paired("mqtt://10.0.0.1"))


def test_the_web_client_gets_its_link_or_is_said_to_be_off():
    assert pasting.paste(Purpose.WEB, paired(link="https://a/#pair=x")) == "https://a/#pair=x"
    assert "http.listen" in pasting.paste(Purpose.WEB, paired())


def test_home_assistant_gets_fields_and_the_lines_of_a_bridge():
    text = pasting.paste(Purpose.HOMEASSISTANT, paired(root="home/mail"))
    assert "topic device/home_mail_alice/config in 1 homeassistant/ homeassistant/" in text
    assert "remote_clientid alice:desk" in text
    assert "MQTT protocol                  5" in text
    without = pasting.paste(Purpose.HOMEASSISTANT, paired("ws://10.0.0.1:9001/mqtt", home=""))
    assert "device/" not in without
    assert "WebSocket path                 /mqtt" in without
    assert "bridge_capath" not in without
    theirs = pasting.paste(Purpose.HOMEASSISTANT, paired(own_broker=False))
    assert "nothing has to be typed" in theirs
    assert "connection postbell" not in theirs


@pytest.mark.parametrize(
    ("url", "broker", "tls"),
    [
        ("mqtts://mail.example.org:8883", "mail.example.org", True),
        ("mqtt://10.0.0.1", "10.0.0.1", False),
        ("wss://mail.example.org/mqtt", "wss://mail.example.org", True),
    ],
)
def test_node_red_imports_a_flow(url, broker, tls):
    nodes = {node["id"]: node for node in json.loads(pasting.paste(Purpose.NODERED, paired(url)))}
    assert (nodes["pb-broker"]["broker"], nodes["pb-broker"]["usetls"]) == (broker, tls)
    assert ("pb-tls" in nodes) is tls
    assert nodes["pb-in"]["topic"] == "mail/alice/event"


@pytest.mark.parametrize(
    ("url", "transport"),
    [
        ("mqtts://mail.example.org", "TLS"),
        ("mqtt://mail.example.org", "TCP, no TLS"),
        ("wss://mail.example.org/x", "WebSocket with TLS"),
    ],
)
def test_an_app_gets_every_field(url, transport):
    fields = dict(line.split("  ", 1) for line in pasting.paste(Purpose.APP, paired(url)).splitlines())
    told = {name.strip(): value.strip() for name, value in fields.items()}
    assert told["Transport"] == transport
    assert told["Password"] == "it's secret"
    assert told["Subscribe to"] == "mail/alice/text and mail/alice/unread, QoS 1"
    assert ("Path" in told) is (transport == "WebSocket with TLS")


@pytest.mark.parametrize("purpose", Purpose)
def test_there_is_a_hint_for_each(purpose):
    assert pasting.hint(purpose)
