"""What is asked of a folder and of the mails that are known there, and what the answers say of them. Pure.

A server with QRESYNC (RFC 7162 §3.2.5) tells at once which of the mails that are known have other flags or are gone
since a moment, instead of being asked for all of them. The answer is about known mails alone, so it is bounded.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bridge.imap import naming, replies
from bridge.imap.errors import ImapSyntaxError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import TypeAlias

    from bridge.imap.lines import Response

    Ranges: TypeAlias = list[tuple[int, int]]
    """UIDs, from and to, both included."""
FLAGS_AT_ONCE = 1_000
"""Mails whose flags are asked for in one command: some 45 bytes each."""
CHANGES_AT_ONCE = 20_000
"""Mails of which is asked in one command what changed: the answer is about those alone that did."""
SEARCHED_AT_ONCE = 20_000
"""The UIDs of so many mails go into one line, of whatever digits: eleven bytes each, beside 256 KiB."""
LONGEST_SET = 6_000
"""Characters of a set of UIDs: servers need not take lines of more than 8,192 (RFC 7162 §4)."""


class KnownFolder(Protocol):
    """What is known of a folder."""

    @property
    def validity(self) -> int:
        """The UIDVALIDITY that it had; 0 when it was never open."""

    @property
    def uids(self) -> Sequence[int]:
        """UIDs of mails that are known, ascending."""

    @property
    def next_uid(self) -> int:
        """The first that was not looked at; 0 when none was."""

    @property
    def modseq(self) -> int:
        """Up to which HIGHESTMODSEQ all is known; 0 when nobody knows."""


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What happened to known mails since they were looked at: whether they are seen now, and which are gone."""

    seen: dict[int, bool]
    gone: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """A folder as it was opened: UIDVALIDITY, UIDNEXT (0: not said), how many mails, HIGHESTMODSEQ (0: it has none).

    `meanwhile` is None where the server did not tell, and has to be asked.
    """

    validity: int
    next_uid: int
    exists: int
    modseq: int
    meanwhile: Meanwhile | None = None


def resync(known: KnownFolder) -> str:
    """What is added to SELECT so that the server tells what happened; empty where nothing is known, or too much."""
    uids = replies.uids_of(list(known.uids))
    if not known.modseq or not uids or len(uids) > LONGEST_SET:
        return ""
    return f" (QRESYNC ({known.validity} {known.modseq} {uids}))"


def parts(exists: int) -> list[str]:
    """A folder of so many mails in parts that are searched one after the other, each as SEARCH begins with it.

    The last mails come first: what moves down meanwhile, because another one went, is met once more and not left out.
    """
    if exists <= SEARCHED_AT_ONCE:
        return [""]
    starts = range(1, exists + 1, SEARCHED_AT_ONCE)
    last, *others = reversed(starts)
    return [f"{last}:* ", *(f"{start}:{start + SEARCHED_AT_ONCE - 1} " for start in others)]


def pieces(uids: Sequence[int], *, at_once: int = FLAGS_AT_ONCE) -> list[Sequence[int]]:
    """UIDs, ascending, in as few pieces as lines of this length and answers of this size allow."""
    found: list[Sequence[int]] = []
    start, most = 0, at_once
    while start < len(uids):
        piece = uids[start : start + most]
        if len(piece) > 1 and len(replies.uids_of(list(piece))) > LONGEST_SET:
            most = len(piece) // 2
            continue
        found.append(piece)
        start, most = start + len(piece), min(2 * most, at_once)
    return found


def changes(uids: Sequence[int], *, since: int, vanished: bool) -> str:
    """The command that asks what happened to these mails since a count, with `vanished` also which of them are gone."""
    more = " VANISHED" if vanished else ""
    return f"UID FETCH {replies.uids_of(list(uids))} (UID FLAGS) (CHANGEDSINCE {since}{more})"


def command(name: str, *, more: str) -> str:
    """The command that opens a folder."""
    return f"SELECT {naming.folder(name)}{more}"


def selected(responses: Sequence[Response], *, modseqs: bool, since: KnownFolder | None = None) -> Selected:
    """The folder that these responses open; `since` is what the server was told that we know. Raises ImapSyntaxError.

    HIGHESTMODSEQ is believed with `modseqs` alone. A server whose count has begun anew tells nothing of value.
    """
    said: dict[str, int] = {}
    exists = 0
    for response in responses:
        status = replies.status(response)
        if status is not None and len(status.code) > 1 and status.code[1].isdecimal():
            said[status.code[0]] = replies.number(status.code[1].encode())
        elif replies.kind(response) == "EXISTS":
            exists = replies.counted(response)
    if not said.get("UIDVALIDITY"):
        raise ImapSyntaxError("the server says no UIDVALIDITY, so nothing in its folders has a name that lasts")
    modseq = said.get("HIGHESTMODSEQ", 0) if modseqs else 0
    told = since is not None and since.validity == said["UIDVALIDITY"] and since.modseq <= modseq
    return Selected(
        validity=said["UIDVALIDITY"],
        next_uid=said.get("UIDNEXT", 0),
        exists=exists,
        modseq=modseq,
        meanwhile=meanwhile(responses, since.uids) if told and since is not None else None,
    )


def meanwhile(responses: Sequence[Response], known: Sequence[int]) -> Meanwhile:
    """What these responses say of known mails; raises ImapSyntaxError."""
    there = set(known)
    seen: dict[int, bool] = {}
    ranges: Ranges = []
    for response in responses:
        kind = replies.kind(response)
        if kind == "FETCH":
            mail = replies.fetched(response)
            if mail.uid in there and mail.uid is not None and mail.seen is not None:
                seen[mail.uid] = mail.seen
        elif kind == "VANISHED":
            ranges += replies.vanished(response)
    gone = within(known, ranges)
    return Meanwhile(left(seen, set(gone)), gone)


def left(seen: dict[int, bool], gone: Collection[int]) -> dict[int, bool]:
    """What is said of mails that are not gone."""
    return {uid: value for uid, value in seen.items() if uid not in gone}


def within(uids: Sequence[int], ranges: Ranges) -> tuple[int, ...]:
    """Those of these UIDs that are in the ranges."""
    merged = _merged(ranges)
    return tuple(uid for uid in uids if _within(uid, merged))


def _merged(ranges: Ranges) -> Ranges:
    """The same numbers in ranges that are in order and do not overlap."""
    found: Ranges = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def _within(uid: int, ranges: Ranges) -> bool:
    place = bisect_left(ranges, (uid + 1,))
    return place > 0 and uid <= ranges[place - 1][1]
