"""The broker's part of the configuration file; what belongs to the bridge is left alone.

How it is found and judged: broker/loading.py.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from broker.address import Address

_SIZE = re.compile(r"(\d+)\s*([kKmMgG]?)(?:i?[bB])?")
_FACTOR = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def _address(value: object) -> Address | None:
    if value is None or value == "":
        return None
    if isinstance(value, Address):
        return value
    try:
        return Address.parse(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(f'not an address; {error}, or "" for off') from None


def _size(value: object) -> object:
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(match[1]) * _FACTOR[match[2].lower()] if match else value


# Defaults are dumped and read again where the file changes another key of their section: an address prints as its text.
Listen = Annotated[Address | None, NoDecode, BeforeValidator(_address), PlainSerializer(lambda value: str(value or ""))]
File = Annotated[Path | None, BeforeValidator(lambda value: None if value == "" else value)]
Size = Annotated[int, BeforeValidator(_size)]


class Section(BaseModel):
    """A section of the file; keys that belong to the bridge are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Broker(Section):
    """Where the broker listens (None: not at all), and how long it keeps the session of a device that stays away."""

    listen: Listen = Address("127.0.0.1", 1883)
    websocket: Listen = None
    tls_listen: Listen = None
    secure_websocket: Listen = None
    tls_cert: File = None
    tls_key: File = None
    tls_client_ca: File = None
    insecure: bool = False
    session_days: float = Field(30, gt=0, le=3650)


class BrokerLimits(Section):
    """Bounds on what clients may cost. Sizes are bytes, times are seconds, a device's publish rate is by second."""

    packet: Size = Field(262_144, ge=1024, le=268_435_455)
    clients: int = Field(20_000, ge=1)
    clients_per_address: int = Field(1000, ge=1)
    connect_timeout: float = Field(10, gt=0)
    login_failures: int = Field(30, ge=1)
    queue: int = Field(10_000, ge=1, le=50_000)
    queue_bytes: Size = Field(8 * 2**20, ge=1024)
    inflight: int = Field(64, ge=1, le=10_000)
    subscriptions: int = Field(64, ge=1)
    publish_rate: float = Field(100, gt=0)
    write_buffer: Size = Field(65_536, ge=1024)
    stall_timeout: float = Field(30, gt=0)


class Mqtt(Section):
    """The root of all mail topics, and the bridge's login at a broker that is not ours."""

    username: str = ""
    root: str = Field("mail", pattern=r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$")


class Log(Section):
    """How the log is written: lines for people or JSON for collectors."""

    level: str = Field("info", pattern="^(debug|info|warning|error)$")
    format: str = Field("auto", pattern="^(auto|console|json)$")


def default_state_dir() -> Path:
    """Where state lives unless the configuration says so; the bridge's default as well."""
    if os.geteuid() == 0:
        return Path("/var/lib/postbell")
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "postbell"


class Settings(BaseSettings):
    """All that the broker is told from outside."""

    model_config = SettingsConfigDict(
        env_prefix="POSTBELL_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    state_dir: Path = Field(default_factory=default_state_dir)
    node: str = "main"
    broker: Broker = Broker()
    limits: BrokerLimits = BrokerLimits()
    mqtt: Mqtt = Mqtt()
    log: Log = Log()

    @property
    def bridge_login(self) -> str:
        """The login of the bridge with this configuration: `mqtt.username`, or a name of its own for each node."""
        return self.mqtt.username or ("bridge" if self.node == "main" else f"bridge-{self.node}")

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
