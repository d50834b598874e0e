"""A way to ask the bridge for a command that lasts for a moment: the device's own session, or a seat in a watcher's."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clients.backoff import Backoff
from clients.device import Device
from clients.errors import StateLockedError
from clients.journal.file import Journal
from clients.relay import join, relay_path
from clients.session import Session
from clients.terminal.notice import notice
from clients.terminal.read.channels import GuestChannel, OwnChannel, RecordingDisplay
from clients.terminal.settings import login_of, mailbox_of, state_path
from clients.terminal.sleep import asleep_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients.terminal.settings import Place


@contextmanager
def open_channel(place: Place) -> Iterator[OwnChannel | GuestChannel]:
    """The device's own session; or, when a watcher has it, a seat in the watcher's. Raises ClientError."""
    mailbox = mailbox_of(place)
    path = state_path(place, mailbox)
    try:
        journal = Journal(path)
    except StateLockedError as locked:
        try:
            sock = join(relay_path(path))
        except OSError:
            raise locked from None
        with sock:
            yield GuestChannel(sock, state=path)
        return
    with journal:
        display = RecordingDisplay(journal=journal, notice=notice)
        device = Device(mailbox=mailbox, journal=journal, display=display, clock=time.monotonic)
        session = Session(
            login_of(place, mailbox),
            filters=mailbox.filters,
            renewed=mailbox.renewed,
            subscription=journal.snapshot.subscription,
            listener=device,
            clock=time.monotonic,
            asleep=asleep_s,
            backoff=Backoff(jitter=random.SystemRandom().random),
        )
        try:
            yield OwnChannel(
                session=session, device=device, journal=journal, display=display, request_topic=mailbox.requests
            )
        finally:
            session.close()
