"""What `postbell device list` tells of a device: is it there, when was it there last, how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.cli import output
from bridge.kept import PushState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bridge.kept import PushStanding
    from bridge.store.pairing import DeviceListing
    from bridge.store.visits import NotedVisit

COLUMNS = ("user", "device", "username", "online", "last seen", "address", "client", "push", "added")
SHARED_FOR_MS = 86_400_000
"""How long after two apps took turns it is told."""
OF_ANOTHER_BROKER = (
    "Whether a device is online only its broker knows, and that is not Postbell's own; "
    "last seen is its last request, if it made any."
)
UNREADABLE = "What the broker noted of devices cannot be read now (sessions.db)."


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A device and what is known of it; `visit` is None when it never came, or nobody can tell (`told` false)."""

    listing: DeviceListing
    visit: NotedVisit | None
    told: bool
    now_ms: int

    @property
    def online(self) -> bool | None:
        """Whether it is connected; None when that is not known."""
        return None if not self.told else self.visit is not None and self.visit.online

    @property
    def last_seen_ms(self) -> int | None:
        """When it was last connected or, where that is not known, asked for something."""
        if self.online:
            return self.now_ms
        times = [self.listing.heard_ms, self.visit.seen_ms if self.visit else None]
        return max((at for at in times if at is not None), default=None)

    @property
    def shared(self) -> bool:
        """Whether two apps took turns with its login of late."""
        at = self.visit.shared_ms if self.visit else None
        return at is not None and self.now_ms - at < SHARED_FOR_MS

    def as_json(self) -> dict[str, Any]:
        """All of it for programs; a moment is written as ISO 8601 in UTC, what is not known as null."""
        visit, listing = self.visit, self.listing
        client = None
        if visit is not None:
            client = {"id": visit.client_id, "protocol": visit.protocol, "transport": visit.transport, "tls": visit.tls}
        return {
            "user": listing.user,
            "device": listing.device,
            "username": listing.username,
            "created": moment(listing.created_ms),
            "created_ms": listing.created_ms,
            "online": self.online,
            "last_seen": moment(self.last_seen_ms),
            "last_request": moment(listing.heard_ms),
            "since": moment(visit.since_ms) if visit else None,
            "address": visit.address if visit else None,
            "client": client,
            "payload": listing.payload,
            "push": _push(listing.push),
            "shared": moment(visit.shared_ms) if visit else None,
        }

    def as_row(self) -> tuple[str, ...]:
        """The same for people, as COLUMNS."""
        visit, listing = self.visit, self.listing
        online = "unknown" if self.online is None else "yes" if self.online else "no"
        last = "now" if self.online else moment(self.last_seen_ms) or ("never" if self.told else "unknown")
        return (
            *(listing.user, listing.device, listing.username, online, last),
            *((visit.address, _client(visit)) if visit else ("", "")),
            *(_push_in_words(listing.push), moment(listing.created_ms) or ""),
        )


def known(
    listings: Iterable[DeviceListing], visits: Mapping[str, NotedVisit] | None, *, now_ms: int
) -> list[Whereabouts]:
    """The devices with what was noted of them; `visits` is None when nobody can tell."""
    return [
        Whereabouts(each, visits.get(each.username) if visits else None, visits is not None, now_ms)
        for each in listings
    ]


def warnings(devices: Sequence[Whereabouts]) -> list[str]:
    """What an operator should do something about."""
    return [
        f"{device.listing.username}: two apps take turns with this login, and throw one another out (last at "
        f"{device.as_json()['shared']}). Give one of them a login of its own: "
        f"postbell device add {device.listing.user} NAME"
        for device in devices
        if device.shared
    ] + [
        f"{device.listing.username}: its push service no longer knows it. Open the page or the app there once, and it "
        "rings again."
        for device in devices
        if device.listing.push and device.listing.push.state is PushState.FORGOTTEN
    ]


def moment(unix_ms: int | None) -> str | None:
    """A moment for people and programs."""
    return None if unix_ms is None else output.moment(unix_ms)


def _push(standing: PushStanding | None) -> dict[str, Any] | None:
    """How ringing a device goes; where it is rung is a secret but for the host."""
    if standing is None:
        return None
    return {
        "state": standing.state.value,
        "host": standing.subscription.host,
        "since": moment(standing.since_ms),
        "last_sent": moment(standing.ok_ms),
        "reason": standing.trouble or None,
        "waiting": standing.waiting,
    }


def _push_in_words(standing: PushStanding | None) -> str:
    if standing is None:
        return "no"
    since = moment(standing.since_ms)
    return {
        PushState.NEW: "yes, not rung yet",
        PushState.OK: f"yes, last {since}",
        PushState.FAILING: f"failing since {since} ({standing.trouble})",
        PushState.FORGOTTEN: f"gone since {since} ({standing.trouble})",
    }[standing.state]


def _client(visit: NotedVisit) -> str:
    how = [f"MQTT {visit.protocol}", *(["WebSocket"] if visit.transport == "websocket" else [])]
    return f"{', '.join([*how, *(['TLS'] if visit.tls else [])])} {visit.client_id}".rstrip()
