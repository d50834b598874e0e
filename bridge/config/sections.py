"""The sections of the configuration that the bridge reads: each key with its type, default, bounds and meaning.

The broker reads the same file for its own keys, so unknown keys are refused only in the sections that
are the bridge's alone; what nobody knows in the others is found when the file is loaded.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from bridge.config.endpoints import LOOPBACK, TcpAddress
from bridge.config.permissions import OURS, OWNER_AND_GROUP
from bridge.config.values import (
    Address,
    Contact,
    File,
    Hosts,
    Listen,
    LogFormat,
    LoginsFor,
    LogLevel,
    Mode,
    MqttVersion,
    Networks,
    Owner,
    PublicUrl,
    PushContent,
    Root,
    Size,
    Texts,
    Url,
)
from bridge.rules.spam import SpamAction


class Section(BaseModel):
    """A section that belongs to the bridge alone: a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SharedSection(BaseModel):
    """A section that the broker reads too: keys of the other side are left alone, and what is nobody's is found."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Smtp(Section):
    """Where programs and mail servers hand mail in over SMTP. What is below `tls_key` holds for LMTP as well."""

    listen: Listen = Field(TcpAddress("127.0.0.1", 2525), description="Where SMTP listens, with STARTTLS if it can.")
    tls_listen: Listen = Field(None, description="Where SMTP listens with TLS from the first byte (port 465).")
    tls_cert: File = Field(
        None,
        description="The certificate that senders are shown, with its chain, as a PEM file. A renewed one is taken up.",
    )
    tls_key: File = Field(None, description="The private key of `smtp.tls_cert`, as a PEM file without a passphrase.")
    hostname: str = Field("", description='The name in greetings and Received fields; `""` for that of the machine.')
    max_size: Size = Field(50 * 2**20, ge=1024, description="How large a message may be; it is announced as SIZE.")
    networks: Networks = Field(
        LOOPBACK,
        description="Who may hand in mail over TCP without a login. Everybody else needs `postbell sender add`.",
    )
    any_login: bool = Field(
        True,
        description="Whether senders in `smtp.networks` may log in as anybody, without TLS, too: cameras, printers.",
    )
    proxies: Networks = Field(
        (),
        description="Load balancers whose connections begin with a PROXY header, which names the real sender.",
    )
    authserv_ids: Texts = Field(
        (),
        description="Whose Authentication-Results are believed (RFC 8601): the names that your mail servers write.",
    )


class Lmtp(Section):
    """Where a mail server on the same machine hands mail in over LMTP (RFC 2033)."""

    listen: Listen = Field(None, description="Where LMTP listens, as `unix:/run/postbell/lmtp.sock`.")
    socket_mode: Mode = Field(OWNER_AND_GROUP, description="The mode of the UNIX socket.")
    socket_owner: Owner = Field(
        OURS,
        description="The UNIX socket's owner; only root can give it to a user, or to a group without being in it.",
    )


class Spam(Section):
    """Whose word on spam is believed, and what becomes of such mail."""

    headers: Texts = Field(
        (), description="The fields in which your spam filter writes its verdict; whoever can write them is believed."
    )
    action: SpamAction = Field(
        SpamAction.MARK,
        description="What becomes of spam: `mark`, it is silent; `suppress`, no device is told; `deliver`, it rings.",
    )


class Broker(SharedSection):
    """The MQTT broker that comes with Postbell, to which the devices connect."""

    embedded: bool = Field(True, description="Whether to run it. With false, another one is named in `mqtt.url`.")
    listen: Address = Field(
        TcpAddress("127.0.0.1", 1883), description="Where MQTT listens without TLS; the bridge itself comes this way."
    )
    websocket: Address = Field(None, description="Where MQTT over WebSocket listens without TLS.")
    public_url: Url = Field(
        None,
        description='Where devices reach the broker, for `device add` and its QR code; `""` for where it listens.',
    )


class Mqtt(Section):
    """How the bridge reaches its broker, and under which topics it publishes."""

    url: Url = Field(None, description='Where another broker is; `""` for the one that comes with Postbell.')
    username: str = Field(
        "", description='The bridge\'s login; `""` for `bridge`, or `bridge-NODE` where `node` is set.'
    )
    password_file: File = Field(
        None,
        description="The file with the bridge's password at another broker. With `logins_for` one is made.",
    )
    ca_file: File = Field(
        None, description='The authorities that vouch for the broker, as a PEM file; `""` for those of the system.'
    )
    logins_for: LoginsFor = Field(
        "", description='Whose login files Postbell keeps at another broker: `mosquitto` or `nats`; `""` for none.'
    )
    logins_dir: File = Field(
        None,
        description='The directory of these files; `""` for `/var/lib/postbell-mosquitto` or `/var/lib/postbell-nats`.',
    )
    logins_hook: Texts = Field(
        (),
        description="A command, run without a shell, that has the broker read them; without one systemd has it.",
    )
    root: Root = Field("mail", description="The first levels of all topics of mail.")
    version: MqttVersion = Field(
        "auto",
        description="The MQTT that the bridge speaks: `5`, `3.1.1`, or `auto`: 5, and 3.1.1 where the broker has no 5.",
    )
    keepalive: int = Field(60, ge=5, le=65535, description="After so many seconds of silence the connection is tried.")
    window: int = Field(256, ge=1, le=10_000, description="How many publishes may wait for their PUBACK.")


class Retain(Section):
    """What stays on the broker for a device that connects: the newest unseen messages of each user."""

    count: int = Field(100, ge=1, le=100_000, description="No more than so many.")
    days: float = Field(7, gt=0, le=3650, description="None that is older than so many days.")


class Body(Section):
    """How long the messages themselves are kept, to be read on demand. The oldest go first."""

    days: float = Field(30, ge=0, le=36500, description="How many days a body is kept; 0 keeps none.")
    quota: Size = Field(500 * 2**20, description="How much the bodies of one user may take; 0 keeps none.")
    total: Size = Field(10 * 2**30, description="How much all bodies together may take; 0 keeps none.")
    headers_days: float = Field(365, ge=1, le=36500, description="How many days the headers are kept.")


class Http(Section):
    """Where HTTP is served: whether it is alive, whether it is ready, metrics."""

    listen: Address = Field(None, description="Where HTTP listens; with TLS if there is a certificate.")
    networks: Networks = Field(LOOPBACK, description="Who may see health and metrics.")
    tls_cert: File = Field(
        None, description="The certificate with its chain, as a PEM file. A renewed one is taken up."
    )
    tls_key: File = Field(None, description="The private key of `http.tls_cert`, as a PEM file without a passphrase.")
    public_url: PublicUrl = Field(None, description="Where browsers reach it, maybe through a proxy.")


class Push(Section):
    """How devices that sleep are rung: by Web Push, for pages and apps that have asked for it."""

    enabled: bool = Field(True, description="Whether it is done at all.")
    subject: Contact = Field(
        "",
        description="Whom a push service may write to: a `mailto:` or `https:` URL. Apple takes nothing without. "
        '`""` for `http.public_url`.',
    )
    content: PushContent = Field(
        "full",
        description="What is told, sealed so that only the device reads it: `full`, sender, subject and how the mail "
        "begins; `sender`; `none`, that there is mail.",
    )
    ttl: int = Field(
        86_400, ge=60, le=2_419_200, description="How many seconds a ring is tried, and kept for a device that is off."
    )
    allow: Hosts = Field(
        (),
        description="Push services that are not in the world and yet meant: their hosts, or networks of addresses.",
    )


class Log(Section):
    """How the log is written, to standard error."""

    level: LogLevel = Field("info", description="The least that is told.")
    format: LogFormat = Field(
        "auto",
        description="Its form: `console`, lines for people; `json`, for collectors; `auto`, as where it is read.",
    )


class BridgeLimits(SharedSection):
    """What strangers and devices can make Postbell do; what happens beyond is told in docs/security.md."""

    payload: int = Field(512, ge=192, le=65_536, description="Bytes of the header of a mail that devices get.")
    chunk: int = Field(8192, ge=256, le=65_536, description="Bytes of a reply with a part of a body.")
    request_rate: float = Field(50, gt=0, description="Requests of a device that are answered in a second.")
    connections: int = Field(500, ge=1, description="Connections of mail senders in all.")
    connections_per_address: int = Field(100, ge=1, description="Connections of mail senders from one address.")
    recipients: int = Field(1000, ge=1, description="Recipients of one message.")
    commands: int = Field(10_000, ge=10, description="SMTP commands between two messages.")
    errors: int = Field(20, ge=1, description="SMTP commands that may be wrong between two messages.")
    command_timeout: float = Field(
        300, gt=0, description="Seconds that a mail sender may be silent (RFC 5321 §4.5.3.2)."
    )
    session_timeout: float = Field(3600, gt=0, description="Seconds that a session may last without a message.")
    received: int = Field(50, ge=1, description="Received fields of a message; with more it goes round in a circle.")
    messages: int = Field(500_000, ge=1, description="Messages of one user; beyond, that user's mail gets 452 4.2.2.")
