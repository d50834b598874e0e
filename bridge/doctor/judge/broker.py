"""The broker: reached, of the right version, letting the bridge in, and keeping what it is given. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.contract import topics
from bridge.doctor.judge.check import Check
from bridge.doctor.judge.finding import Finding, broken, fine, unknown, warned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.reconcile import Repair

SAVED_S = 60
"""What a crash of the broker may cost: so long it may keep things in memory alone."""
TOPIC_BYTES = 256
"""What a publish has beside its payload, at most."""
ANY_VERSION, NEWEST = "auto", "5"
"""What `mqtt.version` says where the bridge takes what there is; and what apps ask for."""
OF_MOSQUITTO = (Check.KEEPS, Check.SAVES, Check.QUEUE, Check.SIZE, Check.RULES)
PAGE = "docs/brokers/mosquitto.md has the lines; postbell setup mosquitto writes them"


@dataclass(frozen=True, slots=True)
class Backlog:
    """The outbox, looked at twice: how many topics wait, and whether anything changed."""

    waiting: int
    moved: bool


@dataclass(frozen=True, slots=True)
class SessionsSeen:
    """The file of the embedded broker's sessions: what is damaged in it, and why it cannot be written; empty if fine.

    `unread` is why nothing can be said of it.
    """

    path: str
    damage: str = ""
    refusal: str = ""
    unread: str = ""


@dataclass(frozen=True, slots=True)
class BrokerSeen:
    """What was seen of it. `url` is where it is, empty while the embedded one has not said.

    `error` says why nobody was met there. `spoken` are versions of MQTT it speaks. `connected` is what the bridge
    says, None when none runs; `refusal` why it is not let in, as far as that could be tried. `mosquitto` are the
    settings of a mosquitto whose configuration could be read, and `unread` says why not. `sessions` is the file of the
    embedded broker. `repair` is what differs from
    what it should hold; `unlooked` says why that is not known.
    """

    url: str
    version: str
    embedded: bool
    error: str = ""
    spoken: tuple[str, ...] = ()
    connected: bool | None = None
    refusal: str = ""
    mosquitto: Mapping[str, str] | None = None
    unread: str = ""
    sessions: SessionsSeen | None = None
    retain_count: int = 100
    largest_bytes: int = 8192
    repair: Repair | None = None
    unlooked: str = ""
    backlog: Backlog | None = None


def judge(broker: BrokerSeen) -> list[Finding]:
    """All findings of the hop `broker`."""
    return [_reached(broker), _version(broker), _login(broker), *_mosquitto(broker), _retained(broker), _moves(broker)]


def _reached(broker: BrokerSeen) -> Finding:
    if not broker.url:
        return unknown(Check.REACHED, "the embedded broker does not say where it listens")
    if not broker.error:
        return fine(Check.REACHED)
    return broken(
        Check.REACHED,
        f"{broker.url} cannot be used: {broker.error}",
        "start it, or mend mqtt.url; for its certificate: mqtt.ca_file names the authority, and the host is in it"
        if not broker.embedded
        else "systemctl restart postbell",
    )


def _version(broker: BrokerSeen) -> Finding:
    if not broker.spoken:
        return unknown(Check.VERSION, "nobody answered")
    spoken = " and ".join(broker.spoken)
    if broker.version not in {ANY_VERSION, *broker.spoken}:
        return broken(
            Check.VERSION,
            f"mqtt.version = '{broker.version}': the broker at {broker.url} speaks MQTT {spoken}",
            f'mqtt.version = "{ANY_VERSION}"',
        )
    if NEWEST not in broker.spoken:
        return warned(
            Check.VERSION,
            f"the broker at {broker.url} speaks MQTT {spoken} alone: Home Assistant from 2027.1 on, and apps that begin"
            f" with {NEWEST}, cannot use it",
            f"a version of it that speaks MQTT {NEWEST}, or mosquitto: docs/brokers/README.md",
        )
    return fine(Check.VERSION, f"it speaks MQTT {spoken}")


def _login(broker: BrokerSeen) -> Finding:
    if broker.connected is None:
        return unknown(Check.LOGIN, "no bridge runs")
    if broker.connected:
        return fine(Check.LOGIN)
    if broker.refusal:
        return broken(
            Check.LOGIN,
            f"the broker does not let the bridge in: {broker.refusal}",
            "write the password that the broker knows into mqtt.password_file, or let it know the bridge's login",
        )
    return broken(
        Check.LOGIN,
        "the bridge is not connected to its broker: mail is kept, and no device is told",
        "the log says why: journalctl -u postbell (broker_unreachable, broker_lost)",
    )


# --- mosquitto's settings -------------------------------------------------------------------------


def _mosquitto(broker: BrokerSeen) -> list[Finding]:
    if broker.mosquitto is None:
        reason = "the embedded broker needs no settings for it" if broker.embedded else broker.unread
        others = [unknown(check, reason) for check in OF_MOSQUITTO]
        return others if broker.sessions is None else [_sessions(broker.sessions), *others[1:]]
    settings = broker.mosquitto
    return [
        _keeps(settings),
        _saves(settings),
        _queue(settings, broker.retain_count),
        _size(settings, broker.largest_bytes),
        _rules(settings),
    ]


def _sessions(sessions: SessionsSeen) -> Finding:
    """What the embedded broker keeps, it keeps in a file."""
    if sessions.unread:
        return unknown(Check.KEEPS, f"{sessions.path}: {sessions.unread}")
    if sessions.damage:
        return broken(
            Check.KEEPS,
            f"{sessions.path} is damaged ({sessions.damage}): what waits for devices may be lost",
            "systemctl restart postbell: the broker puts it aside, and devices subscribe once more",
        )
    if sessions.refusal:
        return broken(
            Check.KEEPS,
            f"{sessions.path} cannot be written ({sessions.refusal}): what waits for devices ends with the broker",
            "make room on the disk, or mend owner and mode, or mount it for writing",
        )
    return fine(Check.KEEPS)


def _keeps(settings: Mapping[str, str]) -> Finding:
    if not _on(settings, "retain_available", default=True):
        return broken(Check.KEEPS, "retain_available false: mosquitto keeps nothing for devices that come later", PAGE)
    if _on(settings, "persistence"):
        return fine(Check.KEEPS)
    return broken(
        Check.KEEPS,
        "persistence false: mosquitto forgets all sessions when it ends, with what waits in them for devices",
        f"persistence true; {PAGE}",
    )


def _saves(settings: Mapping[str, str]) -> Finding:
    if not _on(settings, "persistence"):
        return unknown(Check.SAVES, "mosquitto saves nothing")
    interval = _number(settings, "autosave_interval", 1800)
    if _on(settings, "autosave_on_changes"):
        if interval == 1:
            return fine(Check.SAVES)
        told = f"autosave_on_changes true: mosquitto saves at every {interval} changes only, and then everything"
    elif 0 < interval <= SAVED_S:
        return fine(Check.SAVES)
    else:
        told = (
            f"autosave_interval {interval}: what devices were to get in that time is lost when mosquitto crashes"
            if interval
            else "autosave_interval 0: mosquitto saves only when it ends in peace"
        )
    return broken(Check.SAVES, told, f"autosave_on_changes false, autosave_interval 1; {PAGE}")


def _queue(settings: Mapping[str, str], retain_count: int) -> Finding:
    most, needed = _number(settings, "max_queued_messages", 1000), retain_count + len(topics.STATE_VIEWS)
    if most == 0 or most >= needed:
        return fine(Check.QUEUE)
    return broken(
        Check.QUEUE,
        f"max_queued_messages {most}: of {needed} topics that a user may have (retain.count), mosquitto drops the rest "
        "for who subscribes, without a word",
        f"max_queued_messages 10000, or retain.count = {max(1, most - len(topics.STATE_VIEWS))}; {PAGE}",
    )


def _size(settings: Mapping[str, str], largest_bytes: int) -> Finding:
    for name in ("message_size_limit", "max_packet_size"):
        limit = _number(settings, name, 0)
        if 0 < limit < largest_bytes + TOPIC_BYTES:
            return broken(
                Check.SIZE,
                f"{name} {limit}: mosquitto drops answers to devices, which have up to {largest_bytes} bytes",
                f"raise it, or lower limits.chunk to {max(256, limit - TOPIC_BYTES)}",
            )
    return fine(Check.SIZE)


def _rules(settings: Mapping[str, str]) -> Finding:
    missing = []
    plugin = "plugin" in settings or "auth_plugin" in settings
    if _on(settings, "allow_anonymous"):
        missing.append("allow_anonymous false")
    if not plugin and "password_file" not in settings:
        missing.append("password_file")
    if not plugin and "acl_file" not in settings:
        missing.append("acl_file")
    if not _on(settings, "use_username_as_clientid"):
        missing.append("use_username_as_clientid true")
    if not missing:
        return fine(Check.RULES)
    return broken(Check.RULES, f"mosquitto keeps users apart only with: {', '.join(missing)}", PAGE)


def _on(settings: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    return settings.get(name, str(default)).lower() in {"true", "1"}


def _number(settings: Mapping[str, str], name: str, default: int) -> int:
    text = settings.get(name, "")
    return int(text) if text.isdecimal() else default


# --- what it holds --------------------------------------------------------------------------------


def _retained(broker: BrokerSeen) -> Finding:
    repair = broker.repair
    if repair is None:
        return unknown(Check.RETAINED, broker.unlooked)
    if not repair.marked:
        return fine(Check.RETAINED)
    return broken(
        Check.RETAINED,
        f"of what the broker should hold {repair.missing} topics are missing and {repair.different} are different; "
        f"{repair.stale} should not be there",
        "postbell reconcile; the bridge does it by itself each hour and on each connection. If it comes back: does the "
        "bridge have all rights, and nobody else?",
    )


def _moves(broker: BrokerSeen) -> Finding:
    backlog = broker.backlog
    if backlog is None:
        return unknown(Check.MOVES, "no bridge is connected")
    if not backlog.waiting or backlog.moved:
        return fine(Check.MOVES)
    return broken(
        Check.MOVES,
        f"{backlog.waiting} topics wait for the broker, and nothing goes out although it is connected",
        "look at the broker's log; then systemctl restart postbell",
    )
