"""The list of mails: only the lines that are seen are drawn, however many there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from clients.terminal.inbox.listing import Listed, line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

_CURSOR = Style(reverse=True)


@dataclass(frozen=True, slots=True)
class ListedMail:
    """A mail of one account."""

    account: str
    listed: Listed

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others; by id, so by age."""
        return self.listed.mail_id, self.account


class MailList(ScrollView, can_focus=True):
    """Entries, one a line, and a cursor on one of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "move(-1000000)", "First", show=False),
        Binding("end", "move(1000000)", "Last", show=False),
        Binding("enter", "open", "Open"),
    ]

    class Highlighted(Message):
        """The cursor is on another mail, or on none."""

    class Opened(Message):
        """The mail under the cursor is to be opened."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual calls it so
        super().__init__(id=id)
        self._entries: list[ListedMail] = []
        self._cursor = 0

    @property
    def current(self) -> ListedMail | None:
        """The entry under the cursor."""
        return self._entries[self._cursor] if self._entries else None

    def show(self, entries: Sequence[ListedMail]) -> None:
        """Show these; the cursor stays on its mail, or where it was."""
        current = self.current
        self._entries = list(entries)
        keys = [each.key for each in self._entries]
        if current is not None and current.key in keys:
            self._cursor = keys.index(current.key)
        self._cursor = max(0, min(self._cursor, len(keys) - 1))
        self._measure()
        self.refresh()
        if self.current != current:
            self.post_message(self.Highlighted())

    def _measure(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._entries))

    # --- Textual ----------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Lines are as wide as the list."""
        self._measure()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of what is seen."""
        at, width = y + self.scroll_offset.y, self.scrollable_content_region.width
        if at >= len(self._entries):
            return Strip.blank(width, self.rich_style)
        digits = len(str(max(99, self._entries[at].listed.number)))
        text = line(self._entries[at].listed, width=width, digits=digits)
        if at == self._cursor:
            text.spans.clear()  # one bar: reversed, each colour would be a block of its own
        strip = Strip(list(text.render(self.app.console)), text.cell_len).adjust_cell_length(width)
        return strip.apply_style(_CURSOR if at == self._cursor else self.rich_style)

    def on_click(self, event: events.Click) -> None:
        """The cursor goes where the mouse is."""
        self.action_move(event.y + self.scroll_offset.y - self._cursor)

    def action_move(self, by: int) -> None:
        """Move the cursor by so many mails."""
        before, self._cursor = self._cursor, max(0, min(self._cursor + by, len(self._entries) - 1))
        if before != self._cursor:
            self.scroll_to_region(Region(0, self._cursor, 1, 1), animate=False)
            self.refresh()
            self.post_message(self.Highlighted())

    def action_page(self, by: int) -> None:
        """Move the cursor by so many pages."""
        self.action_move(by * max(1, self.scrollable_content_region.height - 1))

    def action_open(self) -> None:
        """Open the mail under the cursor."""
        if self.current is not None:
            self.post_message(self.Opened())
