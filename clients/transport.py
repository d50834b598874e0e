"""A paho client for the login of a device, in one version of MQTT, and what goes wrong on the way, in words."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from clients.errors import UsageError
from clients.schedule import CONNECT_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.login import Login

SESSION_EXPIRY_S = 30 * 86_400
"""For how long the broker is asked to keep what waits for a device that is away (MQTT 5 §3.1.2.11.2)."""
ALWAYS = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
IF_NEW = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
"""When the broker repeats what it retains: retain handling 0 and 1 (MQTT 5 §3.8.3.1)."""


PINGREQ, PINGRESP = 0xC0, 0xD0
"""The first octets of a ping and of its answer (§3.12, §3.13)."""


class ObservedClient(mqtt.Client):
    """A client that tells of each packet, by its type, as it goes out and before it is handled; it pings when told to.

    paho has no call-back for either, and its own pings know one interval alone.
    """

    packet_goes: Callable[[int], None]
    packet_came: Callable[[int], None]

    def ping(self) -> None:
        """Send a PINGREQ."""
        self._send_pingreq()

    def _create_socket_connection(self) -> socket.socket:
        """One that sends at once: else the second of two PUBACKs waits until the system there says it has the first."""
        connection: socket.socket = super()._create_socket_connection()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _packet_queue(self, command: int, *rest: Any, **named: Any) -> MQTTErrorCode:
        self.packet_goes(command & 0xF0)
        return super()._packet_queue(command, *rest, **named)

    def _packet_handle(self) -> MQTTErrorCode:
        self.packet_came(self._in_packet["command"] & 0xF0)
        return super()._packet_handle()


def client_for(login: Login, *, mqtt5: bool) -> ObservedClient:
    """A client with a persistent session that has yet to connect; raises UsageError if the CA file cannot be used.

    The client id follows from the username, as the session belongs to the login.
    """
    endpoint = login.endpoint
    client = ObservedClient(
        CallbackAPIVersion.VERSION2,
        client_id=login.username.replace(".", ":"),  # NATS refuses a dot in it
        clean_session=None if mqtt5 else False,
        protocol=MQTTProtocolVersion.MQTTv5 if mqtt5 else MQTTProtocolVersion.MQTTv311,
        transport="websockets" if endpoint.websocket else "tcp",
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.username_pw_set(login.username, login.password)
    if endpoint.websocket:
        client.ws_set_options(path=endpoint.path)
    if endpoint.tls:
        try:
            client.tls_set_context(ssl.create_default_context(cafile=login.ca_file))
        except OSError as error:
            raise UsageError(f"--ca-file {login.ca_file}: {described(error)}") from error
    if mqtt5:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        client.connect_async(
            endpoint.host, endpoint.port, keepalive=login.keepalive_s, clean_start=False, properties=properties
        )
    else:
        client.connect_async(endpoint.host, endpoint.port, keepalive=login.keepalive_s)
    return client


def subscription(topic_filter: str, *, mqtt5: bool, retained: int = ALWAYS) -> tuple[str, Any]:
    """A filter as paho wants it, QoS 1; on 3.1.1 what is retained is always repeated."""
    if not mqtt5:
        return topic_filter, 1
    return topic_filter, SubscribeOptions(qos=1, retainHandling=retained)


def described(error: Exception) -> str:
    """An error of the system or of a library as people say it, without its number and Python's names for it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not trusted: {error.verify_message}; --ca-file names its authority"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or str(error)).lower().replace('_', ' ')}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
