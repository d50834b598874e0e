"""The keys of the configuration that the bridge reads, with their types and defaults, as frozen values.

The broker reads the same file for its own keys, so unknown keys are refused only in the sections that
are the bridge's alone; what nobody knows in the others is found when the file is loaded.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from bridge.config.endpoints import LOOPBACK, TcpAddress
from bridge.config.permissions import OURS, OWNER_AND_GROUP
from bridge.config.values import (
    Address,
    File,
    Listen,
    LogFormat,
    LogLevel,
    Mode,
    MqttVersion,
    Name,
    Networks,
    Owner,
    PublicUrl,
    Root,
    Size,
    Texts,
    Url,
)
from bridge.contract import topics
from bridge.rules.alert import SpamAction


class Section(BaseModel):
    """A section that belongs to the bridge alone: a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SharedSection(BaseModel):
    """A section that the broker reads too: keys of the other side are left alone, and what is nobody's is found."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Smtp(Section):
    """The SMTP listener, and what holds for SMTP and LMTP alike."""

    listen: Listen = TcpAddress("127.0.0.1", 2525)
    max_size: Size = 50 * 2**20
    hostname: str = ""
    tls_listen: Listen = None
    tls_cert: File = None
    tls_key: File = None
    networks: Networks = LOOPBACK
    proxies: Networks = ()
    authserv_ids: Texts = ()


class Spam(Section):
    """Whose word on spam is believed, and what becomes of such mail (docs/rules.md)."""

    headers: Texts = ()
    action: SpamAction = SpamAction.MARK


class Lmtp(Section):
    """The LMTP listener (RFC 2033)."""

    listen: Listen = None
    socket_mode: Mode = OWNER_AND_GROUP
    socket_owner: Owner = OURS


class Broker(SharedSection):
    """The embedded broker, as far as the bridge must know of it."""

    embedded: bool = True
    listen: Address = TcpAddress("127.0.0.1", 1883)
    websocket: Address = None
    public_url: Url = None


class Mqtt(Section):
    """How the bridge reaches its broker, and under which root it publishes."""

    url: Url = None
    username: str = ""
    password_file: File = None
    ca_file: File = None
    root: Root = "mail"
    version: MqttVersion = "3.1.1"
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
    """Where HTTP is served, with TLS if there is a certificate, and who may see health and metrics there."""

    listen: Address = None
    networks: Networks = LOOPBACK
    tls_cert: File = None
    tls_key: File = None
    public_url: PublicUrl = None


class Log(Section):
    """How the log is written: lines for people or JSON for collectors."""

    level: LogLevel = "info"
    format: LogFormat = "auto"


class BridgeLimits(SharedSection):
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
    node: Name = topics.DEFAULT_NODE
    smtp: Smtp = Smtp()
    lmtp: Lmtp = Lmtp()
    spam: Spam = Spam()
    broker: Broker = Broker()
    mqtt: Mqtt = Mqtt()
    retain: Retain = Retain()
    body: Body = Body()
    http: Http = Http()
    log: Log = Log()
    limits: BridgeLimits = BridgeLimits()

    @property
    def broker_login(self) -> str:
        """The bridge's login at its broker: `mqtt.username`, or a name of its own for each node."""
        return self.mqtt.username or topics.bridge_login(self.node)

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
