"""What a user's rules make of a message that comes now. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.model import Flag
from bridge.rules import alert as verdict
from bridge.rules.alert import Alert
from bridge.rules.reason import reason
from bridge.rules.rules import SAFEST, Rules, RulesError, parse
from bridge.rules.telling import told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.model import Header
    from bridge.rules.rate import Rate
    from bridge.rules.spam import SpamAction

_SUSPICIOUS = Flag.SUSPICIOUS.value


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rules make of one message: the header as devices get it, whether it rings, and by which rule."""

    header: Header
    alert: Alert
    rate: Rate | None
    reason: str


def read(document: str | None) -> tuple[Rules, bool]:
    """The rules in a document, None without any, and whether they can be read; else the safest stand in for them."""
    if document is None:
        return Rules(), True
    try:
        return parse(document), True
    except RulesError:
        return SAFEST, False


def judge(
    document: str | None, rang_ms: Sequence[int], header: Header, *, list_id: str, now_ms: int, spam: SpamAction
) -> Judged:
    """What a user's rules make of a message; `rang_ms` says when messages of theirs rang of late."""
    if document is None and not header.flags & _SUSPICIOUS:
        return Judged(header, Alert.RING, None, "")  # most mail
    own, readable = read(document)
    rings = 0 if own.rate is None else sum(now_ms - own.rate.window_ms < at <= now_ms for at in rang_ms)
    alert = verdict.judge(own, header, list_id=list_id, now_ms=now_ms, rings=rings, spam=spam, readable=readable)
    because = reason(alert, own, header, list_id=list_id, now_ms=now_ms)
    return Judged(told(own, header, alert), alert, own.rate, because)
