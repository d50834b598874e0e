"""`watch --tui`, as far as it needs no Textual: what may be asked for, and what is said where Textual is not there."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.errors import UsageError
from clients.terminal.desktop import desktop_of_session
from clients.terminal.settings import account_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clients.terminal.settings import Place


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """As given on the command line; `plain` are options of the plain watcher, which do not go with the window."""

    accounts: Sequence[Path]
    bell: bool
    notify: bool
    plain: bool


def watch_in_window(place: Place, options: WindowOptions) -> None:
    """Show the accounts until the user has seen enough. Raises ClientError."""
    if options.plain:
        raise UsageError("--tui shows mail in a window; --json, --gone, --ack and --exec go with the plain watcher")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("--tui needs a terminal")
    places = [place, *(account_of(each) for each in options.accounts)]
    if len({each.device for each in places}) < len(places):
        raise UsageError("--account names a device that is there already")
    try:
        from clients.terminal.tui.command import run_window  # noqa: PLC0415 - half a second, for who wants it alone
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "textual":
            raise
        raise UsageError("--tui needs Textual, which is not installed here: pip install 'postbell[tui]'") from error
    run_window(places, bell=options.bell, desktop=desktop_of_session() if options.notify else None)
