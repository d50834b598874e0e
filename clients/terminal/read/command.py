"""The command `read`, composed: which answer, through which connection, to which destination."""

from __future__ import annotations

import random
import secrets
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.contract.ids import valid_id
from clients.download import Download
from clients.errors import BridgeRefusedError, RequestError, UsageError
from clients.terminal.output import Output
from clients.terminal.read.channels import fetch
from clients.terminal.read.destination import (
    FileDestination,
    MemoryDestination,
    ReadableDestination,
    StreamDestination,
)
from clients.terminal.read.listing import none_of, print_parts
from clients.terminal.read.opening import open_channel
from clients.terminal.read.saving import save_all, understood

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clients.contract.requests import Part
    from clients.terminal.read.channels import Channel
    from clients.terminal.read.destination import Destination
    from clients.terminal.settings import Place


NO_PART = 4
"""What the bridge answers where a mail has no part of that number (docs/protocol.md)."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What is to be read of a message: its text unless something else is said."""

    mail_id: str
    raw: bool = False
    parts: bool = False
    part: int | None = None
    all_into: Path | None = None
    json: bool = False

    def check(self, output: Path | None) -> None:
        """Raise UsageError for what makes no sense."""
        if not valid_id(self.mail_id):
            raise UsageError(f"{self.mail_id!r} is not a message id: nine letters and digits such as 00t64ks8n")
        if self.raw + self.parts + (self.part is not None) + (self.all_into is not None) > 1:
            raise UsageError("--raw, --parts, --part and --all exclude one another")
        if self.json and not self.parts and self.all_into is None:
            raise UsageError("--json goes with --parts and --all")
        if output is not None and (self.parts or self.all_into is not None):
            raise UsageError("--output goes with one part, the raw message or the text")

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


class Reader:
    """Asks the bridge over one connection, an answer at a time, and shows how far each has come."""

    def __init__(self, channel: Channel, *, progress: Progressing, patience_s: float) -> None:
        self._channel = channel
        self._progress = progress
        self._patience_s = patience_s

    def read(self, operation: str, arguments: tuple[str | int, ...], into: Destination) -> None:
        """Read the answer to an operation to its end into a destination, or raise ClientError and leave nothing."""
        try:
            download = Download(
                operation,
                *arguments,
                write=into.write,
                next_request_id=lambda: secrets.randbits(32),
                jitter=random.SystemRandom().random,
                patience_s=self._patience_s,
                now=time.monotonic(),
            )
            with self._progress(operation) as advanced:
                fetch(download, self._channel, clock=time.monotonic, progress=advanced)
        except BaseException:
            into.abandon()
            raise
        into.finish()

    def parts(self, mail_id: str) -> list[Part]:
        """The parts of a mail; raises ClientError."""
        listed: list[Part] = []
        self.read("parts", (mail_id,), MemoryDestination(lambda answer: listed.extend(understood(answer))))
        return listed


def read_message(place: Place, request: ReadRequest, *, output: Path | None, patience_s: float) -> None:
    """Read it to the end, or raise ClientError and leave no half file behind."""
    request.check(output)
    destination = None if request.all_into is not None else _destination(request, output)
    with open_channel(place) as channel, progress_bars() as progress:
        reader = Reader(channel, progress=progress, patience_s=patience_s)
        if destination is None:
            assert request.all_into is not None
            stdout = Output(sys.stdout.fileno())
            save_all(reader, request.mail_id, directory=request.all_into, stdout=stdout, as_json=request.json)
            return
        try:
            reader.read(request.operation, request.arguments, destination)
        except BridgeRefusedError as refused:
            if refused.status != NO_PART:
                raise
            raise RequestError(none_of(reader.parts(request.mail_id), request.part)) from refused


def _destination(request: ReadRequest, output: Path | None) -> Destination:
    if output is not None:
        return FileDestination(output)
    stdout = Output(sys.stdout.fileno())
    if request.parts:
        return MemoryDestination(lambda answer: print_parts(understood(answer), stdout, as_json=request.json))
    if request.operation == "text" or sys.stdout.isatty():
        return ReadableDestination(stdout, surely_text=request.operation == "text")
    return StreamDestination(stdout)


Progressing = Callable[[str], AbstractContextManager[Callable[[int, "int | None"], None]]]


@contextmanager
def progress_bars() -> Iterator[Progressing]:
    """A bar for each operation on a terminal; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda _operation: nullcontext(lambda _have, _total: None)
        return
    from clients.terminal.read.progress import Bars  # noqa: PLC0415 - rich, for a terminal alone

    with Bars() as bars:
        yield bars.of
