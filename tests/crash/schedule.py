"""What a seed means: how much mail, how large the live sets, and which faults at which moments. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass

BRIDGE_POINTS = (
    "before_commit",
    "after_commit",
    "before_reply",
    "after_reply",
    "after_handover",
    "before_publish",
    "after_publish",
    "after_puback",
    "before_settle",
    "after_settle",
    "before_repair",
    "after_repair",
    "before_ring",
    "after_ring",
)
WATCHER_POINTS = ("before_record", "after_record", "after_print", "after_mark", "before_ack", "after_ack")
BROKER_POINTS = ("before_queue_commit", "after_queue_commit", "after_fan_out", "before_done")
LINKS = ("bridge", "devices", "smtp")
LINK_FAULTS = ("cut", "delay", "stall", "half_close", "refuse")


@dataclass(frozen=True, slots=True)
class Action:
    """One fault: at so many seconds, of a kind, to a target, for so long (0: it is over at once)."""

    at: float
    kind: str
    target: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """All that a run does, from its seed alone. `points` are armed one per launch of a process."""

    seed: int
    messages: int
    live_count: int
    seconds: float
    seen_share: float
    actions: tuple[Action, ...]
    points: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be hit in a run, and how hard."""

    targets: tuple[str, ...] = ("bridge", "broker", "alice/terminal", "bob/terminal")
    links: tuple[str, ...] = LINKS
    root: bool = False
    """Some seeds also get a disk that fills up, or a network namespace whose link goes down."""
    kills: int = 24
    seconds: float = 12.0
    messages: int = 240
    small_live_sets: bool = True
    broker_points: bool = True


def draw(seed: int, scope: Scope) -> Schedule:
    """The schedule of a seed within a scope."""
    chance = random.Random(seed)
    live_count = 30 if scope.small_live_sets and seed % 5 == 4 else 4 * scope.messages
    actions = _kills(chance, scope) + _links(chance, scope) + _extras(chance, seed, scope)
    return Schedule(
        seed=seed,
        messages=scope.messages,
        live_count=live_count,
        seconds=scope.seconds,
        seen_share=0.25 if seed % 3 == 2 else 0.0,
        actions=tuple(sorted(actions, key=lambda action: action.at)),
        points={target: _points(chance, target, scope) for target in scope.targets},
    )


def _kills(chance: random.Random, scope: Scope) -> list[Action]:
    """Kills and stops, spread over the run; now and then several processes at one moment."""
    actions = []
    while sum(action.kind == "kill" for action in actions) < scope.kills:
        at = chance.uniform(0.3, scope.seconds)
        victims = chance.sample(scope.targets, k=min(len(scope.targets), 2 if chance.random() < 0.2 else 1))
        if chance.random() < 0.15:
            actions.append(Action(at, "stop", victims[0], chance.uniform(0.1, 1.5)))
        else:
            actions += [Action(at, "kill", victim) for victim in victims]
    return actions


def _links(chance: random.Random, scope: Scope) -> list[Action]:
    actions = []
    for link in scope.links:
        for _ in range(chance.randint(2, 6)):
            kind = chance.choice(LINK_FAULTS)
            length = 0.0 if kind == "cut" else chance.uniform(0.2, 2.0)
            actions.append(Action(chance.uniform(0.3, scope.seconds), kind, link, length))
    return actions


def _extras(chance: random.Random, seed: int, scope: Scope) -> list[Action]:
    kind = {1: "disk", 3: "netns"}.get(seed % 5, "") if scope.root else ""
    times = chance.randint(1, 3) if kind else 0
    return [
        Action(chance.uniform(0.1, 0.8) * scope.seconds, kind, kind, chance.uniform(0.5, 2.5)) for _ in range(times)
    ]


def _points(chance: random.Random, target: str, scope: Scope) -> tuple[str, ...]:
    """For each launch of a process, `point:passage` where it kills itself, or nothing."""
    if target.startswith("bridge"):
        names: tuple[str, ...] = BRIDGE_POINTS
    elif target == "broker":
        names = BROKER_POINTS if scope.broker_points else ()
    elif target in {"worker", "postgres", "cell"}:
        names = ()
    else:
        names = WATCHER_POINTS
    launches = []
    for _ in range(scope.kills):
        armed = names and chance.random() < 0.5
        launches.append(f"{chance.choice(names)}:{chance.choice((1, 2, 3, 5, 8, 13, 30))}" if armed else "")
    return tuple(launches)
