"""The mail servers of this machine that hand over mail: what their recipe left, the socket, and their queues. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.doctor.judge.access import WRITE, SystemUser, refusing
from bridge.doctor.judge.check import Check
from bridge.doctor.judge.files import DENIED
from bridge.doctor.judge.finding import Finding, broken, fine, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.doctor.judge.access import FileSeen
    from bridge.doctor.judge.files import Named

OF_MTA: Final = (Check.MTA_RECIPE, Check.MTA_SOCKET, Check.MTA_QUEUE)
HOUR_S: Final = 3600
COMMENT: Final = re.compile(r"^\s*#.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Left:
    """A file that the recipe leaves, with its text; or one of the server's own, with the parts it leaves there.

    `there` is the text that is there now, None when it could not be read, for the reason in `error`. The recipe
    is the cure of what differs, unless another is told.
    """

    path: str
    wanted: str
    there: str | None
    error: str = ""
    own: bool = True
    cure: str = ""


@dataclass(frozen=True, slots=True)
class SocketSeen:
    """The way to the LMTP socket, as a server's process has it, and who that process is; None when nobody knows.

    `chrooted`: the way begins at the server's own root.
    """

    named: Named
    account: SystemUser | None
    chrooted: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """Mail for Postbell in a server's queue: how many copies, since when, and why, as the server says.

    `refused` is why there is no telling; `whole` whether the queue was looked through to its end. `down`: the server
    does not run.
    """

    count: int = 0
    oldest_s: float = 0.0
    reason: str = ""
    refused: str = ""
    whole: bool = True
    down: bool = False


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """What was seen of one server.

    `again` is the command that runs its recipe once more, and `flush` the one that has it try its queue. `gone` says
    why nothing of it can be judged. `socket` is None when it does not come through one.
    """

    name: str
    again: str
    flush: str = ""
    gone: str = ""
    left: tuple[Left, ...] = ()
    socket: SocketSeen | None = None
    waiting: Waiting | None = None


def judge(servers: Iterable[ServerSeen], *, none: str) -> list[Finding]:
    """All findings of the hop `mta`; `none` is what is said where no server was set up, or nobody knows."""
    servers = list(servers)
    if not servers:
        return [unknown(check, none) for check in OF_MTA]
    found = []
    for check, judged in ((Check.MTA_RECIPE, _recipe), (Check.MTA_SOCKET, _socket), (Check.MTA_QUEUE, _queue)):
        answers = [unknown(check, f"{each.name}: {each.gone}") if each.gone else judged(each) for each in servers]
        found += [each for each in answers if each.ok is not True] or [fine(check)]
    return found


def _recipe(server: ServerSeen) -> Finding:
    unread = next((each for each in server.left if each.there is None and each.error == DENIED), None)
    differs = [told for each in server.left if (told := _difference(each))]
    if differs:
        cure = next((each.cure for each in server.left if each.cure), server.again)
        return broken(Check.MTA_RECIPE, f"{server.name} is not set up for the users of now: {'; '.join(differs)}", cure)
    if unread is not None:
        return unknown(Check.MTA_RECIPE, f"{server.name}: this user cannot read {unread.path}")
    return fine(Check.MTA_RECIPE)


def _difference(left: Left) -> str:
    """What is wrong with a file, empty if nothing is."""
    if left.there is None:
        return "" if left.error == DENIED else f"{left.path}: {left.error}"
    if not left.own:
        there = _plain(COMMENT.sub("", left.there))
        missing = [line for line in left.wanted.splitlines() if _plain(line) not in there]
        return f"{left.path} lacks {', '.join(missing)}" if missing else ""
    wanted, there_now = (Counter(text.splitlines()) for text in (left.wanted, left.there))
    lacking, further = (wanted - there_now).total(), (there_now - wanted).total()
    told = [f"lacks {lacking} lines"] if lacking else []
    told += [f"has {further} lines of another time"] if further else []
    return f"{left.path} {' and '.join(told)}" if told else ""


def _plain(text: str) -> str:
    return " ".join(text.split())


def _socket(server: ServerSeen) -> Finding:
    if server.socket is None:
        return unknown(Check.MTA_SOCKET, f"{server.name} comes over TCP, and needs no rights for that")
    named, account = server.socket.named, server.socket.account
    if account is None:
        return unknown(Check.MTA_SOCKET, f"nobody knows which user {server.name} runs as")
    if named.place is None:
        return _absent(server, server.socket)
    wall = refusing(named.trail, account, WRITE)
    return fine(Check.MTA_SOCKET) if wall is None else _refused(server, account, wall, last=wall is named.place)


def _absent(server: ServerSeen, seen: SocketSeen) -> Finding:
    """Where there is no socket to be seen."""
    if seen.named.error == DENIED:
        return unknown(Check.MTA_SOCKET, f"this user cannot look at {seen.named.path}")
    if not seen.chrooted:
        return unknown(Check.MTA_SOCKET, f"{seen.named.path}: {seen.named.error}; listener.lmtp judges that")
    return broken(
        Check.MTA_SOCKET,
        f"{server.name} hands over from a root of its own, where the socket would be {seen.named.path}: "
        f"{seen.named.error}",
        f"n, not y, for chroot in its master.cf, as the recipe has it: {server.again}",
    )


def _refused(server: ServerSeen, account: SystemUser, wall: FileSeen, *, last: bool) -> Finding:
    """The socket does not let the server in, or, unless it is the `last`, a folder on the way to it."""
    told = (
        f"{server.name}, which comes as user {account.name} and in no other group, cannot open the socket of "
        f"lmtp.listen: {wall.path} is of user {wall.uid}, group {wall.gid}, mode {wall.permissions}"
    )
    if not last:
        return broken(Check.MTA_SOCKET, told, f"chmod o+x {wall.path}, or have lmtp.listen where {account.name} may go")
    return broken(
        Check.MTA_SOCKET,
        told,
        f"with systemd SocketGroup={account.name} in a drop-in of postbell.socket (docs/install.md); without it "
        f'lmtp.socket_owner = ":{account.name}", with Postbell\'s user a member of that group',
    )


def _queue(server: ServerSeen) -> Finding:
    waiting = server.waiting
    if waiting is None or waiting.refused:
        reason = waiting.refused if waiting is not None else "its queue cannot be asked"
        return unknown(Check.MTA_QUEUE, f"{server.name}: {reason}")
    if waiting.down:
        return broken(
            Check.MTA_QUEUE,
            f"{server.name} does not run: no mail comes to this machine, and none leaves its queue",
            "start it, for example: systemctl start postfix",
        )
    if not waiting.count:
        if waiting.whole:
            return fine(Check.MTA_QUEUE)
        return unknown(Check.MTA_QUEUE, f"{server.name}: its queue is too long to be looked through in this time")
    least = "" if waiting.whole else "at least "
    return broken(
        Check.MTA_QUEUE,
        f"mail for Postbell waits in {server.name}'s queue, {least}{waiting.count} in number and the first for "
        f"{_age(waiting.oldest_s)}: {waiting.reason}",
        f"mend what it says (mta.socket and listener.lmtp say more), then have it try again at once: {server.flush}",
    )


def _age(age_s: float) -> str:
    if age_s < 2 * HOUR_S:
        return f"{max(age_s, 0) / 60:.0f} minutes"
    return f"{age_s / HOUR_S:.0f} hours"
