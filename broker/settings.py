"""The broker's part of the configuration file; what belongs to the bridge is left alone.

How it is found and judged: broker/loading.py.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from broker import keys
from broker.address import Address
from broker.errors import ConfigurationError

if TYPE_CHECKING:
    from broker.networks import Networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of the file; keys that belong to the bridge are not its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker(Section):
    """The MQTT broker that comes with Postbell, to which the devices connect."""

    listen: Address | None = keys.listen(
        Address("127.0.0.1", 1883), "Where MQTT listens without TLS; the bridge itself comes this way."
    )
    websocket: Address | None = keys.listen(None, "Where MQTT over WebSocket listens without TLS.")
    tls_listen: Address | None = keys.listen(None, "Where MQTT listens with TLS, for devices elsewhere (port 8883).")
    secure_websocket: Address | None = keys.listen(None, "Where MQTT over WebSocket listens with TLS.")
    tls_cert: Path | None = keys.file(
        None,
        "The certificate that devices are shown, with its chain, as a PEM file. A renewed one is taken up.",
    )
    tls_key: Path | None = keys.file(None, "The private key of `broker.tls_cert`, as a PEM file without a passphrase.")
    tls_client_ca: Path | None = keys.file(
        None, "The authorities whose certificates devices must have beside their password, as a PEM file."
    )
    insecure: bool = keys.switch(
        False,
        "Whether to listen without TLS for other machines: passwords and mail then travel in the clear.",
    )
    proxies: Networks = keys.networks(
        (),
        "Proxies and load balancers that name the real client: in a PROXY header, with which their "
        "connections begin, or in X-Forwarded-For or Forwarded of a WebSocket.",
    )
    origins: tuple[str, ...] = keys.origins(
        (), "Whose web pages may connect over WebSocket, by their origin; `[]` lets in everybody's."
    )
    session_days: float = keys.number(
        30, gt=0, le=3650, meaning="How many days the broker keeps what waits for a device that stays away."
    )
    keep_alive: int = keys.whole(
        900,
        ge=0,
        le=14_400,
        meaning=(
            "Seconds of silence that a device of MQTT 5 is told to keep, if it would say something more often, which "
            "spares its battery; 0 leaves it to the devices."
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLimits(Section):
    """What strangers and devices can make Postbell do; what happens beyond is told in docs/security.md."""

    packet: int = keys.size(262_144, ge=1024, le=268_435_455, meaning="How large an MQTT packet of a device may be.")
    clients: int = keys.whole(20_000, ge=1, meaning="Connections of devices in all.")
    clients_per_address: int = keys.whole(1000, ge=1, meaning="Connections of devices from one address.")
    connect_timeout: float = keys.number(10, gt=0, meaning="Seconds within which a connection has to log in.")
    handshake_timeout: float = keys.number(
        8, gt=0, meaning="Seconds within which a connection has to be through with TLS, and with a PROXY header."
    )
    login_failures: int = keys.whole(
        30,
        ge=1,
        meaning="Wrong passwords from an address in a minute, before chosen ones are no longer looked at.",
    )
    queue: int = keys.whole(10_000, ge=1, le=50_000, meaning="Messages that wait for a device that is away.")
    queue_bytes: int = keys.size(8 * 2**20, ge=1024, meaning="How large they may be together.")
    queue_total: int = keys.size(
        256 * 2**20,
        ge=2**20,
        meaning="How much memory all that waits for devices that are away may take; whoever has most loses first.",
    )
    inflight: int = keys.whole(64, ge=1, le=10_000, meaning="Messages on their way to a device without its PUBACK.")
    subscriptions: int = keys.whole(64, ge=1, meaning="Filters that a device may subscribe to.")
    publish_rate: float = keys.number(
        100, gt=0, meaning="Publishes of a device in a second; beyond, it is made to wait."
    )
    write_buffer: int = keys.size(
        65_536, ge=1024, meaning="How much may be unread by a device before nothing more is written to it."
    )
    stall_timeout: float = keys.number(30, gt=0, meaning="Seconds that a device may read nothing of what was written.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mqtt(Section):
    """The root of all mail topics."""

    root: str = keys.matching(
        r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*",
        "mail",
        "The first levels of all topics of mail.",
        instead="use one or more levels of a-z 0-9 _ - without wildcards",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAssistant(Section):
    """Home Assistant finds sensors by itself, from what is retained below its prefix."""

    enabled: bool = keys.switch(True, "Whether Home Assistant is told of the users that have a device for it.")
    prefix: str = keys.matching(
        r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*",
        "homeassistant",
        "The first levels of its topics: Home Assistant's *discovery prefix*.",
        instead="use one or more levels of a-z 0-9 _ - without wildcards",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(Section):
    """How the log is written, to standard error."""

    level: str = keys.one_of(("debug", "info", "warning", "error"), "info", "The least that is told.")
    format: str = keys.one_of(
        ("auto", "console", "json"),
        "auto",
        "Its form: `console`, lines for people; `json`, for collectors; `auto`, as where it is read.",
    )


def default_state_dir() -> Path:
    """Where state lives unless the configuration says so; the bridge's default as well. Raises ConfigurationError."""
    if os.geteuid() == 0:
        return Path("/var/lib/postbell")
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "postbell"
    except RuntimeError as error:
        raise ConfigurationError(
            f"defaults: state_dir: user {os.geteuid()} has no home directory; name one in the configuration, or as "
            "POSTBELL_STATE_DIR"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that the broker is told from outside."""

    state_dir: Path = keys.directory(
        default_state_dir, "The directory of all that is kept: users, mail, locks. It is for Postbell's user alone."
    )
    broker: Broker = Broker()
    limits: BrokerLimits = BrokerLimits()
    mqtt: Mqtt = Mqtt()
    homeassistant: HomeAssistant = HomeAssistant()
    log: Log = Log()

    @property
    def home(self) -> str:
        """The first levels of what Home Assistant is told; empty when it is told nothing."""
        return self.homeassistant.prefix if self.homeassistant.enabled else ""
