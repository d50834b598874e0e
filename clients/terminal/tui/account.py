"""One device behind the window: its session in a thread of its own, which tells what happens and takes orders."""

from __future__ import annotations

import os
import queue
import random
import secrets
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.backoff import Backoff
from clients.contract.errors import ContractError
from clients.contract.header import decode_header
from clients.device import Device
from clients.errors import ClientError
from clients.journal.networks import NetworkMemory
from clients.keepalive import Keepalive
from clients.relay import Relay, relay_path
from clients.seen import SeenRequests
from clients.session import Session
from clients.terminal.inbox.listing import Listed
from clients.terminal.network import network_of
from clients.terminal.read.errands import Errand, Errands
from clients.terminal.settings import login_of, mailbox_of, state_path
from clients.terminal.sleep import asleep_s
from clients.terminal.watch.opening import journal_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.box.inbox import Gone, Shown
    from clients.contract.requests import Reply
    from clients.journal.file import Journal
    from clients.terminal.settings import Place
    from clients.terminal.watch.alarm import Alarm


@dataclass(frozen=True, slots=True)
class MailCame:
    """A mail is in the box."""

    account: str
    listed: Listed


@dataclass(frozen=True, slots=True)
class MailLeft:
    """A mail left the box."""

    account: str
    mail_id: str


@dataclass(frozen=True, slots=True)
class AccountSaid:
    """Something that the user should know; `fatal` if the account has ended with it."""

    account: str
    text: str
    fatal: bool = False


Event = MailCame | MailLeft | AccountSaid


class WindowAccount:
    """A device, from `start` to `close`; `tell` is called in its thread. Raises ClientError where it cannot begin."""

    def __init__(self, place: Place, *, alarm: Alarm) -> None:
        self.name = place.device
        self._alarm = alarm
        self._tell: Callable[[Event], None] = lambda _: None
        mailbox = mailbox_of(place)
        login = login_of(place, mailbox)
        path = state_path(place, mailbox)
        jitter = random.SystemRandom().random
        self._journal: Journal = journal_of(place, path)
        self._clock = time.monotonic
        self._seen = SeenRequests(next_request_id=lambda: secrets.randbits(32), jitter=jitter)
        self._errands = Errands(next_request_id=lambda: secrets.randbits(32), jitter=jitter)
        self._relay = Relay(relay_path(path))
        self._request_topic = mailbox.requests
        self._device = Device(mailbox=mailbox, journal=self._journal, display=self, clock=self._clock)
        self._session = Session(
            login,
            filters=mailbox.filters,
            renewed=mailbox.renewed,
            subscription=self._journal.snapshot.subscription,
            listener=self._device,
            clock=self._clock,
            asleep=asleep_s,
            backoff=Backoff(jitter=jitter),
            keepalive=Keepalive(
                clock=self._clock, wall_ms=lambda: time.time_ns() // 1_000_000, fixed_s=place.keepalive_s
            ),
            networks=NetworkMemory(self._journal, name_of=network_of),
        )
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._reader, self._writer = os.pipe()
        self._thread = threading.Thread(target=self._run, name=place.device)
        self._ended = False

    def rows(self) -> list[Listed]:
        """The box as it is known before the account starts."""
        return [self._listed(each) for each in self._journal.snapshot.memory.live]

    def start(self, tell: Callable[[Event], None]) -> None:
        """Connect, and tell what happens."""
        self._tell = tell
        self._thread.start()

    def close(self) -> None:
        """Say goodbye, and return when the thread has ended."""
        if self._thread.ident is not None:
            self._order(self._end)
            self._thread.join()
        self._journal.__exit__(None, None, None)
        os.close(self._reader)
        os.close(self._writer)

    # --- orders, from any thread ------------------------------------------------------------------

    def run(self, errand: Errand) -> None:
        """Ask the bridge; the errand's end is told in the account's thread."""
        self._order(lambda: self._errands.run(errand))

    def mark_seen(self, mail_id: str) -> None:
        """Mark a mail as seen; it leaves every device."""
        self._order(lambda: self._seen.want([mail_id]))

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.put(order)
        os.write(self._writer, b"\0")

    def _end(self) -> None:
        self._ended = True

    # --- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        with ExitStack() as stack:
            stack.enter_context(self._relay)
            stack.callback(self._session.close)
            self._alarm.connected()
            self._device.show_unshown()
            try:
                while not self._ended:
                    self._step()
            except (ClientError, OSError) as error:
                self._tell(AccountSaid(self.name, str(error), fatal=True))

    def _step(self) -> None:
        was_up = self._session.up
        ready = self._session.step(self._timeout_s(), also=[self._reader, *self._relay.filenos()])
        requests = self._relay.requests(ready)
        now, up = self._clock(), self._session.up
        if up and not was_up:
            self._seen.resumed(now)
            self._errands.resumed(now)
            self._alarm.connected()
        errand = self._errands.request(now, up=up)
        if up:
            requests += [each for each in (self._seen.request(now), errand) if each]
            for request in requests:
                self._session.publish(self._request_topic, request)
        self._device.tend(self._session)
        self._alarm.tend(caught_up=self._device.caught_up)
        if self._reader in ready:
            for _ in os.read(self._reader, 4096):
                self._orders.get()()

    def _timeout_s(self) -> float | None:
        now, up = self._clock(), self._session.up
        deadlines = [self._alarm.due_at, self._errands.due_at(now, up=up)]
        if up:
            deadlines += [self._device.due_at(), self._seen.due_at(now)]
        known = [each for each in deadlines if each is not None]
        return max(0.0, min(known) - now) if known else None

    # --- a display --------------------------------------------------------------------------------

    def show(self, message: Shown) -> None:
        """A new mail: on record, told, and noted."""
        sequence = self._journal.announce(message.mail_id, message.payload)
        self._tell(MailCame(self.name, self._listed(message.mail_id)))
        self._journal.printed(sequence)
        self._alarm.mail(message.header)

    def come_back(self, mail_id: str) -> None:
        """A mail that was shown is in the box again."""
        self._tell(MailCame(self.name, self._listed(mail_id)))

    def vanish(self, message: Gone) -> None:
        """A mail left the box."""
        self._seen.gone(message.mail_id)
        self._tell(MailLeft(self.name, message.mail_id))

    def answer(self, reply: Reply, payload: bytes) -> None:
        """The bridge answers a request of this window, or of a command beside it."""
        if self._relay.reply(reply.request_id, payload):
            return
        self._errands.answered(reply, now=self._clock())
        refusal = self._seen.answered(reply, now=self._clock())
        if refusal is not None:
            self.notice(f"the bridge did not mark messages as seen: {refusal}")

    def notice(self, text: str) -> None:
        """Something about the connection."""
        self._tell(AccountSaid(self.name, text))

    def _listed(self, mail_id: str) -> Listed:
        snapshot = self._journal.snapshot
        try:
            header = decode_header(snapshot.headers[mail_id])
        except (ContractError, KeyError):
            header = None
        return Listed(snapshot.numbers.of(mail_id), mail_id, header)
