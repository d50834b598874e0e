"""Which of a user's rules a verdict is due to, in a few words for the operator. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.rules import pattern
from bridge.rules.alert import Alert, quiet_span

if TYPE_CHECKING:
    from bridge.model import Header
    from bridge.rules.rules import Rules


def reason(alert: Alert, rules: Rules, header: Header, *, list_id: str, now_ms: int) -> str:
    """The rule as its user wrote it, as in `mute @example.net`; empty where none had a say.

    The arguments are those that `alert` was decided by.
    """
    match alert:
        case Alert.VIP | Alert.MUTED:
            wanted = rules.vip if alert is Alert.VIP else rules.mute
            names = sorted(pattern.matching(header.from_address, list_id) & set(wanted))
            return f"{'vip' if alert is Alert.VIP else 'mute'} {', '.join(names)}"
        case Alert.QUIET:
            return f"quiet {quiet_span(rules, now_ms)} {rules.zone}"
        case Alert.STORM:
            return f"rate {rules.rate}"
        case _:
            return ""
