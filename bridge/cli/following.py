"""How mailboxes that are followed go, as the bridge that runs tells it: for `mailbox list` and for `status`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bridge.cli import output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.config.settings import Settings
    from bridge.mailbox.account import Watched
    from bridge.store.engine import StoreConnection

CONNECTED = frozenset({"following", "polling", "called"})
ASK_S = 2.0
"""So long may a bridge take to say it."""
MOST_LINES = 10
"""Of more folders only those are listed that are in trouble."""


def watched(connection: StoreConnection) -> list[Watched]:
    """All folders that are followed."""
    if connection.execute("SELECT 1 FROM mailbox LIMIT 1").fetchone() is None:
        return []
    from bridge.store import mailboxes  # noqa: PLC0415 - most installations follow none

    return mailboxes.watched(connection)


def told(settings: Settings, watched: Sequence[Watched], *, running: bool | None) -> list[dict[str, Any]]:
    """How each of these folders goes; `running` says whether a bridge runs here, None for who cannot know."""
    standings = _standings(settings) if watched and (running or settings.store.url) else {}
    silent = "not running" if running is False else "unknown"
    return [_told(each, standings.get(each.folder_id), silent=silent) for each in watched]


def _standings(settings: Settings) -> dict[int, dict[str, Any]]:
    from bridge.daemon import control, everywhere  # noqa: PLC0415 - most installations follow none

    with suppress(control.ControlError):
        return {each["folder_id"]: each for each in everywhere.folders(settings, deadline_s=ASK_S)}
    return {}


def _told(watched: Watched, standing: Mapping[str, Any] | None, *, silent: str) -> dict[str, Any]:
    account = watched.account
    now = standing or {
        "state": silent,
        "reason": "",
        "event_ms": None,
        "lag_ms": None,
        "since_ms": None,
        "down": False,
    }
    return {
        "mailbox": account.mailbox_id,
        "user": account.user,
        "url": account.url,
        "login": account.login,
        "secret": account.secret.kind.value,
        "folder": watched.name,
        "source": None if account.source_ms is None else output.moment(account.source_ms),
        "state": now["state"],
        "connected": now["state"] in CONNECTED,
        "down": now["down"],
        "reason": now["reason"],
        "since": None if now["since_ms"] is None else output.moment(now["since_ms"]),
        "last_event": None if now["event_ms"] is None else output.moment(now["event_ms"]),
        "lag_ms": now["lag_ms"],
    }


def down(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Mailboxes that somebody has to look after, each once, as status names them."""
    return list(dict.fromkeys(_name(each) for each in found if each["down"]))


def lines(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The same for people."""
    if len(found) <= MOST_LINES:
        return [(_name(each), _line(each)) for each in found]
    connected = sum(each["connected"] for each in found)
    troubled = [each for each in found if each["reason"]]
    told_ = [(_name(each), _line(each)) for each in troubled[:MOST_LINES]]
    more = [("", f"and {len(troubled) - MOST_LINES} more: postbell mailbox list")] if troubled[MOST_LINES:] else []
    return [("mailboxes", f"{connected} of {len(found)} folders are connected"), *told_, *more]


def _name(each: Mapping[str, Any]) -> str:
    return f"mailbox {each['mailbox']}"


def _line(each: Mapping[str, Any]) -> str:
    parts = [f"{each['user']}, {each['folder']} at {each['url']}: {each['state']}"]
    if each["reason"]:
        parts = [f"{parts[0]} since {each['since']}: {each['reason']}"]
    if each["last_event"]:
        parts.append(f"last event {each['last_event']}")
    if each["lag_ms"] is not None:
        parts.append(f"lag {each['lag_ms']} ms")
    return ", ".join(parts)
