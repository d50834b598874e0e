"""The broker's part of the configuration file; what belongs to the bridge is left alone.

How it is found and judged: broker/loading.py.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from broker.address import Address
from broker.errors import ConfigurationError
from broker.networks import Network, parse_network

_SIZE = re.compile(r"(\d+)\s*([kKmMgG]?)(?:i?[bB])?")
_FACTOR = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[^\s/:?#@A-Z\[\]]+)(:\d{1,5})?")
_USUAL_PORTS = {"http": ":80", "https": ":443"}  # which browsers leave out


def _address(value: object) -> Address | None:
    if value is None or value == "":
        return None
    if isinstance(value, Address):
        return value
    try:
        return Address.parse(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f'not an address; {error}, or "" for off') from None


def _file(value: object) -> object:
    if isinstance(value, str) and value.startswith("~"):
        raise ValueError("the ~ of a shell means nothing here; write the whole path")
    return None if value == "" else value


def _size(value: object) -> object:
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(match[1]) * _FACTOR[match[2].lower()] if match else value


def _several(value: object) -> list[object]:
    """A list may be one text: a variable of the environment holds `a, b`, or a list as JSON writes it."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    elif isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise ValueError('not a list; write this, that, or ["this", "that"]')  # noqa: TRY004 - pydantic wants it so
    return list(value)


def _networks(value: object) -> tuple[Network, ...]:
    return tuple(each if isinstance(each, Network) else _network(each) for each in _several(value))


def _network(value: object) -> Network:
    try:
        return parse_network(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f"not a network; {error}") from None


def _origins(value: object) -> tuple[str, ...]:
    return tuple(_origin(each) for each in _several(value))


def _origin(value: object) -> str:
    """As browsers write it (RFC 6454 §6.2), since it is compared with what they send."""
    text = value if isinstance(value, str) else ""
    if _ORIGIN.fullmatch(text) is None:
        raise ValueError("not an origin; write https://host or https://host:port in small letters, without a path")
    if text.endswith(_USUAL_PORTS.get(text.partition(":")[0], " ")):
        raise ValueError("not an origin as browsers write it; leave out the port, which is the usual one")
    return text


@dataclass(frozen=True, slots=True)
class Kind:
    """What the type of a key is called where it is explained."""

    name: str


# Defaults are dumped and read again where the file changes another key of their section: an address prints as its text.
Listen = Annotated[
    Address | None,
    NoDecode,
    BeforeValidator(_address),
    PlainSerializer(lambda value: str(value or "")),
    Kind("address"),
]
File = Annotated[Path | None, BeforeValidator(_file), Kind("file")]
Size = Annotated[int, BeforeValidator(_size), Kind("size")]
Networks = Annotated[
    tuple[Network, ...],
    NoDecode,
    BeforeValidator(_networks),
    PlainSerializer(lambda value: [str(each) for each in value]),
    Kind("list of networks"),
]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins), Kind("list of origins")]


class Section(BaseModel):
    """A section of the file; keys that belong to the bridge are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Broker(Section):
    """The MQTT broker that comes with Postbell, to which the devices connect."""

    listen: Listen = Field(
        Address("127.0.0.1", 1883), description="Where MQTT listens without TLS; the bridge itself comes this way."
    )
    websocket: Listen = Field(None, description="Where MQTT over WebSocket listens without TLS.")
    tls_listen: Listen = Field(None, description="Where MQTT listens with TLS, for devices elsewhere (port 8883).")
    secure_websocket: Listen = Field(None, description="Where MQTT over WebSocket listens with TLS.")
    tls_cert: File = Field(
        None,
        description="The certificate that devices are shown, with its chain, as a PEM file. A renewed one is taken up.",
    )
    tls_key: File = Field(None, description="The private key of `broker.tls_cert`, as a PEM file without a passphrase.")
    tls_client_ca: File = Field(
        None, description="The authorities whose certificates devices must have beside their password, as a PEM file."
    )
    insecure: bool = Field(
        False,
        description="Whether to listen without TLS for other machines: passwords and mail then travel in the clear.",
    )
    proxies: Networks = Field(
        (),
        description="Proxies and load balancers that name the real client: in a PROXY header, with which their "
        "connections begin, or in X-Forwarded-For or Forwarded of a WebSocket.",
    )
    origins: Origins = Field(
        (), description="Whose web pages may connect over WebSocket, by their origin; `[]` lets in everybody's."
    )
    session_days: float = Field(
        30, gt=0, le=3650, description="How many days the broker keeps what waits for a device that stays away."
    )
    keep_alive: int = Field(
        900,
        ge=0,
        le=14_400,
        description=(
            "Seconds of silence that a device of MQTT 5 is told to keep, if it would say something more often, which "
            "spares its battery; 0 leaves it to the devices."
        ),
    )


class BrokerLimits(Section):
    """What strangers and devices can make Postbell do; what happens beyond is told in docs/security.md."""

    packet: Size = Field(262_144, ge=1024, le=268_435_455, description="How large an MQTT packet of a device may be.")
    clients: int = Field(20_000, ge=1, description="Connections of devices in all.")
    clients_per_address: int = Field(1000, ge=1, description="Connections of devices from one address.")
    connect_timeout: float = Field(10, gt=0, description="Seconds within which a connection has to log in.")
    handshake_timeout: float = Field(
        8, gt=0, description="Seconds within which a connection has to be through with TLS, and with a PROXY header."
    )
    login_failures: int = Field(
        30,
        ge=1,
        description="Wrong passwords from an address in a minute, before chosen ones are no longer looked at.",
    )
    queue: int = Field(10_000, ge=1, le=50_000, description="Messages that wait for a device that is away.")
    queue_bytes: Size = Field(8 * 2**20, ge=1024, description="How large they may be together.")
    queue_total: Size = Field(
        256 * 2**20,
        ge=2**20,
        description="How much memory all that waits for devices that are away may take; whoever has most loses first.",
    )
    inflight: int = Field(64, ge=1, le=10_000, description="Messages on their way to a device without its PUBACK.")
    subscriptions: int = Field(64, ge=1, description="Filters that a device may subscribe to.")
    publish_rate: float = Field(100, gt=0, description="Publishes of a device in a second; beyond, it is made to wait.")
    write_buffer: Size = Field(
        65_536, ge=1024, description="How much may be unread by a device before nothing more is written to it."
    )
    stall_timeout: float = Field(30, gt=0, description="Seconds that a device may read nothing of what was written.")


class Mqtt(Section):
    """The root of all mail topics."""

    root: str = Field(
        "mail",
        pattern=r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$",
        description="The first levels of all topics of mail.",
    )


class Log(Section):
    """How the log is written, to standard error."""

    level: str = Field("info", pattern="^(debug|info|warning|error)$", description="The least that is told.")
    format: str = Field(
        "auto",
        pattern="^(auto|console|json)$",
        description="Its form: `console`, lines for people; `json`, for collectors; `auto`, as where it is read.",
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


class Settings(BaseSettings):
    """All that the broker is told from outside."""

    model_config = SettingsConfigDict(
        env_prefix="POSTBELL_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    state_dir: Path = Field(
        default_factory=default_state_dir,
        description="The directory of all that is kept: users, mail, locks. It is for Postbell's user alone.",
    )
    broker: Broker = Broker()
    limits: BrokerLimits = BrokerLimits()
    mqtt: Mqtt = Mqtt()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings
