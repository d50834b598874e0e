"""The command `read`, composed: which answer, through which connection, to which destination."""

from __future__ import annotations

import json
import random
import secrets
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from clients.backoff import Backoff
from clients.contract.errors import ContractError
from clients.contract.ids import valid_id
from clients.contract.requests import decode_parts
from clients.device import Device
from clients.download import Download
from clients.errors import RequestError, StateLockedError, UsageError
from clients.journal.file import Journal
from clients.relay import join, relay_path
from clients.session import Session
from clients.terminal.notice import notice
from clients.terminal.output import Output
from clients.terminal.read.channels import GuestChannel, OwnChannel, RecordingDisplay, fetch
from clients.terminal.read.destination import (
    FileDestination,
    MemoryDestination,
    ReadableDestination,
    StreamDestination,
)
from clients.terminal.screen import readable
from clients.terminal.settings import login_of, mailbox_of, state_path
from clients.terminal.sleep import asleep_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clients.contract.requests import Part
    from clients.terminal.read.channels import Channel
    from clients.terminal.read.destination import Destination
    from clients.terminal.settings import Place


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What is to be read of a message: its text unless something else is said."""

    mail_id: str
    raw: bool
    parts: bool
    part: int | None
    json: bool

    def check(self) -> None:
        """Raise UsageError for what makes no sense."""
        if not valid_id(self.mail_id):
            raise UsageError(f"{self.mail_id!r} is not a message id: nine letters and digits such as 00t64ks8n")
        if self.raw + self.parts + (self.part is not None) > 1:
            raise UsageError("--raw, --parts and --part exclude one another")
        if self.json and not self.parts:
            raise UsageError("--json goes with --parts")

    @property
    def operation(self) -> str:
        """The operation of the bridge that gives it."""
        if self.part is not None:
            return "part"
        return "raw" if self.raw else "parts" if self.parts else "text"

    @property
    def arguments(self) -> tuple[str | int, ...]:
        """The operation's arguments before the offset."""
        return (self.mail_id,) if self.part is None else (self.mail_id, self.part)


def read_message(place: Place, request: ReadRequest, *, output: Path | None, patience_s: float) -> None:
    """Read it to the end, or raise ClientError and leave no half file behind."""
    request.check()
    destination = _destination(request, output)
    try:
        download = Download(
            request.operation,
            *request.arguments,
            write=destination.write,
            next_request_id=lambda: secrets.randbits(32),
            jitter=random.SystemRandom().random,
            patience_s=patience_s,
            now=time.monotonic(),
        )
        with _channel(place) as channel, _progress(request.operation) as progress:
            fetch(download, channel, clock=time.monotonic, progress=progress)
    except BaseException:
        destination.abandon()
        raise
    destination.finish()


def _destination(request: ReadRequest, output: Path | None) -> Destination:
    if request.parts:
        return MemoryDestination(lambda answer: _print_parts(answer, as_json=request.json))
    if output is not None:
        return FileDestination(output)
    stdout = Output(sys.stdout.fileno())
    if request.operation == "text" or sys.stdout.isatty():
        return ReadableDestination(stdout)
    return StreamDestination(stdout)


@contextmanager
def _channel(place: Place) -> Iterator[Channel]:
    """The device's own session; or, when a watcher has it, a seat in the watcher's."""
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
            yield GuestChannel(sock)
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
            yield OwnChannel(session=session, device=device, display=display, request_topic=mailbox.requests)
        finally:
            session.close()


@contextmanager
def _progress(operation: str) -> Iterator[Callable[[int, int | None], None]]:
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(operation, total=None)
        yield lambda have, total: bar.update(task, completed=have, total=total)


def _print_parts(answer: bytes, *, as_json: bool) -> None:
    try:
        listed = decode_parts(answer)
    except ContractError as error:
        raise RequestError(f"the bridge sent a list that cannot be read: {error}") from error
    stdout = Output(sys.stdout.fileno())
    if as_json:
        for each in listed:
            stdout.write(json.dumps(asdict(each), ensure_ascii=False).encode() + b"\n")
    elif sys.stdout.isatty():
        Console().print(_table(listed))
    else:
        for each in listed:
            row = (str(each.index), readable(each.content_type), str(each.size), readable(each.file_name))
            stdout.write("\t".join(row).encode() + b"\n")


def _table(listed: list[Part]) -> Table:
    table = Table("part", "type", "size", "file name", box=None)
    for each in listed:
        row = (str(each.index), readable(each.content_type), f"{each.size:,}", readable(each.file_name))
        table.add_row(*(Text(cell) for cell in row))
    return table
