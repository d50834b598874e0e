"""The journey of a probe mail: in by each mail server and listener, kept, published, heard, seen, and gone."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from bridge.contract import topics
from bridge.contract.packing import VERSION
from bridge.doctor.judge.isolation import IsolationSeen
from bridge.doctor.judge.way import Letter, WaySeen
from bridge.doctor.look.deadline import OutOfTimeError
from bridge.doctor.look.mqtt import NotLetInError, NotReachedError, ProbeDevice
from bridge.doctor.probe import isolation
from bridge.doctor.probe.asking import ARRIVES_S, ask, subject_of
from bridge.doctor.probe.post import hand_in, mail, subject
from bridge.store import offline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bridge.config.endpoints import Endpoint
    from bridge.doctor.look.deadline import TimeLeft
    from bridge.doctor.look.mqtt import Way
    from bridge.doctor.probe.accounts import ThrowAway
    from bridge.doctor.probe.handing import Carrier

PAUSE_S: Final = 0.02
REQUEST: Final = 1


@dataclass(frozen=True, slots=True)
class Inlet:
    """Where a probe mail is handed in."""

    name: str
    address: Endpoint
    lmtp: bool = False
    proxy: bool = False


@dataclass(slots=True)
class OnTheWay:
    """What was met so far, whatever comes of the rest."""

    way: WaySeen = field(default_factory=WaySeen)
    isolation: IsolationSeen = field(default_factory=IsolationSeen)

    def note(self, **facts: Any) -> None:
        """Add facts of the way."""
        self.way = replace(self.way, **facts)


@dataclass(frozen=True, slots=True)
class Journey:
    """What a probe needs to know.

    `foreign`: the broker is another's and may not know of throw-away logins; `patience_s` is how long it may take until
    it knows of one. `carriers` are mail servers that hand over. `time_left` bounds all of it.
    """

    database: Path | str
    root: str
    way: Way
    doors: Sequence[Inlet]
    carriers: Sequence[Carrier]
    foreign: bool
    patience_s: float
    time_left: TimeLeft
    new_token: Callable[[], str]

    def run(self, first: ThrowAway, second: ThrowAway) -> tuple[WaySeen, IsolationSeen]:
        """Send, hear and see; what was met on the way, and whether the second account got at the first's.

        What there was no time for is not known: nothing follows from it.
        """
        met = OnTheWay()
        with ExitStack() as stack:
            try:
                self._go(stack, met, first, second)
            except OutOfTimeError as error:
                met.note(late=str(error))
                met.isolation = replace(met.isolation, reason=str(error))
        return met.way, met.isolation

    def _go(self, stack: ExitStack, met: OnTheWay, first: ThrowAway, second: ThrowAway) -> None:
        device, refusal, answered = self._let_in(first)
        if device is not None:
            stack.enter_context(device)
            device.subscribe(f"{self.root}/{first.user}/#")
        met.note(url=str(self.way.url), refusal=refusal, unknown_login=answered and self.foreign)
        tokens = self._posted(met, first)
        if tokens:
            met.note(published=self._published(first, len(tokens)))
        if device is None:
            met.isolation = IsolationSeen(f"no throw-away device was let in: {refusal}")
            if answered:
                met.isolation = isolation.by_strangers(self.way, reason=met.isolation.reason, patience=self.time_left)
            return
        ids = [mail_id for token in tokens if (mail_id := self._heard(device, first, token)) is not None]
        if tokens:
            met.note(told=len(ids) == len(tokens))
        other, refused, _ = self._let_in(second)
        if other is None:
            met.isolation = isolation.by_strangers(
                self.way, reason=f"no second device was let in: {refused}", patience=self.time_left
            )
            self._seen(device, first, ids, met)
            return
        pair = isolation.TwoDevices(device, first, stack.enter_context(other), second)
        met.isolation = isolation.tried(self.way, self.root, pair, patience=self.time_left)
        self._seen(device, first, ids, met)
        taken = isolation.robbed(self.way, self.root, pair, patience=self.time_left)
        met.isolation = replace(met.isolation, robbed=taken)

    def _let_in(self, account: ThrowAway) -> tuple[ProbeDevice | None, str | None, bool]:
        """The device, or why it is not in, and whether a broker answered."""
        give_up_at = time.monotonic() + self.patience_s
        while True:
            device = ProbeDevice(self.way, account.username, account.password, patience=self.time_left)
            try:
                return device.connect(), None, True
            except NotReachedError as error:
                return None, str(error), False
            except NotLetInError as error:
                if time.monotonic() >= give_up_at:
                    return None, str(error), True
                time.sleep(10 * PAUSE_S)

    def _posted(self, met: OnTheWay, account: ThrowAway) -> list[str]:
        """A mail through each door and by each mail server: the tokens of those that came in."""
        tokens = []
        for carrier in self.carriers:
            token = self.new_token()
            handed = carrier.hand_in(account, token, database=self.database, patience=self.time_left)
            met.note(handed=(*met.way.handed, handed))
            tokens += [token] if handed.arrived else []
        for door in self.doors:
            token = self.new_token()
            raw = mail(account.address, token)
            accepted, reply = hand_in(
                door.address, account.address, raw, patience=self.time_left, lmtp=door.lmtp, proxy=door.proxy
            )
            met.note(letters=(*met.way.letters, Letter(door.name, accepted, reply)))
            tokens += [token] if accepted else []
        return tokens

    def _published(self, account: ThrowAway, count: int) -> bool:
        """Whether the broker acknowledged as many mails."""
        give_up_at = time.monotonic() + self.time_left.share_s(ARRIVES_S)
        while time.monotonic() < give_up_at:
            with offline.reading(self.database) as connection:
                (known,) = connection.execute(
                    "SELECT count(*) FROM message JOIN user USING (user_id) WHERE name = ? AND held = 1",
                    (account.user,),
                ).fetchone()
            if known >= count:
                return True
            time.sleep(PAUSE_S)
        self.time_left.check()
        return False

    def _heard(self, device: ProbeDevice, account: ThrowAway, token: str) -> str | None:
        """The id under which the device heard of a mail."""
        path = f"{self.root}/{topics.message(account.user, '')}"
        wanted = subject(token)
        found = device.wait(
            lambda heard: heard.topic.startswith(path) and subject_of(heard) == wanted, within_s=ARRIVES_S
        )
        return None if found is None else found.topic.removeprefix(path)

    def _seen(self, device: ProbeDevice, account: ThrowAway, ids: Sequence[str], met: OnTheWay) -> None:
        """Mark what was heard as seen, as a device does, and wait until it is gone."""
        if not ids:
            return
        answer = ask(device, self.root, account.user, [VERSION, REQUEST, "seen", *ids])
        gone = {f"{self.root}/{topics.message(account.user, mail_id)}" for mail_id in ids}
        vanished = answer == 0 and all(_gone(device, topic) for topic in gone)
        met.note(asked=True, answer=answer, vanished=vanished)


def _gone(device: ProbeDevice, topic: str) -> bool:
    """Whether the device hears that a topic is empty now."""
    return device.wait(lambda heard: heard.topic == topic and not heard.payload, within_s=ARRIVES_S) is not None
