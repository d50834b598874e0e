"""Mail and logins as the store keeps them, in what the store tells others. Frozen values, pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bridge.contract import ids
from bridge.rules.alert import Alert

if TYPE_CHECKING:
    from bridge.contract.publication import Publication
    from bridge.model import Header, Storm, Subscription


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as it was kept for one user, and what its rules decided.

    `number` is its id as a number (`contract/ids.py`). `copy_of_known` says that it was there
    already: then nothing rings, whatever `alert` is.
    """

    user_id: int
    user: str
    number: int
    copy_of_known: bool = False
    alert: Alert = Alert.RING

    @property
    def mail_id(self) -> str:
        """The id under which devices know it."""
        return ids.encode(self.number)


@dataclass(frozen=True, slots=True)
class Committed:
    """What a transaction that is on disk means for the broker.

    `fresh` can be published as it is; `messages` says that other topics that go before the views were marked, which
    have to be read, and `views` that views were. `changed` are users of whose messages some are seen now, or are not
    any more; maybe more than these. `rung` says that devices may have to be rung by push.
    """

    fresh: tuple[Publication, ...] = ()
    messages: bool = False
    views: bool = False
    changed: frozenset[int] = frozenset()
    rung: bool = False


NOTHING = Committed()
ANYTHING = Committed(messages=True, views=True, rung=True)
"""What is to be thought where nobody knows what changed."""


@dataclass(frozen=True, slots=True)
class StoredBody:
    """Where a message's `size` bytes are: in `raw`, or in the spool file named `file`; in neither when gone."""

    size: int
    raw: bytes | None
    file: str | None


@dataclass(frozen=True, slots=True)
class MqttLogin:
    """Who may log in at a broker, and what it has to know of the password; of no topic unless `role` says of which.

    `pbkdf2` is as mosquitto has it, `bcrypt` as NATS; both are empty where they are not known.
    """

    username: str
    role: str
    pbkdf2: str
    bcrypt: str

    @property
    def user(self) -> str:
        """The person whose device it is."""
        return self.username.partition(".")[0]

    @property
    def device(self) -> str:
        """The device's own name."""
        return self.username.partition(".")[2]


class PushState(StrEnum):
    """How ringing a device by Web Push goes."""

    NEW = "new"
    """There was nothing to tell it yet."""
    OK = "ok"
    FAILING = "failing"
    """Its push service takes nothing since a while; it is tried again."""
    FORGOTTEN = "forgotten"
    """Its push service said that it is gone: the device has to subscribe again."""


@dataclass(frozen=True, slots=True)
class PushStanding:
    """A device's subscription and how it goes: since when, and why not. Times are Unix milliseconds.

    `skew_s` is how far the push service's clock was ahead of ours, None before it ever answered.
    """

    subscription: Subscription
    state: PushState
    since_ms: int
    ok_ms: int | None
    trouble: str
    waiting: int = 0
    skew_s: int | None = None


class PushResult(StrEnum):
    """What became of telling one device of one message."""

    SENT = "sent"
    """The push service took it."""
    SEEN = "seen"
    """It was seen, or newer mail took its place, before it could be sent."""
    AWAKE = "awake"
    """The device had it from the broker already."""
    EXPIRED = "expired"
    """It could not be sent within `push.ttl`."""
    REFUSED = "refused"
    """The push service takes no such message, not a short one either."""
    FORGOTTEN = "forgotten"
    """The subscription is gone."""
    OFF = "off"
    """`push.enabled` is false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushWaiting:
    """One device that has to be told of one message, or of a storm by the number of its first.

    `failures` is how many times in a row its push service took nothing; `told` that the broker has the message's
    header; `unread` counts all unseen messages of the user. `gone` says that nothing is left to tell.
    """

    user_id: int
    user: str
    device: str
    number: int
    created_ms: int
    failures: int
    subscription: Subscription
    header: Header | None = None
    storm: Storm | None = None
    told: bool = False
    unread: int = 0
    gone: bool = False

    @property
    def mail_id(self) -> str:
        """The id under which devices know it."""
        return ids.encode(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of it: `result`, or None when it has to be tried again, not before `retry_ms`, because of `trouble`."""

    waiting: PushWaiting
    result: PushResult | None = None
    retry_ms: int = 0
    trouble: str = ""
    skew_s: int | None = None
