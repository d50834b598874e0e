"""Where a broker is and how to log in there, and a paho client made for it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.config.endpoints import MqttUrl

Client = TypeVar("Client", bound=paho.Client)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the broker is and how to log in."""

    url: MqttUrl
    username: str
    password: str
    ca_file: Path | None = None

    @property
    def address(self) -> str:
        """`host:port` for the log, without credentials."""
        return str(self.url.address)


def prepared(target: Target, *, client_id: str, mqtt5: bool, clean: bool = False, kind: type[Client]) -> Client:
    """A client of that kind, ready to connect to a broker; `clean` is whether its session ends with the connection.

    On MQTT 5 that is said when it connects, and `clean` means nothing.
    """
    url = target.url
    client = kind(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if mqtt5 else clean,
        protocol=MQTTProtocolVersion.MQTTv5 if mqtt5 else MQTTProtocolVersion.MQTTv311,
        transport="websockets" if url.websocket else "tcp",
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.username_pw_set(target.username, target.password)
    if url.encrypted:
        client.tls_set_context(ssl.create_default_context(cafile=target.ca_file))
    if url.websocket:
        client.ws_set_options(path=url.path or "/mqtt")
    return client
