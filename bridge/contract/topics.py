"""Topics below the root: built and taken apart, never from anything a mail sender controls.

A *path* here is a topic without the root: `alice/msg/0fx3k2m9a`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.contract.publication import Kind

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""The shape of user and device names (docs/protocol.md, "Topics")."""

DEFAULT_NODE = "main"
"""The bridge where there is but one."""

STATE_VIEWS = tuple(kind for kind in Kind if kind.is_view)
"""Retained topics that hold only their newest value."""

OPTIONAL_VIEWS = (Kind.LAST, Kind.TEXT, Kind.UNREAD, Kind.EVENT)
"""Views that a user may switch off; the box digest is part of the protocol and always there."""


def valid_name(name: str) -> bool:
    """Whether a name may stand in a topic."""
    return NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class RequestTopic:
    """Who asks: parsed from `<root>/<user>/do/<device>`."""

    user: str
    device: str


def message(user: str, mail_id: str) -> str:
    """The path of one message's header."""
    return f"{user}/msg/{mail_id}"


def view(user: str, name: str) -> str:
    """The path of a user's view: one of STATE_VIEWS or `event`."""
    return f"{user}/{name}"


def reply(user: str, device: str) -> str:
    """The path on which a device gets its replies."""
    return f"{user}/re/{device}"


def parse_request(root: str, topic: str) -> RequestTopic | None:
    """Who sent a request, or None when the topic is not one of requests."""
    prefix = root + "/"
    levels = topic.removeprefix(prefix).split("/") if topic.startswith(prefix) else []
    if len(levels) != 3 or levels[1] != "do" or not (valid_name(levels[0]) and valid_name(levels[2])):
        return None
    return RequestTopic(user=levels[0], device=levels[2])


def request_filter(root: str) -> str:
    """The filter under which the bridge hears every device's requests."""
    return f"{root}/+/do/+"


def bridge_login(node: str) -> str:
    """The MQTT login of a node's bridge: two of one name would push one another out of the broker for ever."""
    return "bridge" if node == DEFAULT_NODE else f"bridge-{node}"


def status(node: str) -> str:
    """The full topic on which a bridge says whether it is there."""
    return f"mail-bridge/{node}/status"


def marker(node: str) -> str:
    """The full topic of a bridge's own marker, which proves that a retained replay is complete."""
    return f"mail-bridge/{node}/marker"
