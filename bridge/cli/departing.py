"""What is left to do when a user has been removed from the store: files, journals, and the broker's copies."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.archive import leftovers
from bridge.cli import opening
from bridge.daemon import runfile
from bridge.store import backlog, messages, offline

if TYPE_CHECKING:
    from bridge.config.settings import Settings
    from bridge.store.people import Belongings

CLEARED_WITHIN_S, LOOK_S = 5.0, 0.05
"""How long a running bridge gets to clear the broker, before the command ends without having seen it done."""


@dataclass(frozen=True, slots=True)
class Departed:
    """Files of large bodies and journals that are gone, topics that wait for the broker, and copies that are older.

    `staying` files go when a backup has ended that is being made.
    """

    files: int
    staying: int
    journals: int
    waiting: int
    copies: tuple[str, ...]


def clear(settings: Settings, name: str, user_id: int) -> Departed:
    """Clear what a user left beside the rows; raises store errors or OSError."""
    with opening.acting(settings):
        cleared = _clear_spool(settings)
        if cleared.files:
            with opening.changing(settings) as transaction:
                messages.forget_discarded(transaction, cleared.files)
        journals = leftovers.clear_journals(settings.state_dir / "watch", name)
        waiting = _cleared_on_broker(settings, user_id)
        if not settings.store.url:
            leftovers.empty_log(settings.database)
        copies = leftovers.copies(settings.state_dir)
    return Departed(len(cleared.files), cleared.staying, journals, waiting, tuple(str(path) for path in copies))


def _clear_spool(settings: Settings) -> leftovers.Cleared:
    if settings.store.url:  # all of it is in the database
        return leftovers.Cleared(frozenset(), 0)
    return leftovers.clear_spool(settings.database, settings.spool_dir)


def described(name: str, removed: Belongings, departed: Departed) -> list[str]:
    """The same for people."""
    has = f"{removed.addresses} addresses, {removed.devices} devices with {removed.logins} passwords"
    lines = [f"removed {name}: {has}, {removed.messages} messages, {removed.bodies} bodies that nobody else has"]
    if departed.waiting:
        lines.append(f"{departed.waiting} topics on the broker are cleared as soon as the bridge reaches it")
    if departed.staying:
        lines.append(f"{departed.staying} files of large bodies go when the backup that is being made has ended")
    if departed.copies:
        lines.append("older copies of the whole state still have all that; remove them when you need them no more:")
        lines += [f"  {copy}" for copy in departed.copies]
    return lines


def _cleared_on_broker(settings: Settings, user_id: int) -> int:
    """Wait a little for the broker; how many topics still wait for it."""
    give_up_at = time.monotonic() + CLEARED_WITHIN_S
    while True:
        with offline.reading(settings.place) as connection:
            waiting = backlog.waiting_of(connection, user_id)
        running = runfile.read(settings.run_dir, runfile.BRIDGE).get("connected")
        if not waiting or not running or time.monotonic() > give_up_at:
            return waiting
        time.sleep(LOOK_S)
