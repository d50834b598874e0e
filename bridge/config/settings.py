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
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.config.values import Address, Listen, Name, Networks, Root, Size, Texts, Url
from bridge.errors import ConfigurationError
from bridge.rules.alert import SpamAction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FILE_NAME = "postbell.toml"
PREFIX = "POSTBELL_"
_PLACES = (Path(FILE_NAME), Path("/etc/postbell") / FILE_NAME)
_LOGIN_IN_URL = re.compile(r"//[^/@\s]*@")
_UNKNOWN = "extra_forbidden"

Problem = tuple[tuple[int | str, ...], str, Any, str]
"""What is wrong with the configuration: where, the kind, the value, and the text that tells the cure."""

BROKERS_KEYS = {
    "broker": frozenset(
        {
            "tls_listen",
            "secure_websocket",
            "tls_cert",
            "tls_key",
            "tls_client_ca",
            "insecure",
            "session_days",
        }
    ),
    "limits": frozenset(
        {
            "packet",
            "clients",
            "clients_per_address",
            "connect_timeout",
            "login_failures",
            "queue",
            "queue_bytes",
            "inflight",
            "subscriptions",
            "publish_rate",
            "write_buffer",
            "stall_timeout",
        }
    ),
}
"""Keys that the broker alone reads, in the sections that both read (broker/settings.py)."""


class Section(BaseModel):
    """A section that belongs to the bridge alone: a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SharedSection(BaseModel):
    """A section that the broker reads too: keys of the other side are left alone, and what is nobody's is found."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Smtp(Section):
    """The SMTP listener, and what holds for SMTP and LMTP alike."""

    listen: Listen = "127.0.0.1:2525"
    max_size: Size = 50 * 2**20
    hostname: str = ""
    tls_listen: Listen = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    networks: Networks = ("127.0.0.0/8", "::1/128")
    proxies: Networks = ()
    authserv_ids: Texts = ()


class Spam(Section):
    """Whose word on spam is believed, and what becomes of such mail (docs/rules.md)."""

    headers: Texts = ()
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
    public_url: Url = ""


class Mqtt(Section):
    """How the bridge reaches its broker, and under which root it publishes."""

    url: Url = ""
    username: str = "bridge"
    password_file: Path | None = None
    ca_file: Path | None = None
    root: Root = "mail"
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
    """Where HTTP is to be served; the bridge says so while it has nothing to serve there."""

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
    messages: int = Field(500_000, ge=1)


def default_state_dir() -> Path:
    """Where state lives unless the configuration says so: the system's place for root, else the user's."""
    if os.geteuid() == 0:
        return Path("/var/lib/postbell")
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "postbell"


class Settings(BaseModel):
    """All that the bridge is told from outside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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


_SECTIONS = {name for name, field in Settings.model_fields.items() if isinstance(field.default, BaseModel)}
_NO_SECTION = f"no such section or key; there are {', '.join(sorted(Settings.model_fields))}"


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
        raise ConfigurationError(f"{path}: {unknown[0]}: {_NO_SECTION}")
    _override(values, environ)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems = [(problem["loc"], problem["type"], problem["input"], problem["msg"]) for problem in error.errors()]
        raise ConfigurationError(_explain(problems, path, environ)) from error
    problems = list(_nobodys_keys(settings)) or list(_unreachable_broker(settings))
    if problems:
        raise ConfigurationError(_explain(problems, path, environ))
    return settings


def _override(values: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Put POSTBELL_SECTION__KEY and POSTBELL_KEY over what the file says."""
    for variable, value in environ.items():
        if not variable.startswith(PREFIX):
            continue
        section, nested, key = variable.removeprefix(PREFIX).lower().partition("__")
        if section not in Settings.model_fields:
            if nested:
                raise ConfigurationError(f"{variable}: {section}: {_NO_SECTION}")
        elif nested:
            values[section] = {**there, key: value} if isinstance(there := values.get(section, {}), dict) else there
        elif section in _SECTIONS:
            raise ConfigurationError(f"{variable} = {value!r}: a section; write {PREFIX}{section.upper()}__KEY")
        else:
            values[section] = value


def _nobodys_keys(settings: Settings) -> Iterator[Problem]:
    """Keys of the shared sections that neither the bridge nor the broker knows."""
    for name, theirs in BROKERS_KEYS.items():
        for key, value in (getattr(settings, name).model_extra or {}).items():
            if key not in theirs:
                yield (name, key), _UNKNOWN, value, ""


def _unreachable_broker(settings: Settings) -> Iterator[Problem]:
    """A bridge has to reach its broker: the embedded one over TCP, or another by its URL."""
    if settings.mqtt.url:
        return
    if not settings.broker.embedded:
        yield ("mqtt", "url"), "", "", "with broker.embedded = false, write where the broker is, as mqtt://host:port"
    elif not settings.broker.listen:
        yield ("broker", "listen"), "", "", "the bridge itself comes this way: write host:port, as 127.0.0.1:1883"


def _explain(problems: Iterable[Problem], path: Path | None, environ: Mapping[str, str]) -> str:
    lines = []
    for where, kind, value, message in problems:
        key = ".".join(str(part) for part in where)
        variable = PREFIX + "__".join(str(part) for part in where[:2]).upper()
        place = variable if variable in environ else str(path or "defaults")
        if kind == _UNKNOWN:
            lines.append(f"{place}: {key}: no such key; remove it or mend its spelling")
        else:
            shown = _LOGIN_IN_URL.sub("//***@", repr(value))
            lines.append(f"{place}: {key} = {shown}: {message.removeprefix('Value error, ')}")
    return "\n".join(lines)
