"""The command `watch`, composed."""

from __future__ import annotations

import os
import random
import secrets
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from clients.backoff import Backoff
from clients.device import Device
from clients.journal.networks import NetworkMemory
from clients.keepalive import Keepalive
from clients.relay import Relay, relay_path
from clients.seen import SeenRequests
from clients.session import Session
from clients.terminal.desktop import desktop_of_session
from clients.terminal.inbox.listing import as_columns
from clients.terminal.network import network_of
from clients.terminal.notice import notice
from clients.terminal.output import Output
from clients.terminal.read.errands import Errands
from clients.terminal.screen import JsonScreen, PlainScreen, Screen, TerminalScreen
from clients.terminal.settings import PASSWORD_VARIABLE, login_of, mailbox_of, state_path
from clients.terminal.sleep import asleep_s
from clients.terminal.watch.alarm import Alarm
from clients.terminal.watch.display import Effects, WatchDisplay
from clients.terminal.watch.hook import Hook
from clients.terminal.watch.key_commands import KeyCommands
from clients.terminal.watch.keys import Keys
from clients.terminal.watch.loop import Watch
from clients.terminal.watch.opening import journal_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.terminal.settings import Place


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How mail is shown: as given on the command line. `bell` None means: on a terminal."""

    json: bool
    gone: bool
    mark_seen: bool
    command: str | None
    bell: bool | None
    notify: bool = False

    @property
    def on_terminal(self) -> bool:
        """Whether a human looks at standard output."""
        return sys.stdout.isatty() and not self.json

    def screen(self) -> Screen:
        """What fits standard output."""
        if self.json:
            return JsonScreen(with_gone=self.gone)
        if self.on_terminal:  # with --ack all vanishes at once, and would be struck out for nothing
            return TerminalScreen(Console(), with_gone=self.gone or not self.mark_seen)
        return PlainScreen(with_gone=self.gone)

    def effects(self, clock: Callable[[], float]) -> Effects:
        """What a mail sets off once it is shown."""
        wants_bell = self.on_terminal if self.bell is None else self.bell
        return Effects(
            alarm=Alarm(
                bell=_ring_bell if wants_bell and sys.stderr.isatty() else None,
                desktop=desktop_of_session() if self.notify else None,
                clock=clock,
            ),
            hook=None if self.command is None else Hook(self.command, hidden=(PASSWORD_VARIABLE,)),
            mark_seen=self.mark_seen,
        )

    def keys(self) -> Keys | None:
        """The keyboard, if there is one."""
        return Keys(sys.stdin.fileno()) if self.on_terminal and sys.stdin.isatty() else None


def watch_mail(place: Place, options: WatchOptions) -> None:
    """Watch until a signal or a key ends it. Raises ClientError."""
    mailbox = mailbox_of(place)
    login = login_of(place, mailbox)
    path = state_path(place, mailbox)
    clock, jitter = time.monotonic, random.SystemRandom().random
    with journal_of(place, path) as journal:
        seen = SeenRequests(next_request_id=lambda: secrets.randbits(32), jitter=jitter)
        errands = Errands(next_request_id=lambda: secrets.randbits(32), jitter=jitter)
        output = Output(sys.stdout.fileno())
        relay, effects = Relay(relay_path(path)), options.effects(clock)
        display = WatchDisplay(
            journal=journal,
            output=output,
            screen=options.screen(),
            seen=seen,
            relay=relay,
            effects=effects,
            notice=notice,
            clock=clock,
            errands=errands,
        )
        device = Device(mailbox=mailbox, journal=journal, display=display, clock=clock)
        session = Session(
            login,
            filters=mailbox.filters,
            renewed=mailbox.renewed,
            subscription=journal.snapshot.subscription,
            listener=device,
            clock=clock,
            asleep=asleep_s,
            backoff=Backoff(jitter=jitter),
            keepalive=Keepalive(clock=clock, wall_ms=lambda: time.time_ns() // 1_000_000, fixed_s=place.keepalive_s),
            networks=NetworkMemory(journal, name_of=network_of),
        )
        if options.on_terminal:
            notice(f"{mailbox.username} at {login.endpoint}  (o: open the newest, s: seen, ?: all keys, q: quit)")
        display.recover()
        Watch(
            session=session,
            device=device,
            seen=seen,
            relay=relay,
            effects=effects,
            request_topic=mailbox.requests,
            keys=options.keys(),
            clock=clock,
            desk=KeyCommands(
                device=device,
                snapshot=lambda: journal.snapshot,
                seen=seen,
                errands=errands,
                output=output,
                list_rows=lambda rows: as_columns(rows, Console()),
                notice=notice,
                echo=_echo,
            ),
            errands=errands,
        ).run()


def _echo(text: str) -> None:
    os.write(sys.stderr.fileno(), text.encode())


def _ring_bell() -> None:
    os.write(sys.stderr.fileno(), b"\a")
