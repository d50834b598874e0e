"""The window: list, preview and body, attachments, search, several accounts. What a mail says is literal text."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from clients.errors import OutputError, RequestError
from clients.terminal.columns import steady
from clients.terminal.inbox.command import heading
from clients.terminal.read.destination import MemoryDestination, NewFileDestination, harmless
from clients.terminal.read.errands import Errand
from clients.terminal.read.names import safe_name
from clients.terminal.read.saving import attached, understood
from clients.terminal.screen import readable
from clients.terminal.tui.account import AccountSaid, Event, MailCame, MailLeft
from clients.terminal.tui.mail_list import ListedMail, MailList

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from clients.contract.requests import Part
    from clients.errors import ClientError
    from clients.terminal.inbox.listing import Listed
    from clients.terminal.tui.account import WindowAccount

EVERY = ""
"""The account of whom wants to see all of them."""


class AccountTold(Message):
    """An account tells something, from its own thread."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event


class WindowTask(Message):
    """Something to be done in the window's thread."""

    def __init__(self, do: Callable[[], None]) -> None:
        super().__init__()
        self.do = do


class MailApp(App[str]):
    """Mail of some accounts. The result of `run` is the last account's reason to end, if that was its end."""

    TITLE = "Postbell"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head { height: 1; background: $primary; color: $text; padding: 0 1; }
    #mails { height: 1fr; min-height: 4; }
    #search { display: none; }
    #search.wanted { display: block; }
    #reading { height: 1fr; border-top: solid $primary; padding: 0 1; }
    #parts { display: none; height: auto; max-height: 6; border: none; border-top: solid $primary; }
    #parts.some { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "seen", "Seen"),
        Binding("u", "unseen", "Unseen"),
        Binding("d", "save", "Save attachments"),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("n", "account", "Account"),
        Binding("escape", "leave_search", "Back", show=False),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, accounts: Sequence[WindowAccount], *, directory: Path) -> None:
        super().__init__()
        self._accounts: Mapping[str, WindowAccount] = {each.name: each for each in accounts}
        self._directory = directory
        self._entries: dict[tuple[str, str], ListedMail] = {}
        self._account, self._sought = EVERY, ""
        self._open: ListedMail | None = None
        self._parts: list[Part] = []
        self._marked: ListedMail | None = None
        self._said = "connecting"

    # --- the window -------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Head, list, search, reading, attachments, keys."""
        yield Static(id="head", markup=False)
        with Vertical():
            yield MailList(id="mails")
            yield Input(id="search", placeholder="sender, subject or text")
            with VerticalScroll(id="reading"):
                yield Static(id="body", markup=False)
            yield OptionList(id="parts", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Show what is known, and let the accounts begin."""
        for account in self._accounts.values():
            for listed in account.rows():
                self._take_in(account.name, listed)
        self._show()
        self.query_one(MailList).focus()
        for account in self._accounts.values():
            account.start(self._told)

    def _told(self, event: Event) -> None:
        """In an account's thread."""
        self.post_message(AccountTold(event))

    def _take_in(self, account: str, listed: Listed) -> None:
        entry = ListedMail(account, listed)
        self._entries[entry.key] = entry

    def _show(self) -> None:
        """The list, newest first, as far as account and search want it; and the line above it."""
        wanted = [each for each in self._entries.values() if self._wanted(each)]
        self.query_one(MailList).show(sorted(wanted, key=lambda each: each.key, reverse=True))
        who = self._account or ", ".join(self._accounts)
        sought = f'  "{steady(self._sought)}"' if self._sought else ""
        head = f"{who}  {len(wanted)} of {len(self._entries)}{sought}  {steady(self._said)}"
        self.query_one("#head", Static).update(Text(head, no_wrap=True, overflow="ellipsis"))

    def _wanted(self, entry: ListedMail) -> bool:
        if self._account not in {EVERY, entry.account}:
            return False
        header = entry.listed.header
        if not self._sought:
            return True
        said = () if header is None else (header.from_name, header.from_address, header.subject, header.snippet)
        return self._sought.casefold() in "\n".join(said).casefold()

    # --- what the accounts tell -------------------------------------------------------------------

    def on_account_told(self, message: AccountTold) -> None:
        """A mail came or left, or something is said."""
        match message.event:
            case MailCame(account, listed):
                self._take_in(account, listed)
            case MailLeft(account, mail_id):
                self._entries.pop((mail_id, account), None)
            case AccountSaid(account, text, fatal):
                self._said = f"{account}: {text}" if len(self._accounts) > 1 else text
                if fatal and len(self._accounts) == 1:
                    self.exit(text)
        self._changed()

    def _changed(self) -> None:
        """Draw once for all that came together."""
        if not getattr(self, "_drawing", False):
            self._drawing = True
            self.call_later(self._draw)

    def _draw(self) -> None:
        self._drawing = False
        self._show()

    def on_window_task(self, message: WindowTask) -> None:
        """An errand has ended."""
        message.do()

    # --- reading ----------------------------------------------------------------------------------

    def on_mail_list_highlighted(self) -> None:
        """What is known of the mail under the cursor, without asking for it."""
        entry = self.query_one(MailList).current
        if entry is not None and self._open is not None and entry.key == self._open.key:
            return
        self._open = None
        header = None if entry is None else entry.listed.header
        text = "" if entry is None else heading(entry.listed.mail_id, header)
        self._read(text + ("" if header is None else readable(header.snippet)))
        self._list_parts([])

    def on_mail_list_opened(self) -> None:
        """Ask for its text and its parts."""
        entry = self._open = self.query_one(MailList).current
        assert entry is not None
        key = entry.key

        def show(text: bytes) -> None:
            self.later(lambda: self._read_of(key, harmless(text)))

        def parts(answer: bytes) -> None:
            self.later(lambda: self._parts_of(key, answer))

        self._run(entry, "text", (entry.listed.mail_id,), show)
        self._run(entry, "parts", (entry.listed.mail_id,), parts)

    def _read_of(self, key: tuple[str, str], text: str) -> None:
        if self._open is not None and self._open.key == key:
            listed = self._open.listed
            self._read(heading(listed.mail_id, listed.header) + text)

    def _parts_of(self, key: tuple[str, str], answer: bytes) -> None:
        if self._open is None or self._open.key != key:
            return
        try:
            parts = understood(answer)
        except RequestError as error:
            self._tell(str(error))
            return
        self._list_parts(attached(parts))

    def _read(self, text: str) -> None:
        self.query_one("#body", Static).update(Text(text))
        self.query_one("#reading").scroll_home(animate=False)

    def _list_parts(self, parts: list[Part]) -> None:
        self._parts = parts
        options = self.query_one(OptionList)
        options.clear_options()
        for each in parts:
            named = steady(each.file_name) or "(without a name)"
            options.add_option(Option(Text(f"{each.index}  {named}  {each.size:,} bytes  {steady(each.content_type)}")))
        options.set_class(bool(parts), "some")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Save one attachment."""
        self._save(self._parts[event.option_index])

    # --- keys -------------------------------------------------------------------------------------

    def action_seen(self) -> None:
        """Mark the mail under the cursor as seen."""
        entry = self.query_one(MailList).current
        if entry is not None:
            self._marked = entry
            self._accounts[entry.account].mark_seen(entry.listed.mail_id)

    def action_unseen(self) -> None:
        """Take back what was marked last."""
        if self._marked is not None:
            self._run(self._marked, "unseen", (self._marked.listed.mail_id,), lambda _: None)

    def action_save(self) -> None:
        """Save all attachments of the open mail."""
        if not self._parts:
            self._tell("open a mail that has attachments first")
        for each in self._parts:
            self._save(each)

    def action_search(self) -> None:
        """Search in what is listed."""
        search = self.query_one("#search", Input)
        search.add_class("wanted")
        search.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list while somebody types."""
        self._sought = event.value.strip()
        self._show()

    def on_input_submitted(self) -> None:
        """Back to the list, which stays narrow."""
        self.query_one(MailList).focus()

    def action_leave_search(self) -> None:
        """Away with the search, back to the list."""
        search = self.query_one("#search", Input)
        search.value = ""
        search.remove_class("wanted")
        self.query_one(MailList).focus()

    def action_account(self) -> None:
        """The next account, and after the last all of them."""
        names = [EVERY, *self._accounts]
        self._account = names[(names.index(self._account) + 1) % len(names)]
        self._show()

    # --- errands ----------------------------------------------------------------------------------

    def _save(self, part: Part) -> None:
        assert self._open is not None
        name = safe_name(part.file_name, index=part.index, content_type=part.content_type)
        try:
            file = NewFileDestination(self._directory / name)
        except OutputError as error:
            self._tell(str(error))
            return

        def done(error: ClientError | None) -> None:
            told = f"saved {os.fsdecode(file.path)}" if error is None else str(error)
            self.later(lambda: self._tell(told))

        errand = Errand("part", (self._open.listed.mail_id, part.index), file, done)
        self._accounts[self._open.account].run(errand)

    def _run(self, entry: ListedMail, operation: str, arguments: tuple[str, ...], use: Callable[[bytes], None]) -> None:
        def done(error: ClientError | None) -> None:
            if error is not None:
                self.later(lambda: self._tell(str(error)))

        self._accounts[entry.account].run(Errand(operation, arguments, MemoryDestination(use), done))

    def later(self, do: Callable[[], None]) -> None:
        """Have the window do something, from any thread."""
        self.post_message(WindowTask(do))

    def _tell(self, text: str) -> None:
        self._said = text
        self._show()
