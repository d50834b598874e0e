"""The listeners: whether each is reached where it should be, and who has its place if not. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from bridge.doctor.judge.finding import Finding, broken, fine, unknown

if TYPE_CHECKING:
    from bridge.doctor.judge.check import Check

STARTER = 1
"""The process that starts the others, and may hold a listening socket for them."""


class Met(Enum):
    """What somebody who knocks at a listener meets."""

    RIGHT = "speaks as it should"
    OTHER = "speaks something else"
    SILENT = "takes connections and says nothing"
    CLOSED = "nobody listens"
    DENIED = "this user may not enter"


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


@dataclass(frozen=True, slots=True)
class ListenerSeen:
    """One listener. `configured` is empty when it is off, `why_off` then says which key switches it on.

    `runs` says whether the process that should listen does; None when this user may not know. `listens` is where it
    says that it does, empty when it says nothing. `heard` is what was said there. `holders` are those who
    have the place, as far as they can be seen, and `ours` the processes that should.
    """

    check: Check
    key: str
    configured: str
    runs: bool | None = True
    listens: str = ""
    answer: Met | None = None
    heard: str = ""
    holders: tuple[Process, ...] = ()
    ours: frozenset[int] = frozenset()
    why_off: str = ""

    @property
    def strangers(self) -> tuple[Process, ...]:
        """Who has the place while none of ours has it."""
        known = self.ours | {STARTER}
        return () if any(holder.pid in known for holder in self.holders) else self.holders


def judge(listener: ListenerSeen) -> Finding:
    """What the check of this listener comes to."""
    check = listener.check
    if not listener.configured:
        return unknown(check, listener.why_off or f"off: {listener.key} is not set")
    if listener.runs is None:
        return unknown(check, "this user cannot look into the run directory")
    if listener.strangers:
        return _taken(listener)
    if not listener.runs:
        return unknown(check, "the process that listens there does not run")
    if not listener.listens:
        return broken(
            check,
            f"{listener.key} = '{listener.configured}': it does not listen there",
            "the log says why (journalctl -u postbell): an address that this machine does not have, or a port in use",
        )
    return _heard(listener)


def _taken(listener: ListenerSeen) -> Finding:
    holders = ", ".join(map(str, listener.strangers))
    instead = ""
    if listener.key.startswith("broker."):
        instead = ", or use that broker: broker.embedded = false and mqtt.url"
    return broken(
        listener.check,
        f"{listener.key} = '{listener.configured}': {holders} listens there",
        f"end the other program, or set {listener.key} to another address{instead}",
    )


def _heard(listener: ListenerSeen) -> Finding:
    match listener.answer:
        case Met.RIGHT:
            return fine(listener.check)
        case Met.DENIED:
            return unknown(listener.check, f"{listener.listens}: this user may not enter", "ask as root")
        case Met.CLOSED:
            told = "nobody answers there, although it says that it listens"
        case Met.SILENT:
            told = "connections are taken there, and nothing is said"
        case _:
            told = f"something else answers there: {listener.heard}"
    return broken(
        listener.check,
        f"{listener.key}: {listener.listens}: {told}",
        "systemctl restart postbell; if it stays so, a packet filter or another program is in the way",
    )
