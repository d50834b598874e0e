"""Notifications of the desktop, over the session bus (Desktop Notifications Specification 1.2)."""

from __future__ import annotations

import contextlib
import html
from typing import Any

from clients.terminal.notice import notice

_NAME = "org.freedesktop.Notifications"
_PATH = "/org/freedesktop/Notifications"
_ANSWER_S = 3.0


class NoDesktopError(Exception):
    """There is nobody to notify; the text says why, in a few words."""


class SessionBusDesktop:
    """A desktop that shows notifications. Raises NoDesktopError where there is none."""

    def __init__(self) -> None:
        self._bus = _open()

    def notify(self, title: str, body: str) -> None:
        """Show one. Nobody waits for the desktop, and what it cannot show is not shown."""
        from jeepney import DBusAddress, MessageFlag, new_method_call  # noqa: PLC0415 - as below

        address = DBusAddress(_PATH, bus_name=_NAME, interface=_NAME)
        hints = {"category": ("s", "email.arrived")}
        told: tuple[Any, ...] = ("Postbell", 0, "mail-unread", title, html.escape(body, quote=False), [], hints, -1)
        message = new_method_call(address, "Notify", "susssasa{sv}i", told)
        message.header.flags |= MessageFlag.no_reply_expected
        with contextlib.suppress(OSError):  # the session has ended, and with it its desktop
            self._bus.send(message)


def desktop_of_session() -> SessionBusDesktop | None:
    """The desktop, if there is one; where there is none that is said, and mail is shown all the same."""
    try:
        return SessionBusDesktop()
    except NoDesktopError as error:
        notice(f"no desktop notifications: {error}")
        return None


def _open() -> Any:
    try:
        from jeepney import DBusErrorResponse, message_bus  # noqa: PLC0415 - for who wants notifications alone
        from jeepney.io.blocking import Proxy, open_dbus_connection  # noqa: PLC0415
    except ImportError as error:
        raise NoDesktopError("the library jeepney is not there") from error
    try:
        bus = open_dbus_connection(bus="SESSION")
    except (OSError, KeyError, ValueError) as error:
        raise NoDesktopError("there is no session bus") from error
    proxy = Proxy(message_bus, bus, timeout=_ANSWER_S)
    try:
        names = [*proxy.ListNames()[0], *proxy.ListActivatableNames()[0]]
    except (OSError, DBusErrorResponse) as error:
        raise NoDesktopError("the session bus does not answer") from error
    if _NAME not in names:
        raise NoDesktopError("no program of this session shows notifications")
    return bus
