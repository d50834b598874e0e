"""The configuration: one TOML file, every key overridable as POSTBELL_SECTION__KEY.

`load` finds the file, merges the environment over it and returns frozen settings, or raises a
ConfigurationError whose text names file, key, value and cure. The broker reads the same file for
its own keys, so unknown keys are refused only in the sections that are the bridge's alone.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from bridge import topics
from bridge.errors import ConfigurationError
from bridge.rules import SpamAction

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME = "postbell.toml"
_PLACES = (Path(FILE_NAME), Path("/etc/postbell") / FILE_NAME)
_ADDRESS = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[^:\[\]\s]+):\d{1,5}")
_SIZE = re.compile(r"(\d+)\s*([kKmMgG]?)(?:i?[bB])?")
_FACTOR = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def _listen(value: str) -> str:
    if not value or value.startswith("unix:/"):
        return value
    if not _ADDRESS.fullmatch(value) or int(value.rpartition(":")[2]) > 65_535:
        raise ValueError('write host:port with a port up to 65535, [IPv6]:port, unix:/path, or "" for off')
    return value


def _address(value: str) -> str:
    if value.startswith("unix:"):
        raise ValueError("a broker listens on host:port, not on a UNIX socket")
    return _listen(value)


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        known = parts.scheme in {"mqtt", "mqtts", "ws", "wss"} and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if value and not known:
        raise ValueError('write mqtt://host:port, mqtts://, ws:// or wss://, or "" for the embedded broker')
    return value


def _size(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("write a number of bytes, or one with k, M or G behind it")
    return int(match[1]) * _FACTOR[match[2].lower()]


def _name(value: str) -> str:
    if not topics.valid_name(value):
        raise ValueError("use 1 to 32 of a-z 0-9 _ - and begin with a letter or digit")
    return value


def _root(value: str) -> str:
    if not value or any(not topics.valid_name(level) for level in value.split("/")):
        raise ValueError("use one or more topic levels of a-z 0-9 _ - without wildcards")
    return value


Listen = Annotated[str, AfterValidator(_listen)]
Address = Annotated[str, AfterValidator(_address)]
Size = Annotated[int, BeforeValidator(_size), Field(ge=0)]
Name = Annotated[str, AfterValidator(_name)]


class Section(BaseModel):
    """A section that belongs to the bridge alone: a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SharedSection(BaseModel):
    """A section that the broker reads too: keys for the other side are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Smtp(Section):
    """The SMTP listener, and what holds for SMTP and LMTP alike."""

    listen: Listen = "127.0.0.1:2525"
    max_size: Size = 50 * 2**20
    hostname: str = ""
    tls_listen: Listen = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    proxies: tuple[str, ...] = ()
    authserv_ids: tuple[str, ...] = ()


class Spam(Section):
    """Whose word on spam is believed, and what becomes of such mail (docs/rules.md)."""

    headers: tuple[str, ...] = ()
    action: SpamAction = SpamAction.MARK


class Lmtp(Section):
    """The LMTP listener (RFC 2033)."""

    listen: Listen = ""
    socket_mode: str = Field("0660", pattern=r"0?[0-7]{3}")
    socket_owner: str = ""


class Broker(SharedSection):
    """The embedded broker, as far as the bridge must know of it."""

    embedded: bool = True
    listen: Address = "127.0.0.1:1883"
    websocket: Address = ""


class Mqtt(Section):
    """How the bridge reaches its broker, and under which root it publishes."""

    url: Annotated[str, AfterValidator(_url)] = ""
    username: str = "bridge"
    password_file: Path | None = None
    ca_file: Path | None = None
    root: Annotated[str, AfterValidator(_root)] = "mail"
    version: str = Field("3.1.1", pattern=r"^(3\.1\.1|5)$")
    keepalive: int = Field(60, ge=5, le=65535)
    window: int = Field(256, ge=1, le=10_000)


class Retain(Section):
    """What stays on the broker: the newest unseen messages, no older than so many days."""

    count: int = Field(100, ge=1, le=100_000)
    days: float = Field(7, gt=0, le=3650)


class Body(Section):
    """How long and how much of the raw messages is kept for reading on demand."""

    days: float = Field(30, ge=0, le=36500)
    quota: Size = 500 * 2**20
    total: Size = 10 * 2**30
    headers_days: float = Field(365, ge=1, le=36500)


class Http(Section):
    """Health and metrics over HTTP."""

    listen: Address = ""


class Log(Section):
    """How the log is written: lines for people or JSON for collectors."""

    level: str = Field("info", pattern="^(debug|info|warning|error)$")
    format: str = Field("auto", pattern="^(auto|console|json)$")


class Limits(SharedSection):
    """Bounds on what strangers and devices can make the bridge do."""

    payload: int = Field(512, ge=192, le=65_536)
    chunk: int = Field(8192, ge=256, le=65_536)
    request_rate: float = Field(50, gt=0)
    connections: int = Field(500, ge=1)
    connections_per_address: int = Field(100, ge=1)
    recipients: int = Field(1000, ge=1)
    commands: int = Field(10_000, ge=10)
    errors: int = Field(20, ge=1)
    command_timeout: float = Field(300, gt=0)
    session_timeout: float = Field(3600, gt=0)
    received: int = Field(50, ge=1)


def default_state_dir() -> Path:
    """Where state lives unless the configuration says so: the system's place for root, else the user's."""
    if os.geteuid() == 0:
        return Path("/var/lib/postbell")
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "postbell"


class Settings(BaseSettings):
    """All that the bridge is told from outside."""

    model_config = SettingsConfigDict(
        env_prefix="POSTBELL_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    state_dir: Path = Field(default_factory=default_state_dir)
    node: Name = "main"
    smtp: Smtp = Smtp()
    lmtp: Lmtp = Lmtp()
    spam: Spam = Spam()
    broker: Broker = Broker()
    mqtt: Mqtt = Mqtt()
    retain: Retain = Retain()
    body: Body = Body()
    http: Http = Http()
    log: Log = Log()
    limits: Limits = Limits()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what `load` read from the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @property
    def database(self) -> Path:
        """The store's file."""
        return self.state_dir / "postbell.db"

    @property
    def spool_dir(self) -> Path:
        """Where messages too large for the database lie."""
        return self.state_dir / "spool"

    @property
    def run_dir(self) -> Path:
        """Where running processes say how they are reached."""
        return self.state_dir / "run"


def find(explicit: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file to use, or None for defaults; an explicit one must exist."""
    named = explicit or (Path(environ["POSTBELL_CONFIG"]) if environ.get("POSTBELL_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise ConfigurationError(f"{named}: no such file; create it or name another with --config")
        return named
    return next((place for place in _PLACES if place.is_file()), None)


def load(explicit: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings from file and environment; raises ConfigurationError."""
    path = find(explicit, environ)
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"{path}: cannot be read as TOML: {error}") from error
    unknown = sorted(values.keys() - Settings.model_fields.keys())
    if unknown:
        known = ", ".join(sorted(Settings.model_fields))
        raise ConfigurationError(f"{path}: {unknown[0]}: no such section or key; there are {known}")
    try:
        return Settings(**values)
    except ValidationError as error:
        raise ConfigurationError(_explain(error, path, environ)) from error
    except SettingsError as error:
        raise ConfigurationError(f"environment: {error}; write POSTBELL_SECTION__KEY=value") from error


def _explain(error: ValidationError, path: Path | None, environ: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        variable = "POSTBELL_" + "__".join(str(part) for part in problem["loc"]).upper()
        place = variable if variable in environ else str(path or "defaults")
        if problem["type"] == "extra_forbidden":
            lines.append(f"{place}: {key}: no such key; remove it or mend its spelling")
        else:
            cure = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{place}: {key} = {problem['input']!r}: {cure}")
    return "\n".join(lines)
