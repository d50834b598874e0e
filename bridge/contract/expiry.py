"""How long the broker is to keep what it is given, so that it forgets by itself (MQTT 5 §3.3.2.3.3). Pure."""

from __future__ import annotations

DAY_MS = 86_400_000
REPLY_S = 600
"""A chunk of a reply: whoever asked has given up long before, and asks again."""


def left_s(happened_ms: int, *, days: float, now_ms: int) -> int:
    """The whole seconds from `now_ms` until something is `days` old, rounded up, and at least one.

    What happened later than now, by a clock that was set back, has the whole time before it.
    """
    lifetime_ms = days * DAY_MS
    left_ms = min(lifetime_ms, happened_ms + lifetime_ms - now_ms)
    return max(1, int(-(-left_ms // 1000)))
