"""What a message looks like: JSON, a plain line, or two lines on a terminal. Pure, bytes come out.

Text from mail never gets a chance to command a terminal: the decoder has taken out control
characters, and here what reorders or hides text on a human's screen goes as well.
"""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Protocol

from rich.text import Text

from clients.contract.header import describe
from clients.contract.ids import received

if TYPE_CHECKING:
    from datetime import tzinfo

    from rich.console import Console

    from clients.contract.header import Header

_JOINERS = {"\u200c", "\u200d"}  # Persian and Indic words and emoji need them
_LOUD = {"urgent": "bold red", "suspicious": "bold yellow", "bounce": "yellow"}


class Screen(Protocol):
    """A way to show messages. Each result is a whole entry that ends with a line break, or empty."""

    def shown(self, mail_id: str, header: Header, number: int = 0) -> bytes:
        """The entry of a new message; `number` is what people call it by."""

    def gone(self, mail_id: str, header: Header | None) -> bytes:
        """The entry of a message that vanished; `header` is None if an earlier run showed it."""


class JsonScreen:
    """One JSON object a line, for programs."""

    def __init__(self, *, with_gone: bool) -> None:
        self._with_gone = with_gone

    def shown(self, mail_id: str, header: Header, number: int = 0) -> bytes:
        """The object that `last` and `event` show, too."""
        del number
        return _json_line(describe(mail_id, header))

    def gone(self, mail_id: str, header: Header | None) -> bytes:
        """`{"id": …, "gone": true}`, if wanted."""
        del header
        return _json_line({"id": mail_id, "gone": True}) if self._with_gone else b""


class PlainScreen:
    """One line of text a message, in local time, for pipes and files."""

    def __init__(self, *, with_gone: bool, zone: tzinfo | None = None) -> None:
        self._with_gone = with_gone
        self._zone = zone

    def shown(self, mail_id: str, header: Header, number: int = 0) -> bytes:
        """Time, sender, subject, snippet and flags."""
        del number
        return self._line(mail_id, header).encode() + b"\n"

    def gone(self, mail_id: str, header: Header | None) -> bytes:
        """The line again, marked, if wanted."""
        if not self._with_gone:
            return b""
        line = f"{_time(mail_id, self._zone)}  gone" if header is None else self._line(mail_id, header)
        return (line + ("" if header is None else "  (gone)")).encode() + b"\n"

    def _line(self, mail_id: str, header: Header) -> str:
        flags = f"  [{', '.join(header.flag_names)}]" if header.flag_names else ""
        snippet = f" – {readable(header.snippet)}" if header.snippet else ""
        return f"{_time(mail_id, self._zone)}  {sender_of(header)}: {subject_of(header)}{snippet}{flags}"


class TerminalScreen:
    """Two coloured lines a message; vanished ones are struck out, if that is wanted."""

    def __init__(self, console: Console, *, with_gone: bool, zone: tzinfo | None = None) -> None:
        self._console = console
        self._with_gone = with_gone
        self._zone = zone

    def shown(self, mail_id: str, header: Header, number: int = 0) -> bytes:
        """Time, sender and flags; below them number, subject and snippet."""
        head = Text.assemble((_time(mail_id, self._zone), "cyan"), "  ", (sender_of(header), "bold"))
        if header.from_name and header.from_address:
            head.append(f"  <{readable(header.from_address)}>", "dim")
        for name in header.flag_names:
            head.append(f"  {name.replace('_', ' ')}", _LOUD.get(name, "magenta"))
        body = Text.assemble((f"{number or '':>3} ", "bold cyan"), (subject_of(header), "default"))
        if header.snippet:
            body.append(f" – {readable(header.snippet)}", "dim")
        return self._render(head, body)

    def gone(self, mail_id: str, header: Header | None) -> bytes:
        """Its time, sender and subject, struck out."""
        if not self._with_gone:
            return b""
        what = "a message shown earlier" if header is None else f"{sender_of(header)}: {subject_of(header)}"
        return self._render(Text(f"{_time(mail_id, self._zone)}  {what}", "dim strike"))

    def _render(self, *lines: Text) -> bytes:
        with self._console.capture() as capture:
            for line in lines:
                self._console.print(line, highlight=False, markup=False, overflow="fold")
        return capture.get().encode(self._console.encoding, "replace")


def readable(text: str) -> str:
    """The text without what is invisible or turns the direction of what follows."""
    return "".join(char for char in text if char in _JOINERS or unicodedata.category(char) != "Cf")


def sender_of(header: Header) -> str:
    """Who wrote it, as readers call them."""
    return readable(header.from_name or header.from_address) or "(unknown sender)"


def subject_of(header: Header) -> str:
    """What it is about."""
    return readable(header.subject) or "(no subject)"


def _time(mail_id: str, zone: tzinfo | None) -> str:
    return f"{received(mail_id).astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _json_line(value: dict[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
