"""What happened in one run, one JSON object a line: the only thing that the judge gets to see."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sent:
    """A sender begins to hand a message over. `marker` stands in its subject; `users` should get it."""

    what: ClassVar[str] = "sent"
    marker: str
    users: tuple[str, ...]
    attempt: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The reply to an attempt: its code, and the message's id from the reply when it was kept."""

    what: ClassVar[str] = "answered"
    marker: str
    attempt: int
    code: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """An attempt had no reply. `whole`: all of the message had gone out, so it may have been kept."""

    what: ClassVar[str] = "broken"
    marker: str
    attempt: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A device, `user/device`, put a message on its screen. A marker of `""` is no message of ours."""

    what: ClassVar[str] = "shown"
    device: str
    marker: str
    mail_id: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A device took a message off its screen."""

    what: ClassVar[str] = "gone"
    device: str
    mail_id: str


@dataclass(frozen=True, slots=True)
class SeenAsked:
    """A device asks for a message to be marked as seen; from now on others need not show it."""

    what: ClassVar[str] = "seen_asked"
    user: str
    mail_id: str


@dataclass(frozen=True, slots=True)
class SeenDone:
    """The bridge confirmed it: the message must not be live any more."""

    what: ClassVar[str] = "seen_done"
    user: str
    mail_id: str


@dataclass(frozen=True, slots=True)
class Rung:
    """A push service took a notification for a device that sleeps: about which message, and under which topic."""

    what: ClassVar[str] = "rung"
    device: str
    mail_id: str
    topic: str


@dataclass(frozen=True, slots=True)
class Overheard:
    """A device received a topic that is not its user's."""

    what: ClassVar[str] = "overheard"
    device: str
    topic: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Something was done to a part of the system: a process killed, a link cut. For the reader."""

    what: ClassVar[str] = "fault"
    kind: str
    target: str


@dataclass(frozen=True, slots=True)
class Live:
    """At the end: the ids of a user's messages that the store has, and those in its live set."""

    what: ClassVar[str] = "live"
    user: str
    kept: tuple[str, ...]
    live: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """At the end: the ids that a device believes to be live."""

    what: ClassVar[str] = "box"
    device: str
    live: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wrong:
    """At the end: a retained topic that differs from what the store says it should be, and how."""

    what: ClassVar[str] = "wrong"
    topic: str
    how: str


Event = Sent | Answered | Broken | Shown | Gone | SeenAsked | SeenDone | Rung | Overheard | Fault | Live | Box | Wrong

_KINDS: dict[str, type[Event]] = {
    kind.what: kind
    for kind in (Sent, Answered, Broken, Shown, Gone, SeenAsked, SeenDone, Rung, Overheard, Fault, Live, Box, Wrong)
}


class History:
    """A history that is being written. `clock` gives the seconds since the run began."""

    def __init__(self, path: Path, *, clock: Callable[[], float]) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._clock = clock
        self.events: list[Event] = []

    def add(self, event: Event) -> None:
        self.events.append(event)
        fields = {"at": round(self._clock(), 3), "what": event.what, **asdict(event)}
        self._file.write(json.dumps(fields) + "\n")

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> Iterator[Event]:
    """The events of a history that was written."""
    for line in path.read_text("utf-8").splitlines():
        fields: dict[str, Any] = json.loads(line)
        kind = _KINDS[fields.pop("what")]
        del fields["at"]
        for name, value in fields.items():
            fields[name] = tuple(value) if isinstance(value, list) else value
        yield kind(**fields)
