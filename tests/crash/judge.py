"""Was every promise kept? A pure function of a history.

- Every message answered 250 was shown exactly once on every device of its users, unless it had been
  marked as seen or, with a small live set, newer mail had pushed it out.
- Nothing was shown that was never accepted, to nobody whom it was not for, and never twice.
- A device that sleeps was rung for each of them that is still to be seen, about nothing else, and each time under the
  topic of that message, so that there is one notification.
- No device received a topic of another user.
- At the end the store has all that was accepted and its live set is the newest `live_count` unseen
  messages; every device's box and the broker's retained set are the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.crash.history import (
    Answered,
    Box,
    Broken,
    Gone,
    Live,
    Overheard,
    Rung,
    SeenAsked,
    SeenDone,
    Sent,
    Shown,
    Wrong,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.crash.history import Event


@dataclass(slots=True)
class Message:
    """What became of one message, over all attempts to hand it over."""

    users: tuple[str, ...] = ()
    accepted: bool = False
    doubtful: bool = False
    """An attempt broke off when all had been sent: it may have been kept, and nobody was told."""

    @property
    def possible(self) -> bool:
        """Whether it may be shown at all."""
        return self.accepted or self.doubtful


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. Each entry of the lists names device or user and message."""

    accepted: int
    shown: int
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    disagree: list[str] = field(default_factory=list)
    unrung: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[str]:
        """All that is wrong, one line each."""
        kinds = ("lost", "twice", "leaked", "invented", "disagree", "unrung")
        return [f"{kind}: {finding}" for kind in kinds for finding in getattr(self, kind)]

    @property
    def clean(self) -> bool:
        return not self.findings


def judge(
    history: Iterable[Event], *, devices: Mapping[str, Iterable[str]], live_count: int, sleepers: Iterable[str] = ()
) -> Verdict:
    """The verdict. `devices` are the names `user/device` of each user; `live_count` is `retain.count`.

    `sleepers` are the devices that are rung by Web Push.
    """
    events = list(history)
    messages = _messages(events)
    shown = [event for event in events if isinstance(event, Shown)]
    seen = {(event.user, event.mail_id) for event in events if isinstance(event, SeenAsked)}
    seen_done = {(event.user, event.mail_id) for event in events if isinstance(event, SeenDone)}
    lives = {event.user: event for event in events if isinstance(event, Live)}
    verdict = Verdict(accepted=sum(message.accepted for message in messages.values()), shown=len(shown))
    ids = _ids(shown, verdict)
    _judge_screens(verdict, messages, shown)
    for user, names in devices.items():
        due = _due(user, messages, ids, seen=seen, live=lives.get(user), live_count=live_count)
        for name in names:
            on_screen = {event.marker for event in shown if event.device == name}
            verdict.lost.extend(f"{name} never showed {marker}" for marker in sorted(due - on_screen))
    verdict.leaked.extend(f"{e.device} received {e.topic}" for e in events if isinstance(e, Overheard))
    for user, live in lives.items():
        _judge_store(verdict, user, live, messages, ids, seen=seen, seen_done=seen_done, live_count=live_count)
    _judge_boxes(verdict, events, lives)
    rung = [event for event in events if isinstance(event, Rung)]
    for name in sleepers:
        _judge_rings(verdict, name, [event for event in rung if event.device == name], lives, seen=seen)
    verdict.disagree.extend(f"retained {event.topic}: {event.how}" for event in events if isinstance(event, Wrong))
    return verdict


def _messages(events: Iterable[Event]) -> dict[str, Message]:
    messages: dict[str, Message] = defaultdict(Message)
    for event in events:
        match event:
            case Sent(marker, users, _):
                messages[marker].users = users
            case Answered(marker, _, code, _) if code // 100 == 2:
                messages[marker].accepted = True
            case Broken(marker, _, whole):
                messages[marker].doubtful |= whole
    return dict(messages)


def _ids(shown: Iterable[Shown], verdict: Verdict) -> dict[tuple[str, str], str]:
    """The message id under which each user's devices know a marker: one, and the same on all."""
    ids: dict[tuple[str, str], str] = {}
    for event in shown:
        user = event.device.partition("/")[0]
        known = ids.setdefault((user, event.marker), event.mail_id)
        if known != event.mail_id:
            verdict.twice.append(f"{user} has {event.marker} as {known} and as {event.mail_id}")
    return ids


def _judge_screens(verdict: Verdict, messages: Mapping[str, Message], shown: Iterable[Shown]) -> None:
    """Nothing twice, nothing invented, nothing to the wrong user."""
    for (device, marker), times in Counter((event.device, event.marker) for event in shown).items():
        user = device.partition("/")[0]
        message = messages.get(marker)
        if times > 1:
            verdict.twice.append(f"{device} showed {marker} {times} times")
        if message is None or not message.possible:
            verdict.invented.append(f"{device} showed {marker or 'something'}, which was never accepted")
        elif user not in message.users:
            verdict.leaked.append(f"{device} showed {marker}, which was for {', '.join(message.users)}")


def _due(
    user: str,
    messages: Mapping[str, Message],
    ids: Mapping[tuple[str, str], str],
    *,
    seen: set[tuple[str, str]],
    live: Live | None,
    live_count: int,
) -> set[str]:
    """The markers that every device of a user has to have shown.

    When the live set is smaller than what was accepted, those that no device ever knew may have been
    pushed out while it was away; those that are live at the end may not.
    """
    accepted = {marker for marker, message in messages.items() if message.accepted and user in message.users}
    accepted = {marker for marker in accepted if (user, ids.get((user, marker), "")) not in seen}
    possible = sum(message.possible and user in message.users for message in messages.values())
    if possible <= live_count or live is None:
        return accepted
    return {marker for marker in accepted if ids.get((user, marker)) in live.live}


def _judge_store(
    verdict: Verdict,
    user: str,
    live: Live,
    messages: Mapping[str, Message],
    ids: Mapping[tuple[str, str], str],
    *,
    seen: set[tuple[str, str]],
    seen_done: set[tuple[str, str]],
    live_count: int,
) -> None:
    """The store has what was accepted and nothing else; its live set is the newest `live_count` unseen."""
    mine = [message for message in messages.values() if user in message.users]
    least, most = sum(message.accepted for message in mine), sum(message.possible for message in mine)
    if not least <= len(live.kept) <= most:
        verdict.disagree.append(f"the store keeps {len(live.kept)} messages of {user}, not {least} to {most}")
    kept = set(live.kept)
    for (owner, marker), mail_id in ids.items():
        if owner == user and mail_id not in kept:
            verdict.disagree.append(f"{user} was shown {marker} as {mail_id}, which the store does not have")
    unasked = [each for each in sorted(kept, reverse=True) if (user, each) not in seen]
    undone = [each for each in sorted(kept, reverse=True) if (user, each) not in seen_done]
    if not set(unasked[:live_count]) >= set(live.live) - {each for owner, each in seen - seen_done if owner == user}:
        verdict.disagree.append(f"the live set of {user} holds what is seen or too old")
    if len(live.live) > live_count or not set(undone[:live_count]) >= set(live.live):
        verdict.disagree.append(f"the live set of {user} is not the newest {live_count} unseen messages")
    if seen == seen_done and set(unasked[:live_count]) != set(live.live):
        verdict.disagree.append(
            f"the live set of {user} has {len(live.live)} messages, not {len(unasked[:live_count])}"
        )


def _judge_rings(
    verdict: Verdict, name: str, rung: list[Rung], lives: Mapping[str, Live], *, seen: set[tuple[str, str]]
) -> None:
    user = name.partition("/")[0]
    if (live := lives.get(user)) is None:
        return
    told = {event.mail_id for event in rung}
    due = {each for each in live.live if (user, each) not in seen}
    verdict.unrung.extend(f"{name} was never rung for {each}" for each in sorted(due - told))
    verdict.invented.extend(f"{name} was rung for {each}, which {user} has not" for each in sorted(told - {*live.kept}))
    verdict.twice.extend(
        f"{name} was rung for {event.mail_id} under {event.topic}" for event in rung if event.topic != event.mail_id
    )


def _judge_boxes(verdict: Verdict, events: Iterable[Event], lives: Mapping[str, Live]) -> None:
    for event in events:
        match event:
            case Box(device, box):
                live = lives.get(device.partition("/")[0])
                if live is not None and set(box) != set(live.live):
                    more, less = set(box) - set(live.live), set(live.live) - set(box)
                    verdict.disagree.append(f"the box of {device} has {len(more)} too many and {len(less)} too few")
            case Gone(device, mail_id):
                live = lives.get(device.partition("/")[0])
                if live is not None and mail_id not in live.kept:
                    verdict.invented.append(f"{device} took {mail_id} away, which never was")
            case _:
                pass
