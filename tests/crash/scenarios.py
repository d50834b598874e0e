"""Schedules that are not drawn: a slow link that keeps dropping, and what finds each mutation."""

from __future__ import annotations

from dataclasses import dataclass

from tests.crash.installation import Options
from tests.crash.schedule import Action, Schedule, Scope, draw


def slow_link(*, seconds: float, messages: int) -> Schedule:
    """300 ms there and back between broker and devices, and each second every connection is reset."""
    drops = [Action(1.0 + second, "cut", "devices") for second in range(int(seconds))]
    return Schedule(
        seed=300,
        messages=messages,
        live_count=4 * messages,
        seconds=seconds,
        seen_share=0.0,
        actions=(Action(0.0, "delay", "devices", seconds), *drops),
        points={},
    )


def burst(*, messages: int, seconds: float, kills: int) -> Schedule:
    """Much mail to one user while bridge, broker and watcher are killed, with nothing else going wrong."""
    scope = Scope(
        targets=("bridge", "broker", "alice/terminal"),
        links=(),
        kills=kills,
        seconds=seconds,
        messages=messages,
        small_live_sets=False,
    )
    return draw(2000, scope)


@dataclass(frozen=True, slots=True)
class Hunt:
    """A short run that must find a mutation, and must find nothing when nothing is broken."""

    schedule: Schedule
    broker: str
    without_reconciliation: bool = False

    def options(self, mutation: str) -> Options:
        return Options(
            broker=self.broker,
            mutation=mutation,
            without_reconciliation=self.without_reconciliation,
            patience=15.0 if not mutation else 4.0,
        )


def _schedule(*actions: Action, seconds: float = 4.0, points: dict[str, tuple[str, ...]] | None = None) -> Schedule:
    return Schedule(
        seed=7,
        messages=60,
        live_count=400,
        seconds=seconds,
        seen_share=0.0,
        actions=tuple(sorted(actions, key=lambda action: action.at)),
        points=points or {},
    )


STALLS = (0.2, 0.8, 1.4, 2.0, 2.6, 3.2)
"""So many that mail is under way in some of them, however slow the machine is."""

LAUNCHES = ("after_commit:4", "before_commit:4", "before_reply:4", "after_reply:4")
DYING = Hunt(_schedule(seconds=6.0, points={"bridge": LAUNCHES}), broker="embedded")
"""The bridge dies again and again between taking a mail and answering for it. The first two deaths tell enough, for a
machine that has other things to do as well."""
LANDING = Hunt(_schedule(seconds=6.0, points={"bridge": ("after_puback:30",) * 4}), broker="embedded")
"""The bridge dies as soon as the broker has what was handed over, before it could settle it."""
STUCK = Hunt(
    _schedule(
        *(Action(at, "stall", "bridge", 0.5) for at in STALLS),
        *(Action(at + 0.4, "cut", "bridge") for at in STALLS),
    ),
    broker="embedded",
    without_reconciliation=True,
)
"""Publishes get stuck on their way to the broker and are lost with the connection; what the outbox does about it is
seen with reconciliation, which would mend it as well, switched off."""
FORGETTING = Hunt(
    _schedule(
        *(Action(at, "kill", "broker") for at in (1.0, 2.5)),
        *(Action(at, "cut", "devices") for at in (0.7, 1.5, 2.0, 3.0)),
        points={"alice/terminal": ("before_ack:5", "after_record:5")},
    ),
    broker="mosquitto-forgetful",
)
"""Deliveries are lost before they are acknowledged, and repeated; the broker forgets everything it acknowledged."""

RINGING = Hunt(_schedule(seconds=6.0, points={"bridge": ("before_ring:4", "after_ring:4") * 2}), broker="embedded")
"""The bridge dies about to ring a device that sleeps, and when the push service has taken what it had to say."""

HUNTS = {
    "reply_before_commit": DYING,
    "hand_over_before_commit": LANDING,
    "ring_settled_before_post": RINGING,
    "no_recognition": DYING,
    "settle_before_acknowledgement": STUCK,
    "no_deduplication": FORGETTING,
    "no_reconciliation": FORGETTING,
}
