"""The verdict on one message: whether it rings, and why or why not. All of it is decided here, by `judge`.

The verdict stands in the log event `message_kept`, under `alert`. docs/rules.md says it for people.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from bridge.model import Flag
from bridge.rules import pattern
from bridge.rules.spam import SpamAction

if TYPE_CHECKING:
    from bridge.model import Header
    from bridge.rules.rules import Rules
    from bridge.rules.span import Span


class Alert(StrEnum):
    """What was decided for one message, and which rule decided it."""

    RING = "ring"
    """It rings: no rule is against it."""
    VIP = "vip"
    """It rings: its sender or list is one of the user's VIPs."""
    UNRULED = "unruled"
    """It rings: the user's rules cannot be read, so nothing can be against it."""
    MUTED = "muted"
    """Silent: the user muted its sender or list."""
    QUIET = "quiet"
    """Silent: it came within the user's quiet hours."""
    STORM = "storm"
    """Silent: as many as the user's rate allows rang before it; it is counted in with a storm, which is told as one."""
    SPAM = "spam"
    """Silent: the operator's spam filter marked it."""
    SUPPRESSED = "suppressed"
    """Silent, and told to no device: marked spam where the operator suppresses it. Kept as if it were seen."""

    @property
    def silent(self) -> bool:
        """Whether devices show the message without ringing."""
        return self not in {Alert.RING, Alert.VIP, Alert.UNRULED}


def judge(
    rules: Rules,
    header: Header,
    *,
    list_id: str,
    now_ms: int,
    rings: int,
    spam: SpamAction,
    readable: bool = True,
) -> Alert:
    """Whether a message rings, and why (or why not): the first of these that applies.

    `list_id` is that of its List-Id field, `now_ms` when it came in Unix milliseconds, `rings` how
    many messages rang within the rate's window before it (VIPs are not counted). `readable` is False
    when the user's own rules cannot be read and `rules` stand in for them. The filter's verdict comes
    first, since whom a mail is from is easily forged; then VIPs beat muting, quiet hours and rate.
    Urgency beats nothing: it is the sender's opinion.
    """
    if header.flags & Flag.SUSPICIOUS and spam is not SpamAction.DELIVER:
        return Alert.SUPPRESSED if spam is SpamAction.SUPPRESS else Alert.SPAM
    names = pattern.matching(header.from_address, list_id)
    if not names.isdisjoint(rules.vip):
        return Alert.VIP
    if not names.isdisjoint(rules.mute):
        return Alert.MUTED
    if rules.quiet and quiet_span(rules, now_ms) is not None:
        return Alert.QUIET
    if rules.rate is not None and rings >= rules.rate.rings:
        return Alert.STORM
    return Alert.RING if readable else Alert.UNRULED


def quiet_span(rules: Rules, now_ms: int) -> Span | None:
    """The quiet span that the clock on the user's wall is within; of an hour that comes twice both are."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - commands that name a verdict judge nothing

    local = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(rules.zone))
    minute = local.hour * 60 + local.minute
    return next((span for span in rules.quiet if minute in span), None)
