"""`read --all`: every attachment of a mail into files of a directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from clients.contract.errors import ContractError
from clients.contract.requests import decode_parts
from clients.errors import OutputError, RequestError
from clients.terminal.notice import notice
from clients.terminal.read.destination import NewFileDestination
from clients.terminal.read.names import safe_name
from clients.terminal.screen import readable

if TYPE_CHECKING:
    from pathlib import Path

    from clients.contract.requests import Part
    from clients.terminal.output import Output
    from clients.terminal.read.destination import Destination

_BODIES = {"text/plain", "text/html"}


class Reading(Protocol):
    """Reads answers of the bridge."""

    def read(self, operation: str, arguments: tuple[str | int, ...], into: Destination) -> None:
        """Read the answer to an operation into a destination, to the end or not at all; raises ClientError."""

    def parts(self, mail_id: str) -> list[Part]:
        """The parts of a mail; raises ClientError."""


def save_all(
    reader: Reading,
    mail_id: str,
    *,
    directory: Path,
    stdout: Output,
    as_json: bool,
) -> None:
    """Save them and say where each is; raises ClientError. What was saved before an error stays."""
    parts = attached(reader.parts(mail_id))
    if not parts:
        notice("this mail has no attachments")
        return
    _make(directory)
    for part in parts:
        name = safe_name(part.file_name, index=part.index, content_type=part.content_type)
        file = NewFileDestination(directory / name)
        reader.read("part", (mail_id, part.index), file)
        if as_json:
            told = {"index": part.index, "content_type": part.content_type, "size": file.size, "file": str(file.path)}
            stdout.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")
        else:
            stdout.write(f"{readable(str(file.path))}\n".encode(errors="replace"))


def attached(parts: list[Part]) -> list[Part]:
    """Those parts that are no bodies."""
    return [part for part in parts if part.file_name or part.content_type not in _BODIES]


def understood(answer: bytes) -> list[Part]:
    """The list of parts; raises RequestError."""
    try:
        return decode_parts(answer)
    except ContractError as error:
        raise RequestError(f"the bridge sent a list that cannot be read: {error}") from error


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the directory {directory}: {error.strerror}") from error
