"""The journey of a probe mail: in at each listener, kept, published, heard by a device, seen, and gone."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bridge.contract import topics
from bridge.contract.packing import VERSION
from bridge.doctor.judge.isolation import IsolationSeen
from bridge.doctor.judge.way import Letter, WaySeen
from bridge.doctor.look.mqtt import NotLetInError, NotReachedError, ProbeDevice
from bridge.doctor.probe import isolation
from bridge.doctor.probe.asking import ARRIVES_S, ask, subject_of
from bridge.doctor.probe.post import hand_in, mail, subject
from bridge.store import offline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bridge.config.endpoints import Endpoint
    from bridge.doctor.look.mqtt import Way
    from bridge.doctor.probe.accounts import ThrowAway

PAUSE_S: Final = 0.02
REQUEST: Final = 1


@dataclass(frozen=True, slots=True)
class Inlet:
    """Where a probe mail is handed in."""

    name: str
    address: Endpoint
    lmtp: bool = False
    proxy: bool = False


@dataclass(frozen=True, slots=True)
class Journey:
    """What a probe needs to know.

    `foreign`: the broker is another's and may not know of throw-away logins; `patience_s` is how long it may take until
    it knows of one.
    """

    database: Path
    root: str
    way: Way
    doors: Sequence[Inlet]
    foreign: bool
    patience_s: float
    new_token: Callable[[], str]

    def run(self, first: ThrowAway, second: ThrowAway) -> tuple[WaySeen, IsolationSeen]:
        """Send, hear and see; what was met on the way, and whether the second account got at the first's."""
        met = WaySeen(url=str(self.way.url))
        with ExitStack() as stack:
            device, refusal, answered = self._let_in(first)
            if device is not None:
                stack.enter_context(device)
                device.subscribe(f"{self.root}/{first.user}/#")
            tokens, letters = self._posted(first)
            met = replace(
                met,
                letters=tuple(letters),
                refusal=refusal,
                unknown_login=answered and self.foreign,
                published=self._published(first, len(tokens)) if tokens else None,
            )
            if device is None:
                reason = f"no throw-away device was let in: {refusal}"
                return met, isolation.by_strangers(self.way, reason=reason) if answered else IsolationSeen(reason)
            ids = [mail_id for token in tokens if (mail_id := self._heard(device, first, token)) is not None]
            met = replace(met, told=len(ids) == len(tokens) if tokens else None)
            other, refused, _ = self._let_in(second)
            if other is None:
                tried = isolation.by_strangers(self.way, reason=f"no second device was let in: {refused}")
                return self._seen(device, first, ids, met) if ids else met, tried
            pair = isolation.TwoDevices(device, first, stack.enter_context(other), second)
            tried = isolation.tried(self.way, self.root, pair)
            met = self._seen(device, first, ids, met) if ids else met
            return met, replace(tried, robbed=isolation.robbed(self.way, self.root, pair))

    def _let_in(self, account: ThrowAway) -> tuple[ProbeDevice | None, str | None, bool]:
        """The device, or why it is not in, and whether a broker answered."""
        give_up_at = time.monotonic() + self.patience_s
        while True:
            try:
                return ProbeDevice(self.way, account.username, account.password).connect(), None, True
            except NotReachedError as error:
                return None, str(error), False
            except NotLetInError as error:
                if time.monotonic() >= give_up_at:
                    return None, str(error), True
                time.sleep(10 * PAUSE_S)

    def _posted(self, account: ThrowAway) -> tuple[list[str], list[Letter]]:
        """A mail through each door: the tokens of those that were taken, and what was said of each."""
        tokens, letters = [], []
        for door in self.doors:
            token = self.new_token()
            raw = mail(account.address, token)
            accepted, reply = hand_in(door.address, account.address, raw, lmtp=door.lmtp, proxy=door.proxy)
            letters.append(Letter(door.name, accepted, reply))
            tokens += [token] if accepted else []
        return tokens, letters

    def _published(self, account: ThrowAway, count: int) -> bool:
        """Whether the broker acknowledged as many mails."""
        give_up_at = time.monotonic() + ARRIVES_S
        while time.monotonic() < give_up_at:
            with offline.reading(self.database) as connection:
                (known,) = connection.execute(
                    "SELECT count(*) FROM message JOIN user USING (user_id) WHERE name = ? AND held = 1",
                    (account.user,),
                ).fetchone()
            if known >= count:
                return True
            time.sleep(PAUSE_S)
        return False

    def _heard(self, device: ProbeDevice, account: ThrowAway, token: str) -> str | None:
        """The id under which the device heard of a mail."""
        path = f"{self.root}/{topics.message(account.user, '')}"
        wanted = subject(token)
        found = device.wait(
            lambda heard: heard.topic.startswith(path) and subject_of(heard) == wanted, within_s=ARRIVES_S
        )
        return None if found is None else found.topic.removeprefix(path)

    def _seen(self, device: ProbeDevice, account: ThrowAway, ids: Sequence[str], met: WaySeen) -> WaySeen:
        """Mark what was heard as seen, as a device does, and wait until it is gone."""
        answer = ask(device, self.root, account.user, [VERSION, REQUEST, "seen", *ids])
        gone = {f"{self.root}/{topics.message(account.user, mail_id)}" for mail_id in ids}
        vanished = answer == 0 and all(_gone(device, topic) for topic in gone)
        return replace(met, asked=True, answer=answer, vanished=vanished)


def _gone(device: ProbeDevice, topic: str) -> bool:
    """Whether the device hears that a topic is empty now."""
    return device.wait(lambda heard: heard.topic == topic and not heard.payload, within_s=ARRIVES_S) is not None
