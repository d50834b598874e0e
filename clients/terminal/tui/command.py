"""The window, composed."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from clients.errors import ClientError
from clients.terminal.tui.account import WindowAccount
from clients.terminal.tui.app import MailApp
from clients.terminal.watch.alarm import Alarm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clients.terminal.settings import Place
    from clients.terminal.watch.alarm import Desktop


def run_window(places: Sequence[Place], *, bell: bool, desktop: Desktop | None) -> None:
    """Show the accounts until the user has seen enough. Raises ClientError."""
    windows: list[MailApp] = []

    def sound() -> None:
        for each in windows:
            each.later(each.bell)

    with ExitStack() as stack:
        accounts = []
        for place in places:
            alarm = Alarm(bell=sound if bell else None, desktop=desktop, clock=time.monotonic)
            accounts.append(WindowAccount(place, alarm=alarm))
            stack.callback(accounts[-1].close)
        windows.append(MailApp(accounts, directory=Path()))
        ended = windows[0].run()
    if ended:
        raise ClientError(ended)
