"""What a broker tells of itself below `$SYS`, as far as it is read: which topics, and what their texts say. Pure.

The embedded broker publishes all of these every ten seconds, mosquitto those that it has; both with decimal texts.
"""

from __future__ import annotations

import re

ROOT = "$SYS/broker/"
FIGURES = {
    "uptime": "uptime",
    "clients/connected": "clients",
    "clients/total": "sessions",
    "devices/online": "devices",
    "connections/accepted": "accepted",
    "messages/received": "received",
    "messages/sent": "sent",
    "messages/queued": "queued",
    "retained messages/count": "retained",
    "subscriptions/count": "subscriptions",
    "subscriptions/renewed": "renewed",
    "loop/lag": "loop_lag",
    "process/cpu": "cpu",
    "process/memory": "memory",
    "process/descriptors": "descriptors",
    "publish/messages/dropped": "dropped/unsent",
}
"""Topics below the root, and the name by which each figure is known here. The last is mosquitto's, for full queues."""
DROPPED = "dropped/"
"""Below this the embedded broker counts what it refused and cut off, by reason."""
REASONS_AT_MOST = 64
FILTERS = (*(f"{ROOT}{name}" for name in FIGURES), f"{ROOT}{DROPPED}+")
"""What to subscribe to for all of them."""

_REASON = re.compile(r"[a-z][a-z0-9_]{0,40}")
_NUMBER = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)(?: seconds)?")


def name_of(topic: str) -> str | None:
    """The name of the figure that a topic is; None where it is none that is read."""
    if not topic.startswith(ROOT):
        return None
    name = topic.removeprefix(ROOT)
    if name.startswith(DROPPED):
        return name if _REASON.fullmatch(name.removeprefix(DROPPED)) else None
    return FIGURES.get(name)


def figure(payload: bytes) -> float | None:
    """The number that a payload says, maybe with its unit as mosquitto writes it; None where it says none."""
    match = _NUMBER.fullmatch(payload.decode("ascii", "replace").strip())
    return None if match is None else float(match[1])


class Figures:
    """The figures of one broker as they come; a broker that invents reasons fills no memory with them."""

    def __init__(self) -> None:
        self._figures: dict[str, float] = {}

    def take(self, topic: str, payload: bytes) -> None:
        """A message below `$SYS` came."""
        name, value = name_of(topic), figure(payload)
        if name is None or value is None:
            return
        if name in self._figures or len(self._figures) < len(FIGURES) + REASONS_AT_MOST:
            self._figures[name] = value

    def forget(self) -> None:
        """The broker is lost: what it said of itself is true no more."""
        self._figures.clear()

    def figures(self) -> dict[str, float]:
        """What is known now, by name; of refusals by `dropped/<reason>`."""
        return dict(self._figures)
