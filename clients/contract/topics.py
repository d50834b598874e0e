"""Topics of one user, built and taken apart (docs/protocol.md, "Topics")."""

from __future__ import annotations

import re
from dataclasses import dataclass

from clients.contract.errors import MalformedError
from clients.contract.ids import valid_id

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_VIEWS = frozenset({"box", "last", "text", "unread", "event"})
_CHANNELS = frozenset({"do", "re"})


def valid_name(name: str) -> bool:
    """Whether a user or a device may be called so."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the contract: whose, what (`msg`, `box`, `re`, …), and the id or device behind it."""

    user: str
    what: str
    leaf: str = ""


def parse(root: str, topic: str) -> Topic:
    """The topic's parts; raises MalformedError for one that the contract does not know."""
    if not topic.startswith(root + "/"):
        raise MalformedError("the topic is not below the root")
    match topic[len(root) + 1 :].split("/"):
        case [user, "msg", leaf] if valid_name(user) and valid_id(leaf):
            return Topic(user, "msg", leaf)
        case [user, channel, leaf] if channel in _CHANNELS and valid_name(user) and valid_name(leaf):
            return Topic(user, channel, leaf)
        case [user, view] if view in _VIEWS and valid_name(user):
            return Topic(user, view)
    raise MalformedError("the contract knows no such topic")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The topics that one device of one user needs."""

    root: str
    user: str
    device: str

    def __post_init__(self) -> None:
        if not (valid_name(self.user) and valid_name(self.device)):
            raise MalformedError("not a user and a device")

    @property
    def headers(self) -> str:
        """The filter of all message headers."""
        return f"{self.root}/{self.user}/msg/+"

    @property
    def box(self) -> str:
        """The topic of the box digest."""
        return f"{self.root}/{self.user}/box"

    @property
    def requests(self) -> str:
        """The topic on which this device asks."""
        return f"{self.root}/{self.user}/do/{self.device}"

    @property
    def replies(self) -> str:
        """The topic on which this device is answered."""
        return f"{self.root}/{self.user}/re/{self.device}"

    @property
    def filters(self) -> tuple[str, ...]:
        """All that the device subscribes to, once."""
        return (self.headers, self.box, self.replies)

    @property
    def renewed(self) -> tuple[str, ...]:
        """What it subscribes to at every connection: all that costs no more than the digest to hear again."""
        return (self.box, self.replies)

    @property
    def username(self) -> str:
        """The MQTT login of the device."""
        return f"{self.user}.{self.device}"
