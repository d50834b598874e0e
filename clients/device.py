"""One device's side of the contract: what the broker delivers goes to inbox, journal and display.

The rule of the order: a message is on record before it is shown, and shown before the delivery is
acknowledged. Everything else is recorded as it is understood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from clients.box.inbox import DigestHeard, Gone, Inbox, Live, Shown, Skipped
from clients.contract import topics
from clients.contract.errors import ContractError, MalformedError, UnknownVersionError
from clients.contract.requests import Reply, decode_reply
from clients.journal import records

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.box.inbox import Change
    from clients.contract.topics import Mailbox
    from clients.journal.file import Journal
    from clients.session import Session


class Display(Protocol):
    """Where messages and replies go. `show` must have recorded the message when it returns."""

    def show(self, message: Shown) -> None:
        """A message that was never shown before."""

    def come_back(self, mail_id: str) -> None:
        """A message that was shown, and left the box, is in it again: older mail returns as newer is seen."""

    def vanish(self, message: Gone) -> None:
        """A message left the box; that is on record already."""

    def answer(self, reply: Reply, payload: bytes) -> None:
        """The bridge answers a request; `payload` is the reply as it came."""

    def notice(self, text: str) -> None:
        """Something that the user should know about the connection."""


class Device:
    """A `Listener` for a session. `clock` is monotonic, in seconds."""

    def __init__(self, *, mailbox: Mailbox, journal: Journal, display: Display, clock: Callable[[], float]) -> None:
        self._mailbox, self._journal, self._display, self._clock = mailbox, journal, display, clock
        snapshot = journal.snapshot
        self._inbox = Inbox(snapshot.memory.copy(), digest=snapshot.digest, now=clock())
        self._said: set[str] = set()
        self._lost = True
        self._told = False

    @property
    def live(self) -> list[str]:
        """The ids in the box, oldest first."""
        return self._inbox.live

    @property
    def caught_up(self) -> bool:
        """Whether the box is what the broker's own digest says: that which answered the subscription, or a later one.

        One that had waited for the device is older, and so may be a box that agrees with it.
        """
        return self._told and self._inbox.sure

    @property
    def shown(self) -> list[str]:
        """The ids in the box that were on the screen, oldest first."""
        return self._inbox.shown

    def due_at(self) -> float | None:
        """When `tend` has something to do, at the latest."""
        return self._inbox.due_at()

    def tend(self, session: Session) -> None:
        """Heal the box if it went astray, and keep the journal small."""
        if session.up and self._inbox.check(self._clock()):
            self._display.notice("the box disagrees with its digest; asking for all of it again")
            self._inbox.subscribed(self._clock())
            session.subscribe(self._mailbox.filters)
        self._journal.compact()

    def show_unshown(self) -> None:
        """Show what an earlier command took in and did not show."""
        for mail_id, payload in sorted(self._journal.snapshot.unshown.items()):
            self._take(self._inbox.apply_header(mail_id, payload, retained=True, now=self._clock()))

    # --- what the session tells -------------------------------------------------------------------

    def received(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """A message from the broker; on record when this returns."""
        try:
            parsed = topics.parse(self._mailbox.root, topic)
            if parsed.user != self._mailbox.user:
                raise MalformedError("the topic belongs to another user")
            if parsed.what == "msg":
                self._take(self._inbox.apply_header(parsed.leaf, payload, retained=retained, now=self._clock()))
            elif parsed.what == "box":
                self._take(self._inbox.apply_digest(payload, now=self._clock()))
                self._told = self._told or retained
            elif parsed.what == "re" and parsed.leaf == self._mailbox.device:
                self._display.answer(decode_reply(payload), payload)
        except ContractError as error:
            self._skip(str(error), other_version=isinstance(error, UnknownVersionError))

    def connected(self, *, session_present: bool, version: str) -> None:
        """The broker has let us in; what is missing may be on its way."""
        del session_present
        self._told = False
        self._inbox.resumed(self._clock())
        if self._lost:
            self._display.notice(f"connected, MQTT {version}")
        self._lost = False

    def subscribing(self) -> None:
        """The broker's session is new: an older subscription is void, all is going to be told."""
        self._journal.append(records.subscribed(""))
        self._inbox.subscribed(self._clock())

    def subscribed(self, subscription: str) -> None:
        """The subscription stands."""
        self._journal.append(records.subscribed(subscription))

    def unheard(self, reason: str) -> None:
        """The broker did not take a request; it is made again, and said once."""
        if reason not in self._said:
            self._said.add(reason)
            self._display.notice(f"the broker did not take a request: {reason}")

    def disconnected(self, reason: str, *, retry_s: float) -> None:
        """The connection is lost, and being tried again."""
        del retry_s
        if not self._lost or reason not in self._said:
            self._said.add(reason)
            self._display.notice(f"{reason}; trying again")
        self._lost = True

    # --- below ------------------------------------------------------------------------------------

    def _take(self, changes: list[Change]) -> None:
        for change in changes:
            match change:
                case Shown():
                    self._display.show(change)
                case Live(mail_id, payload):
                    self._journal.append(records.live(mail_id))
                    if payload:
                        self._journal.append(records.header(mail_id, payload))
                    if self._inbox.was_shown(mail_id):
                        self._display.come_back(mail_id)
                case Gone(mail_id, shown):
                    self._journal.append(records.gone(mail_id, was_shown=shown))
                    self._display.vanish(change)
                case DigestHeard(digest):
                    self._journal.append(records.box(digest))
                case Skipped(reason, other_version):
                    self._skip(reason, other_version=other_version)

    def _skip(self, reason: str, *, other_version: bool) -> None:
        if reason in self._said:
            return
        self._said.add(reason)
        advice = "; a newer client may read it" if other_version else ""
        self._display.notice(f"skipped a message of the bridge: {reason}{advice}")
