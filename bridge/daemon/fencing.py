"""The fence: another node's connection to the broker is closed by connecting in its place.

A bridge whose lease ended may be stopped, or cut off from the database alone, with publishes on their way. The broker
has one connection for a login and client id: the one that came last.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from bridge.config.own_secret import password_of
from bridge.contract import topics
from bridge.publish import visit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.publish.target import Target

PATIENCE_S = 2.0
"""So long one try may take; whoever takes over tries again."""
CLUSTER_S = 1.0
"""A broker of several nodes may take in what the old connection sent in that very moment, and a little later not."""


class Fence:
    """Closes the connection of a node to the broker of a cell.

    `target` is where that is, and how this bridge logs in there; it raises LinkDownError. `passwords` is the file with
    the passwords of all nodes; without one they have the same as this bridge. `cluster` says that the brokers, or some
    of them, have nodes of their own.
    """

    def __init__(self, *, target: Callable[[int], Target], passwords: Path | None, cluster: bool) -> None:
        self._target = target
        self._passwords = passwords
        self._cluster = cluster
        self._log = structlog.get_logger()

    async def close(self, cell: int, node: str) -> None:
        """Return when nothing of the node's arrives there any more; raises PostbellError."""
        own = self._target(cell)
        password = own.password if self._passwords is None else password_of(self._passwords, node)
        theirs = replace(own, username=topics.bridge_login(node), password=password)
        await visit.take_place(theirs, client_id=f"postbell-{node}", patience_s=PATIENCE_S)
        if self._cluster:
            await asyncio.sleep(CLUSTER_S)
        self._log.info("node_fenced", node=node, cell=cell)
