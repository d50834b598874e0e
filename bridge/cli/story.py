"""The story of one mail, as `postbell trace` tells it to people and to programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bridge.contract import ids
from bridge.contract.views import describe
from bridge.kept import PushResult
from bridge.mailbox.agreeing import By
from bridge.rules.alert import Alert
from bridge.store.queues import DeliveryState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge.cli.whereabouts import Whereabouts
    from bridge.store.notifications import Rung
    from bridge.store.trace import Traced

VERDICTS: Final = {
    Alert.RING: "it rings",
    Alert.VIP: "it rings, whatever the other rules say",
    Alert.UNRULED: "it rings: the rules of its user cannot be read",
    Alert.MUTED: "silent: its sender or list is muted",
    Alert.QUIET: "silent: it came within quiet hours",
    Alert.STORM: "silent: too many rang before it, and it is told with the others when the storm is over",
    Alert.SPAM: "silent: the spam filter marked it (spam.action = mark)",
    Alert.SUPPRESSED: "told to no device: the spam filter marked it (spam.action = suppress)",
}
DELIVERIES: Final = {
    DeliveryState.ACKNOWLEDGED: "has acknowledged it",
    DeliveryState.WAITING: "has not acknowledged it; the broker keeps it for this device",
    DeliveryState.EXPIRED: "has not acknowledged it, and will not get it any more: it waited too long",
    DeliveryState.CLEARING: "is still to hear that it is gone",
    DeliveryState.UNSUBSCRIBED: "has not subscribed to it",
    DeliveryState.NO_SESSION: "has no session at the broker: what it got while it was connected nobody noted",
    DeliveryState.UNKNOWN: "only its broker knows",
}
PUSHES: Final = {
    PushResult.SENT: "was rung by push",
    PushResult.SEEN: "was not rung by push: before that it was seen, or newer mail took its place",
    PushResult.AWAKE: "was not rung by push: it was awake, and had it from the broker",
    PushResult.EXPIRED: "was not rung by push: its push service took nothing within push.ttl",
    PushResult.REFUSED: "was not rung by push: its push service does not take it",
    PushResult.FORGOTTEN: "was not rung by push: its push service said that the subscription is gone",
    PushResult.OFF: "was not rung by push: that was switched off (push.enabled)",
}
_ELSEWHERE: Final = {By.MAILBOX.value: "in the mailbox", By.GONE.value: "gone from the mailbox"}
_NOT_NOTED = "was not noted: it was kept by an earlier version"


@dataclass(frozen=True, slots=True)
class Happening:
    """What happened, and when (Unix milliseconds) where that is known."""

    at_ms: int | None
    text: str

    def __str__(self) -> str:
        return f"{moment(self.at_ms) if self.at_ms is not None else '':24}  {self.text}"


@dataclass(frozen=True, slots=True)
class Story:
    """A message, and how far it has come to each device of its user."""

    mail: Traced
    devices: tuple[tuple[Whereabouts, DeliveryState], ...]
    pushes: Mapping[str, Rung] = field(default_factory=dict)
    """What became of ringing devices by push, by their names."""

    @property
    def mail_id(self) -> str:
        """The id under which devices know it."""
        return ids.encode(self.mail.number)

    def as_json(self) -> dict[str, Any]:
        """For programs: the fields of `watch --json`, and its way; what is not known is null."""
        mail, way = self.mail, self.mail.arrival
        return {
            "user": mail.user,
            **describe(mail.number, mail.header),
            "size": mail.size,
            "message_id": mail.message_id,
            "mail_from": way.sender if way else None,
            "rcpt_to": way.recipient if way else None,
            "peer": way.peer if way else None,
            "protocol": way.protocol if way else None,
            "alert": mail.alert,
            "silent": mail.silent,
            "reason": mail.reason,
            "body": mail.has_body,
            "live": mail.live,
            "waiting": mail.waits,
            "published": moment(mail.told_ms),
            "unseen": not mail.seen,
            "seen": moment(mail.seen_ms),
            "seen_by": mail.seen_by or None,
            "devices": [
                {
                    "device": device.listing.device,
                    "online": device.online,
                    "last_seen": moment(device.last_seen_ms),
                    "delivery": delivery.value,
                    "push": _push(self.pushes.get(device.listing.device)),
                }
                for device, delivery in self.devices
            ],
        }

    def lines(self) -> Iterator[str]:
        """For people, in the order of what happened."""
        mail = self.mail
        sender = " ".join(filter(None, (mail.header.from_name, f"<{mail.header.from_address}>")))
        yield f"{self.mail_id} for {mail.user}: {mail.header.subject or '(no subject)'}, from {sender}"
        yield from map(str, self._happened())
        for device, delivery in self.devices:
            yield str(Happening(None, _device(device, delivery)))
            rung = self.pushes.get(device.listing.device)
            if rung is not None:
                yield str(Happening(rung.at_ms, f"{device.listing.username} {_rung(rung)}"))

    def _happened(self) -> Iterator[Happening]:
        mail, received_ms = self.mail, ids.received_ms(self.mail.number)
        yield Happening(received_ms, _arrived(mail))
        yield Happening(received_ms, f"kept, {mail.size} bytes, answered 250; {_known_as(mail)}")
        yield Happening(None, _decided(mail))
        if mail.told_ms is not None:
            yield Happening(mail.told_ms, "the broker has its header")
        if mail.seen and mail.alert != Alert.SUPPRESSED:
            on = f"on {mail.user}.{mail.seen_by}" if mail.seen_by else "; where was not noted"
            if mail.seen_by in _ELSEWHERE:
                on = _ELSEWHERE[mail.seen_by]
            yield Happening(mail.seen_ms, f"seen {on}".replace(" ;", ";"))
        yield Happening(None, _now(mail))


def moment(unix_ms: int | None) -> str | None:
    """A moment to the millisecond, as views have it: `2026-07-01T12:00:00.123Z`."""
    if unix_ms is None:
        return None
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _arrived(mail: Traced) -> str:
    way = mail.arrival
    if way is None:
        return f"handed in; how {_NOT_NOTED}"
    where = way.peer or "this machine, over a UNIX socket"
    return _plain(f"MAIL FROM:<{way.sender}> RCPT TO:<{way.recipient}>, {way.protocol} from {where}")


def _known_as(mail: Traced) -> str:
    body = "the mail itself is there" if mail.has_body else "the mail itself is gone (body.*)"
    return _plain(f"Message-ID {mail.message_id}; {body}" if mail.message_id else f"no Message-ID; {body}")


def _decided(mail: Traced) -> str:
    if mail.alert is None:
        return f"{'silent' if mail.silent else 'it rings'}; why {_NOT_NOTED}"
    said = VERDICTS[Alert(mail.alert)]
    return _plain(f"{said} (rule: {mail.reason})") if mail.reason else said


def _now(mail: Traced) -> str:
    """What devices are to show of it now, and whether the broker knows."""
    if mail.live:
        return "it is shown; its header waits in the outbox for the broker" if mail.waits else "it is shown on devices"
    if mail.alert == Alert.SUPPRESSED and mail.told_ms is None:
        return "it is on no device"
    why = "it was seen" if mail.seen else "newer mail pushed it out, or it is too old (retain.*)"
    return f"it is not shown any more, since {why}" + (
        "; that waits in the outbox for the broker" if mail.waits else ""
    )


def _device(device: Whereabouts, delivery: DeliveryState) -> str:
    name, last = device.listing.username, moment(device.last_seen_ms)
    if device.told and last is None:
        return f"{name} has never been here"
    presence = "online" if device.online else f"last seen {last}" if last else "not known where"
    return f"{name} ({presence}) {DELIVERIES[delivery]}"


def _push(rung: Rung | None) -> dict[str, Any] | None:
    if rung is None:
        return None
    return {"result": rung.result.value if rung.result else "waiting", "at": moment(rung.at_ms), "tries": rung.tries}


def _rung(rung: Rung) -> str:
    tries = f" (tries: {rung.tries})" if rung.tries > 1 or (rung.tries and rung.result is None) else ""
    return (PUSHES[rung.result] if rung.result else "is to be rung by push, and that waits") + tries


def _plain(text: str) -> str:
    """Without what could move a terminal's cursor or turn the text around: a stranger wrote some of it."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
