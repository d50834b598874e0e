"""Where commands and devices reach the bridge and its broker: where those listen now, else as configured."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from bridge.config.endpoints import MqttUrl, TcpAddress, parse_endpoint
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
    """What a device is told of where the broker is: as configured for devices, else as it is reached from here."""
    return settings.broker.public_url or local_url(settings)


def local_url(settings: Settings) -> MqttUrl:
    """How the broker is reached from this machine: as configured, else where it listens."""
    if settings.mqtt.url is not None:
        return settings.mqtt.url
    listener = mqtt(settings)
    assert listener is not None, "without mqtt.url the configuration has broker.listen"
    return MqttUrl.of(listener)


def _said(settings: Settings, process: str, name: str) -> Endpoint | None:
    """Where a process said last that it listens, running or not; None when it never did."""
    said = runfile.read(settings.run_dir, process).get(name)
    with suppress(ValueError):
        return parse_endpoint(said) if isinstance(said, str) else None
    return None
