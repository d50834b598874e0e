"""What is read at one moment, for all metrics together. Frozen values, pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.tally import Tally


@dataclass(frozen=True, slots=True)
class StoreReadings:
    """What the store counts. `waiting` has the rows of the outbox, by `message` and `view`.

    `rung` are devices that are rung by push, `push_waiting` for how many messages, the oldest for `push_oldest_s`.
    """

    users: int
    devices: int
    live: int
    waiting: Mapping[str, int]
    rung: int = 0
    push_waiting: int = 0
    push_oldest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class DiskReadings:
    """Bytes: of the file system with `state_dir`, of the database with its log, and of the bodies in the spool."""

    free: int
    size: int
    database: int
    spool: int
    spool_files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxReadings:
    """Folders that are followed, by how it goes; what happened since they are, and how late the last news was."""

    states: Mapping[str, int] = field(default_factory=dict)
    connections: int = 0
    marked: int = 0
    lag_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Everything that there is to tell.

    `store` and `disk` are None where they could not be read, and figures that a broker does not publish are not in
    `broker` (sys_topics.py). `now_s` is Unix time, `monotonic_s` the clock of the tally at the same moment.
    `problems` are the parts that have to be ready, with the reason why each is not.
    """

    tally: Tally
    now_s: float
    monotonic_s: float
    version: str
    connected: bool
    problems: Mapping[str, str]
    users_full: int = 0
    oldest_wait_s: float = 0.0
    loop_lag_s: float = 0.0
    store: StoreReadings | None = None
    disk: DiskReadings | None = None
    mailboxes: MailboxReadings = field(default_factory=MailboxReadings)
    broker: Mapping[str, float] = field(default_factory=dict)
    expiries_s: Mapping[str, float] = field(default_factory=dict)
    """When certificates end, in Unix time, by listener."""
