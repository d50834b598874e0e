"""A Dovecot of this machine that says which mailbox changed: whether it can, and whether that is heard. Pure."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.doctor.judge.access import ENTER, READ, WRITE, refusing
from bridge.doctor.judge.check import Check
from bridge.doctor.judge.finding import Finding, broken, fine, unknown

if TYPE_CHECKING:
    from bridge.doctor.judge.access import SystemUser
    from bridge.doctor.judge.files import Named
    from bridge.doctor.judge.mta import Left

AGAIN: Final = "sudo postbell setup dovecot --events | sudo sh"
STICKY: Final = 0o1000
ANYBODY: Final = WRITE | ENTER


@dataclass(frozen=True, slots=True)
class MailEventsSeen:
    """`wanted`: a mailbox is followed by what Dovecot says; `box` is where that leaves names, with the way to it.

    `left` are the files of the recipe, empty where nobody ran it here.
    """

    wanted: bool
    box: Named
    left: tuple[Left, ...] = ()


def judge(seen: MailEventsSeen, *, runs_as: SystemUser | None) -> list[Finding]:
    """All findings of the check `mailbox.events`."""
    if not seen.wanted:
        return [unknown(Check.MAILBOX_EVENTS, "no mailbox is followed by what Dovecot says")]
    found = [*_box(seen.box, runs_as), *_left(seen)]
    if found:
        return found
    if not seen.left:
        return [unknown(Check.MAILBOX_EVENTS, "Dovecot was not set up here by postbell setup dovecot --events", AGAIN)]
    return [fine(Check.MAILBOX_EVENTS)]


def _box(box: Named, account: SystemUser | None) -> list[Finding]:
    place = box.place
    if place is None:
        return [broken(Check.MAILBOX_EVENTS, f"{box.path}, where Dovecot leaves names: {box.error}", AGAIN)]
    if not stat.S_ISDIR(place.mode) or place.mode & ANYBODY != ANYBODY or not place.mode & STICKY:
        text = f"{box.path} is not as mail processes need it (mode {place.permissions}): they cannot leave a name there"
        return [broken(Check.MAILBOX_EVENTS, text, f"chmod 1733 {box.path}, or: {AGAIN}")]
    wall = None if account is None else refusing(box.trail, account, READ | WRITE | ENTER)
    if wall is not None and account is not None:
        text = f"{account.name}, who runs the service, may not look into {wall.path}, so that nothing is heard"
        return [broken(Check.MAILBOX_EVENTS, text, f"chown {account.name} {box.path}, or: {AGAIN}")]
    return []


def _left(seen: MailEventsSeen) -> list[Finding]:
    return [
        broken(Check.MAILBOX_EVENTS, f"{each.path} {_differs(each)}", AGAIN)
        for each in seen.left
        if each.there != each.wanted
    ]


def _differs(each: Left) -> str:
    return f"cannot be read: {each.error}" if each.there is None else "is not as the recipe writes it now"
