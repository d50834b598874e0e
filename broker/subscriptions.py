"""The index of all subscriptions: a trie by topic level. Pure.

A publish costs O(levels of the topic + receivers), however many filters there are. Invariant:
a node exists only on the way to a holder; removing the last holder removes the branch.

What a holder is granted is one number, so that the many that have a QoS and nothing else cost what a QoS costs:
the options of MQTT 5 (broker/wire/packets.py) in its lowest eight bits, above them subscription identifiers of 28 bits
each: the one of a filter, or those of all filters that match a topic.
"""

from __future__ import annotations

from broker.wire.packets import AS_PUBLISHED, NO_LOCAL, QOS

PLAIN = 1
"""Grants up to this are a QoS and nothing else."""
_IDENTIFIERS, _WIDTH = 8, 28


def grant(options: int, identifier: int) -> int:
    """What a filter with these options grants."""
    return options & (QOS | NO_LOCAL | AS_PUBLISHED) | identifier << _IDENTIFIERS


def identifiers(granted: int) -> tuple[int, ...]:
    """The subscription identifiers of a grant [MQTT-3.3.4-3] [MQTT-3.3.4-4]."""
    rest, found = granted >> _IDENTIFIERS, []
    while rest:
        found.append(rest & (1 << _WIDTH) - 1)
        rest >>= _WIDTH
    return tuple(found)


class _Node:
    __slots__ = ("children", "holders")

    def __init__(self) -> None:
        self.children: dict[str, _Node] | None = None
        self.holders: dict[str, int] | None = None


class Subscriptions:
    """Filters and who holds them with which grant. A holder is a session's username."""

    def __init__(self) -> None:
        self._root = _Node()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, topic_filter: str, holder: str, granted: int) -> None:
        """Subscribe; the same filter again replaces what was granted [MQTT-3.8.4-3]."""
        node = self._root
        for level in topic_filter.split("/"):
            if node.children is None:
                node.children = {}
            node = node.children.setdefault(level, _Node())
        if node.holders is None:
            node.holders = {}
        self._count += holder not in node.holders
        node.holders[holder] = granted

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

    def match(self, topic: str, origin: str = "") -> dict[str, int]:
        """Who gets a message on this topic: each once, with all that its matching filters grant.

        Overlapping filters give one copy at the maximum QoS [MQTT-3.3.4-2] with all their identifiers; those with
        no local give none to `origin`, who published it [MQTT-3.8.3-3]. A filter that begins with a wildcard does
        not match a topic that begins with `$` [MQTT-4.7.2-1].
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
                    if (rest := children.get("#")) is not None:
                        _collect(rest, found, origin)
            nodes = below
            wild = True
        for node in nodes:
            _collect(node, found, origin)
            if node.children is not None and (rest := node.children.get("#")) is not None:
                _collect(rest, found, origin)  # "a/#" matches "a" as well (§4.7.1.2)
        return found


def _collect(node: _Node, found: dict[str, int], origin: str) -> None:
    if node.holders is None:
        return
    for holder, granted in node.holders.items():
        if granted > PLAIN and granted & NO_LOCAL and holder == origin:
            continue
        known = found.get(holder)
        if known is None:
            found[holder] = granted
        elif granted > PLAIN or known > PLAIN:
            found[holder] = _both(known, granted)
        elif granted > known:
            found[holder] = granted


def _both(one: int, other: int) -> int:
    """What two filters of one holder grant together; RETAIN stays as published if one of them asks for it."""
    marks = max(one & QOS, other & QOS) | (one | other) & AS_PUBLISHED
    higher, lower = other >> _IDENTIFIERS, one >> _IDENTIFIERS
    places = -(-lower.bit_length() // _WIDTH) * _WIDTH
    return marks | (lower | higher << places) << _IDENTIFIERS
