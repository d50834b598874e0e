"""The box as a list: columns on a terminal, lines for pipes, JSON for programs. Pure, bytes come out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from clients.contract.header import describe
from clients.contract.ids import received
from clients.terminal.columns import fit
from clients.terminal.screen import readable, sender_of, subject_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from rich.console import Console

    from clients.contract.header import Header

UNREADABLE = "(a newer client may read this)"
_MARKS = (("urgent", "!"), ("attachment", "+"), ("suspicious", "?"))


@dataclass(frozen=True, slots=True)
class Listed:
    """A mail of the box; `header` is None if it cannot be read."""

    number: int
    mail_id: str
    header: Header | None


def as_json(rows: Sequence[Listed]) -> bytes:
    """One object a line: what `watch --json` prints, `number` and `unseen`."""
    lines = []
    for row in rows:
        told = {"id": row.mail_id} if row.header is None else describe(row.mail_id, row.header)
        lines.append(json.dumps({**told, "number": row.number, "unseen": True}, ensure_ascii=False).encode())
    return b"".join(line + b"\n" for line in lines)


def as_lines(rows: Sequence[Listed], *, zone: tzinfo | None = None) -> bytes:
    """One line a mail, its columns separated by tabs."""
    lines = []
    for row in rows:
        sender, subject, snippet, flags = _told(row)
        lines.append("\t".join((str(row.number), when(row.mail_id, zone), sender, subject, snippet, ",".join(flags))))
    return "".join(line + "\n" for line in lines).encode()


def as_columns(rows: Sequence[Listed], console: Console, *, zone: tzinfo | None = None) -> bytes:
    """One line a mail, as wide as the terminal; what the mail says is never obeyed."""
    digits = max((len(str(row.number)) for row in rows), default=1)
    with console.capture() as capture:
        for row in rows:
            console.print(line(row, width=console.width, digits=digits, zone=zone), soft_wrap=True, highlight=False)
    return capture.get().encode(console.encoding, "replace")


def line(row: Listed, *, width: int, digits: int, zone: tzinfo | None = None) -> Text:
    """Number, marks, time, sender, subject and snippet in so many cells."""
    sender, subject, snippet, flags = _told(row)
    marks = "".join(mark if name in flags else " " for name, mark in _MARKS)
    room = max(8, min(28, width // 4))
    head = Text.assemble(
        (f"{row.number:>{digits}}", "bold cyan"),
        " ",
        (marks, "bold red" if "!" in marks or "?" in marks else "magenta"),
        " ",
        (when(row.mail_id, zone)[5:], "cyan"),
        "  ",
        (fit(sender, room), "bold"),
        "  ",
    )
    rest = max(0, width - head.cell_len)
    said = fit(subject, rest, fill=False)
    head.append(said)
    left = rest - Text(said).cell_len - 3
    if snippet and left > 8:
        head.append(" – " + fit(snippet, left, fill=False), "dim")
    return head


def when(mail_id: str, zone: tzinfo | None) -> str:
    """When it arrived, in local time, to the minute."""
    return f"{received(mail_id).astimezone(zone):%Y-%m-%d %H:%M}"


def _told(row: Listed) -> tuple[str, str, str, list[str]]:
    if row.header is None:
        return "", UNREADABLE, "", []
    header = row.header
    return sender_of(header), subject_of(header), readable(header.snippet), header.flag_names
