"""Where commands and devices reach the bridge and its broker: where those listen now, else as configured."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from bridge.config.endpoints import MqttUrl, TcpAddress, WebUrl, parse_endpoint
from bridge.daemon import runfile

if TYPE_CHECKING:
    from bridge.config.endpoints import Endpoint
    from bridge.config.settings import Settings


def smtp(settings: Settings) -> Endpoint | None:
    """The SMTP listener; None when it is off."""
    return _said(settings, runfile.BRIDGE, "smtp") or settings.smtp.listen


def lmtp(settings: Settings) -> Endpoint | None:
    """The LMTP listener; None when it is off."""
    return _said(settings, runfile.BRIDGE, "lmtp") or settings.lmtp.listen


def mqtt(settings: Settings) -> TcpAddress | None:
    """The MQTT listener of the embedded broker; None when it is off."""
    said = _said(settings, runfile.BROKER, "mqtt")
    return said if isinstance(said, TcpAddress) else settings.broker.listen


def device_url(settings: Settings) -> MqttUrl:
    """What a device is told of where the broker is: as configured for devices, else as the network reaches it."""
    if settings.broker.public_url is not None:
        return settings.broker.public_url
    listener = mqtt(settings)
    if settings.mqtt.url is None and listener is not None and listener.everywhere:
        return MqttUrl.of(from_the_network(listener))
    return local_url(settings)


def web_url(settings: Settings) -> WebUrl | None:
    """Where browsers have the web client from: as configured for them, else where it listens; None when it is off."""
    http, said = settings.http, _said(settings, runfile.BRIDGE, "http")
    listens = said if isinstance(said, TcpAddress) else http.listen
    if listens is None or not http.web:
        return None
    if http.public_url is not None:
        return http.public_url
    listener = from_the_network(listens)
    return WebUrl("http" if http.tls_cert is None else "https", listener.host, listener.port or None)


def secure_url(settings: Settings) -> MqttUrl | None:
    """Where the embedded broker is reached with TLS, as far as that can be told; None when it is not."""
    public = settings.broker.public_url
    if public is not None:
        return public if public.scheme == "mqtts" else None
    said = _said(settings, runfile.BROKER, "mqtts") if settings.mqtt.url is None else None
    if not isinstance(said, TcpAddress):
        return None
    listener = from_the_network(said)
    return MqttUrl("mqtts", listener.host, listener.port)


def local_url(settings: Settings) -> MqttUrl:
    """How the broker is reached from this machine: as configured, else where it listens."""
    if settings.mqtt.url is not None:
        return settings.mqtt.url
    listener = mqtt(settings)
    assert listener is not None, "without mqtt.url the configuration has broker.listen"
    if listener.everywhere:
        return MqttUrl.of(TcpAddress("::1" if ":" in listener.host else "127.0.0.1", listener.port))
    return MqttUrl.of(listener)


def from_the_network(listener: TcpAddress) -> TcpAddress:
    """A listener as others in the network have to write it: at this machine's address there, if it has one."""
    if not listener.everywhere:
        return listener
    family, far = (socket.AF_INET6, "2001:db8::1") if ":" in listener.host else (socket.AF_INET, "192.0.2.1")
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((far, 9))  # sends nothing: the system says from which of its addresses it would
        return TcpAddress(str(probe.getsockname()[0]), listener.port)
    return TcpAddress(socket.gethostname(), listener.port)


def _said(settings: Settings, process: str, name: str) -> Endpoint | None:
    """Where a process said last that it listens, running or not; None when it never did."""
    said = runfile.read(settings.run_dir, process).get(name)
    with suppress(ValueError):
        return parse_endpoint(said) if isinstance(said, str) else None
    return None
