"""The command `inbox`, composed: the box is brought up to date, and listed; or something is done with its mails."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from clients.contract.errors import ContractError
from clients.contract.header import decode_header
from clients.contract.requests import decode_recent
from clients.errors import ClientError, LoginRefusedError, RequestError, UsageError
from clients.terminal.inbox.listing import Listed, as_columns, as_json, as_lines, when
from clients.terminal.inbox.orders import Action, Order, named
from clients.terminal.notice import notice
from clients.terminal.output import Output
from clients.terminal.read.command import Reader, progress_bars
from clients.terminal.read.destination import MemoryDestination, NewFileDestination, ReadableDestination
from clients.terminal.read.listing import none_of
from clients.terminal.read.names import safe_name
from clients.terminal.read.opening import open_channel
from clients.terminal.read.saving import save_all
from clients.terminal.screen import readable, sender_of, subject_of

if TYPE_CHECKING:
    from pathlib import Path

    from clients.contract.header import Header
    from clients.journal.snapshot import Snapshot
    from clients.terminal.read.channels import GuestChannel, OwnChannel
    from clients.terminal.settings import Place

IDS_PER_REQUEST = 200
RECENT = 100
UNTOLD_S = 4.0
"""A broker that has no digest for so long after it has let us in has none: the bridge has yet to say something."""
SETTLES_S = 3.0
"""How long what was marked may take to show. A digest is up to a second late, and what is too old never comes."""
LOOKS_S = 0.1


@dataclass(frozen=True, slots=True)
class InboxOptions:
    """How it is shown, and where attachments go."""

    json: bool
    into: Path
    patience_s: float


def look_into(place: Place, words: list[str], options: InboxOptions) -> None:
    """Do what the words say. Raises ClientError."""
    order = Order.of(words)
    if options.json and order.action not in {Action.LIST, Action.SAVE}:
        raise UsageError("--json goes with the list and with save")
    with open_channel(place) as channel, progress_bars() as progress:
        inbox = InboxCommand(channel, Reader(channel, progress=progress, patience_s=options.patience_s), options)
        inbox.do(order)


class InboxCommand:
    """One device's box for the time of a command."""

    def __init__(self, channel: OwnChannel | GuestChannel, reader: Reader, options: InboxOptions) -> None:
        self._channel, self._reader, self._options = channel, reader, options
        self._stdout = Output(sys.stdout.fileno())

    def do(self, order: Order) -> None:
        """Do it; raises ClientError."""
        if order.action is Action.LIST:
            late = self._catch_up()
            self._list(fill=late is None)
            if late is not None:
                raise late
            return
        ids = self._named(order)
        match order.action:
            case Action.OPEN:
                self._open(ids[0])
            case Action.SAVE:
                self._save(ids[0], order.part)
            case _:  # seen or unseen
                self._mark(order.action.value, ids)

    def _named(self, order: Order) -> list[str]:
        """The mails that are meant, brought up to date where the record does not know them."""
        try:
            return self._known(order)
        except UsageError:
            late = self._catch_up()
            if late is not None:
                raise late from None
            return self._known(order)

    def _known(self, order: Order) -> list[str]:
        snapshot = self._channel.snapshot()
        ids = named(order.mails, snapshot.memory.live, snapshot.numbers)
        if not ids:
            raise UsageError("that is no mail of this box; `list` shows the numbers")
        return ids

    def _catch_up(self) -> ClientError | None:
        """Wait until all that is live has come; what is said if that does not happen in time."""
        end_at = time.monotonic() + self._options.patience_s
        up_at: float | None = None
        while not self._channel.caught_up:
            now = time.monotonic()
            up_at = (up_at or now) if self._channel.up else None
            if up_at is not None and now - up_at >= UNTOLD_S:
                return None
            if now >= end_at:
                return RequestError("the broker was not reached: this is the box as it was known last")
            self._channel.step(min(1.0, end_at - now))
        return None

    # --- one action each --------------------------------------------------------------------------

    def _list(self, *, fill: bool) -> None:
        rows = self._rows(self._channel.snapshot(), fill=fill)
        if self._options.json:
            self._stdout.write(as_json(rows))
        elif not sys.stdout.isatty():
            self._stdout.write(as_lines(rows))
        elif rows:
            self._stdout.write(as_columns(rows, Console()))
        else:
            notice("nothing is unseen")

    def _rows(self, snapshot: Snapshot, *, fill: bool) -> list[Listed]:
        headers = {mail_id: _read(payload) for mail_id, payload in snapshot.headers.items()}
        live = sorted(snapshot.memory.live)
        if fill and any(mail_id not in headers for mail_id in live):  # a state file of an earlier version had none
            headers = {**self._recent(), **headers}
        return [Listed(snapshot.numbers.of(mail_id), mail_id, headers.get(mail_id)) for mail_id in live]

    def _recent(self) -> dict[str, Header | None]:
        found: dict[str, Header | None] = {}
        try:
            self._reader.read(
                "recent", (RECENT,), MemoryDestination(lambda answer: found.update(decode_recent(answer)))
            )
        except LoginRefusedError:
            raise
        except (ClientError, ContractError) as error:
            notice(f"some headers are missing: {error}")
        return found

    def _open(self, mail_id: str) -> None:
        snapshot = self._channel.snapshot()
        header = _read(snapshot.headers.get(mail_id, b""))
        body = bytearray()
        self._reader.read("text", (mail_id,), MemoryDestination(body.extend))
        shown = ReadableDestination(self._stdout)
        shown.write(heading(mail_id, header).encode() + bytes(body))
        shown.finish()

    def _save(self, mail_id: str, part: int | None) -> None:
        into = self._options.into
        if part is None:
            save_all(self._reader, mail_id, directory=into, stdout=self._stdout, as_json=self._options.json)
            return
        listed = self._reader.parts(mail_id)
        found = next((each for each in listed if each.index == part), None)
        if found is None:
            raise RequestError(none_of(listed, part))
        name = safe_name(found.file_name, index=part, content_type=found.content_type)
        file = NewFileDestination(into / name)
        self._reader.read("part", (mail_id, part), file)
        self._stdout.write(f"{readable(str(file.path))}\n".encode(errors="replace"))

    def _mark(self, operation: str, ids: list[str]) -> None:
        for start in range(0, len(ids), IDS_PER_REQUEST):
            some = tuple(ids[start : start + IDS_PER_REQUEST])
            self._reader.read(operation, some, MemoryDestination(lambda _: None))
        self._wait_for(set(ids), shown=operation == Action.UNSEEN.value)

    def _wait_for(self, ids: set[str], *, shown: bool) -> None:
        """Wait until the box shows what was done, as far as it ever does: the next list has it then."""
        end_at = time.monotonic() + SETTLES_S
        with suppress(ClientError):  # what was asked for is done
            while (left := end_at - time.monotonic()) > 0:
                if ids & self._channel.snapshot().memory.live.keys() == (ids if shown else set()):
                    return
                self._channel.step(min(LOOKS_S, left))


def heading(mail_id: str, header: Header | None) -> str:
    """What stands above the text of a mail."""
    if header is None:
        return f"{when(mail_id, None)}\n\n"
    sender = sender_of(header)
    if header.from_name and header.from_address:
        sender += f" <{readable(header.from_address)}>"
    flags = ", ".join(header.flag_names).replace("_", " ")
    lines = [f"From     {sender}", f"Subject  {subject_of(header)}", f"Arrived  {when(mail_id, None)}"]
    return "\n".join([*lines, *([f"Flags    {flags}"] if flags else []), "", ""])


def _read(payload: bytes) -> Header | None:
    try:
        return decode_header(payload)
    except ContractError:
        return None
