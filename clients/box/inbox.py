"""The box of one user as a client sees it: what to show, what is gone, whether something is missing.

Pure: payloads and moments come in, changes come out, in the order in which they must be recorded.
Whatever is delivered twice, late, in another order or not at all: a message is shown once, and the
box digest decides what is live (docs/protocol.md, "Keeping the box").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clients.box.memory import IdSet
from clients.contract.digest import Digest, decode_digest
from clients.contract.errors import ContractError, UnknownVersionError
from clients.contract.header import Header, decode_header

if TYPE_CHECKING:
    from clients.box.memory import Memory

GRACE_S = 4.0
"""How long the box may disagree with its digest after the last change before it is healed."""
BUSY_GRACE_S = 60.0
"""The same when changes never pause that long."""
LONGEST_WAIT_S = 3600.0
"""The wait doubles with every healing that did not help, up to this."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A message to put on the screen now, for the first time. `payload` is its header, packed."""

    mail_id: str
    header: Header
    payload: bytes


@dataclass(frozen=True, slots=True)
class Live:
    """A message is in the box that is not to be shown: it was before, or its header is unreadable."""

    mail_id: str
    payload: bytes = field(default=b"", compare=False)
    """Its header, where that is known to be readable."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A message left the box: seen elsewhere, expired or pushed out. `shown`: it was on the screen."""

    mail_id: str
    shown: bool


@dataclass(frozen=True, slots=True)
class DigestHeard:
    """The box digest changed."""

    digest: Digest


@dataclass(frozen=True, slots=True)
class Skipped:
    """A payload that was not read, and why."""

    reason: str
    other_version: bool


Change = Shown | Live | Gone | DigestHeard | Skipped


class Inbox:
    """The state machine. `apply_*` for what arrives, `due_at` and `check` for what does not."""

    def __init__(self, memory: Memory, *, digest: Digest | None, now: float) -> None:
        self._memory = memory
        self._digest = digest
        self._doubtful: dict[str, bytes] = {}
        """Headers that came after a tombstone of the same message: which of the two is late?"""
        self._heard: IdSet | None = None
        """While healing: what the box holds as heard since the subscription was renewed."""
        self._digest_heard = False
        self._news_at = now
        self._agreed_at = now
        self._healings = 0

    @property
    def live(self) -> list[str]:
        """The ids in the box, oldest first."""
        return sorted(self._memory.live)

    @property
    def shown(self) -> list[str]:
        """The ids in the box that were on the screen, oldest first."""
        return sorted(mail_id for mail_id, shown in self._memory.live.items() if shown)

    def was_shown(self, mail_id: str) -> bool:
        """Whether the message was on the screen before; one in the box may not be, if its header is unreadable."""
        return self._memory.was_shown(mail_id)

    @property
    def agrees(self) -> bool:
        """Whether the box is exactly what its digest says."""
        return self._digest is not None and self._memory.box.matches(self._digest)

    @property
    def sure(self) -> bool:
        """Whether it agrees with its digest, and no mail waits for the next one to tell whether it is back."""
        return self.agrees and not self._doubtful

    # --- what arrives -----------------------------------------------------------------------------

    def apply_header(self, mail_id: str, payload: bytes, *, retained: bool, now: float) -> list[Change]:
        """A payload of `msg/<id>`; `retained` is the flag of the delivery, not of the topic.

        A delivery with RETAIN set answers a subscription, so it is the broker's present state
        [MQTT-3.3.1-8]; one without may be older than what came before it.
        """
        self._news_at = now
        if not payload:
            return [*self._tombstone(mail_id), *self._compare(now)]
        if self._heard is not None:
            self._heard.add(mail_id)
        if mail_id in self._memory.gone and not retained:
            self._doubtful[mail_id] = payload
            return self._compare(now)
        self._doubtful.pop(mail_id, None)
        return [*self._came(mail_id, payload), *self._compare(now)]

    def apply_digest(self, payload: bytes, *, now: float) -> list[Change]:
        """A payload of `box`; an empty one says nothing."""
        if not payload:
            return []
        try:
            digest = decode_digest(payload)
        except ContractError as error:
            return [_skipped(error)]
        self._news_at = now
        self._digest_heard = True
        news: list[Change] = [] if digest == self._digest else [DigestHeard(digest)]
        self._digest = digest
        changes = self._compare(now)
        if self.agrees:
            self._doubtful.clear()
        return [*news, *changes]

    # --- what does not ----------------------------------------------------------------------------

    def due_at(self) -> float | None:
        """When `check` should be called next, if nothing arrives until then."""
        if self.agrees:
            return self._news_at + GRACE_S if self._doubtful else None
        if self._digest is None and not self._memory.live:
            return None
        wait_s = min(GRACE_S * 2.0**self._healings, LONGEST_WAIT_S)
        return min(self._news_at + wait_s, self._agreed_at + max(wait_s, BUSY_GRACE_S))

    def check(self, now: float) -> bool:
        """Whether `msg/+` and `box` have to be subscribed to again, because the box has gone astray."""
        due_at = self.due_at()
        if due_at is None or now < due_at:
            return False
        if self.agrees:
            self._doubtful.clear()
            return False
        self._healings += 1
        return True

    def subscribed(self, now: float) -> None:
        """The client subscribes to `msg/+` and `box` now: the retained set will be told anew."""
        self._heard = IdSet()
        self._digest_heard = False
        self.resumed(now)

    def resumed(self, now: float) -> None:
        """The connection is back, so what is missing may still be on its way."""
        self._news_at = self._agreed_at = now

    # --- below ------------------------------------------------------------------------------------

    def _came(self, mail_id: str, payload: bytes) -> list[Change]:
        known = mail_id in self._memory.live
        if self._memory.was_shown(mail_id):
            self._memory.came(mail_id)
            return [] if known else [Live(mail_id, payload)]
        try:
            header = decode_header(payload)
        except ContractError as error:
            self._memory.came(mail_id)
            return [_skipped(error)] if known else [Live(mail_id), _skipped(error)]
        self._memory.came(mail_id, shown=True)
        return [Shown(mail_id, header, payload)]

    def _tombstone(self, mail_id: str) -> list[Change]:
        self._doubtful.pop(mail_id, None)
        if self._heard is not None:
            self._heard.discard(mail_id)
        if mail_id in self._memory.gone:
            return []
        shown = self._memory.was_shown(mail_id)
        self._memory.went(mail_id)
        return [Gone(mail_id, shown)]

    def _compare(self, now: float) -> list[Change]:
        """Compare with the digest: with the doubtful messages, and while healing without leftovers."""
        changes: list[Change] = []
        if not self.agrees and self._digest is not None:
            if self._doubtful and self._memory.box.matches(self._digest, with_also=self._doubtful):
                for mail_id, payload in sorted(self._doubtful.items()):
                    changes += self._came(mail_id, payload)
                self._doubtful.clear()
            elif self._digest_heard and self._heard is not None and self._heard.matches(self._digest):
                changes = self._adopt(self._heard.ids)
        if self.agrees:
            self._heard = None
            self._healings = 0
            self._agreed_at = now
        return changes

    def _adopt(self, heard: frozenset[str]) -> list[Change]:
        """The box is what was heard since the subscription: show the doubtful, drop the leftovers."""
        changes: list[Change] = []
        for mail_id in sorted(self._doubtful.keys() & heard):
            changes += self._came(mail_id, self._doubtful.pop(mail_id))
        for mail_id in sorted(self._memory.live.keys() - heard):
            changes += self._tombstone(mail_id)
        return changes


def _skipped(error: ContractError) -> Skipped:
    return Skipped(str(error), other_version=isinstance(error, UnknownVersionError))
