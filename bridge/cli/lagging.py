"""How late mail is, as `postbell status` tells it: the age of the oldest that waits, at each cell, node and shard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.cli import opening
from bridge.store import lags, placing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from bridge.store.engine import StoreConnection
    from bridge.store.lags import Lag

LATE_S = 10.0
"""Mail that waits no longer than that is on its way: no line says so of its shard."""
MOST_LINES = 8


def oldest(connection: StoreConnection, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts, and with them how late mail is."""
    found, now_ms = lags.lags(connection), opening.now_ms()
    names = {each.cell_id: each.name for each in placing.everyone(connection)}
    for each in facts["cells"]:
        each["oldest_s"] = _age_s((lag for lag in found if names.get(lag.cell) == each["cell"]), now_ms)
    if "nodes" in facts:
        facts |= _by_owner(connection, facts["nodes"], found, now_ms)
    return facts | {"oldest_s": _age_s(found, now_ms)}


def _by_owner(
    connection: StoreConnection, nodes: Iterable[dict[str, Any]], found: Collection[Lag], now_ms: int
) -> dict[str, Any]:
    from bridge.store.nodes import owners  # noqa: PLC0415 - most stores have none

    whose = owners(connection)
    for node in nodes:
        node["oldest_s"] = _age_s((lag for lag in found if whose.get(lag.shard) == node["node"]), now_ms)
    of_shards = {shard: [lag for lag in found if lag.shard == shard] for shard in {lag.shard for lag in found}}
    lagging = [
        {
            "shard": shard,
            "node": whose.get(shard),
            "mails": sum(lag.mails for lag in some),
            "oldest_s": _age_s(some, now_ms),
        }
        for shard, some in sorted(of_shards.items())
    ]
    return {"lagging": lagging}


def _age_s(some: Iterable[Lag], now_ms: int) -> float | None:
    """The age of the oldest; None where nothing waits."""
    since_ms = min((lag.since_ms for lag in some), default=None)
    return None if since_ms is None else max(0.0, round((now_ms - since_ms) / 1000, 1))


def behind(age_s: float | None) -> str:
    """The same as the end of a line."""
    return "" if age_s is None else f", the oldest mail for {age_s} s"


def lines(lagging: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Shards whose mail is late, the latest first."""
    late = sorted((each for each in lagging if each["oldest_s"] > LATE_S), key=lambda each: -each["oldest_s"])
    told = [
        (f"shard {each['shard']}", f"{each['node'] or 'nobody'}: {each['mails']} mails wait{behind(each['oldest_s'])}")
        for each in late[:MOST_LINES]
    ]
    return told + ([("", f"and {len(late) - MOST_LINES} shards more: --json has all")] if late[MOST_LINES:] else [])
