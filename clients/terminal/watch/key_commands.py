"""What keys do in `watch`: a mail is opened, saved, marked; by its number, or the newest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from clients.contract.errors import ContractError
from clients.contract.header import decode_header
from clients.terminal.inbox.command import heading
from clients.terminal.inbox.listing import Listed
from clients.terminal.read.destination import MemoryDestination, NewFileDestination, ReadableDestination
from clients.terminal.read.errands import Errand
from clients.terminal.read.names import safe_name
from clients.terminal.read.saving import attached, understood
from clients.terminal.screen import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clients.contract.header import Header
    from clients.contract.requests import Part
    from clients.device import Device
    from clients.errors import ClientError
    from clients.journal.snapshot import Snapshot
    from clients.seen import SeenRequests
    from clients.terminal.output import Output
    from clients.terminal.read.errands import Errands

KEYS = "o open, d save attachments, s seen, u unseen: of the newest, or as 3o of mail 3. l list, a all seen, q quit"
_DIGITS_AT_MOST = 5


class KeyCommands:
    """Takes the keys of a watcher, one by one; `quit` says whether that was wished for."""

    def __init__(
        self,
        *,
        device: Device,
        snapshot: Callable[[], Snapshot],
        seen: SeenRequests,
        errands: Errands,
        output: Output,
        list_rows: Callable[[Sequence[Listed]], bytes],
        notice: Callable[[str], None],
        echo: Callable[[str], None],
        directory: Path = Path(),
    ) -> None:
        self._device, self._snapshot, self._seen, self._errands = device, snapshot, seen, errands
        self._output, self._list_rows = output, list_rows
        self._notice, self._echo, self._directory = notice, echo, directory
        self._number = ""
        self._marked: list[str] = []
        self.quit = False

    def press(self, key: str) -> None:
        """One key."""
        if key.isascii() and key.isdigit() and len(self._number) < _DIGITS_AT_MOST:
            self._number += key
            self._echo(key)
        else:
            number, self._number = self._number, ""
            self._echo("\r" + " " * len(number) + "\r" if number else "")
            self._do(key, number)

    def _do(self, key: str, number: str) -> None:
        match key:
            case "q":
                self.quit = True
            case "?":
                self._notice(KEYS)
            case "l":
                self._list()
            case "a":
                self._mark(self._unmarked())
            case "u":
                self._unsee([self._meant(number)] if number else self._marked)
            case "s" | "o" | "d":
                mail_id = self._meant(number)
                if mail_id is not None:
                    {"s": self._mark_one, "o": self._open, "d": self._save}[key](mail_id)

    def _unmarked(self) -> list[str]:
        return [each for each in self._device.live if not self._seen.wanted(each)]

    def _meant(self, number: str) -> str | None:
        """The mail of this number, else the newest that is not marked."""
        if number:
            mail_id = self._snapshot().numbers.mail(int(number))
            if mail_id is None:
                self._notice(f"there is no mail {number}")
            return mail_id
        unmarked = self._unmarked()
        return unmarked[-1] if unmarked else None

    # --- one key each -----------------------------------------------------------------------------

    def _mark(self, ids: list[str]) -> None:
        self._marked = ids
        self._seen.want(ids)

    def _mark_one(self, mail_id: str) -> None:
        self._mark([mail_id])

    def _unsee(self, ids: Sequence[str | None]) -> None:
        known = tuple(each for each in ids if each is not None)
        if known:
            self._seen.forget(known)
            self._errands.run(Errand("unseen", known, MemoryDestination(lambda _: None), self._failed))

    def _list(self) -> None:
        snapshot = self._snapshot()
        rows = [Listed(snapshot.numbers.of(each), each, self._header(each)) for each in self._device.live]
        self._output.write(self._list_rows(rows))
        if not rows:
            self._notice("nothing is unseen")

    def _open(self, mail_id: str) -> None:
        header = self._header(mail_id)

        def show(text: bytes) -> None:
            shown = ReadableDestination(self._output)
            shown.write(b"\n" + heading(mail_id, header).encode() + text.rstrip() + b"\n")
            shown.finish()

        self._errands.run(Errand("text", (mail_id,), MemoryDestination(show), self._failed))

    def _save(self, mail_id: str) -> None:
        def found(answer: bytes) -> None:
            parts = attached(understood(answer))
            for part in parts:
                self._save_part(mail_id, part)
            if not parts:
                self._notice("this mail has no attachments")

        self._errands.run(Errand("parts", (mail_id,), MemoryDestination(found), self._failed))

    def _save_part(self, mail_id: str, part: Part) -> None:
        name = safe_name(part.file_name, index=part.index, content_type=part.content_type)
        file = NewFileDestination(self._directory / name)

        def done(error: ClientError | None) -> None:
            if error is None:
                self._notice(f"saved {readable(os.fsdecode(file.path))}")
            self._failed(error)

        self._errands.run(Errand("part", (mail_id, part.index), file, done))

    def _failed(self, error: ClientError | None) -> None:
        if error is not None:
            self._notice(str(error))

    def _header(self, mail_id: str) -> Header | None:
        try:
            return decode_header(self._snapshot().headers[mail_id])
        except (ContractError, KeyError):
            return None
