"""The retained messages as they are looked up: a tree of topics. Pure; `sessions.py` has them on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.deadlines import Deadlines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from broker.wire.message import Message


class _Node:
    __slots__ = ("children", "message")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.message: Message | None = None

    def child(self, level: str) -> Iterator[_Node]:
        below = self.children.get(level)
        return iter(() if below is None else (below,))


class Retained:
    """The newest retained message of each topic, found by filter in O(matching branches)."""

    def __init__(self) -> None:
        self._root = _Node()
        self._count = 0
        self._ending = Deadlines()

    def __len__(self) -> int:
        return self._count

    def keep(self, message: Message) -> None:
        """Replace the topic's message [MQTT-3.3.1-5]; an empty payload removes it [MQTT-3.3.1-10, -11]."""
        if not message.payload:
            self._remove(message.topic)
            return
        node = self._root
        for level in message.topic.split("/"):
            below = node.children.get(level)
            if below is None:
                below = node.children[level] = _Node()
            node = below
        self._count += node.message is None
        node.message = message
        if message.expires_at:
            self._ending.set(message.topic, message.expires_at)

    def get(self, topic: str) -> Message | None:
        """What is retained on a topic at this moment."""
        node = self._root
        for level in topic.split("/"):
            below = node.children.get(level)
            if below is None:
                return None
            node = below
        return node.message

    def expire(self, now: float) -> list[str]:
        """Remove what is worth nothing any more (epoch seconds) [MQTT-3.3.2-5]; its topics."""
        gone = []
        for topic in self._ending.due(now):
            message = self.get(topic)
            if message is None or not message.expires_at:
                continue
            if message.expires_at > now:  # it was replaced by one that lasts longer
                self._ending.set(topic, message.expires_at)
                continue
            self._remove(topic)
            gone.append(topic)
        return gone

    def walk(self, topic_filter: str) -> Iterator[Message | None]:
        """Look for what a new subscription to this filter gets [MQTT-3.3.1-6], parents first.

        Each step looks at one node and gives its message, or None when it has none that matches. Messages may
        be kept and removed between two steps: the walk sees those of nodes that it has still to reach, and what
        comes on a new topic meanwhile the subscription itself brings.
        """
        levels = topic_filter.split("/")
        path: list[tuple[Iterator[_Node], int]] = [(iter((self._root,)), 0)]
        while path:
            nodes, depth = path[-1]
            node = next(nodes, None)
            if node is None:
                path.pop()
                continue
            level = levels[depth] if depth < len(levels) else ""
            if depth == len(levels):
                yield node.message
            elif level == "#":
                yield node.message
                path.append((self._children(node), depth))
            else:
                yield None
                path.append((self._children(node) if level == "+" else node.child(level), depth + 1))

    def _children(self, node: _Node) -> Iterator[_Node]:
        """As they are at this moment; a wildcard does not match what begins with `$` [MQTT-4.7.2-1]."""
        if node is self._root:
            return iter([child for name, child in node.children.items() if not name.startswith("$")])
        return iter(list(node.children.values()))

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
