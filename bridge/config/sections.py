"""The sections of the configuration that the bridge reads: each key with its type, default, bounds and meaning.

The broker reads the same file for its own keys, so unknown keys are refused only in the sections that
are the bridge's alone; what nobody knows in the others is found when the file is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.config.endpoints import LOOPBACK, TcpAddress
from bridge.config.kinds import NUMBER, SWITCH, TEXT, TEXTS, WHOLE, one_of
from bridge.config.permissions import OURS, OWNER_AND_GROUP
from bridge.config.section import Section, SharedSection, key
from bridge.config.values import (
    ADDRESS,
    CONTACT,
    DATABASE_URL,
    FILE,
    HOSTS,
    LISTEN,
    LOG_FORMAT,
    LOG_LEVEL,
    LOGINS_FOR,
    MODE,
    MQTT_VERSION,
    NETWORKS,
    OWNER,
    PUBLIC_URL,
    PUSH_CONTENT,
    ROOT,
    SIZE,
    URL,
    WORKERS,
)
from bridge.rules.spam import SpamAction

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.config.endpoints import Endpoint, MqttUrl, Network, Networks, WebUrl
    from bridge.config.permissions import FileMode, FileOwner
    from bridge.config.values import LogFormat, LoginsFor, LogLevel, MqttVersion, PushContent, Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Smtp(Section):
    """Where programs and mail servers hand mail in over SMTP. What is below `tls_key` holds for LMTP as well."""

    listen: Endpoint | None = key(LISTEN, TcpAddress("127.0.0.1", 2525), "Where SMTP listens, with STARTTLS if it can.")
    tls_listen: Endpoint | None = key(LISTEN, None, "Where SMTP listens with TLS from the first byte (port 465).")
    tls_cert: Path | None = key(
        FILE,
        None,
        "The certificate that senders are shown, with its chain, as a PEM file. A renewed one is taken up.",
    )
    tls_key: Path | None = key(FILE, None, "The private key of `smtp.tls_cert`, as a PEM file without a passphrase.")
    hostname: str = key(TEXT, "", 'The name in greetings and Received fields; `""` for that of the machine.')
    max_size: int = key(SIZE, 50 * 2**20, "How large a message may be; it is announced as SIZE.", ge=1024)
    networks: Networks = key(
        NETWORKS,
        LOOPBACK,
        "Who may hand in mail over TCP without a login. Everybody else needs `postbell sender add`.",
    )
    any_login: bool = key(
        SWITCH,
        True,
        "Whether senders in `smtp.networks` may log in as anybody, without TLS, too: cameras, printers.",
    )
    proxies: Networks = key(
        NETWORKS,
        (),
        "Load balancers whose connections begin with a PROXY header, which names the real sender.",
    )
    authserv_ids: tuple[str, ...] = key(
        TEXTS,
        (),
        "Whose Authentication-Results are believed (RFC 8601): the names that your mail servers write.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes(Section):
    """How the bridge uses the machine."""

    workers: Workers = key(
        WORKERS,
        "auto",
        "How many processes of their own converse with mail senders and read mail; 0 has the bridge do it. `auto`: one "
        "for every two cores from four cores on, once ten senders are connected at a time.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lmtp(Section):
    """Where a mail server on the same machine hands mail in over LMTP (RFC 2033)."""

    listen: Endpoint | None = key(LISTEN, None, "Where LMTP listens, as `unix:/run/postbell/lmtp.sock`.")
    socket_mode: FileMode = key(MODE, OWNER_AND_GROUP, "The mode of the UNIX socket.")
    socket_owner: FileOwner = key(
        OWNER,
        OURS,
        "The UNIX socket's owner; only root can give it to a user, or to a group without being in it.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spam(Section):
    """Whose word on spam is believed, and what becomes of such mail."""

    headers: tuple[str, ...] = key(
        TEXTS, (), "The fields in which your spam filter writes its verdict; whoever can write them is believed."
    )
    action: SpamAction = key(
        one_of(*SpamAction),
        SpamAction.MARK,
        "What becomes of spam: `mark`, it is silent; `suppress`, no device is told; `deliver`, it rings.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker(SharedSection):
    """The MQTT broker that comes with Postbell, to which the devices connect."""

    embedded: bool = key(SWITCH, True, "Whether to run it. With false, another one is named in `mqtt.url`.")
    listen: TcpAddress | None = key(
        ADDRESS, TcpAddress("127.0.0.1", 1883), "Where MQTT listens without TLS; the bridge itself comes this way."
    )
    websocket: TcpAddress | None = key(ADDRESS, None, "Where MQTT over WebSocket listens without TLS.")
    public_url: MqttUrl | None = key(
        URL,
        None,
        'Where devices reach the broker, for `device add` and its QR code; `""` for where it listens.',
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mqtt(Section):
    """How the bridge reaches its broker, and under which topics it publishes."""

    url: MqttUrl | None = key(URL, None, 'Where another broker is; `""` for the one that comes with Postbell.')
    username: str = key(TEXT, "", 'The bridge\'s login; `""` for `bridge`, or `bridge-NODE` where `node` is set.')
    password_file: Path | None = key(
        FILE,
        None,
        "The file with the bridge's password at another broker. With `logins_for` one is made.",
    )
    ca_file: Path | None = key(
        FILE, None, 'The authorities that vouch for the broker, as a PEM file; `""` for those of the system.'
    )
    logins_for: LoginsFor = key(
        LOGINS_FOR,
        "",
        'Whose login files Postbell keeps at another broker: `mosquitto` or `nats`; `""` for none.',
    )
    logins_dir: Path | None = key(
        FILE,
        None,
        'The directory of these files; `""` for `/var/lib/postbell-mosquitto` or `/var/lib/postbell-nats`.',
    )
    logins_hook: tuple[str, ...] = key(
        TEXTS,
        (),
        "A command, run without a shell, that has the broker read them; without one systemd has it.",
    )
    root: str = key(ROOT, "mail", "The first levels of all topics of mail.")
    version: MqttVersion = key(
        MQTT_VERSION,
        "auto",
        "The MQTT that the bridge speaks: `5`, `3.1.1`, or `auto`: 5, and 3.1.1 where the broker has no 5.",
    )
    nodes_file: Path | None = key(
        FILE,
        None,
        "Where several bridges share a store: lines `node:password` of all of them, as each takes another's place at "
        "the broker when that one is gone. The bridge's own line is its password, unless `password_file` is named. "
        '`""` where they have one password.',
    )
    cluster: bool = key(SWITCH, False, "Whether the broker has several nodes of its own; a bridge then waits a moment.")
    keepalive: int = key(WHOLE, 60, "After so many seconds of silence the connection is tried.", ge=5, le=65535)
    window: int = key(WHOLE, 256, "How many publishes may wait for their PUBACK.", ge=1, le=10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptIn(Section):
    """What users and mail are kept in."""

    url: str = key(
        DATABASE_URL,
        "",
        'A database of PostgreSQL, 15 or newer; `""` for a file of SQLite in `state_dir`. It needs another broker.',
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells(Section):
    """Where users are at several brokers (`postbell cell add`): what a proxy in front of them is told."""

    map: Path | None = key(
        FILE, None, 'The file that says at which cell a user is; `""` for `cells.map` in the state directory.'
    )
    haproxy: Path | None = key(
        FILE,
        None,
        "The admin socket of the HAProxy that is told of each change at once; without one it is reloaded by hand.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retain(Section):
    """What stays on the broker for a device that connects: the newest unseen messages of each user."""

    count: int = key(WHOLE, 100, "No more than so many.", ge=1, le=100_000)
    days: float = key(NUMBER, 7, "None that is older than so many days.", gt=0, le=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body(Section):
    """How long the messages themselves are kept, to be read on demand. The oldest go first."""

    days: float = key(NUMBER, 30, "How many days a body is kept; 0 keeps none.", ge=0, le=36500)
    quota: int = key(SIZE, 500 * 2**20, "How much the bodies of one user may take; 0 keeps none.", ge=0)
    total: int = key(SIZE, 10 * 2**30, "How much all bodies together may take; 0 keeps none.", ge=0)
    headers_days: float = key(NUMBER, 365, "How many days the headers are kept.", ge=1, le=36500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Http(Section):
    """Where HTTP is served: the web client, and whether it is alive, whether it is ready, metrics."""

    listen: TcpAddress | None = key(ADDRESS, None, "Where HTTP listens; with TLS if there is a certificate.")
    web: bool = key(SWITCH, True, "Whether everybody is served the web client, and `/mqtt`, its way to the broker.")
    networks: Networks = key(NETWORKS, LOOPBACK, "Who may see health and metrics.")
    proxies: Networks = key(
        NETWORKS, (), "Web servers in front that name the real client in X-Forwarded-For: theirs is believed."
    )
    connections: int = key(WHOLE, 4096, "Connections to the web client in all; a page keeps one.", ge=1)
    connections_per_address: int = key(WHOLE, 256, "Connections to the web client from one address.", ge=1)
    tls_cert: Path | None = key(FILE, None, "The certificate with its chain, as a PEM file. A renewed one is taken up.")
    tls_key: Path | None = key(FILE, None, "The private key of `http.tls_cert`, as a PEM file without a passphrase.")
    public_url: WebUrl | None = key(PUBLIC_URL, None, "Where browsers reach it, maybe through a proxy.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Push(Section):
    """How devices that sleep are rung: by Web Push, for pages and apps that have asked for it."""

    enabled: bool = key(SWITCH, True, "Whether it is done at all.")
    subject: str = key(
        CONTACT,
        "",
        "Whom a push service may write to: a `mailto:` or `https:` URL. Apple takes nothing without. "
        '`""` for `http.public_url`.',
    )
    content: PushContent = key(
        PUSH_CONTENT,
        "full",
        "What is told, sealed so that only the device reads it: `full`, sender, subject and how the mail begins; "
        "`sender`; `none`, that there is mail.",
    )
    ttl: int = key(
        WHOLE,
        86_400,
        "How many seconds a ring is tried, and kept for a device that is off.",
        ge=60,
        le=2_419_200,
    )
    allow: tuple[Network | str, ...] = key(
        HOSTS, (), "Push services that are not in the world and yet meant: their hosts, or networks of addresses."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Imap(Section):
    """How mailboxes at mail servers are followed, which `postbell mailbox add` names."""

    ca_file: Path | None = key(
        FILE, None, 'The authorities that vouch for mail servers, as a PEM file; `""` for those of the system.'
    )
    idle: int = key(
        WHOLE, 540, "After so many seconds the server is asked anew to tell what changes (RFC 2177).", ge=10, le=1740
    )
    poll: int = key(WHOLE, 60, "How often, in seconds, a server is asked that cannot tell by itself.", ge=1, le=86_400)
    events_dir: Path | None = key(
        FILE,
        None,
        'Where a Dovecot of this machine says which mailbox changed; `""` for `/var/lib/postbell-events`.',
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAssistant(Section):
    """Home Assistant finds sensors by itself, from what is retained below its prefix."""

    enabled: bool = key(SWITCH, True, "Whether Home Assistant is told of the users that have a device for it.")
    prefix: str = key(ROOT, "homeassistant", "The first levels of its topics: Home Assistant's *discovery prefix*.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(Section):
    """How the log is written, to standard error."""

    level: LogLevel = key(LOG_LEVEL, "info", "The least that is told.")
    format: LogFormat = key(
        LOG_FORMAT,
        "auto",
        "Its form: `console`, lines for people; `json`, for collectors; `auto`, as where it is read.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeLimits(SharedSection):
    """What strangers and devices can make Postbell do; what happens beyond is told in docs/security.md."""

    payload: int = key(WHOLE, 512, "Bytes of the header of a mail that devices get.", ge=192, le=65_536)
    chunk: int = key(WHOLE, 8192, "Bytes of a reply with a part of a body.", ge=256, le=65_536)
    request_rate: float = key(NUMBER, 50, "Requests of a device that are answered in a second.", gt=0)
    connections: int = key(WHOLE, 500, "Connections of mail senders in all.", ge=1)
    connections_per_address: int = key(WHOLE, 100, "Connections of mail senders from one address.", ge=1)
    recipients: int = key(WHOLE, 1000, "Recipients of one message.", ge=1)
    commands: int = key(WHOLE, 10_000, "SMTP commands between two messages.", ge=10)
    errors: int = key(WHOLE, 20, "SMTP commands that may be wrong between two messages.", ge=1)
    command_timeout: float = key(NUMBER, 300, "Seconds that a mail sender may be silent (RFC 5321 §4.5.3.2).", gt=0)
    session_timeout: float = key(NUMBER, 3600, "Seconds that a session may last without a message.", gt=0)
    received: int = key(WHOLE, 50, "Received fields of a message; with more it goes round in a circle.", ge=1)
    messages: int = key(WHOLE, 500_000, "Messages of one user; beyond, that user's mail gets 452 4.2.2.", ge=1)
