"""A whole probe, from the accounts that it needs to the findings that it gives."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bridge.doctor.judge import isolation as judge_isolation
from bridge.doctor.judge import way as judge_way
from bridge.doctor.judge.check import Check
from bridge.doctor.look.broker import way_of
from bridge.doctor.look.listeners import LISTENERS, address_of, waits_for_proxy
from bridge.doctor.probe.accounts import Ending, accounts
from bridge.doctor.probe.journey import Inlet, Journey
from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bridge.config.settings import Settings
    from bridge.doctor.judge.finding import Finding
    from bridge.doctor.look.deadline import TimeLeft
    from bridge.doctor.probe.handing import Carrier


LEARNS_S: Final = 5.0
"""How long it may take until another broker, whose login files Postbell keeps, knows of a new device."""


@dataclass(frozen=True, slots=True)
class Probing:
    """How to probe: with one password for both throw-away devices, if another's broker knows them by it."""

    password: str = ""


def probe(
    settings: Settings,
    probing: Probing,
    *,
    carriers: Sequence[Carrier],
    unhanded: str,
    now_ms: Callable[[], int],
    time_left: TimeLeft,
) -> list[Finding]:
    """The findings of the hops `way` and `isolation`; nothing of it is left afterwards.

    `carriers` are the mail servers that are tried, and `unhanded` says why there are none. When `time_left` ends, what
    was made is put away all the same.
    """
    way = way_of(settings)
    if way is None:
        return nothing("the embedded broker does not say where it listens")
    kept = bool(settings.mqtt.logins_for)
    journey = Journey(
        database=settings.place,
        root=settings.mqtt.root,
        way=way,
        doors=tuple(doors(settings)),
        carriers=carriers,
        foreign=settings.mqtt.url is not None and not kept and not probing.password,
        patience_s=LEARNS_S if kept else 0.0,
        time_left=time_left,
        new_token=lambda: secrets.token_hex(4),
    )
    ending = Ending()
    try:
        with accounts(settings, password=probing.password, now_ms=now_ms, ending=ending) as (first, second):
            try:
                met, tried = journey.run(first, second)
            finally:
                queued = " ".join(left for carrier in carriers if (left := carrier.clear()))
    except (PostbellError, sqlite3.Error, OSError) as error:
        return nothing(f"the probe came to nothing: {error}", left=ending.left)
    met = replace(met, unhanded=unhanded, left=ending.left or queued)
    return [*judge_way.judge(met), *judge_isolation.judge(tried)]


def nothing(reason: str, *, left: str = "") -> list[Finding]:
    """The findings when there was no probe; `left` is what may be there of it nevertheless."""
    cleared = judge_way.judge(judge_way.WaySeen(left=left))[-1]
    way = [cleared if left and each.check is Check.CLEARED else each for each in judge_way.nothing(reason)]
    return [*way, *judge_isolation.judge(judge_isolation.IsolationSeen(reason=reason))]


def doors(settings: Settings) -> Iterator[Inlet]:
    """Where mail is handed in without a login."""
    for listener in LISTENERS:
        address = address_of(settings, listener) if listener.name in {"smtp", "lmtp"} else None
        if address is not None:
            proxy = waits_for_proxy(settings, listener, address)
            yield Inlet(listener.name, address, lmtp=listener.name == "lmtp", proxy=proxy)
