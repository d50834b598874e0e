"""The index of all subscriptions: a trie by topic level. Pure.

A publish costs O(levels of the topic + receivers), however many filters there are. Invariant:
a node exists only on the way to a holder; removing the last holder removes the branch.
"""

from __future__ import annotations


class _Node:
    __slots__ = ("children", "holders")

    def __init__(self) -> None:
        self.children: dict[str, _Node] | None = None
        self.holders: dict[str, int] | None = None


class Subscriptions:
    """Filters and who holds them at which QoS. A holder is a session's username."""

    def __init__(self) -> None:
        self._root = _Node()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, topic_filter: str, holder: str, qos: int) -> None:
        """Subscribe; the same filter again replaces the QoS [MQTT-3.8.4-3]."""
        node = self._root
        for level in topic_filter.split("/"):
            if node.children is None:
                node.children = {}
            node = node.children.setdefault(level, _Node())
        if node.holders is None:
            node.holders = {}
        self._count += holder not in node.holders
        node.holders[holder] = qos

    def remove(self, topic_filter: str, holder: str) -> None:
        """Unsubscribe; a filter that is not there is left alone [MQTT-3.10.4-5]."""
        levels = topic_filter.split("/")
        path = [self._root]
        for level in levels:
            below = (path[-1].children or {}).get(level)
            if below is None:
                return
            path.append(below)
        holders = path[-1].holders
        if holders is None or holders.pop(holder, None) is None:
            return
        self._count -= 1
        path[-1].holders = holders or None
        for level, parent, node in zip(reversed(levels), reversed(path[:-1]), reversed(path[1:]), strict=True):
            if node.holders or node.children or parent.children is None:
                return
            del parent.children[level]
            parent.children = parent.children or None

    def match(self, topic: str) -> dict[str, int]:
        """Who gets a message on this topic: each once, at the highest QoS of its matching filters.

        Overlapping filters give one copy at the maximum QoS [MQTT-3.3.5-1]; a filter that begins
        with a wildcard does not match a topic that begins with `$` [MQTT-4.7.2-1].
        """
        found: dict[str, int] = {}
        nodes = [self._root]
        wild = not topic.startswith("$")
        for level in topic.split("/"):
            below: list[_Node] = []
            for node in nodes:
                children = node.children
                if children is None:
                    continue
                if (exact := children.get(level)) is not None:
                    below.append(exact)
                if wild:
                    if (plus := children.get("+")) is not None:
                        below.append(plus)
                    _collect(children.get("#"), found)
            nodes = below
            wild = True
        for node in nodes:
            _collect(node, found)
            if node.children is not None:  # "a/#" matches "a" as well (§4.7.1.2)
                _collect(node.children.get("#"), found)
        return found


def _collect(node: _Node | None, found: dict[str, int]) -> None:
    if node is None or node.holders is None:
        return
    for holder, qos in node.holders.items():
        if qos > found.get(holder, -1):
            found[holder] = qos
