"""What moves in a running bridge, as a command is told it: a handful of counts since the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.contract.publication import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.tally import Tally


def moving(tally: Tally, broker: Mapping[str, float]) -> dict[str, Any]:
    """Counts by name. `timed` messages took `timed_s` together from commit to PUBACK; `devices` is None if unknown."""
    return {
        "accepted": tally.accepted.total(),
        "copies": tally.copies,
        "refused": tally.messages_refused.total(),
        "senders": tally.sessions_open.total(),
        "published": tally.published.total(),
        "headers": tally.published[Kind.MESSAGE.value],
        "timed": sum(tally.latency.counts),
        "timed_s": round(tally.latency.sum_s, 6),
        "repaired": tally.repairs.total(),
        "requests": tally.requests.total(),
        "devices": int(broker["devices"]) if "devices" in broker else None,
    }
