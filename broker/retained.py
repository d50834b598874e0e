"""The retained messages, in memory: the bridge fills and repairs them at each of its connections. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Message:
    """An application message on its way: a publish, a will, a retained value."""

    topic: str
    payload: bytes
    qos: int


class _Node:
    __slots__ = ("children", "message")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.message: Message | None = None


class Retained:
    """The newest retained message of each topic, found by filter in O(matching branches)."""

    def __init__(self) -> None:
        self._root = _Node()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def keep(self, message: Message) -> None:
        """Replace the topic's message [MQTT-3.3.1-5]; an empty payload removes it [MQTT-3.3.1-10, -11]."""
        if not message.payload:
            self._remove(message.topic)
            return
        node = self._root
        for level in message.topic.split("/"):
            node = node.children.setdefault(level, _Node())
        self._count += node.message is None
        node.message = message

    def get(self, topic: str) -> Message | None:
        """What is retained on a topic at this moment."""
        node = self._root
        for level in topic.split("/"):
            below = node.children.get(level)
            if below is None:
                return None
            node = below
        return node.message

    def match(self, topic_filter: str) -> list[Message]:
        """All retained messages that a new subscription to this filter gets [MQTT-3.3.1-6]."""
        levels = topic_filter.split("/")
        nodes = [self._root]
        for depth, level in enumerate(levels):
            if level == "#":
                return [message for node in nodes for message in _below(node, hide_system=depth == 0)]
            below: list[_Node] = []
            for node in nodes:
                if level == "+":
                    below.extend(child for name, child in node.children.items() if depth or not name.startswith("$"))
                elif (child := node.children.get(level)) is not None:
                    below.append(child)
            nodes = below
        return [node.message for node in nodes if node.message is not None]

    def _remove(self, topic: str) -> None:
        levels = topic.split("/")
        path = [self._root]
        for level in levels:
            below = path[-1].children.get(level)
            if below is None:
                return
            path.append(below)
        self._count -= path[-1].message is not None
        path[-1].message = None
        for level, parent, node in zip(reversed(levels), reversed(path[:-1]), reversed(path[1:]), strict=True):
            if node.message is not None or node.children:
                return
            del parent.children[level]


def _below(node: _Node, *, hide_system: bool) -> Iterator[Message]:
    """The node's own message and all under it, parents first."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current.message is not None:
            yield current.message
        children = current.children.items()
        skip = hide_system and current is node
        waiting.extend(child for name, child in reversed(children) if not (skip and name.startswith("$")))
