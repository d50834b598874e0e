"""What has to be typed or pasted where a device is: `postbell device add --for`. Pure."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.config.endpoints import MqttUrl

SESSION_S = 2_592_000
"""How long a session of MQTT 5 is to last: 30 days (docs/protocol.md)."""
SYSTEM_CAS = "/etc/ssl/certs"
_LINE = (
    "const mail = msg.payload;\n"
    "if (mail.event !== 'mail' || mail.flags.includes('silent')) { return null; }\n"
    "msg.payload = `${mail.from_name || mail.from_address}: ${mail.subject}`;\n"
    "return msg;"
)


class Purpose(StrEnum):
    """What a device is, for whom there is something to paste."""

    WEB = "web"
    MOSQUITTO = "mosquitto"
    HOMEASSISTANT = "homeassistant"
    NODERED = "nodered"
    APP = "app"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDevice:
    """A device with its login. `link` pairs the web client; empty where it is not served.

    `own_broker` is whether the broker is Postbell's; `home` is the prefix of Home Assistant's discovery, if that is on.
    """

    url: MqttUrl
    root: str
    user: str
    device: str
    password: str
    link: str = ""
    own_broker: bool = True
    home: str = ""

    @property
    def username(self) -> str:
        """The login's name."""
        return f"{self.user}.{self.device}"

    @property
    def client_id(self) -> str:
        """With a colon, as NATS refuses the dot."""
        return f"{self.user}:{self.device}"

    @property
    def tree(self) -> str:
        """Where the user's topics begin."""
        return f"{self.root}/{self.user}"


def paste(purpose: Purpose, paired: PairedDevice) -> str:
    """The text, without an end of line behind it."""
    return _TEXTS[purpose](paired)


def hint(purpose: Purpose) -> str:
    """What to do with it, and where more is told."""
    return _HINTS[purpose]


def _web(paired: PairedDevice) -> str:
    return paired.link or "The web client is not served: set http.listen (docs/operations.md, The web client)."


def _mosquitto(paired: PairedDevice) -> str:
    address = paired.url.address
    words = ["mosquitto_sub", "-h", address.host, "-p", str(address.port)]
    words += ["--capath", SYSTEM_CAS] if paired.url.encrypted else []
    words += ["-u", paired.username, "-P", paired.password, "-i", paired.client_id]
    words += ["-V", "5", "-x", str(SESSION_S), "-c", "-q", "1", "-t", f"{paired.tree}/text"]
    return shlex.join(words)


def _home_assistant(paired: PairedDevice) -> str:
    if not paired.own_broker:
        return (
            "Where this broker is Home Assistant's own nothing has to be typed: under Settings, Devices & services, "
            f'MQTT there is "Mail of {paired.user}". Else its MQTT integration takes:\n{_fields(paired)}'
        )
    return "\n".join(
        [
            "Home Assistant without a broker: Settings, Devices & services, Add integration, MQTT.",
            _fields(paired),
            f'Then there is a device "Mail of {paired.user}".',
            "",
            "Home Assistant with a mosquitto: this in a file of its configuration (docs/devices/home-assistant.md).",
            *_bridge(paired),
        ]
    )


def _fields(paired: PairedDevice) -> str:
    address = paired.url.address
    return _table(
        {
            "Broker": address.host,
            "Port": str(address.port),
            "Username": paired.username,
            "Password": paired.password,
            "Client ID": paired.client_id,
            "Broker certificate validation": "Auto; Custom for a CA of your own" if paired.url.encrypted else "Off",
            "MQTT protocol": "5",
            "MQTT transport": "WebSocket" if paired.url.websocket else "TCP",
            **({"WebSocket path": paired.url.path or "/mqtt"} if paired.url.websocket else {}),
        }
    )


def _bridge(paired: PairedDevice) -> list[str]:
    """A mosquitto that fetches what Home Assistant needs; each line is explained in docs/devices/home-assistant.md."""
    views = [f"topic {view} in 1 {paired.tree}/ {paired.tree}/" for view in ("text", "unread", "last", "event")]
    name = f"{paired.root.replace('/', '_')}_{paired.user}"
    found = f"topic device/{name}/config in 1 {paired.home}/ {paired.home}/"
    return [
        "connection postbell",
        f"address {paired.url.address}",
        *([f"bridge_capath {SYSTEM_CAS}"] if paired.url.encrypted else []),
        f"remote_username {paired.username}",
        f"remote_password {paired.password}",
        f"remote_clientid {paired.client_id}",
        "bridge_protocol_version mqttv50",
        "cleansession false",
        "notifications false",
        "keepalive_interval 60",
        "restart_timeout 5 60",
        *views,
        "topic +/status in 1 mail-bridge/ mail-bridge/",
        *([found] if paired.home else []),
    ]


def _node_red(paired: PairedDevice) -> str:
    """A flow to import, with all but the login, which Node-RED imports from nobody."""
    address = paired.url.address
    scheme = f"{paired.url.scheme}://" if paired.url.websocket else ""
    broker: dict[str, object] = {
        "id": "pb-broker", "type": "mqtt-broker", "name": "Postbell", "broker": f"{scheme}{address.host}",
        "port": str(address.port), "tls": "pb-tls" if paired.url.encrypted else "", "usetls": paired.url.encrypted,
        "clientid": paired.client_id, "protocolVersion": "5", "keepalive": "60", "cleansession": False,
        "sessionExpiry": str(SESSION_S), "autoConnect": True,
    }  # fmt: skip
    tls: dict[str, object] = {
        "id": "pb-tls", "type": "tls-config", "name": "Postbell's CA", "cert": "", "key": "", "ca": "", "certname": "",
        "keyname": "", "caname": "", "servername": "", "alpnprotocol": "", "verifyservercert": True,
    }  # fmt: skip
    flow: list[dict[str, object]] = [
        *([tls] if paired.url.encrypted else []),
        broker,
        {"id": "pb-tab", "type": "tab", "label": "Mail"},
        {"id": "pb-in", "type": "mqtt in", "z": "pb-tab", "name": "new mail", "topic": f"{paired.tree}/event",
         "qos": "1", "datatype": "auto-detect", "broker": "pb-broker", "x": 130, "y": 80, "wires": [["pb-line"]]},
        {"id": "pb-line", "type": "function", "z": "pb-tab", "name": "what rings, in a line", "outputs": 1,
         "func": _LINE, "x": 340, "y": 80, "wires": [["pb-show"]]},
        {"id": "pb-show", "type": "debug", "z": "pb-tab", "name": "show", "active": True, "console": True,
         "complete": "payload", "targetType": "msg", "x": 540, "y": 80, "wires": []},
        {"id": "pb-seen", "type": "inject", "z": "pb-tab", "name": "all seen", "props": [{"p": "payload"}],
         "payload": "seen all", "payloadType": "str", "repeat": "", "crontab": "", "once": False, "x": 120, "y": 160,
         "wires": [["pb-do"]]},
        {"id": "pb-do", "type": "mqtt out", "z": "pb-tab", "name": "requests", "qos": "1", "retain": "false",
         "topic": f"{paired.tree}/do/{paired.device}", "broker": "pb-broker", "x": 320, "y": 160, "wires": []},
        {"id": "pb-re", "type": "mqtt in", "z": "pb-tab", "name": "answers", "qos": "1", "datatype": "auto-detect",
         "topic": f"{paired.tree}/re/{paired.device}", "broker": "pb-broker", "x": 130, "y": 240,
         "wires": [["pb-answer"]]},
        {"id": "pb-answer", "type": "debug", "z": "pb-tab", "name": "answer", "active": True, "complete": "payload",
         "targetType": "msg", "x": 330, "y": 240, "wires": []},
    ]  # fmt: skip
    return json.dumps(flow, indent=1)


def _app(paired: PairedDevice) -> str:
    address = paired.url.address
    return _table(
        {
            "Host, broker, address": address.host,
            "Port": str(address.port),
            "Transport": _TRANSPORTS[paired.url.scheme],
            **({"Path": paired.url.path or "/mqtt"} if paired.url.websocket else {}),
            "Username": paired.username,
            "Password": paired.password,
            "Client ID": paired.client_id,
            "MQTT version": "5, else 3.1.1",
            "Clean session, clean start": "off",
            "Session expiry interval": str(SESSION_S),
            "Keep alive": "60",
            "Subscribe to": f"{paired.tree}/text and {paired.tree}/unread, QoS 1",
            "Publish to, for requests": f"{paired.tree}/do/{paired.device}, as: seen all",
        }
    )


def _table(fields: Mapping[str, str]) -> str:
    width = max(map(len, fields))
    return "\n".join(f"{name:{width}}  {value}" for name, value in fields.items())


_TRANSPORTS = {"mqtt": "TCP, no TLS", "mqtts": "TLS", "ws": "WebSocket, no TLS", "wss": "WebSocket with TLS"}
_TEXTS: Mapping[Purpose, Callable[[PairedDevice], str]] = {
    Purpose.WEB: _web,
    Purpose.MOSQUITTO: _mosquitto,
    Purpose.HOMEASSISTANT: _home_assistant,
    Purpose.NODERED: _node_red,
    Purpose.APP: _app,
}
_OWN_CA = "With a CA of your own"
_HINTS: Mapping[Purpose, str] = {
    Purpose.WEB: "Open the link on the device: it has the login, so it is for nobody else.",
    Purpose.MOSQUITTO: f"In a shell. {_OWN_CA}: --cafile ca.pem instead of --capath. More: docs/devices/mosquitto.md",
    Purpose.HOMEASSISTANT: f"{_OWN_CA}: bridge_cafile and its ca.pem. More: docs/devices/home-assistant.md",
    Purpose.NODERED: "Import it in Node-RED, then write username and password into its server's tab Security. "
    "More: docs/devices/node-red.md",
    Purpose.APP: "Field by field for some apps, and how a CA of your own is trusted: docs/devices/README.md",
}
